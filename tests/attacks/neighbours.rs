//! Access to another principal's data: it gets exactly the same answer as for data that never existed, including
//! headers, and has no effect.

use std::collections::HashSet;

use serde_json::json;

use super::{ALICE, BOB, HOME, Team, USUAL, bearer};
use crate::support::node::Client;
use crate::support::wire::{self, Reply};

const NOBODYS: &str = "con_00000000000000000000000000000000";

/// One request by Bob, without the time, so that two answers can be compared.
fn as_bob(team: &Team, (method, target): (&str, &str), more: &[(&str, &str)], body: &str) -> Reply {
    let bob = bearer(BOB);
    let own = [HOME, ("authorization", bob.as_str())];
    let headers = [&USUAL[..], &own, more].concat();
    let request = wire::request(method, target, &headers, body.as_bytes());
    let reply = wire::exchange(team.node.http, &request).expect("an answer");
    reply.timeless()
}

fn connection(client: &Client) -> String {
    let of = |(name, _): &&(String, String)| name == "mcp-session-id";
    client.headers.iter().find(of).expect("connected").1.clone()
}

#[test]
fn a_neighbours_connection_is_unknown_to_every_request() {
    let team = Team::start(&[]);
    connections_are_unknown(&team, &team);
}

#[test]
fn a_neighbours_event_is_unknown_on_ones_own_connection() {
    let team = Team::start(&[]);
    events_are_unknown(&team, &team);
}

#[test]
fn a_neighbours_stream_accepts_no_messages() {
    let team = Team::start(&[]);
    streams_take_nothing(&team, &team);
}

/// A connection on one node gives another principal no access through another node.
#[test]
fn a_neighbours_data_is_unknown_on_every_node() {
    let Some((_redis, one, two)) = Team::pair() else {
        return;
    };
    connections_are_unknown(&one, &two);
    events_are_unknown(&one, &two);
    streams_take_nothing(&one, &two);
}

/// `team` is Alice's node, `asked` the one where Bob tries.
fn connections_are_unknown(team: &Team, asked: &Team) {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut alice = team.client(ALICE).connected(revision);
        let hers = connection(&alice);
        let answer = alice.post(&alice.clone().message("tools/list", json!({})));
        let event = answer.events().last().and_then(|event| event.id);
        let event = event.expect("events have ids");
        let no_event = "str_00000000000000000000000000000000.1";
        let bodies = [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_sessions","arguments":{}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            r#"{"jsonrpc":"2.0","id":"x-0","result":{}}"#,
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        ];
        let attempts = bodies.map(|body| ("POST", body, None)).into_iter().chain([
            ("GET", "", None),
            ("GET", "", Some((event.as_str(), no_event))),
            ("DELETE", "", None),
        ]);
        for (method, body, from) in attempts {
            let ask = |id: &str, from: Option<&str>| {
                let mut headers = vec![("mcp-session-id", id)];
                headers.extend(from.map(|from| ("last-event-id", from)));
                as_bob(asked, (method, "/mcp"), &headers, body)
            };
            let (of_hers, of_nobodys) = from.unzip();
            let (known, unknown) = (ask(&hers, of_hers), ask(NOBODYS, of_nobodys));
            assert_eq!(known, unknown, "{revision} {method} {body}");
            assert!(
                [202, 204, 404].contains(&known.status),
                "{revision} {method} {body}: {known:?}"
            );
        }
        // He has tried to close it as well.
        alice.good("analyze_structure", json!({"limit": 1}));
    }
}

fn events_are_unknown(team: &Team, asked: &Team) {
    let mut alice = team.client(ALICE).connected("2025-11-25");
    let message = alice.message(
        "tools/call",
        json!({"name": "analyze_structure", "arguments": {}}),
    );
    let events: Vec<_> = alice.post(&message).events().collect();
    let bob = connection(&team.client(BOB).connected("2025-11-25"));
    let resumed = |from: &str| {
        let headers = [
            ("mcp-session-id", bob.as_str()),
            ("mcp-protocol-version", "2025-11-25"),
            ("last-event-id", from),
        ];
        as_bob(asked, ("GET", "/mcp"), &headers, "")
    };
    let unknown = resumed("str_00000000000000000000000000000000.0");
    assert_eq!(unknown.status, 200, "{unknown:?}");
    for event in &events {
        let id = event.id.as_deref().expect("an id");
        assert_eq!(resumed(id), unknown, "{id}");
        let (stream, _) = id.split_once('.').expect("a number");
        for guess in ["0", "1", "18446744073709551615", "-1", "x"] {
            assert_eq!(resumed(&format!("{stream}.{guess}")), unknown, "{guess}");
        }
    }
    // She still sees all her data.
    let first = events[0].id.as_deref().expect("an id");
    let hers = alice.with("last-event-id", first).get("/mcp");
    assert!(hers.events().count() > 0);
}

fn streams_take_nothing(team: &Team, asked: &Team) {
    let mut stream = team.client(ALICE).get("/sse").of_status(200).events();
    let address = stream.next().expect("an endpoint").data;
    let unknown = format!("/messages?sessionId={NOBODYS}");
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        "{",
    ] {
        let (hers, nobodys) = (
            as_bob(asked, ("POST", &address), &[], body),
            as_bob(asked, ("POST", &unknown), &[], body),
        );
        assert_eq!(hers, nobodys, "{body}");
        assert!([400, 404].contains(&hers.status), "{hers:?}");
    }
    // It is also not a Streamable HTTP connection, for any principal.
    let (_, id) = address.split_once('=').expect("an id");
    for path in ["/mcp", "/messages"] {
        let headers = [("mcp-session-id", id)];
        let sent = as_bob(
            asked,
            ("POST", path),
            &headers,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        );
        assert!([400, 404].contains(&sent.status), "{sent:?}");
    }
    let hello = json!({"jsonrpc": "2.0", "id": "hers", "method": "ping"});
    let sent = asked
        .client(ALICE)
        .post_to(&address, hello.to_string().as_bytes());
    assert_eq!(sent.status, 202);
    // The first event she gets is the answer to her own request.
    let heard = stream.next().expect("an answer").json();
    assert_eq!(heard["id"], "hers", "{heard}");
}

#[test]
fn a_neighbours_request_with_the_same_id_continues() {
    let team = Team::over(crate::support::Project::large(10), &[]);
    let mut alice = team.client(ALICE).connected("2025-06-18");
    let mut bob = team.client(BOB).connected("2025-06-18");
    let calls = vec![json!({"tool": "analyze_structure", "arguments": {"limit": 1}}); 20];
    let params = json!({"name": "run_batch", "arguments": {"calls": calls}});
    let message = alice.message("tools/call", params);
    let running = alice.post(&message);
    let same = json!({"jsonrpc": "2.0", "id": message["id"], "method": "ping"});
    assert_eq!(bob.post(&same).message()["result"], json!({}));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": message["id"]}});
    assert_eq!(bob.post(&cancel).status, 202);
    bob.good("analyze_structure", json!({"limit": 1}));
    let answer = running.message();
    assert_eq!(answer["id"], message["id"]);
    assert_eq!(answer["result"]["isError"], false, "{answer}");
}

#[test]
fn ids_do_not_predict_the_next_one() {
    let team = Team::start(&[]);
    let alice = team.client(ALICE);
    let ids: Vec<_> = (0..64)
        .map(|_| connection(&alice.clone().connected("2025-06-18")))
        .collect();
    // Of at least 122 random bits, no 32 in a row are equal.
    for at in [4, 12, 28] {
        let parts: HashSet<_> = ids.iter().map(|id| &id[at..at + 8]).collect();
        assert_eq!(parts.len(), ids.len(), "digits {at}: {ids:?}");
    }
    let (first, second) = (&ids[0], &ids[1]);
    for guess in [
        "",
        "con_",
        "%",
        "*",
        "../con_00000000000000000000000000000000",
        &first[..first.len() - 1],
        &first.to_uppercase(),
        &format!("{first}0"),
        &format!("{first},{second}"),
    ] {
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let answer = alice.clone().with("mcp-session-id", guess).post(&ping);
        assert_eq!(answer.status, 404, "{guess:?}");
    }
}

#[test]
fn principals_can_use_the_same_key() {
    let team = Team::start(&[]);
    let mut alice = team.client(ALICE).connected("2025-11-25");
    let mut bob = team.client(BOB).connected("2025-11-25");
    let arguments = json!({"label": "guessed", "idempotency_key": "the-same"});
    let hers = alice.good("create_session", arguments.clone());
    let his = bob.good("create_session", arguments.clone());
    assert_ne!(hers["data"]["session_id"], his["data"]["session_id"]);
    let again = alice.good("create_session", arguments);
    assert_eq!(hers["data"]["session_id"], again["data"]["session_id"]);
}
