//! Redis goes down or was never up: the service reports it, and continues or refuses calls, as configured.

use serde_json::{Value, json};

use super::serving::until;
use super::{command, is_durable, serve, start, text};
use crate::support::node::Node;
use crate::support::redis::{Redis, free_port, installed};
use crate::support::{Project, Server};

fn feature(server: &mut Server, name: &str) -> Value {
    let status = server.good("get_server_status", json!({}));
    let features = status["data"]["features"]
        .as_array()
        .expect("a list")
        .clone();
    let found = features.into_iter().find(|feature| feature["name"] == name);
    found.unwrap_or_else(|| panic!("no feature {name}"))
}

#[test]
fn a_start_without_redis_works_with_a_warning() {
    if !installed("redis-server") {
        return;
    }
    let project = Project::small();
    let url = format!("redis://:s3cret@127.0.0.1:{}", free_port());
    let mut server = serve(&project, &url, &[]);
    let answer = server.good("analyze_complexity", json!({}));
    let durability = &answer["context"]["durability"];
    assert_eq!(
        (&durability["level"], &durability["durable"]),
        (&json!("memory"), &json!(false))
    );
    let notices = answer["context"]["notices"].as_array().expect("a list");
    assert!(
        !notices.is_empty(),
        "an answer that is not durable says so: {answer}"
    );
    let durable = feature(&mut server, "durable_sessions");
    assert_eq!(durable["state"], "off", "{durable}");
    assert_eq!(feature(&mut server, "sessions")["state"], "degraded");
    let over = server.close();
    assert_eq!(over.status.code(), Some(0), "{}", over.stderr);
    assert!(over.stderr.contains("127.0.0.1"), "{}", over.stderr);
    assert!(!over.stderr.contains("s3cret"), "{}", over.stderr);
}

#[test]
fn strict_mode_does_not_start_without_redis() {
    let project = Project::small();
    let url = format!("redis://:s3cret@127.0.0.1:{}", free_port());
    let arguments = [
        "serve",
        "--store",
        "redis",
        "--when-redis-is-away",
        "refuse",
    ];
    let refused = command(&project, &url, &arguments);
    assert_eq!(refused.code, Some(69), "{}", refused.stderr);
    assert!(refused.stderr.contains("127.0.0.1"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    for verb in [
        ["sessions", "list"].as_slice(),
        &["sessions", "export", "--all"],
    ] {
        let refused = command(&project, &url, verb);
        assert_eq!(refused.code, Some(69), "{verb:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }
}

#[test]
fn changes_during_an_outage_become_durable_after_it() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &["--single-node"]);
    let made = server.good("create_session", json!({"label": "kept"}));
    let id = text(&made, "/data/session_id").to_owned();
    let before = server.good("analyze_complexity", json!({"session_id": id}));
    is_durable(&before, "redis");
    redis.kill();
    let during = server.good("analyze_structure", json!({"session_id": id}));
    assert_eq!(
        during["context"]["durability"]["durable"], false,
        "{during}"
    );
    assert_eq!(
        during["context"]["durability"]["level"], "memory",
        "{during}"
    );
    redis.restart();
    until(|| {
        let answer = server.good("analyze_dependencies", json!({"session_id": id}));
        (answer["context"]["durability"]["durable"] == true).then_some(())
    });
    drop(server);
    // Another node has the results of both calls.
    let mut other = serve(&project, &redis.url(), &[]);
    let view = other.good("get_session", json!({"session_id": id}));
    let known = view["data"]["history"].to_string();
    for answer in [&before, &during] {
        let result = text(answer, "/context/result_id");
        assert!(known.contains(result), "{result} is lost: {known}");
    }
}

/// Also the default session of a new connection: it is kept in memory, and stays the default once Redis is back.
#[test]
fn a_new_connection_has_its_session_while_redis_is_down() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    redis.kill();
    let project = Project::small();
    let url = redis.url();
    let node = || Node::start(project.path(), &["--store", "redis", "--redis-url", &url]);
    let first = node();
    let mut client = first.client().connected("2025-11-25");
    let during = client.good("analyze_complexity", json!({}));
    assert_eq!(during["context"]["durability"]["level"], "memory");
    let id = text(&during, "/context/session_id").to_owned();
    let again = client.good("analyze_structure", json!({}));
    assert_eq!(text(&again, "/context/session_id"), id);
    // Only Redis knows whether a client's key was used before.
    let arguments = json!({"idempotency_key": "chosen"});
    let params = json!({"name": "create_session", "arguments": arguments});
    let refused = client.request("tools/call", params);
    let status = &refused["result"]["structuredContent"]["status"];
    assert_eq!(status["reason"], "store_unavailable", "{refused}");
    let listed = client.request(
        "tools/call",
        json!({"name": "list_sessions", "arguments": {}}),
    );
    let message = text(&listed, "/result/structuredContent/status/message");
    assert_eq!(message.matches("unavailable").count(), 1, "{message}");
    redis.restart();
    until(|| {
        let answer = client.good("analyze_complexity", json!({}));
        assert_eq!(text(&answer, "/context/session_id"), id, "the same");
        (answer["context"]["durability"]["durable"] == true).then_some(())
    });
    // Another node serves the connection with the same session, once Redis knows the connection.
    let second = node();
    let mut there = client.clone();
    there.base = second.client().base;
    let message = there.message(
        "tools/call",
        json!({"name": "analyze_structure", "arguments": {}}),
    );
    let answer = until(|| {
        let answer = there.post(&message);
        (answer.status == 200).then(|| answer.message())
    });
    let envelope = &answer["result"]["structuredContent"];
    assert_eq!(text(envelope, "/context/session_id"), id, "{answer}");
    let related = envelope["context"]["related_results"].to_string();
    assert!(
        related.contains(text(&again, "/context/result_id")),
        "{answer}"
    );
}

#[test]
fn a_loss_with_the_node_is_reported() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    server.good("analyze_complexity", json!({}));
    redis.kill();
    let during = server.good("analyze_structure", json!({}));
    assert_eq!(during["context"]["durability"]["level"], "memory");
    let over = server.close();
    let said = over
        .stderr
        .contains("answers that were reported as not durable are lost");
    assert!(said, "{}", over.stderr);
}

#[test]
fn strict_mode_refuses_while_redis_is_down() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &["--when-redis-is-away", "refuse"]);
    let made = server.good("create_session", json!({}));
    let id = text(&made, "/data/session_id").to_owned();
    server.good("analyze_complexity", json!({"session_id": id}));
    redis.kill();
    let refused = server.call("analyze_structure", json!({"session_id": id}));
    assert_eq!(refused["isError"], true, "{refused}");
    let status = &refused["structuredContent"]["status"];
    assert_eq!(status["reason"], "store_unavailable", "{status}");
    assert_eq!(status["retryable"], true, "{status}");
    redis.restart();
    until(|| {
        let answer = server.call("analyze_structure", json!({"session_id": id}));
        (answer["isError"] != true).then_some(())
    });
}

#[test]
fn a_redis_that_starts_later_is_used() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    redis.kill();
    let project = Project::small();
    let mut server = start(&project, &redis.url(), &[]);
    server.initialize(crate::support::server::NEWEST_WITH_INITIALIZE);
    server.good("analyze_complexity", json!({}));
    redis.restart();
    until(|| {
        let answer = server.good("analyze_complexity", json!({}));
        (answer["context"]["durability"]["durable"] == true).then_some(())
    });
    assert_eq!(
        feature(&mut server, "durable_sessions")["state"],
        "available"
    );
}

/// No call needs to use Redis: the status alone notices the outage.
#[test]
fn a_shared_cache_that_is_down_is_reported() {
    let Some(redis) = Redis::good() else { return };
    let Some(mut cache) = Redis::with(&["--maxmemory-policy", "allkeys-lru"]) else {
        return;
    };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &["--cache-redis-url", &cache.url()]);
    server.good("analyze_complexity", json!({}));
    assert_eq!(feature(&mut server, "shared_cache")["state"], "available");
    cache.kill();
    let told = until(|| {
        let told = feature(&mut server, "shared_cache");
        (told["state"] == "degraded").then_some(told)
    });
    assert!(text(&told, "/why").contains("its Redis is down"), "{told}");
    let status = server.good("get_server_status", json!({}));
    let shared = &status["data"]["cache"]["shared"];
    assert_eq!(shared["available"], false, "{shared}");
    let answer = server.good("analyze_structure", json!({}));
    is_durable(&answer, "redis");
    cache.restart();
    until(|| (feature(&mut server, "shared_cache")["state"] == "available").then_some(()));
}
