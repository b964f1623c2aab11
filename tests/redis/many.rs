//! A node dies, and another gets requests for all its sessions at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{is_durable, serve, text};
use crate::support::redis::Redis;
use crate::support::{Project, Server};

const SESSIONS: usize = 2000;
/// Calls running at once.
const AT_ONCE: usize = 200;
/// Connections of one node to Redis: nine long-lived ones, and eight of the pool.
const CONNECTIONS_MAX: u64 = 9 + 8;

/// Sends one call for each session, a limited number at once. All must succeed.
fn ask_all(server: &mut Server, tool: &str, all: impl Iterator<Item = Value>) -> Vec<Value> {
    let (mut asked, mut answers) = (VecDeque::new(), Vec::new());
    let mut take = |server: &mut Server, asked: &mut VecDeque<u64>| {
        let id = asked.pop_front().expect("asked");
        let answer = server.answer(&json!(id));
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{tool}: {answer}");
        answers.push(result["structuredContent"].clone());
    };
    for arguments in all {
        if asked.len() >= AT_ONCE {
            take(server, &mut asked);
        }
        let params = json!({"name": tool, "arguments": arguments});
        asked.push_back(server.ask("tools/call", params));
    }
    while !asked.is_empty() {
        take(server, &mut asked);
    }
    answers
}

/// The highest number of connections seen until the test is over.
fn connections_seen(redis: &Redis, over: &AtomicBool) -> u64 {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        let told = redis.cli(&["INFO", "clients"]);
        let line = told
            .lines()
            .find(|line| line.starts_with("connected_clients:"));
        let count = line.and_then(|line| line.trim().split_once(':')?.1.parse::<u64>().ok());
        // One of them is this client's.
        most = most.max(count.unwrap_or_else(|| panic!("no count in {told}")) - 1);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    most
}

#[test]
fn thousands_of_sessions_load_with_bounded_connections() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::empty().with("a.py", "def f(a):\n    return a\n");
    let mut first = serve(&project, &redis.url(), &[]);
    let made = ask_all(
        &mut first,
        "create_session",
        (0..SESSIONS).map(|_| json!({})),
    );
    let ids: Vec<_> = made
        .iter()
        .map(|answer| text(answer, "/data/session_id").to_owned())
        .collect();
    let call = |id: &String| json!({"session_id": id, "path": "a.py"});
    let before = ask_all(&mut first, "analyze_complexity", ids.iter().map(call));
    // Like `kill -9`: it releases no session.
    drop(first);
    let mut second = serve(&project, &redis.url(), &[]);
    let over = AtomicBool::new(false);
    let (after, most) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| connections_seen(&redis, &over));
        // Stops the counting even if the test fails.
        let all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ask_all(&mut second, "analyze_structure", ids.iter().map(call))
        }));
        over.store(true, Ordering::Relaxed);
        (all, looking.join().expect("looked"))
    });
    let after = after.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
    assert!(most <= CONNECTIONS_MAX, "{most} connections at once");
    for (before, after) in before.iter().zip(&after) {
        is_durable(after, "redis");
        let found = &after["context"]["durability"]["version"];
        let was = &before["context"]["durability"]["version"];
        assert!(found.as_u64() > was.as_u64(), "{found} after {was}");
    }
    let status = second.good("get_server_status", json!({}));
    let reconnects = &status["data"]["store"]["link"]["reconnects"];
    assert_eq!(reconnects, &json!(0), "{status}");
}
