//! A client that reads slowly, or not at all, delays no other client.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ALICE, BOB, HOME, Team, USUAL, bearer};
use crate::support::PATIENCE;
use crate::support::wire::{Wire, request};

/// Sends a request and never reads the answer.
fn deaf(team: &Team, (method, target): (&str, &str), more: &[(&str, &str)], body: &[u8]) -> Wire {
    let token = bearer(ALICE);
    let own = [HOME, ("authorization", token.as_str())];
    let mut wire = Wire::to(team.node.http);
    let sent = wire.send(&request(
        method,
        target,
        &[&USUAL[..], &own, more].concat(),
        body,
    ));
    assert!(sent, "it accepts requests");
    wire
}

fn address(stream: &mut Wire) -> String {
    let begun = stream.read_until(|read| String::from_utf8_lossy(read).contains("sessionId=con_"));
    let begun = String::from_utf8_lossy(&begun).into_owned();
    let (_, id) = begun.split_once("sessionId=").expect("an address");
    format!("/messages?sessionId={}", &id[..36])
}

/// The full list of tools is much longer than the request.
fn lists(first: u64) -> Value {
    let lists =
        (first..first + 100).map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}));
    lists.collect()
}

#[test]
fn an_unread_stream_accepts_no_more_and_blocks_no_other() {
    let team = Team::start(&[]);
    team.still_serves();
    let (before, _) = team.node.memory();
    let mut stream = deaf(&team, ("GET", "/sse"), &[], b"");
    let address = address(&mut stream);
    let alice = team.client(ALICE);
    let hello = json!({"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": {
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"},
    }});
    alice
        .post_to(&address, hello.to_string().as_bytes())
        .of_status(202);
    let said = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    alice
        .post_to(&address, said.to_string().as_bytes())
        .of_status(202);
    let refused = (0..400).find_map(|n| {
        let answer = alice.post_to(&address, lists(n * 100).to_string().as_bytes());
        (answer.status != 202).then_some(answer)
    });
    let refused = refused.expect("it refuses requests at last");
    assert!([429, 503].contains(&refused.status), "{}", refused.status);
    assert!(refused.header("retry-after").is_some());
    let said = refused.message();
    assert_eq!(
        said["error"]["data"]["code"], "RESOURCE_EXHAUSTED",
        "{said}"
    );
    let mut bob = team.client(BOB).connected("2025-11-25");
    bob.good("analyze_structure", json!({"limit": 1}));
    team.still_serves();
    let (_, most) = team.node.memory();
    assert!(most < before + (128 << 20), "{} MiB", (most - before) >> 20);
}

#[test]
fn unread_answers_block_no_other() {
    let team = Team::start(&[]);
    team.still_serves();
    let (before, _) = team.node.memory();
    let alice = team.client(ALICE).connected("2025-03-26");
    let (_, id) = alice.headers.last().expect("connected").clone();
    let waiting: Vec<_> = (0..40)
        .map(|n| {
            let body = lists(n * 100).to_string();
            deaf(
                &team,
                ("POST", "/mcp"),
                &[("mcp-session-id", &id)],
                body.as_bytes(),
            )
        })
        .collect();
    let mut bob = team.client(BOB).connected("2025-11-25");
    for _ in 0..5 {
        bob.good("analyze_structure", json!({"limit": 1}));
    }
    team.still_serves();
    let (_, most) = team.node.memory();
    assert!(most < before + (256 << 20), "{} MiB", (most - before) >> 20);
    drop(waiting);
    team.still_serves();
}

#[test]
fn a_slow_body_blocks_no_other() {
    let team = Team::start(&[]);
    let token = bearer(ALICE);
    let trickling: Vec<_> = (0..100)
        .map(|n| {
            let mut wire = Wire::to(team.node.http);
            let target = if n % 2 == 0 { "/mcp" } else { "/messages?sessionId=con_00000000000000000000000000000000" };
            let head = format!(
                "POST {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\naccept: application/json, text/event-stream\r\n\
                 content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
            );
            assert!(wire.send(head.as_bytes()));
            wire
        })
        .collect();
    team.still_serves();
    drop(trickling);
    team.still_serves();
}

#[test]
fn a_drain_does_not_wait_for_clients_that_do_not_read() {
    let mut team = Team::start(&["--drain-timeout", "1s"]);
    let alice = team.client(ALICE).connected("2025-03-26");
    let (_, id) = alice.headers.last().expect("connected").clone();
    let mut stream = deaf(&team, ("GET", "/sse"), &[], b"");
    let address = address(&mut stream);
    let body = lists(0).to_string();
    alice.post_to(&address, body.as_bytes());
    let unread: Vec<_> = (1..10)
        .map(|n| {
            deaf(
                &team,
                ("POST", "/mcp"),
                &[("mcp-session-id", &id)],
                lists(n * 100).to_string().as_bytes(),
            )
        })
        .collect();
    let mut half = Wire::to(team.node.http);
    half.send(b"POST /mcp HTTP/1.1\r\n");
    team.still_serves();
    let started = Instant::now();
    team.node.signal(Signal::TERM);
    assert!(team.node.over().success(), "{}", team.node.log());
    let bound = Duration::from_secs(30).min(PATIENCE);
    assert!(started.elapsed() < bound, "{:?}", started.elapsed());
    drop(unread);
}
