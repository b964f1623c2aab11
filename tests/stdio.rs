//! MCP over stdin and stdout, as a client sees it.

use serde_json::{Value, json};

use crate::support::server::{NEWEST_WITH_INITIALIZE, STATELESS};
use crate::support::{PATIENCE, Project, Server};

mod chaos;
mod offers;
mod running;
mod sizes;
mod tools;

const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

#[test]
fn every_revision_is_accepted_and_an_unknown_one_gets_the_newest() {
    let project = Project::small();
    for revision in REVISIONS.into_iter().chain(["2099-01-01", STATELESS]) {
        let mut server = Server::start(project.path());
        let result = server.initialize(revision)["result"].clone();
        let agreed = if REVISIONS.contains(&revision) {
            revision
        } else {
            NEWEST_WITH_INITIALIZE
        };
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "mcp-code-analysis");
        assert_eq!(
            result["capabilities"],
            json!({"completions": {}, "prompts": {}, "resources": {}, "tools": {}}),
            "only existing features are advertised"
        );
        assert!(result["instructions"].as_str().expect("said").len() < 1000);
        let status = server.good("get_server_status", json!({}));
        assert_eq!(status["status"]["success"], true);
        assert!(server.close().status.success());
    }
}

#[test]
fn features_that_are_not_advertised_are_not_found() {
    let project = Project::empty();
    let mut server = Server::initialized(project.path());
    for (method, params) in [
        ("resources/subscribe", json!({"uri": "x:"})),
        ("resources/unsubscribe", json!({"uri": "x:"})),
        (
            "subscriptions/listen",
            json!({"notifications": {"toolsListChanged": true}}),
        ),
        ("logging/setLevel", json!({"level": "info"})),
        ("tasks/get", json!({"taskId": "x"})),
        ("no/such/method", json!({})),
    ] {
        let answer = server.request(method, params);
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
    assert!(server.request("ping", json!({}))["error"].is_null());
}

#[test]
fn requests_that_cannot_be_routed_have_a_reason() {
    let project = Project::empty();
    let mut server = Server::initialized(project.path());
    let answer = server.request(
        "tools/call",
        json!({"name": "analyse_complexity", "arguments": {}}),
    );
    assert_eq!(answer["error"]["code"], -32602);
    assert!(
        answer["error"]["message"]
            .as_str()
            .expect("said")
            .contains("\"analyze_complexity\""),
        "{answer}"
    );
    for params in [json!({}), json!({"name": 5}), json!([1])] {
        let answer = server.request("tools/call", params);
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let answer = server.request("tools/list", json!({"cursor": "x"}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn garbage_is_answered_and_the_connection_survives() {
    let project = Project::empty();
    let mut server = Server::start(project.path());
    let too_long = vec![b'x'; 5 << 20];
    let lines: [(&[u8], i64); 5] = [
        (b"garbage", -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":", -32700),
        (b"\xff\xfe\x00", -32700),
        (b"{\"jsonrpc\":\"1.0\"}", -32600),
        (&too_long, -32600),
    ];
    for initialized in [false, true] {
        if initialized {
            server.initialize(NEWEST_WITH_INITIALIZE);
        }
        for (line, code) in lines {
            server.send_raw(&[line, b"\n"].concat());
            let answer = server.next(PATIENCE).expect("an answer");
            assert_eq!(answer["error"]["code"], code, "{answer}");
            assert!(answer["id"].is_null());
        }
    }
    assert_eq!(
        server.good("get_server_status", json!({}))["status"]["success"],
        true
    );
    assert!(server.close().status.success());
}

#[test]
fn a_stateless_request_needs_no_initialize_and_gets_no_session() {
    let project = Project::small();
    let mut server = Server::start(project.path());
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let discovered = server.request("server/discover", json!({"_meta": meta}));
    let versions = discovered["result"]["supportedVersions"]
        .as_array()
        .expect("listed");
    assert!(versions.contains(&json!(STATELESS)), "{discovered}");
    let mut call = |arguments: Value| {
        let params = json!({"_meta": meta, "name": "analyze_complexity", "arguments": arguments});
        server.request("tools/call", params)["result"].clone()
    };
    let result = call(json!({}));
    assert_eq!(result["resultType"], "complete");
    let context = &result["structuredContent"]["context"];
    assert_eq!(
        (&context["session_id"], &context["result_id"]),
        (&Value::Null, &Value::Null)
    );
    let refused = call(json!({"idempotency_key": "k"}));
    assert_eq!(refused["isError"], true);
    assert_eq!(
        refused["structuredContent"]["status"]["reason"],
        "session_required"
    );
    let bare = server.request("tools/list", json!({}));
    assert_eq!(
        bare["error"]["code"], -32602,
        "every stateless request names its revision: {bare}"
    );
    assert!(server.close().status.success());
}

#[test]
fn an_initialised_connection_has_its_own_session() {
    let project = Project::small();
    let mut server = Server::initialized(project.path());
    let first = server.good("analyze_complexity", json!({}))["context"].clone();
    let second = server.good("analyze_structure", json!({}))["context"].clone();
    assert!(
        first["session_id"].is_string() && first["result_id"].is_string(),
        "{first}"
    );
    assert_eq!(first["session_id"], second["session_id"]);
    let mut other = Server::initialized(project.path());
    let elsewhere = other.good("analyze_complexity", json!({}))["context"].clone();
    assert_ne!(first["session_id"], elsewhere["session_id"]);
}

#[test]
fn progress_is_sent_only_on_request() {
    let project = Project::large(40);
    let mut server = Server::initialized(project.path());
    let id = server.ask(
        "tools/call",
        json!({"name": "analyze_complexity", "arguments": {}, "_meta": {"progressToken": "p"}}),
    );
    let answer = server.answer(&json!(id));
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    let told = server.notifications();
    assert!(!told.is_empty(), "no progress");
    let mut last = -1.0;
    let analysed = |notification: &Value| {
        let message = notification["params"]["message"].as_str();
        message.is_some_and(|message| message.contains("of 40 files analysed"))
    };
    assert!(
        told.iter().any(analysed),
        "no progress during the long step: {told:?}"
    );
    for notification in told {
        assert_eq!(notification["method"], "notifications/progress");
        assert_eq!(notification["params"]["progressToken"], "p");
        let progress = notification["params"]["progress"]
            .as_f64()
            .expect("a number");
        assert!(progress > last, "{progress} after {last}");
        assert_eq!(notification["params"]["total"], 100.0, "{notification}");
        last = progress;
    }
    assert_eq!(last, 100.0, "the end is reported");
    server.good("analyze_structure", json!({}));
    assert_eq!(server.notifications(), Vec::<Value>::new());
    assert_eq!(
        server.close().rest,
        Vec::<Value>::new(),
        "progress after the answer"
    );
}

/// For every slow tool, from start to end.
#[test]
fn progress_covers_the_whole_call() {
    let project = Project::large(20);
    let mut server = Server::initialized(project.path());
    let baseline = server.good("analyze_complexity", json!({}))["context"]["result_id"].clone();
    let calls =
        json!([{"tool": "analyze_structure"}, {"tool": "nothing"}, {"tool": "analyze_complexity"}]);
    for (tool, arguments) in [
        ("analyze_dependencies", json!({})),
        ("compare_results", json!({"baseline": baseline})),
        ("run_batch", json!({"calls": calls})),
    ] {
        let params =
            json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": tool}});
        let id = server.ask("tools/call", params);
        let answer = server.answer(&json!(id));
        assert_ne!(answer["result"]["isError"], true, "{answer}");
        let told = server.notifications();
        let place = |told: &Value| told["params"]["progress"].as_f64().expect("a number");
        let places: Vec<f64> = told.iter().map(place).collect();
        assert!(
            places.windows(2).all(|two| two[0] < two[1]),
            "{tool}: {places:?}"
        );
        assert_eq!(places.last(), Some(&100.0), "{tool}: {told:?}");
        assert!(
            told.iter().all(|told| told["params"]["total"] == 100.0),
            "{tool}: {told:?}"
        );
    }
}

#[test]
fn nothing_is_read_before_the_first_call() {
    let project = Project::small();
    let folder = project.path().join("app");
    let read_at = || {
        let facts = std::fs::metadata(&folder).expect("the folder");
        facts.accessed().expect("a time")
    };
    let before = read_at();
    let mut server = Server::initialized(project.path());
    server.request("tools/list", json!({}));
    let status = server.good("get_server_status", json!({}))["data"].clone();
    assert_eq!(read_at(), before, "the folder was read");
    for counter in ["entries", "misses", "hits"] {
        assert_eq!(status["cache"][counter], 0, "{status}");
    }
    server.good("analyze_complexity", json!({}));
    let status = server.good("get_server_status", json!({}))["data"].clone();
    assert_ne!(status["cache"]["misses"], 0, "{status}");
}

#[test]
fn the_status_reveals_no_session_and_no_caller() {
    let project = Project::small();
    let mut server = Server::initialized(project.path());
    let own = server.good("analyze_complexity", json!({}))["context"]["session_id"].clone();
    let label = "a label that only its owner may see";
    let made = server.good("create_session", json!({"label": label}));
    let made = made["data"]["session_id"].clone();
    server.good("get_session", json!({"session_id": made}));
    let status = server.call("get_server_status", json!({}));
    assert_eq!(status["structuredContent"]["data"]["sessions"]["awake"], 2);
    let said = status.to_string();
    for secret in [&own, &made, &json!(label)] {
        let secret = secret.as_str().expect("a text");
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
