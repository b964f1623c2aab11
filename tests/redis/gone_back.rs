//! Redis is rolled back: it restarts on the same port with an older copy of its data. The node that owns a session
//! repairs it, or reports the loss.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::serving::{history, until};
use super::{is_durable, serve, text};
use crate::support::redis::Redis;
use crate::support::{Project, Server, signal};

/// Repeats the call until its answer is durable. Before that it may be refused or not durable.
pub(super) fn durable(server: &mut Server, tool: &str, arguments: &Value) -> Value {
    until(|| {
        let answer = server.call(tool, arguments.clone())["structuredContent"].clone();
        (answer["context"]["durability"]["durable"] == true).then_some(answer)
    })
}

/// A new session: its id, and arguments that name it.
pub(super) fn created(server: &mut Server) -> (String, Value) {
    let made = server.good("create_session", json!({}));
    let id = text(&made, "/data/session_id").to_owned();
    let arguments = json!({"session_id": id});
    (id, arguments)
}

pub(super) fn result(answer: &Value) -> String {
    text(answer, "/context/result_id").to_owned()
}

pub(super) fn lost(server: &mut Server) -> u64 {
    let status = server.good("get_server_status", json!({}));
    let lost = status["data"]["store"]["sheltered"]["lost"].as_u64();
    lost.unwrap_or_else(|| panic!("no count in {status}"))
}

/// Rolled back to before the session existed, to before its calls, and to between them.
#[test]
fn a_node_restores_its_sessions() {
    for before in ["all", "calls", "one"] {
        let Some(mut redis) = Redis::good() else {
            return;
        };
        let project = Project::small();
        let mut server = serve(&project, &redis.url(), &[]);
        let mut then = redis.copy();
        let made = server.good("create_session", json!({"label": "kept"}));
        let id = text(&made, "/data/session_id").to_owned();
        if before == "calls" {
            then = redis.copy();
        }
        let mut known = Vec::new();
        for tool in ["analyze_complexity", "analyze_structure"] {
            let answer = server.good(tool, json!({"session_id": id}));
            is_durable(&answer, "redis");
            known.push(result(&answer));
            if before == "one" && known.len() == 1 {
                then = redis.copy();
            }
        }
        redis.go_back(then.path());
        let answer = durable(
            &mut server,
            "analyze_dependencies",
            &json!({"session_id": id}),
        );
        known.push(result(&answer));
        assert_eq!(lost(&mut server), 0, "{before}");
        // Everything that the node had is in Redis again, and another node finds it there.
        let over = server.close();
        assert_eq!(over.status.code(), Some(0), "{}", over.stderr);
        let mut other = serve(&project, &redis.url(), &[]);
        let found = history(&mut other, &id);
        for result in &known {
            assert!(
                found.contains(result),
                "{before}: {result} is not in {found:?}"
            );
        }
    }
}

/// The history shows for each result whether it can still be read.
#[test]
fn the_history_marks_results_that_redis_lost() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let (_, arguments) = created(&mut server);
    let kept = result(&server.good("analyze_complexity", arguments.clone()));
    let then = redis.copy();
    let forgotten = result(&server.good("analyze_structure", arguments.clone()));
    redis.go_back(then.path());
    let newer = result(&durable(&mut server, "analyze_dependencies", &arguments));
    let view = server.good("get_session", arguments.clone());
    let history = view["data"]["history"].as_array().expect("a history");
    let told: Vec<_> = history
        .iter()
        .map(|entry| {
            (
                text(entry, "/result_id").to_owned(),
                entry["stored"] != false,
            )
        })
        .collect();
    let wanted = [(newer, true), (forgotten, false), (kept, true)];
    assert_eq!(told, wanted, "{view}");
}

/// Its node is paused while Redis is rolled back, and another node continues from the stored state.
#[test]
fn changes_that_another_node_did_not_find_are_reported_lost() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut first = serve(&project, &redis.url(), &[]);
    let mut second = serve(&project, &redis.url(), &[]);
    let (id, arguments) = created(&mut first);
    // No node owns it yet.
    let then = redis.copy();
    let gone: Vec<_> = ["analyze_complexity", "analyze_structure"]
        .map(|tool| {
            let answer = first.good(tool, arguments.clone());
            is_durable(&answer, "redis");
            result(&answer)
        })
        .into();
    signal(first.pid(), Signal::STOP);
    redis.go_back(then.path());
    let theirs = result(&durable(&mut second, "analyze_complexity", &arguments));
    signal(first.pid(), Signal::CONT);
    // Reported to the next caller on either node, once the first node has noticed.
    let notice = until(|| {
        let view = first.call("get_session", arguments.clone())["structuredContent"].clone();
        let notices = view["context"]["notices"].as_array().cloned();
        notices.unwrap_or_default().into_iter().find_map(|notice| {
            let notice = notice.as_str()?.to_owned();
            notice.contains("are lost").then_some(notice)
        })
    });
    let lost = lost(&mut first);
    assert!(lost > 0);
    assert!(
        notice.contains(&format!("{lost} acknowledged changes")),
        "{notice}"
    );
    let ours = result(&durable(&mut first, "analyze_dependencies", &arguments));
    let found = history(&mut second, &id);
    assert_eq!(
        found,
        [ours, theirs],
        "what {gone:?} were is told to be lost"
    );
}

/// A single node, and a dump that is older by many changes.
#[test]
fn nothing_is_lost_after_any_rollback() {
    for calls in [20, 100] {
        let Some(mut redis) = Redis::with(&["--appendonly", "no"]) else {
            return;
        };
        let project = Project::small();
        let mut server = serve(&project, &redis.url(), &[]);
        let (id, arguments) = created(&mut server);
        let mut known = vec![result(&server.good("analyze_structure", arguments.clone()))];
        assert_eq!(redis.cli(&["SAVE"]), "OK");
        for _ in 0..calls {
            known.push(result(&server.good("analyze_structure", arguments.clone())));
        }
        redis.restart();
        let answer = durable(&mut server, "analyze_complexity", &arguments);
        known.push(result(&answer));
        let notices = answer["context"]["notices"].as_array().cloned();
        let told = notices.unwrap_or_default();
        let told = told
            .iter()
            .any(|notice| notice.to_string().contains("lost"));
        assert!(!told, "{calls}: {answer}");
        assert_eq!(lost(&mut server), 0, "{calls}");
        let found = history(&mut server, &id);
        // Newest first, and as many as a history keeps.
        let newest: Vec<_> = known.iter().rev().take(found.len()).cloned().collect();
        assert_eq!(found, newest, "{calls}");
        assert!(found.len() > 20.min(calls), "{calls}: {}", found.len());
    }
}
