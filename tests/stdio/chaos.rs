//! Actors are killed, panic and stall while a client calls over stdio: the client notices nothing, and acknowledged
//! results are kept.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::chaos::{EVERY, strike};
use crate::support::node::post_admin;
use crate::support::redis::free_port;
use crate::support::server::NEWEST_WITH_INITIALIZE;
use crate::support::{PATIENCE, Project, Server};

/// Enough for every fault in every kind of actor.
const STRIKES: usize = 40;

#[test]
fn a_client_over_stdio_is_answered_despite_faults() {
    let project = Project::large(8);
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let root = project.path().to_string_lossy().into_owned();
    let mut server = Server::start_with(&[
        "serve",
        "--stdio",
        "--admin",
        &admin.to_string(),
        "--chaos",
        "--root",
        &root,
    ]);
    server.initialize(NEWEST_WITH_INITIALIZE);
    let made = server.good("create_session", json!({}));
    let session = made["data"]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (over, struck) = (AtomicBool::new(false), AtomicUsize::new(0));
    let results: Vec<Value> = thread::scope(|scope| {
        let sessions = [session.clone()];
        let (over, struck) = (&over, &struck);
        scope.spawn(move || {
            let started = Instant::now();
            for nth in 0.. {
                if struck.load(Ordering::Relaxed) >= STRIKES || started.elapsed() > PATIENCE {
                    break;
                }
                let status = post_admin(admin, "/admin/chaos/actors", &strike(nth, &sessions));
                // The session may be asleep, or the actor restarting.
                assert!([200, 404, 409].contains(&status), "{status}");
                struck.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                thread::sleep(EVERY);
            }
            over.store(true, Ordering::Relaxed);
        });
        let mut results = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let path = format!("pkg/m{}.py", results.len() % 8);
            let arguments = json!({"session_id": session, "path": path, "limit": 1});
            let answer = server.good("analyze_complexity", arguments);
            results.push(answer["context"]["result_id"].clone());
        }
        results
    });
    assert_eq!(struck.into_inner(), STRIKES);
    let arguments = json!({"session_id": session, "history_limit": 50});
    let view = server.good("get_session", arguments);
    let history = view["data"]["history"].as_array().expect("a history");
    let kept: Vec<_> = history.iter().map(|entry| &entry["result_id"]).collect();
    let newest: Vec<_> = results.iter().rev().take(kept.len()).collect();
    assert!(!kept.is_empty());
    assert_eq!(kept, newest, "acknowledged, and in order");
    let over = server.close();
    assert!(over.status.success(), "{}", over.stderr);
}
