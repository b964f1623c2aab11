use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use super::*;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;

/// Feeds `input` and the end of the stream. Returns the methods received and the lines written.
async fn check(input: &[u8]) -> (Vec<String>, Vec<Value>) {
    let (mut client_out, server_in) = duplex(1 << 16);
    let (server_out, client_in) = duplex(1 << 20);
    let ended = CancellationToken::new();
    let mut lines = Lines::new(server_in, server_out, ended.clone());
    let input = input.to_vec();
    let feed = tokio::spawn(async move { client_out.write_all(&input).await });
    let mut methods = Vec::new();
    while let Some(message) = lines.receive().await {
        if let JsonRpcMessage::Request(request) = message {
            methods.push(request.request.method().to_owned());
        }
    }
    feed.await.expect("fed").expect("taken");
    assert!(ended.is_cancelled(), "the end was not reported");
    lines.close().await.expect("closed");
    (methods, written(client_in).await)
}

async fn written(mut stream: DuplexStream) -> Vec<Value> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("read");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect()
}

fn codes(lines: &[Value]) -> Vec<i64> {
    lines
        .iter()
        .filter_map(|line| line["error"]["code"].as_i64())
        .collect()
}

#[tokio::test]
async fn an_invalid_line_is_answered_and_the_next_is_read() {
    let deep = "[".repeat(10_000);
    for garbage in ["garbage", "{\"jsonrpc\":", "\u{0}\u{1}", deep.as_str()] {
        let (methods, lines) = check(format!("{garbage}\n{INITIALIZE}\n").as_bytes()).await;
        assert_eq!(methods, ["initialize"]);
        assert_eq!(codes(&lines), [-32700], "{garbage:.20}");
    }
    let (methods, lines) = check(&[b"\xff\xfe\n", INITIALIZE.as_bytes(), b"\n"].concat()).await;
    assert_eq!((methods.len(), codes(&lines)), (1, vec![-32700]));
}

#[tokio::test]
async fn other_json_is_an_invalid_request() {
    for wrong in [
        "{}",
        "1",
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        "[]",
    ] {
        let (methods, lines) = check(format!("{wrong}\n{INITIALIZE}\n").as_bytes()).await;
        assert_eq!(methods, ["initialize"]);
        assert_eq!(codes(&lines), [-32600], "{wrong}");
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_is_skipped_and_not_buffered() {
    let long = vec![b'x'; MAX_LINE_BYTES * 2];
    let (methods, lines) =
        check(&[&long, b"\n".as_slice(), INITIALIZE.as_bytes(), b"\n"].concat()).await;
    assert_eq!(methods, ["initialize"]);
    assert_eq!(codes(&lines), [-32600]);
}

#[tokio::test]
async fn the_longest_line_is_read_and_one_byte_more_is_not() {
    let padded = |length: usize| {
        let mut line = LIST.as_bytes().to_vec();
        line.resize(length - 1, b' ');
        line.push(b'\n');
        [INITIALIZE.as_bytes(), b"\n", &line].concat()
    };
    let (methods, lines) = check(&padded(MAX_LINE_BYTES)).await;
    assert_eq!((methods.len(), codes(&lines)), (2, vec![]));
    let (methods, lines) = check(&padded(MAX_LINE_BYTES + 1)).await;
    assert_eq!((methods.len(), codes(&lines)), (1, vec![-32600]));
}

#[tokio::test]
async fn notifications_before_the_opening_are_skipped() {
    let early = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#;
    let (methods, lines) = check(format!("{early}\n{INITIALIZE}\n").as_bytes()).await;
    assert_eq!((methods.len(), lines.len()), (1, 0));
}

#[tokio::test]
async fn each_message_of_a_batch_comes_through() {
    let (methods, lines) = check(format!("{INITIALIZE}\n[{LIST},{LIST}]\r\n\n").as_bytes()).await;
    assert_eq!(methods, ["initialize", "tools/list", "tools/list"]);
    assert_eq!(lines.len(), 0);
}

#[tokio::test]
async fn a_client_that_stops_reading_ends_the_connection() {
    let (_client_out, server_in) = duplex(1 << 10);
    let (server_out, client_in) = duplex(1 << 10);
    let ended = CancellationToken::new();
    let mut lines = Lines::new(server_in, server_out, ended.clone());
    drop(client_in);
    let answer = JsonRpcMessage::error(no_message(), None);
    assert!(lines.send(answer).await.is_err());
    assert!(lines.receive().await.is_none());
    assert!(ended.is_cancelled());
}

#[tokio::test]
async fn invalid_parameters_are_answered_with_the_id_of_their_request() {
    let wrong = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":[1]}"#;
    let (methods, lines) = check(format!("{INITIALIZE}\n{wrong}\n").as_bytes()).await;
    assert_eq!((methods.len(), codes(&lines)), (1, vec![-32602]));
    assert_eq!(lines[0]["id"], "x");
}
