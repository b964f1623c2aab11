//! Tests the guarantees of sessions while failures are injected: `cargo test --features chaos --test chaos`.
//!
//! The sessions run in this process, with fake tools and, in the storm, the real ones. Each scenario keeps up a load,
//! injects failures, and then checks every answer. Nothing here measures speed.

mod load;
mod shared;
mod storm;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use actors::sessions::{CallError, Sessions};
use actors::store::memory::{self, MemoryStore};
use actors::tool::{Catalogue, Tool};
use actors::{Clock, Options};

use load::{Load, create};

/// Longer than any step takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn start() -> Sessions {
    let options = Options {
        session_ttl: Duration::from_secs(3600),
        call_deadline: PATIENCE,
        ..Options::default()
    };
    let tools: [Arc<dyn Tool>; 3] = [
        Arc::new(tools::Echo),
        Arc::new(tools::Patient),
        Arc::new(tools::Panics),
    ];
    Sessions::start(
        options,
        Arc::new(MemoryStore::new(Clock::system(), memory::Limits::default())),
        Catalogue::new(tools),
    )
    .await
    .expect("starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_tool_fails_its_own_calls_and_nothing_else() {
    let sessions = start().await;
    let mut load = Load::new(&sessions, 8).await;
    let unlucky = create(&sessions).await;
    for n in 0..50 {
        let answer = load::call(&sessions, unlucky, "panics", n).await;
        let outcome = answer.expect("the session answers").outcome;
        assert!(outcome.is_err(), "a panic looks like an answer");
        load.round("echo").await;
    }
    load.all_answered();
    let echoed = load::call(&sessions, unlucky, "echo", 7).await;
    assert!(echoed.expect("the session still answers").outcome.is_ok());
    sessions.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_cancellations_leaves_every_session_usable() {
    let sessions = start().await;
    let mut load = Load::new(&sessions, 8).await;
    for _ in 0..10 {
        load.cancelled_round("patient").await;
        load.round("echo").await;
    }
    load.all_answered();
    let rests = async {
        while sessions.status().await.pool.running > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let rests = tokio::time::timeout(PATIENCE, rests).await;
    assert!(rests.is_ok(), "cancelled work still runs");
    sessions.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_running_calls_and_refuses_new_ones() {
    let sessions = start().await;
    let session = create(&sessions).await;
    let running = tokio::spawn({
        let sessions = sessions.clone();
        async move { load::call(&sessions, session, "patient", 1).await }
    });
    // Wait until it runs: a call that has not started may be refused.
    while sessions.status().await.pool.running == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(PATIENCE, sessions.shutdown(Duration::from_millis(50)))
        .await
        .expect("a shutdown ends");
    let answered = tokio::time::timeout(PATIENCE, running).await;
    answered.expect("answered").expect("no panic").map_or_else(
        |error| {
            assert!(
                matches!(error, CallError::Cancelled | CallError::ShuttingDown),
                "{error}"
            )
        },
        |answer| assert_eq!(answer.outcome.expect_err("cut off").reason, "cancelled"),
    );
    let late = load::call(&sessions, session, "echo", 2).await;
    assert!(late.is_err(), "a call after the end was answered");
}
