//! Nodes on one Redis: a session continues on any node, after a shutdown or a crash of its last one.

use serde_json::{Value, json};

use super::{is_durable, serve, text};
use crate::support::redis::Redis;
use crate::support::{Project, Server};

pub(super) fn session(server: &mut Server) -> String {
    let made = server.good("create_session", json!({"label": "shared"}));
    is_durable(&made, "redis");
    text(&made, "/data/session_id").to_owned()
}

pub(super) fn history(server: &mut Server, id: &str) -> Vec<String> {
    let view = server.good("get_session", json!({"session_id": id}));
    let history = view["data"]["history"].as_array().expect("a history");
    history
        .iter()
        .map(|entry| text(entry, "/result_id").to_owned())
        .collect()
}

#[test]
fn a_session_survives_a_killed_node() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut first = serve(&project, &redis.url(), &[]);
    let id = session(&mut first);
    let arguments = json!({"session_id": id, "idempotency_key": "once"});
    let answer = first.good("analyze_complexity", arguments.clone());
    is_durable(&answer, "redis");
    let result = text(&answer, "/context/result_id").to_owned();
    // Like `kill -9`: no session is released.
    drop(first);
    let mut second = serve(&project, &redis.url(), &[]);
    let again = second.good("analyze_complexity", arguments);
    assert_eq!(again["context"]["replayed"], true, "{again}");
    assert_eq!(again["data"], answer["data"]);
    assert_eq!(text(&again, "/context/result_id"), result);
    assert_eq!(history(&mut second, &id), [result.as_str()]);
    let compared = second.good(
        "compare_results",
        json!({"session_id": id, "baseline": result}),
    );
    is_durable(&compared, "redis");
}

/// Another node compares with a result whose answer has been dropped.
#[test]
fn the_next_node_compares_with_an_old_baseline() {
    /// More calls than the number of stored answers.
    const LATER: usize = 80;
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut first = serve(&project, &redis.url(), &[]);
    let id = session(&mut first);
    let of = |answer: &Value| text(answer, "/context/result_id").to_owned();
    let baseline = of(&first.good("analyze_complexity", json!({"session_id": id})));
    let mut known = Vec::new();
    for limit in 1..=LATER {
        known.push(of(&first.good(
            "analyze_structure",
            json!({"session_id": id, "limit": limit}),
        )));
    }
    drop(first);
    let mut second = serve(&project, &redis.url(), &[]);
    let view = second.good("get_session", json!({"session_id": id, "detail": "full"}));
    assert_eq!(view["data"]["results"], LATER + 1);
    let compared = second.good(
        "compare_results",
        json!({"session_id": id, "baseline": baseline}),
    );
    is_durable(&compared, "redis");
    let oldest = known.first().expect("some");
    let compared = json!({"session_id": id, "baseline": oldest, "against": known.last()});
    second.good("compare_results", compared);
}

#[test]
fn a_killed_redis_keeps_acknowledged_answers() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let id = session(&mut server);
    let before = server.good("analyze_complexity", json!({"session_id": id}));
    is_durable(&before, "redis");
    // Like `kill -9`, and restarted on the same port with its data on disk.
    redis.restart();
    let after = until(|| {
        let answer = server.call("analyze_structure", json!({"session_id": id}));
        let answer = answer["structuredContent"].clone();
        (answer["context"]["durability"]["durable"] == true).then_some(answer)
    });
    let known = history(&mut server, &id);
    for answer in [&before, &after] {
        let result = text(answer, "/context/result_id");
        assert!(
            known.iter().any(|id| id == result),
            "{result} is lost: {known:?}"
        );
    }
}

#[test]
fn two_nodes_take_turns_on_one_session() {
    /// Turns of each client.
    const TURNS: usize = 4;
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut nodes = [
        serve(&project, &redis.url(), &[]),
        serve(&project, &redis.url(), &[]),
    ];
    let id = session(&mut nodes[0]);
    let mut results = Vec::new();
    let mut last = (0, 0);
    for turn in 0..TURNS * 2 {
        let answer = nodes[turn % 2].good("analyze_structure", json!({"session_id": id}));
        is_durable(&answer, "redis");
        let durability = &answer["context"]["durability"];
        let number = |key: &str| durability[key].as_u64().expect("a number");
        let now = (number("epoch"), number("version"));
        assert!(now > last && now.1 > last.1, "{now:?} after {last:?}");
        last = now;
        results.push(text(&answer, "/context/result_id").to_owned());
    }
    results.reverse();
    for node in &mut nodes {
        assert_eq!(history(node, &id), results);
    }
}

#[test]
fn a_stopping_node_releases_its_sessions_at_once() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut first = serve(&project, &redis.url(), &[]);
    let id = session(&mut first);
    first.good("analyze_complexity", json!({"session_id": id}));
    let over = first.close();
    assert_eq!(over.status.code(), Some(0), "{}", over.stderr);
    // No lease must end first: the operator's first attempt succeeds.
    let closed = super::sessions(&project, &redis, &["close", &id]);
    assert_eq!(closed.ok().trim(), format!("{id} closed"));
}

#[test]
fn nodes_see_one_another() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut first = serve(&project, &redis.url(), &[]);
    let _second = serve(&project, &redis.url(), &[]);
    let nodes = until(|| {
        let status = first.good("get_server_status", json!({}));
        let nodes = status["data"]["nodes"].as_array().expect("a list").clone();
        (nodes.len() == 2).then_some(nodes)
    });
    for node in &nodes {
        assert_eq!(node["address"], "stdio", "{node}");
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"), "{node}");
        assert_ne!(node["draining"], true, "{node}");
    }
    let these = nodes.iter().filter(|node| node["this"] == true);
    assert_eq!(these.count(), 1, "{nodes:?}");
    let listed = super::sessions(&project, &redis, &["list", "--nodes", "--format", "json"]).json();
    assert_eq!(
        listed["nodes"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
    let found = super::command(&project, &redis.url(), &["doctor", "--store", "redis"]).ok();
    assert!(
        found.contains("ok    nodes: node_") && found.contains("at stdio"),
        "{found}"
    );
    first.close();
    let going = until(|| {
        let listed = super::sessions(&project, &redis, &["list", "--nodes", "--format", "json"]);
        let nodes = listed.json()["nodes"].as_array().expect("a list").clone();
        let one = nodes.iter().any(|node| node["draining"] == true);
        (one || nodes.len() < 2).then_some(nodes)
    });
    assert!(!going.is_empty(), "the second node is still listed");
}

/// Repeats until there is an answer.
pub(super) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    while started.elapsed() < crate::support::PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the condition was not met in time");
}

#[test]
fn a_start_fails_without_the_configured_durability() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let refused = super::command(
        &project,
        &redis.url(),
        &["serve", "--store", "redis", "--durability", "fsync"],
    );
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("appendfsync"), "{}", refused.stderr);
    redis.cli(&["CONFIG", "SET", "appendfsync", "always"]);
    let mut server = serve(&project, &redis.url(), &["--durability", "fsync"]);
    let answer = server.good("analyze_complexity", json!({}));
    is_durable(&answer, "fsync");
    // The configuration changes while it is used: noticed at the node's next heartbeat, and reported.
    redis.cli(&["CONFIG", "SET", "appendonly", "no"]);
    until(|| {
        let answer = server.good("analyze_complexity", json!({}));
        let durability = &answer["context"]["durability"];
        (durability["durable"] == false && durability["level"] == "redis").then_some(())
    });
    let status = server.good("get_server_status", json!({}));
    let warnings = status["data"]["store"]["warnings"].to_string();
    assert!(warnings.contains("appendfsync"), "{status}");
    redis.cli(&["CONFIG", "SET", "appendonly", "yes"]);
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    let refused = super::command(&project, &redis.url(), &["serve", "--store", "redis"]);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("noeviction"), "{}", refused.stderr);
}

/// Redis works, but with less durability than an operator may expect. The server reports that once, in its log.
#[test]
fn missing_persistence_is_reported_at_the_start() {
    let Some(redis) = Redis::with(&["--appendonly", "no", "--maxmemory-policy", "noeviction"])
    else {
        return;
    };
    let project = Project::small();
    let over = serve(&project, &redis.url(), &[]).close();
    assert!(over.stderr.contains("appendonly no"), "{}", over.stderr);
}

#[test]
fn an_answer_waits_for_the_configured_replicas() {
    let Some(primary) = Redis::good() else { return };
    let port = primary.port.to_string();
    let Some(mut replica) = Redis::with(&["--replicaof", "127.0.0.1", &port]) else {
        return;
    };
    until(|| {
        let told = primary.cli(&["INFO", "replication"]);
        told.contains("state=online").then_some(())
    });
    let project = Project::small();
    let mut server = serve(&project, &primary.url(), &["--durability", "replicated:1"]);
    let answer = server.good("analyze_complexity", json!({}));
    is_durable(&answer, "replicated");
    let status = server.good("get_server_status", json!({}));
    assert_eq!(status["data"]["store"]["level"], "replicated", "{status}");
    let features: &Value = &status["data"]["features"];
    let durable = features.as_array().expect("a list").iter();
    let durable = durable
        .clone()
        .find(|feature| feature["name"] == "durable_sessions");
    assert_eq!(durable.expect("listed")["state"], "available", "{features}");
    // The answer is in Redis nevertheless, and says so.
    replica.kill();
    let answer = server.good("analyze_structure", json!({}));
    let durability = &answer["context"]["durability"];
    assert_eq!(durability["level"], "redis", "{answer}");
    assert_eq!(durability["durable"], false, "{answer}");
    let notices = answer["context"]["notices"].to_string();
    assert!(notices.contains("is in the store"), "{notices}");
}
