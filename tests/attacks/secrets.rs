//! Secrets stay secret: no token, and no id that grants access, appears in the server's log, for any request or
//! failure.

use rustix::process::Signal;
use serde_json::json;

use super::{ALICE, BOB, HOME, OPERATOR, Team, ask, bearer};
use crate::support::wire;

#[test]
fn no_secret_is_logged() {
    let team = Team::start(&["--log", "trace"]);
    let (alice, operator) = (bearer(ALICE), bearer(OPERATOR));
    let mut client = team.client(ALICE).connected("2025-11-25");
    let made = client.good("create_session", json!({}));
    client.good(
        "analyze_structure",
        json!({"session_id": made["data"]["session_id"]}),
    );
    let connection = client.headers.last().expect("headers").1.clone();
    assert!(!connection.is_empty());
    let mut stream = team.client(ALICE).get("/sse").of_status(200).events();
    let address = stream.next().expect("an endpoint").data;
    let (_, id) = address.split_once('=').expect("an id");
    team.client(ALICE)
        .post_to(&address, super::PING)
        .of_status(202);
    stream.next().expect("an answer");
    // The handler of a stateless request sees its headers.
    team.client(ALICE)
        .good_stateless("analyze_structure", json!({"limit": 1}));
    // Requests that fail.
    for target in [
        "/mcp?token=alice-opens-sesame",
        "/sse?access_token=alice-opens-sesame",
        "/messages?sessionId=alice-opens-sesame",
        "/alice-opens-sesame",
    ] {
        for token in [
            alice.as_str(),
            "Bearer bob-opens-sesam",
            "Basic alice-opens-sesame",
            "alice-opens-sesame",
        ] {
            ask(
                team.node.http,
                ("POST", target),
                &[HOME, ("authorization", token)],
            );
            ask(
                team.admin(),
                ("GET", target),
                &[HOME, ("authorization", token)],
            );
        }
    }
    ask(
        team.admin(),
        ("GET", "/admin/sessions"),
        &[HOME, ("authorization", &operator)],
    );
    for broken in [
        "GET /mcp HTTP/1.1\r\nauthorization: Bearer alice-opens-sesame\r\nbroken\r\n\r\n",
        "GET /mcp HTTP/9.9\r\nauthorization: Bearer alice-opens-sesame\r\n\r\n",
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer alice-opens-sesame\r\ncontent-length: x\r\n\r\n",
    ] {
        wire::exchange(team.node.http, broken.as_bytes());
    }
    team.node.signal(Signal::HUP);
    team.still_serves();
    let log = team.node.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "{log}");
    for secret in [ALICE, BOB, OPERATOR] {
        assert_absent(&log, &secret.0[..secret.0.len() - 1]);
        let digest = secret.1.trim().rsplit(' ').next().expect("a digest");
        assert_absent(&log, digest);
    }
    // With one of these and a token, a caller could act as another.
    assert_absent(
        &log,
        &client
            .headers
            .iter()
            .find(|(name, _)| name == "mcp-session-id")
            .expect("connected")
            .1,
    );
    assert_absent(&log, id);
}

fn assert_absent(log: &str, secret: &str) {
    let line = log.lines().find(|line| line.contains(secret));
    assert_eq!(line, None, "{secret} is in the log");
}
