//! Malformed and ambiguous HTTP: no two parsers of the same bytes may see different requests.

use super::{ALICE, PING, Team, bearer};
use crate::support::wire::{self, Reply, Wire};

/// The head of a request to `/mcp`, valid except for `more`.
fn head(more: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\n{more}",
        bearer(ALICE)
    )
}

/// The statuses of all answers on a connection that sent more than one request.
fn answers(said: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(said);
    let heads = text.split("HTTP/1.1 ").skip(1);
    heads
        .filter_map(|head| head.get(..3)?.parse().ok())
        .collect()
}

/// Sends everything at once. The last request must ask to close the connection, or be invalid enough to close it.
fn say(team: &Team, bytes: &str) -> Vec<u16> {
    let mut wire = Wire::to(team.node.http);
    wire.send(bytes.as_bytes());
    answers(&wire.rest())
}

#[test]
fn a_request_with_two_ends_is_one_request_and_the_last_of_its_connection() {
    let team = Team::start(&[]);
    let ping = String::from_utf8_lossy(PING);
    let length = ping.len();
    let hidden = "DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let chunked = format!("{length:x}\r\n{ping}\r\n0\r\n\r\n");
    for (more, body) in [
        // By its length, the body ends after the hidden request; by its chunks, before it.
        (
            format!(
                "content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n",
                chunked.len() + hidden.len()
            ),
            format!("{chunked}{hidden}"),
        ),
        (
            format!(
                "transfer-encoding: chunked\r\ncontent-length: {}\r\n\r\n",
                chunked.len() + hidden.len()
            ),
            format!("{chunked}{hidden}"),
        ),
        // By its length, the body ends before the hidden request.
        (
            "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            format!("{chunked}{hidden}"),
        ),
        // Two lengths.
        (
            format!(
                "content-length: {length}\r\ncontent-length: {}\r\n\r\n",
                length + hidden.len()
            ),
            format!("{ping}{hidden}"),
        ),
        (
            format!(
                "content-length: {}\r\ncontent-length: {length}\r\n\r\n",
                length + hidden.len()
            ),
            format!("{ping}{hidden}"),
        ),
        (
            format!("content-length: {length}, {length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        // Invalid lengths.
        (
            format!("content-length: +{length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        (
            format!("content-length: -{length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        (
            format!("content-length: 0x{length:x}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        (
            "content-length: 18446744073709551616\r\n\r\n".to_owned(),
            format!("{ping}{hidden}"),
        ),
        // Bodies that only some parsers accept as chunked.
        (
            "transfer-encoding: xchunked\r\n\r\n".to_owned(),
            format!("{chunked}{hidden}"),
        ),
        (
            "transfer-encoding: chunked, identity\r\n\r\n".to_owned(),
            format!("{chunked}{hidden}"),
        ),
        (
            "transfer-encoding : chunked\r\n\r\n".to_owned(),
            format!("{chunked}{hidden}"),
        ),
        (
            "transfer-encoding:\u{b}chunked\r\n\r\n".to_owned(),
            format!("{chunked}{hidden}"),
        ),
        (
            "transfer-encoding: chunked\r\n\r\n".to_owned(),
            format!("{length:x}x\r\n{ping}\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "transfer-encoding: chunked\r\n\r\n".to_owned(),
            format!("fffffffffffffffff\r\n{ping}\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "transfer-encoding: chunked\r\n\r\n".to_owned(),
            format!("-1\r\n{ping}\r\n0\r\n\r\n{hidden}"),
        ),
        // Folded or otherwise malformed headers.
        (
            format!("x: y\r\n content-length: 3\r\ncontent-length: {length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        (
            format!("x\u{0}y: z\r\ncontent-length: {length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        (
            format!("x: y\u{0}\r\ncontent-length: {length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
        (
            format!(": y\r\ncontent-length: {length}\r\n\r\n"),
            format!("{ping}{hidden}"),
        ),
    ] {
        let said = say(&team, &(head(&more) + &body));
        assert!(
            said.len() <= 1,
            "{more:?} was taken for more than one: {said:?}"
        );
        assert!(
            said.iter().all(|status| (400..500).contains(status)),
            "{more:?}: {said:?}"
        );
    }
    team.still_serves();
}

#[test]
fn a_body_that_looks_like_a_request_is_a_body() {
    let team = Team::start(&[]);
    let hidden = "DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let length = hidden.len();
    let whole = head(&format!(
        "connection: close\r\ncontent-length: {length}\r\n\r\n{hidden}"
    ));
    assert_eq!(say(&team, &whole).len(), 1);
    // Also after a refusal: the unread rest of a body is never parsed as a request.
    let refused = whole.replace(
        "/mcp HTTP/1.1\r\nhost: localhost\r\nauth",
        "/mcp HTTP/1.1\r\nhost: evil.example\r\nauth",
    );
    assert_eq!(say(&team, &refused), [403]);
    let unknown = whole.replace("Bearer alice", "Bearer mallory");
    assert_eq!(say(&team, &unknown), [401]);
    // Pipelined requests get as many answers.
    let ping = String::from_utf8_lossy(PING);
    let one = head(&format!("content-length: {}\r\n\r\n{ping}", PING.len()));
    assert_eq!(say(&team, &(one.repeat(3) + &whole)).len(), 4);
}

#[test]
fn other_protocols_are_answered_or_disconnected() {
    let team = Team::start(&[]);
    for to in [team.node.http, team.admin()] {
        for (bytes, what) in [
            (&b"GET /mcp\r\n"[..], "HTTP/0.9"),
            (b"GET /mcp\r\n\r\n", "HTTP/0.9"),
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                "HTTP/2",
            ),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
            (b"GET / HTTP/1.1 \r\nhost: localhost\r\n\r\n", "a space"),
            (b"GET  / HTTP/1.1\r\nhost: localhost\r\n\r\n", "two spaces"),
            (b"GET / HTTP/3.7\r\nhost: localhost\r\n\r\n", "a version"),
            (b"G\0T / HTTP/1.1\r\nhost: localhost\r\n\r\n", "NUL"),
            (
                b"GET /\0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
                "NUL in a path",
            ),
            (
                b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
                "no UTF-8",
            ),
            (b"GET mcp HTTP/1.1\r\nhost: localhost\r\n\r\n", "no path"),
            (
                b"GET / HTTP/1.1\r\nhost: local\xffhost\r\n\r\n",
                "no UTF-8 in a name",
            ),
            (b"\r\n\r\n\r\n\r\n", "nothing"),
            (b"\0\0\0\0\0\0\0\0", "NULs"),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n",
                "a line of stdio",
            ),
            (b"* LOGIN alice sesame\r\n", "another protocol"),
        ] {
            if let Some(reply) = wire::exchange_and_end(to, bytes) {
                assert!((400..500).contains(&reply.status), "{what}: {reply:?}");
            }
        }
    }
    team.still_serves();
}

#[test]
fn large_heads_and_bodies_are_refused() {
    let team = Team::start(&[]);
    let reply = |bytes: &[u8]| wire::exchange(team.node.http, bytes);
    let of = |status: u16| move |reply: &Reply| reply.status == status;
    let many: String = (0..70).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(80 << 10));
    for more in [many, long] {
        let said = reply((head(&more) + "connection: close\r\n\r\n").as_bytes());
        assert!(said.as_ref().is_none_or(of(431)), "{said:?}");
    }
    let line = format!(
        "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "a".repeat(80 << 10)
    );
    let said = reply(line.as_bytes()).expect("an answer");
    assert!([414, 431].contains(&said.status), "{said:?}");
    // A body announced as too large is refused before it is sent.
    let announced = head("content-length: 4194305\r\nconnection: close\r\n\r\n");
    let said = reply(announced.as_bytes()).expect("an answer");
    assert_eq!(said.status, 413, "{said:?}");
    // Without an announcement, it is refused as soon as it is too large.
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let endless =
        head("transfer-encoding: chunked\r\nconnection: close\r\n\r\n") + &chunk.repeat(70);
    let said = reply(endless.as_bytes());
    assert!(said.as_ref().is_none_or(of(413)), "{said:?}");
    let extended = format!("1;{}\r\n", "x".repeat(1 << 20));
    let said = reply(
        (head("transfer-encoding: chunked\r\nconnection: close\r\n\r\n") + &extended).as_bytes(),
    );
    assert!(said.is_none_or(|reply| (400..500).contains(&reply.status)));
    team.still_serves();
}

#[test]
fn invalid_bodies_are_refused_with_a_message() {
    let team = Team::start(&[]);
    let deep = "[".repeat(4000);
    let nested = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
        r#"{"a":"#.repeat(500),
        "}".repeat(500)
    );
    let bodies: [&[u8]; 14] = [
        b"{",
        b"null",
        b"1e999",
        b"\xff\xfe{}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\xffng\"}",
        b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
        b"[[[{}]]]",
        b"[1,2,3]",
        b"\xef\xbb\xbf{}",
        deep.as_bytes(),
        nested.as_bytes(),
    ];
    let client = team.client(ALICE).connected("2025-03-26");
    for body in bodies {
        let answer = client.post_to("/mcp", body);
        let (status, what) = (
            answer.status,
            String::from_utf8_lossy(&body[..body.len().min(60)]),
        );
        assert!((400..500).contains(&status), "{status} to {what}");
        assert!(answer.text().len() > 10, "{what}");
    }
    let stream = team.client(ALICE).get("/sse").of_status(200);
    let address = stream.events().next().expect("an endpoint").data;
    for body in bodies {
        let status = team.client(ALICE).post_to(&address, body).status;
        assert!((400..500).contains(&status), "{status}");
    }
    team.still_serves();
}

#[test]
fn every_route_lists_its_methods() {
    let team = Team::start(&[]);
    let token = bearer(ALICE);
    for (path, takes) in [
        ("/mcp", &["GET", "POST", "DELETE"][..]),
        ("/sse", &["GET", "HEAD"]),
        ("/messages", &["POST"]),
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            if takes.contains(&method) {
                continue;
            }
            let reply = super::ask(
                team.node.http,
                (method, path),
                &[super::HOME, ("authorization", &token)],
            );
            assert_eq!(reply.status, 405, "{method} {path}: {reply:?}");
            let allow = reply.header("allow").unwrap_or_default();
            assert!(
                takes.iter().all(|method| allow.contains(method)),
                "{method} {path}: {reply:?}"
            );
        }
    }
}
