//! A call that crashes its node: the next attempts find the file that causes it and leave it out. If they find none,
//! the call fails after a number of attempts.

use serde_json::{Value, json};

use super::serving::until;
use super::{sessions, text};
use crate::support::Project;
use crate::support::node::{Node, STRUCK};
use crate::support::redis::Redis;

/// Attempts of one call, as in the limits of a session.
const ATTEMPTS: u64 = 3;

fn start(project: &Project, redis: &Redis) -> Node {
    Node::on(redis, project.path(), &STRUCK)
}

#[test]
fn a_call_that_crashes_its_nodes_fails_after_the_last_attempt() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut node = start(&project, &redis);
    let made = node
        .client()
        .good_stateless("create_session", json!({"label": "fatal"}));
    let id = text(&made, "/data/session_id").to_owned();
    let arguments = json!({"session_id": id, "idempotency_key": "again"});
    let call = json!({"name": "analyze_complexity", "arguments": arguments});
    for attempt in 1..=ATTEMPTS {
        if attempt > 1 {
            node = start(&project, &redis);
        }
        // The node is stopped, so the call has begun but has not ended when the node is killed.
        let stall = json!({"actor": "pool", "mode": "stall", "for_ms": 60_000});
        assert_eq!(node.post_admin("/admin/chaos/actors", &stall), 200);
        let (mut client, call) = (node.client(), call.clone());
        let asking = std::thread::spawn(move || {
            let (message, client) = client.stateless_message("tools/call", call);
            client.try_post_to("/mcp", message.to_string().as_bytes())
        });
        until(|| {
            let shown = sessions(&project, &redis, &["show", &id, "--format", "json"]).json();
            let calls = shown["calls"].as_array().expect("a list");
            assert!(calls.len() <= 1, "it is one call: {shown}");
            let begun = calls.first()?["attempt"].as_u64()?;
            assert!(begun <= attempt, "{shown}");
            (begun == attempt).then_some(())
        });
        node.kill();
        assert!(
            asking.join().expect("asked").is_none(),
            "attempt {attempt} was answered"
        );
    }
    let last = start(&project, &redis);
    let answer = last.client().stateless("tools/call", call.clone());
    let answer: Value = answer.of_status(200).message();
    let status = &answer["result"]["structuredContent"]["status"];
    assert_eq!(status["reason"], "interrupted", "{answer}");
    assert_eq!(status["code"], "ABORTED", "{answer}");
    assert!(text(status, "/message").contains("3 times"), "{status}");
    // The node lives, its session continues, and a repeated call is tried again.
    let view = last
        .client()
        .good_stateless("get_session", json!({"session_id": id}));
    let calls = view["data"]["calls"].as_array().expect("a list");
    assert_eq!(calls.len(), 1, "{view}");
    assert_eq!(calls[0]["state"], "failed", "{view}");
    assert_eq!(calls[0]["attempt"], ATTEMPTS, "{view}");
    last.client()
        .good_stateless("analyze_complexity", arguments);
}

/// Functions of a file that takes a while to analyse.
const FUNCTION: &str = "def f(a, b):\n    return [a, b, a + b, a * b, (a, b), {a: b}]\n\n\n";
const LARGE_BYTES: usize = 8 << 20;

#[test]
fn a_file_that_crashed_a_node_is_left_out() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let large = FUNCTION.repeat(LARGE_BYTES / FUNCTION.len());
    std::fs::write(project.path().join("large.py"), large).expect("written");
    let mut node = start(&project, &redis);
    let made = node
        .client()
        .good_stateless("create_session", json!({"label": "fatal"}));
    let id = text(&made, "/data/session_id").to_owned();
    let arguments = json!({"session_id": id, "idempotency_key": "again"});
    let call = json!({"name": "analyze_complexity", "arguments": arguments});
    let state_of_call = || {
        let line = sessions(&project, &redis, &["export", &id]).json();
        let calls = line["state"]["calls"].as_object().expect("calls").clone();
        Some(calls.values().next()?["state"]["executing"].clone())
    };
    for attempt in 1..=2 {
        if attempt == 1 {
            // The first attempt is interrupted before it has parsed a file.
            let stall = json!({"actor": "pool", "mode": "stall", "for_ms": 60_000});
            assert_eq!(node.post_admin("/admin/chaos/actors", &stall), 200);
        } else {
            node = start(&project, &redis);
        }
        let (mut client, call) = (node.client(), call.clone());
        let asking = std::thread::spawn(move || {
            let (message, client) = client.stateless_message("tools/call", call);
            client.try_post_to("/mcp", message.to_string().as_bytes())
        });
        until(|| {
            let state = state_of_call()?;
            // From the second attempt on, the parsed file is recorded.
            let reached =
                state["attempt"] == attempt && (attempt == 1 || state["at_work"].is_string());
            reached.then_some(())
        });
        node.kill();
        assert!(
            asking.join().expect("asked").is_none(),
            "attempt {attempt} was answered"
        );
    }
    let last = start(&project, &redis);
    let answer = last.client().stateless("tools/call", call);
    let answer: Value = answer.of_status(200).message();
    let answer = &answer["result"]["structuredContent"];
    assert_eq!(answer["status"]["success"], true, "{answer}");
    let coverage = &answer["coverage"];
    assert_eq!(coverage["skipped"]["analysis_ended_node"], 1, "{answer}");
    assert!(coverage["files_analyzed"].as_u64() > Some(5), "{coverage}");
    let notices = answer["context"]["notices"].to_string();
    assert!(notices.contains("large.py"), "{notices}");
    let view = last
        .client()
        .good_stateless("get_session", json!({"session_id": id}));
    assert_eq!(view["data"]["calls"][0]["attempt"], 3, "{view}");
}
