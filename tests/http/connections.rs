//! Connections: found from any node, resumed after a disconnect, and hidden from other principals.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::node::{Client, Event, Node};
use crate::support::{PATIENCE, Project};

/// Runs long enough for the client to disconnect meanwhile.
pub(super) fn long_call(client: &mut Client) -> Value {
    let calls = vec![json!({"tool": "analyze_structure", "arguments": {"limit": 1}}); 30];
    let mut params = json!({"name": "run_batch", "arguments": {"calls": calls}});
    params["_meta"] = json!({"progressToken": "p"});
    client.message("tools/call", params)
}

/// Starts a call and disconnects after its first event, which it returns.
pub(super) fn start_and_leave(client: &Client, message: &Value) -> Event {
    let mut events = client.post(message).events();
    let first = events.next().expect("an event");
    assert!(first.id.is_some(), "{first:?}");
    first
}

pub(super) fn resume(client: &Client, from: &str) -> Vec<Event> {
    client
        .clone()
        .with("last-event-id", from)
        .get("/mcp")
        .events()
        .collect()
}

pub(super) fn ends_with_answer(events: &[Event], message: &Value) {
    let answers = events
        .iter()
        .filter(|event| event.json()["id"] == message["id"]);
    assert_eq!(answers.count(), 1, "once: {events:?}");
    let last = events.last().expect("an event").json();
    assert_eq!(last["id"], message["id"], "{last}");
    assert_eq!(last["result"]["isError"], false, "{last}");
}

#[test]
fn a_result_from_a_disconnect_is_delivered_once() {
    let project = Project::large(10);
    let node = Node::start(project.path(), &[]);
    for revision in super::streamable::WITH_CONNECTIONS {
        let mut client = node.client().connected(revision);
        let message = long_call(&mut client);
        let left = start_and_leave(&client, &message);
        // Only the newest revision starts with an empty event, to resume from.
        assert_eq!(left.data.is_empty(), revision == "2025-11-25", "{left:?}");
        let from = left.id.expect("an id");
        let events = resume(&client, &from);
        ends_with_answer(&events, &message);
        // After the last event nothing follows.
        let end = events
            .last()
            .and_then(|event| event.id.clone())
            .expect("an id");
        assert_eq!(resume(&client, &end), []);
        // Another connection of the same principal does not have this stream.
        let other = node.client().connected(revision);
        assert_eq!(resume(&other, &from), []);
        assert_eq!(resume(&client, "nonsense"), []);
    }
}

#[test]
fn a_drained_node_finishes_its_calls_and_ends_its_streams() {
    let project = Project::large(10);
    let mut node = Node::start(project.path(), &["--admin", "127.0.0.1:0"]);
    let mut client = node.client().connected("2025-06-18");
    let silent = client.get("/mcp");
    assert_eq!(silent.status, 200);
    let message = long_call(&mut client);
    let running = client.post(&message);
    assert_eq!(node.ask_admin("/readyz").0, 200);
    node.signal(Signal::TERM);
    let started = Instant::now();
    while node.ask_admin("/readyz").0 != 503 {
        assert!(started.elapsed() < PATIENCE, "it is still ready");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(silent.events().count(), 0, "it ends, and is empty");
    let answer = running.messages().pop().expect("an answer");
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert!(node.over().success(), "{}", node.log());
}
