//! No actor or job remains when callers disconnect.

use std::sync::atomic::AtomicBool;

use super::calls::futures_join;
use super::*;

fn throwaway(arguments: Value) -> CallRequest {
    request(Target::Throwaway(roots().into()), "echo", arguments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_throwaway_call_leaves_no_actor() {
    let world = world().await;
    let early = throwaway(json!({}));
    early.cancel.cancel();
    let _ = world.sessions.call(early).await;
    let late = throwaway(json!({"sleep_ms": 60_000}));
    let cancel = late.cancel.clone();
    // Read the count before the call: another thread may start it before this one looks.
    world.pool_rests().await;
    let before = world.runs();
    let (ended, ()) = tokio::join!(world.sessions.call(late), async {
        world.ran(before + 1).await;
        cancel.cancel();
    });
    assert!(matches!(ended, Err(CallError::Cancelled)), "{ended:?}");
    world.awake_become(0).await;
    world.pool_rests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_throwaway_calls_leave_no_actor() {
    let world = world().await;
    for wait in 0..20 {
        let call = world.sessions.call(throwaway(json!({"sleep_ms": 5})));
        let _ = tokio::time::timeout(Duration::from_micros(wait * 100), call).await;
    }
    world.awake_become(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_waiting_for_a_key_gets_its_answer_if_the_first_one_disconnects() {
    let world = world().await;
    let id = world.session().await;
    let keyed = |deadline| CallRequest {
        idempotency_key: Some("k".to_owned()),
        deadline,
        ..request(Target::Session(id), "echo", json!({"sleep_ms": 300}))
    };
    let first = world.sessions.call(keyed(Some(Duration::from_millis(100))));
    let second = async {
        world.ran(1).await;
        world.sessions.call(keyed(None)).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_err() || first.unwrap().outcome.is_err());
    assert_eq!(echoed(&second.unwrap()), json!({"sleep_ms": 300}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admitted_call_is_not_refused_after_a_crash() {
    let world = world_with(|options| options.session_mailbox = 8).await;
    let id = world.session().await;
    let keyed = || CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "echo", json!({"sleep_ms": 800}))
    };
    let first = tokio::spawn({
        let (sessions, call) = (world.sessions.clone(), keyed());
        async move { sessions.call(call).await }
    });
    world.ran(1).await;
    let struck = AtomicBool::new(false);
    let calls = (0..60).map(|_| async {
        loop {
            match world.sessions.call(keyed()).await {
                Err(CallError::Busy { .. }) if !struck.load(Ordering::SeqCst) => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                other => return other,
            }
        }
    });
    let striking = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        struck.store(true, Ordering::SeqCst);
        assert!(world.strike(id, InjectedFault::Kill).await);
    };
    let (answers, ()) = tokio::join!(futures_join(calls), striking);
    assert!(first.await.unwrap().is_ok());
    for answer in answers {
        assert!(answer.is_ok(), "{answer:?}");
    }
    assert_eq!(world.runs(), 1);
}

/// A job is registered as soon as it is submitted, even if the pool is blocked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_the_pool_is_blocked_spend_no_attempts() {
    let world = world().await;
    let id = world.session().await;
    for tool in ["echo", "once"] {
        let before = world.runs();
        let stall = InjectedFault::Fault(Fault::Stall(Duration::from_millis(300)));
        assert!(world.sessions.strike("pool", stall).await);
        let kills = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            for _ in 0..5 {
                world.strike(id, InjectedFault::Kill).await;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        let (answer, ()) = tokio::join!(world.call(id, tool, json!({"n": 1})), kills);
        let answer = answer.unwrap();
        assert!(answer.outcome.is_ok(), "{tool}: {:?}", answer.outcome);
        assert_eq!(world.runs(), before + 1);
    }
}

/// A call cancelled while its session restarts does not run on without a caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_during_a_restart_is_obeyed() {
    let world = world().await;
    let id = world.session().await;
    let slow = request(Target::Session(id), "echo", json!({"sleep_ms": 60_000}));
    let cancel = slow.cancel.clone();
    let striking = async {
        world.ran(1).await;
        // The third failure comes back after 250 ms.
        for _ in 0..3 {
            while !world.strike(id, InjectedFault::Fault(Fault::Defect)).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(world.sessions.call(slow), striking);
    assert!(ended.is_err() || ended.unwrap().outcome.is_err());
    let ended = async {
        loop {
            let view = world.sessions.get(&Principal::local(), id).await.unwrap();
            if view.calls.iter().all(|call| call.state != "executing") {
                return view.calls[0].state.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(
        matches!(ended.as_deref(), Ok("cancelled" | "failed")),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_deleted_session_are_stopped() {
    let world = world().await;
    let id = world.session().await;
    let running = world.call(id, "echo", json!({"sleep_ms": 60_000}));
    let deleting = async {
        world.ran(1).await;
        let taken = world.store.acquire(id, world.sessions.node()).await;
        world.store.delete(id, taken.unwrap().fence).await.unwrap();
        let _ = world.call(id, "echo", json!({})).await;
    };
    let (ended, ()) = tokio::join!(running, deleting);
    assert_eq!(ended.unwrap_err(), CallError::UnknownSession(id));
    world.pool_rests().await;
}

#[tokio::test]
async fn a_deadline_that_cannot_be_represented_is_accepted() {
    let world = world().await;
    let id = world.session().await;
    let call = CallRequest {
        deadline: Some(Duration::MAX),
        ..request(Target::Session(id), "echo", json!({}))
    };
    assert!(world.sessions.call(call).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_is_cancelled_even_if_its_session_is_blocked() {
    let world = world().await;
    let id = world.session().await;
    let slow = request(Target::Session(id), "echo", json!({"sleep_ms": 60_000}));
    let cancel = slow.cancel.clone();
    let leaving = async {
        world.ran(1).await;
        let stall = InjectedFault::Fault(Fault::Stall(Duration::from_secs(60)));
        assert!(world.strike(id, stall).await);
        cancel.cancel();
        world.pool_rests().await;
    };
    let (ended, ()) = tokio::join!(world.sessions.call(slow), leaving);
    assert_eq!(ended.unwrap_err(), CallError::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_table_is_empty_after_answers_and_quarantines() {
    let world = world().await;
    let id = world.session().await;
    let table = &world.sessions.0.around.pool.table;
    for tool in ["echo", "panics"] {
        let _ = world.call(id, tool, json!({})).await.unwrap();
        assert!(table.requests_of(id).is_empty(), "{tool}");
    }
    let slow = world.call(id, "echo", json!({"sleep_ms": 60_000}));
    let failing = async {
        world.ran(2).await;
        for _ in 0..4 {
            while !world.strike(id, InjectedFault::Fault(Fault::Defect)).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.pool_rests().await;
    };
    let (ended, ()) = tokio::join!(slow, failing);
    assert!(ended.is_err(), "{ended:?}");
    assert!(table.requests_of(id).is_empty());
}
