//! Actors are killed, panic and stall under load, through the admin port: no call fails, and no acknowledged result is
//! lost. Ten seconds here; `CHAOS_SECONDS=60` for a minute.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Project;
use crate::support::chaos::{EVERY, strike};
use crate::support::node::{Client, Node, STRUCK};
use crate::support::redis::Redis;

const SECONDS: u64 = 10;
const CLIENTS: usize = 4;

fn lasts() -> Duration {
    let asked = std::env::var("CHAOS_SECONDS").ok();
    Duration::from_secs(
        asked
            .and_then(|asked| asked.parse().ok())
            .unwrap_or(SECONDS),
    )
}

fn session(client: &mut Client) -> String {
    let made = client.good("create_session", json!({}));
    made["data"]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// Returns the acknowledged results in order.
fn work(client: &mut Client, session: &str, over: &AtomicBool) -> Vec<Value> {
    let mut results = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let path = format!("pkg/m{}.py", results.len() % 8);
        let arguments = json!({"session_id": session, "path": path, "limit": 1});
        let answer = client.good("analyze_complexity", arguments);
        results.push(answer["context"]["result_id"].clone());
    }
    results
}

fn check(node: &Node) {
    let revisions = super::streamable::WITH_CONNECTIONS;
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let mut client = node.client().connected(revisions[n % revisions.len()]);
            let session = session(&mut client);
            (client, session)
        })
        .collect();
    let sessions: Vec<_> = clients.iter().map(|(_, session)| session.clone()).collect();
    let over = AtomicBool::new(false);
    let (worked, struck) = thread::scope(|scope| {
        let over = &over;
        let working: Vec<_> = clients
            .iter_mut()
            .map(|(client, session)| scope.spawn(move || work(client, session, over)))
            .collect();
        let until = Instant::now() + lasts();
        let mut struck = 0;
        for nth in 0.. {
            if Instant::now() >= until || working.iter().any(|client| client.is_finished()) {
                break;
            }
            let status = node.post_admin("/admin/chaos/actors", &strike(nth, &sessions));
            // The session may be asleep, or the actor restarting.
            assert!([200, 404, 409].contains(&status), "{status}");
            struck += usize::from(status == 200);
            thread::sleep(EVERY);
        }
        over.store(true, Ordering::Relaxed);
        let worked = working
            .into_iter()
            .map(|client| client.join().expect("no call failed"));
        (worked.collect::<Vec<_>>(), struck)
    });
    assert!(
        struck as u64 > lasts().as_secs() * 5,
        "only {struck} were struck"
    );
    for ((client, session), results) in clients.iter_mut().zip(&worked) {
        let view = client.good(
            "get_session",
            json!({"session_id": session, "history_limit": 50}),
        );
        let history = view["data"]["history"].as_array().expect("a history");
        let kept: Vec<_> = history.iter().map(|entry| &entry["result_id"]).collect();
        let newest: Vec<_> = results.iter().rev().take(kept.len()).collect();
        assert_eq!(kept, newest, "acknowledged, and in order");
    }
    let calls: usize = worked.iter().map(Vec::len).sum();
    eprintln!("{struck} strikes, {calls} calls");
}

#[test]
fn any_fault_in_memory_costs_only_latency() {
    let project = Project::large(8);
    check(&Node::start(project.path(), &STRUCK));
}

#[test]
fn any_fault_over_redis_costs_only_latency() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::large(8);
    check(&Node::on(&redis, project.path(), &STRUCK));
}
