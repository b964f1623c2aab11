//! Calls that run longer than the drain: answered before the connection ends, and continued on the node that takes over
//! the session.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::connections::resume;
use super::sse::Stream;
use super::streamable::WITH_CONNECTIONS;
use crate::support::node::{Client, Node};
use crate::support::redis::Redis;
use crate::support::{PATIENCE, Project};

/// Files of a project whose analysis takes far longer than the drain.
const LARGE: usize = 600;
const DRAIN: [&str; 2] = ["--drain-timeout", "100ms"];

fn everything() -> Value {
    json!({"name": "analyze_complexity", "arguments": {}})
}

/// Waits until this many tools run or wait.
fn runs(node: &Node, calls: u64) {
    let mut client = node.client();
    let started = Instant::now();
    loop {
        let status = client.good_stateless("get_server_status", json!({}))["data"].clone();
        let count = |name: &str| status["pool"][name].as_u64().expect("a count");
        if count("running") + count("queued") >= calls {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{}", status["pool"]);
        thread::sleep(Duration::from_millis(5));
    }
}

fn says_shutting_down(how: &str, answer: &Value) {
    assert_eq!(answer["result"]["isError"], true, "{how}: {answer}");
    let status = &answer["result"]["structuredContent"]["status"];
    assert_eq!(status["reason"], "shutting_down", "{how}: {answer}");
    assert_eq!(status["code"], "UNAVAILABLE", "{how}: {answer}");
    assert_eq!(status["retryable"], true, "{how}: {answer}");
    assert!(
        status["retry_after_ms"].as_u64() > Some(0),
        "{how}: {answer}"
    );
}

/// The status and the body of the answer.
fn ask(client: &Client, message: &Value) -> (u16, Value) {
    let answer = client.post(message);
    (answer.status, answer.message())
}

#[test]
fn a_call_longer_than_the_drain_is_answered_before_its_connection_ends() {
    let project = Project::large(LARGE);
    let mut node = Node::start(project.path(), &DRAIN);
    let mut asked = Vec::new();
    let mut ask_as = |how: &str, wanted: u16, client: Client, message: Value| {
        let asking = thread::spawn(move || ask(&client, &message));
        asked.push((how.to_owned(), wanted, asking));
    };
    let (message, client) = node.client().stateless_message("tools/call", everything());
    ask_as("2026-07-28", 503, client, message);
    let mut followed = everything();
    followed["_meta"] = json!({"progressToken": "p"});
    let (message, client) = node
        .client()
        .stateless_message("tools/call", followed.clone());
    ask_as("2026-07-28, with progress", 200, client, message);
    for revision in WITH_CONNECTIONS {
        let mut client = node.client().connected(revision);
        let message = client.message("tools/call", everything());
        // The newest revision begins its stream at once.
        let wanted = if revision == "2025-11-25" { 200 } else { 503 };
        ask_as(revision, wanted, client.clone(), message);
        let mut client = node.client().connected(revision);
        let message = client.message("tools/call", followed.clone());
        ask_as(&format!("{revision}, with progress"), 200, client, message);
    }
    let mut stream = Stream::initialized(node.client());
    let oldest = stream.ask("tools/call", everything());
    runs(&node, asked.len() as u64 + 1);
    node.signal(Signal::TERM);
    let oldest = stream.answer(&oldest).expect("an answer");
    says_shutting_down("2024-11-05", &oldest);
    let mut unlike = Vec::new();
    for (how, wanted, asking) in asked {
        let (status, answer) = asking.join().expect("it is answered");
        says_shutting_down(&how, &answer);
        // Without progress before the end, nothing was sent.
        if status != wanted && !(status == 503 && how.contains("progress")) {
            unlike.push((how, status));
        }
    }
    assert!(unlike.is_empty(), "{unlike:?}");
    assert!(node.over().success(), "{}", node.log());
    assert!(!node.log().contains("ERROR"), "{}", node.log());
}

#[test]
fn another_node_continues_a_call_of_a_stored_session() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::large(LARGE);
    let mut one = Node::on(&redis, project.path(), &DRAIN);
    let two = Node::on(&redis, project.path(), &DRAIN);
    let mut client = one.client().connected("2025-11-25");
    let made = client.good("create_session", json!({}));
    let session = made["data"]["session_id"].clone();
    let arguments = json!({"session_id": session, "idempotency_key": "once", "limit": 1});
    let call = json!({"name": "analyze_complexity", "arguments": arguments});
    let message = client.message("tools/call", call.clone());
    let mut events = client.post(&message).of_status(200).events();
    let from = events.next().and_then(|event| event.id).expect("an id");
    runs(&one, 1);
    one.signal(Signal::TERM);
    let last = events.last().expect("an answer");
    says_shutting_down("2025-11-25", &last.json());
    assert_eq!(last.id, None, "the stream continues on another node");
    assert!(one.over().success(), "{}", one.log());
    let mut there = client.clone();
    there.base = two.client().base;
    let view = there.good("get_session", json!({"session_id": session}));
    assert!(!view.to_string().contains("cancelled"), "{view}");
    let again = there.request("tools/call", call);
    assert_eq!(again["result"]["isError"], false, "{again}");
    let resumed = resume(&there, &from);
    let answer = resumed.last().expect("an answer").json();
    assert_eq!(answer["id"], message["id"], "{answer}");
    let result =
        |answer: &Value| answer["result"]["structuredContent"]["context"]["result_id"].clone();
    assert!(result(&answer).is_string(), "{answer}");
    assert_eq!(result(&answer), result(&again), "one call");
}
