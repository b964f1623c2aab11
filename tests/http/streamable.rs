//! Streamable HTTP, revision by revision.

use serde_json::{Value, json};

use crate::support::Project;
use crate::support::node::Node;

pub(super) const WITH_CONNECTIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

fn call(path: &str) -> Value {
    json!({"name": "analyze_complexity", "arguments": {"path": path}})
}

#[test]
fn revisions_with_connections_list_call_and_close() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    for revision in WITH_CONNECTIONS {
        let mut client = node.client().connected(revision);
        let tools = client.request("tools/list", json!({}));
        assert_eq!(
            tools["result"]["tools"].as_array().map(Vec::len),
            Some(11),
            "{tools}"
        );
        let first = client.good("analyze_complexity", json!({}));
        let second = client.good("analyze_structure", json!({}));
        // Both in the connection's own session.
        let session = &first["context"]["session_id"];
        assert!(session.is_string(), "{first}");
        assert_eq!(*session, second["context"]["session_id"]);
        assert_eq!(client.delete("/mcp"), 204);
        let message = client.message("tools/list", json!({}));
        assert_eq!(
            client.post(&message).status,
            404,
            "{revision}: it was closed"
        );
    }
}

#[test]
fn stateless_requests_need_no_connection() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let mut client = node.client();
    let found = client.stateless("server/discover", json!({})).message();
    let versions = found["result"]["supportedVersions"].to_string();
    assert!(versions.contains("2026-07-28"), "{found}");
    let answer = client.stateless("tools/call", call("."));
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(answer.header("mcp-session-id"), None);
    let answer = answer.message();
    assert_eq!(
        answer["result"]["structuredContent"]["context"]["session_id"],
        Value::Null
    );
    let made = client.good_stateless("create_session", json!({}));
    let id = made["data"]["session_id"].clone();
    let first = client.good_stateless("analyze_complexity", json!({"session_id": id}));
    assert_eq!(first["context"]["session_id"], id);
    // Any revision can use the session by its id.
    let mut older = node.client().connected("2025-06-18");
    let view = older.good("get_session", json!({"session_id": id}));
    assert_eq!(
        view["data"]["history"][0]["result_id"],
        first["context"]["result_id"]
    );
}

#[test]
fn a_header_that_contradicts_its_body_is_refused() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let mut client = node.client();
    let (message, client) = client.stateless_message("tools/call", call("."));
    for (header, value) in [
        ("mcp-method", "tools/list"),
        ("mcp-name", "analyze_structure"),
    ] {
        let answer = client.clone().with(header, value).post(&message);
        assert_eq!(answer.status, 400, "{header}");
        assert_eq!(answer.message()["error"]["code"], -32020, "{header}");
    }
    let answer = client
        .with("mcp-protocol-version", "2025-11-25")
        .post(&message);
    assert_eq!(answer.status, 400);
}

#[test]
fn progress_comes_before_the_result() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let mut client = node.client().connected("2025-11-25");
    let mut params = json!({"name": "run_batch", "arguments": {"calls": [
        {"tool": "analyze_complexity", "arguments": {}},
        {"tool": "analyze_structure", "arguments": {}},
    ]}});
    params["_meta"] = json!({"progressToken": "p"});
    let message = client.message("tools/call", params);
    let mut messages = client.post(&message).messages();
    let answer = messages.pop().expect("an answer");
    assert_eq!(answer["id"], message["id"], "{answer}");
    assert!(!messages.is_empty(), "no progress");
    for progress in messages {
        assert_eq!(progress["method"], "notifications/progress", "{progress}");
        assert_eq!(progress["params"]["progressToken"], "p");
    }
}

#[test]
fn a_batch_is_answered_message_by_message() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let mut client = node.client().connected("2025-03-26");
    let batch = json!([
        client.message("tools/list", json!({})),
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        client.message("tools/call", call(".")),
        client.message("nonsense", json!({})),
    ]);
    let mut answers = client.post(&batch).messages();
    answers.sort_by_key(|answer| answer["id"].as_u64());
    let ids = |wanted: &Value| wanted["id"].clone();
    let asked: Vec<_> = batch
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["id"].is_u64())
        .map(ids)
        .collect();
    assert_eq!(answers.iter().map(ids).collect::<Vec<_>>(), asked);
    assert_eq!(answers[2]["error"]["code"], -32601, "{answers:?}");
    let said = json!([{"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}]);
    assert_eq!(client.post(&said).status, 202);
    assert_eq!(client.post(&json!([])).status, 400);
    // Later revisions have none.
    let later = node.client().connected("2025-06-18");
    assert_eq!(later.post(&batch).status, 400);
    let many = Value::Array(vec![said[0].clone(); 101]);
    assert_eq!(client.post(&many).status, 400);
}

#[test]
fn a_cancelled_request_ends_and_its_stream_too() {
    let project = Project::large(40);
    let node = Node::start(project.path(), &[]);
    let mut client = node.client().connected("2025-06-18");
    let calls = vec![json!({"tool": "analyze_structure", "arguments": {}}); 50];
    let mut params = json!({"name": "run_batch", "arguments": {"calls": calls}});
    params["_meta"] = json!({"progressToken": "p"});
    let message = client.message("tools/call", params);
    // The call runs once its first progress has arrived.
    let running = client.post(&message).of_status(200);
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": message["id"], "reason": "test"},
    });
    assert_eq!(client.post(&cancel).status, 202);
    let said = running.messages();
    assert!(
        said.iter().all(|said| said["id"].is_null()),
        "a cancelled request has an answer: {said:?}"
    );
    // The same id may be used again.
    let again = json!({"jsonrpc": "2.0", "id": message["id"], "method": "ping"});
    assert_eq!(client.post(&again).message()["result"], json!({}));
}

#[test]
fn invalid_messages_are_refused_with_a_reason() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let client = node.client();
    for (body, code) in [
        (&b"{"[..], -32700),
        (b"[", -32700),
        (b"", -32700),
        (b"\"text\"", -32600),
        (b"{}", -32600),
    ] {
        let answer = client.post_to("/mcp", body);
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(body));
        assert_eq!(answer.message()["error"]["code"], code);
    }
    let no_json = client.clone().with("content-type", "text/plain");
    assert_eq!(
        no_json
            .post_to(
                "/mcp",
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"
            )
            .status,
        415
    );
    let deep = "[".repeat(100_000);
    assert_eq!(client.post_to("/mcp", deep.as_bytes()).status, 400);
    let large = vec![b' '; (4 << 20) + 1];
    assert_eq!(client.post_to("/mcp", &large).status, 413);
    assert_eq!(client.get("/nothing").status, 404);
    let without = client.post_to("/mcp", br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(without.status, 400, "a connection is needed");
}

#[test]
fn two_hundred_clients_with_equal_ids_get_their_own_answers() {
    let project = Project::empty();
    for n in 0..200 {
        let code = format!("def only_{n}():\n    pass\n");
        project.write(&format!("d{n}/only{n}.py"), code.as_bytes());
    }
    let node = Node::start(
        project.path(),
        &["--principal-calls", "400", "--principal-rate", "10000"],
    );
    std::thread::scope(|scope| {
        for n in 0..200 {
            let node = &node;
            scope.spawn(move || {
                let revision = WITH_CONNECTIONS[n % 3];
                let mut client = node.client().connected(revision);
                let answer = client.good("analyze_structure", json!({"path": format!("d{n}")}));
                let name = &answer["data"]["files"][0]["symbols"][0]["qualified_name"];
                assert_eq!(*name, json!(format!("only_{n}")), "{answer}");
            });
        }
    });
}
