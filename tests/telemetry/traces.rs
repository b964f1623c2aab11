//! One trace per call, from the client to the last Redis command, whatever happens to the call.

use serde_json::json;

use super::receivers::{Store, Tap, drawn, exporting, named, only, path, root, variables};
use crate::support::node::{Node, STRUCK};
use crate::support::redis::Redis;
use crate::support::server::Server;
use crate::support::{PATIENCE, Project, sha256};

const COMPLEXITY: &str = "analyze_complexity";
const CALL: &str = "tools/call analyze_complexity";
const CLIENTS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENTS_SPAN: &str = "00f067aa0ba902b7";

fn clients_parent() -> String {
    format!("00-{CLIENTS_TRACE}-{CLIENTS_SPAN}-01")
}

/// The parts of a call that is committed to Redis, from the root down.
fn is_whole(spans: &[super::receivers::Span]) {
    let call = only(spans, CALL);
    assert_eq!(root(spans).id, call.id, "{}", drawn(spans));
    assert_eq!(call.kind, 2, "SERVER");
    let session = only(spans, "session");
    assert_eq!(path(spans, session), [CALL, "session"]);
    for event in ["accepted", "started", "finished", "committed"] {
        assert!(
            session.events.iter().any(|seen| seen == event),
            "{session:?}"
        );
    }
    let run = format!("execute_tool {COMPLEXITY}");
    for (name, below) in [
        ("admission", vec![CALL]),
        ("pool.wait", vec![CALL, "session"]),
        ("walk", vec![CALL, "session", &run]),
        ("cache.get", vec![CALL, "session", &run]),
        ("parse", vec![CALL, "session", &run]),
    ] {
        let mut whole: Vec<_> = below;
        whole.push(name);
        assert_eq!(path(spans, only(spans, name)), whole);
    }
    let parts: Vec<_> = named(spans, "commit")
        .iter()
        .filter_map(|span| span.attributes.get("mca.commit.part").cloned())
        .collect();
    assert!(parts.contains(&"accepted".to_owned()) && parts.contains(&"outcome".to_owned()));
    let to_redis: Vec<_> = spans
        .iter()
        .filter(|span| {
            span.attributes
                .get("db.stored_procedure.name")
                .is_some_and(|name| name == "commit")
        })
        .collect();
    assert_eq!(to_redis.len(), 2, "{}", drawn(spans));
    for span in to_redis {
        assert_eq!(span.kind, 3, "CLIENT");
        assert!(path(spans, span).starts_with(&[
            CALL.to_owned(),
            "session".to_owned(),
            "commit".to_owned()
        ]));
    }
}

#[test]
fn a_call_over_stdio_is_one_trace_of_the_client_down_to_redis() {
    let (Some(redis), Some(store)) = (Redis::good(), Store::start()) else {
        return;
    };
    let project = Project::small();
    let arguments = [
        "serve",
        "--store",
        "redis",
        "--redis-url",
        &redis.url(),
        "--root",
        &project.path().to_string_lossy(),
    ];
    let mut server = Server::start_in(&arguments, &variables(store.port, "http/protobuf"));
    server.initialize("2025-11-25");
    let meta = json!({"traceparent": clients_parent()});
    let params = json!({"name": COMPLEXITY, "arguments": {}, "_meta": meta});
    let answer = server.request("tools/call", params);
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    // The end of input ends the server, which sends what it still has.
    assert!(server.close().status.success());
    let of = format!("from spans where trace_id = '{CLIENTS_TRACE}' and kind <> 'event'");
    let orphans = format!(
        "select count(*) {of} and parent_span_id not in (select id {of}) and parent_span_id <> '{CLIENTS_SPAN}'"
    );
    let started = std::time::Instant::now();
    while store.count(&format!(
        "select count(*) {of} and parent_span_id = '{CLIENTS_SPAN}'"
    )) == 0
    {
        assert!(started.elapsed() < PATIENCE, "the root did not arrive");
    }
    assert_eq!(store.count(&orphans), 0);
    let roots = format!("select count(*) {of} and parent_span_id = '{CLIENTS_SPAN}'");
    assert_eq!(store.count(&roots), 1);
    let commits = format!(
        "select count(*) {of} and metadata like '%\"db.stored_procedure.name\":\"commit\"%'"
    );
    assert_eq!(store.count(&commits), 2);
}

#[test]
fn the_header_is_the_parent_of_a_call_without_meta_and_only_a_link_with_it() {
    let (Some(redis), Some(tap)) = (Redis::good(), Tap::start()) else {
        return;
    };
    let project = Project::small();
    let url = redis.url();
    let store = ["--store", "redis", "--redis-url", &url];
    let node = Node::of(exporting(&tap.variables()), project.path(), &store);
    let mut client = node
        .client()
        .with("traceparent", &clients_parent())
        .connected("2025-11-25");
    client.good(COMPLEXITY, json!({}));
    let spans = tap.trace_of(CALL);
    let call = only(&spans, CALL);
    assert_eq!(call.trace, CLIENTS_TRACE);
    let http = spans
        .iter()
        .find(|span| span.id == call.parent)
        .expect("the HTTP request");
    assert_eq!(
        (http.name.as_str(), http.parent.as_str()),
        ("POST /mcp", CLIENTS_SPAN)
    );
    assert_eq!(http.attributes["http.response.status_code"], "200");
    let below_call: Vec<_> = spans
        .iter()
        .filter(|span| path(&spans, span).contains(&CALL.to_owned()))
        .cloned()
        .collect();
    is_whole(&below_call);

    // With a parent in `_meta`, the call is in the client's own trace, and the HTTP request is linked.
    let other = "0af7651916cd43dd8448eb211c80319c";
    let meta = json!({"traceparent": format!("00-{other}-{CLIENTS_SPAN}-01")});
    let params = json!({"name": COMPLEXITY, "arguments": {}, "_meta": meta});
    client.request("tools/call", params);
    let spans = tap.until(|spans| {
        spans
            .iter()
            .any(|span| span.trace == other && span.name == CALL)
    });
    let call = spans
        .iter()
        .find(|span| span.trace == other && span.name == CALL)
        .expect("seen");
    assert_eq!(call.parent, CLIENTS_SPAN);
    assert_eq!(call.links.len(), 1, "{call:?}");
    let linked = tap.until(|spans| spans.iter().any(|span| span.id == call.links[0]));
    let http = linked
        .iter()
        .find(|span| span.id == call.links[0])
        .expect("seen");
    assert_eq!(
        (http.name.as_str(), http.trace.as_str()),
        ("POST /mcp", CLIENTS_TRACE)
    );
}

#[test]
fn a_malformed_parent_begins_a_new_trace() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let arguments = ["serve", "--root", &project.path().to_string_lossy()];
    let mut server = Server::start_in(&arguments, &tap.variables());
    server.initialize("2025-11-25");
    for parent in [
        "",
        "00-zz-00-01",
        "00-00000000000000000000000000000000-0000000000000000-01",
    ] {
        let meta = json!({"traceparent": parent});
        server.request(
            "tools/call",
            json!({"name": "find_tools", "arguments": {}, "_meta": meta}),
        );
    }
    let name = "tools/call find_tools";
    let spans = tap.until(|spans| named(spans, name).len() == 3);
    let traces: std::collections::BTreeSet<_> = named(&spans, name)
        .iter()
        .map(|span| span.trace.clone())
        .collect();
    assert_eq!(traces.len(), 3, "each its own");
    assert!(
        named(&spans, name)
            .iter()
            .all(|span| span.parent.is_empty())
    );
}

#[test]
fn a_batch_has_a_span_for_each_call() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let arguments = ["serve", "--root", &project.path().to_string_lossy()];
    let mut server = Server::start_in(&arguments, &tap.variables());
    server.initialize("2025-11-25");
    let calls = json!([
        {"tool": COMPLEXITY, "arguments": {}},
        {"tool": "analyze_structure", "arguments": {"path": "no/such"}},
        {"tool": "made_up", "arguments": {}},
    ]);
    server.good("run_batch", json!({"calls": calls}));
    let spans = tap.trace_of("tools/call run_batch");
    assert_eq!(root(&spans).attributes["mca.batch.calls"], "3");
    assert!(only(&spans, "batch/call _OTHER").is_error);
    let good = only(&spans, "batch/call analyze_complexity");
    assert!(!good.is_error);
    let bad = only(&spans, "batch/call analyze_structure");
    assert!(bad.is_error);
    assert_eq!(bad.attributes["error.type"], "tool_error");
    assert_eq!(bad.attributes["mca.fault"], "caller");
    let run = only(&spans, "execute_tool analyze_complexity");
    assert_eq!(
        path(&spans, run)[..2],
        ["tools/call run_batch", "batch/call analyze_complexity"]
    );
}

#[test]
fn what_is_an_error_is_whose_fault_it_is() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let arguments = ["serve", "--root", &project.path().to_string_lossy()];
    let mut server = Server::start_in(&arguments, &tap.variables());
    server.initialize("2025-11-25");
    // A tool that fails, an unknown tool, and an unknown method.
    server.call(COMPLEXITY, json!({"path": "no/such"}));
    server.request("tools/call", json!({"name": "rm -rf", "arguments": {}}));
    server.request("no/such/method", json!({}));
    let spans = tap.until(|spans| {
        named(spans, CALL).len() == 1
            && named(spans, "tools/call _OTHER").len() == 1
            && named(spans, "_OTHER").len() == 1
    });
    let failed = only(&spans, CALL);
    assert!(failed.is_error);
    assert_eq!(failed.attributes["error.type"], "tool_error");
    assert_eq!(failed.attributes["mca.reason"], "path_not_found");
    let unknown = only(&spans, "tools/call _OTHER");
    assert!(!unknown.is_error, "a caller's mistake");
    assert_eq!(unknown.attributes["rpc.response.status_code"], "-32602");
    let method = only(&spans, "_OTHER");
    assert!(!method.is_error);
    assert_eq!(method.attributes["rpc.response.status_code"], "-32601");
    let text = format!("{spans:?}");
    assert!(
        !text.contains("rm -rf") && !text.contains("no/such"),
        "callers mint no names"
    );
}

#[test]
fn arguments_are_recorded_only_on_request_and_source_code_never() {
    let Some(tap) = Tap::start() else { return };
    let secret = "secret_function_name";
    let project = Project::empty().with("a.py", &format!("def {secret}():\n    return 1\n"));
    let root = project.path().to_string_lossy();
    for (flag, seen) in [
        ("--trace-arguments=false", false),
        ("--trace-arguments=true", true),
    ] {
        let arguments = ["serve", flag, "--root", &root];
        let mut server = Server::start_in(&arguments, &tap.variables());
        server.initialize("2025-11-25");
        server.good(COMPLEXITY, json!({"path": "a.py"}));
        server.close();
        let spans = tap.until(|spans| named(spans, CALL).len() == 1 + usize::from(seen));
        let with = named(&spans, CALL)
            .iter()
            .filter(|span| span.attributes.contains_key("gen_ai.tool.call.arguments"))
            .count();
        assert_eq!(with, usize::from(seen));
        assert!(!format!("{spans:?}").contains(secret));
    }
}

#[test]
fn a_session_that_dies_is_visible_in_the_trace_of_its_call() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::large(300);
    let node = Node::of(exporting(&tap.variables()), project.path(), &STRUCK);
    let mut client = node.client().connected("2025-11-25");
    let made = client.good("create_session", json!({}));
    let id = made["data"]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut asking = client.clone();
    let of = id.clone();
    let call = std::thread::spawn(move || asking.good(COMPLEXITY, json!({"session_id": of})));
    let actor = json!({"actor": format!("session:{id}"), "mode": "panic"});
    let started = std::time::Instant::now();
    while node.post_admin("/admin/chaos/actors", &actor) != 200 {
        assert!(started.elapsed() < PATIENCE, "the session is not awake");
    }
    call.join().expect("the call is answered");
    let spans = tap.trace_of(CALL);
    let attempts = named(&spans, "session");
    // The fault may come before the call or after its answer; then the call has one attempt.
    if attempts.len() == 1 {
        return;
    }
    let died = attempts.iter().filter(|span| {
        span.attributes
            .get("error.type")
            .is_some_and(|why| why == "session_died")
    });
    assert!(died.count() >= 1, "{}", drawn(&spans));
    let lived = attempts.iter().filter(|span| !span.is_error);
    assert_eq!(lived.count(), 1, "{}", drawn(&spans));
    assert!(
        !named(&spans, "session.load").is_empty(),
        "{}",
        drawn(&spans)
    );
}

#[test]
fn a_call_that_another_node_owns_is_one_trace_over_both() {
    let (Some(redis), Some(tap)) = (Redis::good(), Tap::start()) else {
        return;
    };
    let project = Project::large(200);
    let url = redis.url();
    let store = ["--store", "redis", "--redis-url", &url];
    let start = || Node::of(exporting(&tap.variables()), project.path(), &store);
    let (first, second) = (start(), start());
    let mut there = first.client().connected("2025-11-25");
    let made = there.good("create_session", json!({}));
    let id = made["data"]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // A call keeps the session busy on the first node, so the second one forwards its own.
    let busy = {
        let (mut there, id) = (there.clone(), id.clone());
        std::thread::spawn(move || there.good(COMPLEXITY, json!({"session_id": id})))
    };
    let mut here = second.client().connected("2025-11-25");
    here.good("analyze_structure", json!({"session_id": id}));
    busy.join().expect("answered");
    let spans = tap.trace_of("tools/call analyze_structure");
    let nodes: std::collections::BTreeSet<_> = spans
        .iter()
        .filter_map(|span| span.attributes.get("mca.node.id").cloned())
        .collect();
    // One node if the first call had ended: then the session was handed over, and that question is in the trace.
    assert!(
        nodes.len() == 2 || !named(&spans, "relay.ask").is_empty(),
        "{}",
        drawn(&spans)
    );
    let top = root(&spans);
    assert_eq!(top.name, "POST /mcp");
}

#[test]
fn a_call_while_redis_is_away_says_so_in_its_trace() {
    let (Some(mut redis), Some(tap)) = (Redis::good(), Tap::start()) else {
        return;
    };
    let project = Project::small();
    let url = redis.url();
    let arguments = [
        "serve",
        "--store",
        "redis",
        "--redis-url",
        &url,
        "--root",
        &project.path().to_string_lossy(),
    ];
    let mut server = Server::start_in(&arguments, &tap.variables());
    server.initialize("2025-11-25");
    server.good(COMPLEXITY, json!({}));
    redis.kill();
    server.good("analyze_structure", json!({}));
    let spans = tap.trace_of("tools/call analyze_structure");
    let durability = &root(&spans).attributes["mca.durability"];
    assert_eq!(durability, "memory", "{}", drawn(&spans));
    let commits = named(&spans, "commit");
    let kept = |span: &&&super::receivers::Span| span.attributes["mca.durability"] == "memory";
    assert!(commits.iter().any(|span| kept(&span)), "{}", drawn(&spans));
}

#[test]
fn a_request_that_is_refused_has_a_span_too() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, format!("ann: {}\n", sha256("secret"))).expect("written");
    let arguments = ["--auth-tokens", &tokens.to_string_lossy()];
    let node = Node::of(exporting(&tap.variables()), project.path(), &arguments);
    let mut client = node.client();
    let message = client.message("tools/list", json!({}));
    client.post(&message).of_status(401);
    let spans = tap.until(|spans| !named(spans, "POST /mcp").is_empty());
    let refused = only(&spans, "POST /mcp");
    assert_eq!(refused.attributes["http.response.status_code"], "401");
    assert!(!refused.is_error, "a caller's mistake");
    assert!(!format!("{spans:?}").contains("secret"));
}

#[test]
fn a_call_that_its_client_gives_up_says_so() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::large(2000);
    let arguments = ["serve", "--root", &project.path().to_string_lossy()];
    let mut server = Server::start_in(&arguments, &tap.variables());
    server.initialize("2025-11-25");
    let id = server.ask("tools/call", json!({"name": COMPLEXITY, "arguments": {}}));
    server.notify("notifications/cancelled", json!({"requestId": id}));
    // A call that was answered before it was given up is not of interest here.
    let spans = tap.trace_of(CALL);
    let call = only(&spans, CALL);
    assert_eq!(root(&spans).id, call.id, "{}", drawn(&spans));
    if call.is_error {
        assert_eq!(
            call.attributes["mca.reason"],
            "cancelled",
            "{}",
            drawn(&spans)
        );
        assert_eq!(call.attributes["mca.fault"], "caller");
    }
}

#[test]
fn viewing_and_closing_a_session_reach_redis_in_their_own_traces() {
    let (Some(redis), Some(tap)) = (Redis::good(), Tap::start()) else {
        return;
    };
    let project = Project::small();
    let url = redis.url();
    let root = project.path().to_string_lossy().into_owned();
    let arguments = [
        "serve",
        "--store",
        "redis",
        "--redis-url",
        &url,
        "--root",
        &root,
    ];
    let mut server = Server::start_in(&arguments, &tap.variables());
    server.initialize("2025-11-25");
    let made = server.good("create_session", json!({}));
    let id = json!({"session_id": made["data"]["session_id"]});
    server.good("get_session", id.clone());
    server.good("close_session", id);
    for (call, command) in [
        ("get_session", "EVALSHA renew"),
        ("close_session", "EVALSHA delete"),
    ] {
        let call = format!("tools/call {call}");
        let spans = tap.trace_of(&call);
        let reached = spans.iter().any(|span| span.name == command);
        assert!(reached, "{command}: {}", drawn(&spans));
        assert_eq!(super::receivers::root(&spans).name, call);
    }
}
