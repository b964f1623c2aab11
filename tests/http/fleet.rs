//! Three nodes on one Redis behind a round-robin proxy. Clients of every revision use sessions while one node is killed
//! and another is replaced, and no request fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::connections::resume;
use super::sse::Stream;
use super::streamable::WITH_CONNECTIONS;
use crate::support::node::{Client, Node};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{PATIENCE, Project};

/// How long clients work before, between and after the failures.
const CALM: Duration = Duration::from_secs(2);

/// The record of one client.
#[derive(Default)]
struct Worked {
    results: Vec<Value>,
    slowest: Duration,
}

impl Worked {
    fn took(&mut self, started: Instant, answer: &Value) {
        assert_eq!(answer["status"]["success"], true, "{answer}");
        let durability = &answer["context"]["durability"];
        assert_eq!(durability["durable"], true, "{answer}");
        self.results.push(answer["context"]["result_id"].clone());
        self.slowest = self.slowest.max(started.elapsed());
    }
}

fn arguments(session: &Value, n: usize) -> Value {
    json!({"session_id": session, "path": format!("pkg/m{}.py", n % 8), "limit": 1})
}

/// A call as a client of that revision makes it: it resumes a stream that breaks off.
fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let message = client.message("tools/call", params);
    let (mut last, mut answer) = (None, None);
    for event in client.post(&message).of_status(200).events() {
        last = event.id.clone().or(last);
        answer = (!event.data.is_empty()).then(|| event.json()).or(answer);
    }
    let started = Instant::now();
    while answer
        .as_ref()
        .is_none_or(|answer| answer["id"] != message["id"])
    {
        let from = last
            .clone()
            .expect("a stream that breaks off had an event with an id");
        assert!(started.elapsed() < PATIENCE, "the answer does not come");
        for event in resume(client, &from) {
            last = event.id.clone().or(last);
            answer = (!event.data.is_empty()).then(|| event.json()).or(answer);
        }
    }
    let answer = answer.expect("an answer");
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer["result"]["structuredContent"].clone()
}

fn with_connection(base: &str, revision: &str, over: &AtomicBool) -> (Value, Worked) {
    let mut client = Client::of(base).connected(revision);
    let made = call(&mut client, "create_session", json!({}));
    let session = made["data"]["session_id"].clone();
    let mut worked = Worked::default();
    while !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let arguments = arguments(&session, worked.results.len());
        let answer = call(&mut client, "analyze_complexity", arguments);
        worked.took(started, &answer);
    }
    (session, worked)
}

fn stateless(base: &str, over: &AtomicBool) -> (Value, Worked) {
    let mut client = Client::of(base);
    let made = client.good_stateless("create_session", json!({}));
    let session = made["data"]["session_id"].clone();
    let mut worked = Worked::default();
    while !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let arguments = arguments(&session, worked.results.len());
        let answer = client.good_stateless("analyze_complexity", arguments);
        worked.took(started, &answer);
    }
    (session, worked)
}

/// The stream belongs to one node. If that dies, the client opens another and repeats unanswered calls.
fn over_sse(base: &str, over: &AtomicBool) -> (Value, Worked) {
    let mut stream = Stream::initialized(Client::of(base));
    let made = stream.good("create_session", json!({}));
    let session = made["data"]["session_id"].clone();
    let mut worked = Worked::default();
    while !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let arguments = arguments(&session, worked.results.len());
        let params = json!({"name": "analyze_complexity", "arguments": arguments});
        let Some(answer) = stream.try_request("tools/call", params) else {
            stream = Stream::initialized(Client::of(base));
            continue;
        };
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        worked.took(started, &answer["result"]["structuredContent"]);
    }
    (session, worked)
}

#[test]
fn no_request_fails_when_nodes_are_killed_or_replaced() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::large(8);
    let start = || Node::on(&redis, project.path(), &[]);
    let mut nodes = [start(), start(), start()];
    let proxy = Proxy::before(nodes.iter().map(|node| node.http).collect());
    let (base, over) = (format!("http://{}", proxy.address), AtomicBool::new(false));
    let all = thread::scope(|scope| {
        let (base, over) = (&base, &over);
        let mut clients: Vec<_> = WITH_CONNECTIONS
            .map(|revision| scope.spawn(move || with_connection(base, revision, over)))
            .into();
        clients.push(scope.spawn(move || stateless(base, over)));
        clients.push(scope.spawn(move || over_sse(base, over)));
        // Stops the clients even if an assertion fails.
        let _end = End(over);
        thread::sleep(CALM);
        nodes[0].kill();
        thread::sleep(CALM);
        nodes[0] = start();
        proxy.replace(0, nodes[0].http);
        thread::sleep(CALM);
        nodes[1].signal(Signal::TERM);
        assert!(nodes[1].over().success(), "{}", nodes[1].log());
        nodes[1] = start();
        proxy.replace(1, nodes[1].http);
        thread::sleep(CALM);
        over.store(true, Ordering::Relaxed);
        let ended = clients
            .into_iter()
            .map(|client| client.join().expect("no request failed"));
        ended.collect::<Vec<_>>()
    });
    let mut client = Client::of(&base);
    for (session, worked) in all {
        assert!(worked.results.len() > 4, "{}", worked.results.len());
        let view = client.good_stateless(
            "get_session",
            json!({"session_id": session, "history_limit": 50}),
        );
        let history = view["data"]["history"].as_array().expect("a history");
        let kept: Vec<_> = history.iter().map(|entry| &entry["result_id"]).collect();
        // The history keeps the newest results, and every acknowledged one is among them.
        for result in worked.results.iter().rev().take(kept.len().min(20)) {
            assert!(kept.contains(&result), "{result} is lost: {kept:?}");
        }
        eprintln!(
            "{} calls, the slowest {:?}",
            worked.results.len(),
            worked.slowest
        );
    }
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
