//! Nodes that share a Redis serve each other's connections.

use std::time::Instant;

use serde_json::json;

use super::connections::{ends_with_answer, long_call, resume, start_and_leave};
use super::sse::Stream;
use super::streamable::WITH_CONNECTIONS;
use crate::support::node::{Client, Node};
use crate::support::redis::Redis;
use crate::support::{PATIENCE, Project};

struct Pair {
    _redis: Redis,
    _project: Project,
    nodes: [Node; 2],
}

fn pair() -> Option<Pair> {
    let redis = Redis::good()?;
    let project = Project::large(10);
    let start = || Node::on(&redis, project.path(), &[]);
    let nodes = [start(), start()];
    Some(Pair {
        _redis: redis,
        _project: project,
        nodes,
    })
}

/// The same client, connected to another node.
fn at(client: &Client, node: &Node) -> Client {
    let mut there = client.clone();
    there.base = node.client().base;
    there
}

/// Lists, completes and reads through a node that does not own the session.
#[test]
fn results_of_one_node_are_resources_on_the_other() {
    let Some(Pair {
        nodes: [one, two], ..
    }) = &pair()
    else {
        return;
    };
    let mut here = one.client().connected("2025-11-25");
    let answer = here.good("analyze_complexity", json!({"path": "pkg/m0.py"}));
    let id = |name: &str| answer["context"][name].as_str().expect("kept").to_owned();
    let (session, result) = (id("session_id"), id("result_id"));
    let uri = format!("analysis://sessions/{session}/results/{result}");
    let mut there = at(&here, two);
    let listed = there.request("resources/list", json!({}));
    assert_eq!(listed["result"]["resources"][0]["uri"], uri, "{listed}");
    let params = json!({
        "ref": {"type": "ref/resource", "uri": "analysis://sessions/{session_id}/results/{result_id}"},
        "argument": {"name": "result_id", "value": "res_"},
        "context": {"arguments": {"session_id": session}},
    });
    let completed = there.request("completion/complete", params);
    let values = &completed["result"]["completion"]["values"];
    assert_eq!(*values, json!([result]), "{completed}");
    let text = |client: &mut Client| {
        let read = client.request("resources/read", json!({"uri": uri}));
        let text = read["result"]["contents"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("{read}")).to_owned()
    };
    assert_eq!(text(&mut there), text(&mut here));
}

#[test]
fn every_node_serves_a_connection() {
    let Some(Pair {
        nodes: [one, two], ..
    }) = &pair()
    else {
        return;
    };
    for revision in WITH_CONNECTIONS {
        let mut here = one.client().connected(revision);
        let mut sessions = Vec::new();
        for n in 0..6 {
            let node = [one, two][n % 2];
            let mut client = at(&here, node);
            let answer = client.good("find_tools", json!({"query": "complexity"}));
            assert_eq!(answer["status"]["success"], true);
            let answer = client.good(
                "analyze_complexity",
                json!({"path": "pkg/m0.py", "limit": 1}),
            );
            assert_eq!(answer["context"]["durability"]["durable"], true, "{answer}");
            sessions.push(answer["context"]["session_id"].clone());
        }
        sessions.dedup();
        assert_eq!(
            sessions.len(),
            1,
            "one default session on all nodes: {sessions:?}"
        );
        assert_eq!(at(&here, two).delete("/mcp"), 204);
        let message = here.message("ping", json!({}));
        assert_eq!(here.post(&message).status, 404, "closed there, closed here");
    }
}

#[test]
fn a_stream_is_resumed_on_another_node() {
    let Some(Pair {
        nodes: [one, two], ..
    }) = &pair()
    else {
        return;
    };
    let mut client = one.client().connected("2025-11-25");
    let message = long_call(&mut client);
    let from = start_and_leave(&client, &message).id.expect("an id");
    let events = resume(&at(&client, two), &from);
    ends_with_answer(&events, &message);
}

#[test]
fn a_cancellation_finds_its_request_on_another_node() {
    let Some(Pair {
        nodes: [one, two], ..
    }) = &pair()
    else {
        return;
    };
    let mut client = one.client().connected("2025-06-18");
    let message = long_call(&mut client);
    let running = client.post(&message);
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": message["id"]},
    });
    let started = Instant::now();
    assert_eq!(at(&client, two).post(&cancel).status, 202);
    let messages = running.messages();
    assert!(
        messages.iter().all(|said| said["id"] != message["id"]),
        "{messages:?}"
    );
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn connections_survive_a_killed_node() {
    let Some(mut pair) = pair() else { return };
    let mut client = pair.nodes[0].client().connected("2025-11-25");
    let before = client.good(
        "analyze_complexity",
        json!({"path": "pkg/m1.py", "limit": 1}),
    );
    pair.nodes[0].kill();
    let mut there = at(&client, &pair.nodes[1]);
    // The call waits until the dead node's lease has ended.
    let after = there.good(
        "analyze_complexity",
        json!({"path": "pkg/m1.py", "limit": 1}),
    );
    assert_eq!(
        after["context"]["session_id"],
        before["context"]["session_id"]
    );
    assert_eq!(
        after["context"]["related_results"][0],
        before["context"]["result_id"]
    );
}

#[test]
fn messages_to_another_node_are_forwarded_to_the_stream() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let start = || Node::on(&redis, project.path(), &[]);
    let [one, two] = [start(), start()];
    let mut stream = Stream::initialized(one.client());
    let here = stream.client.base.clone();
    let mut sessions = Vec::new();
    for n in 0..6 {
        stream.client.base = if n % 2 == 0 {
            two.client().base
        } else {
            here.clone()
        };
        let answer = stream.good("analyze_complexity", json!({"limit": 1}));
        sessions.push(answer["context"]["session_id"].clone());
    }
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
}

#[test]
fn a_silent_stream_ends_when_its_connection_is_closed_through_another_node() {
    let Some(Pair {
        nodes: [one, two], ..
    }) = &pair()
    else {
        return;
    };
    let client = one.client().connected("2025-11-25");
    let silent = client.get("/mcp").of_status(200);
    assert_eq!(at(&client, two).delete("/mcp"), 204);
    let closed = Instant::now();
    assert_eq!(silent.events().count(), 0, "it is empty");
    // Otherwise the client's own timeout would look the same, only later.
    assert!(closed.elapsed() < PATIENCE / 2, "it did not end");
}
