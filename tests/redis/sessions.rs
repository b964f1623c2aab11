//! `sessions` on the command line, while a node is running.

use serde_json::{Value, json};

use super::{serve, sessions, text};
use crate::support::redis::Redis;
use crate::support::{Project, Server};

fn stocked(server: &mut Server) -> (String, String) {
    let made = server.good("create_session", json!({"label": "nightly"}));
    let id = text(&made, "/data/session_id").to_owned();
    let answer = server.good(
        "analyze_complexity",
        json!({"session_id": id, "idempotency_key": "k"}),
    );
    (id, text(&answer, "/context/result_id").to_owned())
}

#[test]
fn an_export_is_valid_and_can_be_imported_into_another_redis() {
    let Some(redis) = Redis::good() else { return };
    let Some(other) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let (id, result) = stocked(&mut server);
    // The session stays on its node: reading does not take it.
    let exported = sessions(&project, &redis, &["export", "--all"]).ok();
    server.good("analyze_structure", json!({"session_id": id}));
    assert_eq!(exported.lines().count(), 1, "{exported}");
    let file = project.path().join("backup.jsonl");
    std::fs::write(&file, &exported).expect("written");
    let file = file.to_str().expect("a path");
    let valid = sessions(&project, &redis, &["validate", file]).ok();
    assert_eq!(valid, "1 sessions, 0 not valid\n");

    let imported = sessions(&project, &other, &["import", file]).ok();
    assert_eq!(imported.trim(), format!("{id} imported"));
    let again = sessions(&project, &other, &["export", &id]).ok();
    let (mut before, mut after): (Value, Value) = (parsed(&exported), parsed(&again));
    for line in [&mut before, &mut after] {
        line["expires_ms"] = Value::Null;
    }
    assert_eq!(before, after);
    let mut there = serve(&project, &other.url(), &[]);
    let compared = there.good(
        "compare_results",
        json!({"session_id": id, "baseline": result}),
    );
    assert_eq!(compared["status"]["success"], true);
    let replayed = there.good(
        "analyze_complexity",
        json!({"session_id": id, "idempotency_key": "k"}),
    );
    assert_eq!(replayed["context"]["replayed"], true, "{replayed}");
    assert_eq!(text(&replayed, "/context/result_id"), result);
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line.trim()).expect("JSON")
}

#[test]
fn a_session_of_a_node_is_shown_and_not_changed() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let (id, result) = stocked(&mut server);
    let shown = sessions(&project, &redis, &["show", &id, "--format", "json"]).json();
    assert_eq!(shown["label"], "nightly", "{shown}");
    assert_eq!(shown["results"][0]["result_id"], result.as_str(), "{shown}");
    let node = text(&shown, "/held_by").to_owned();
    let refused = sessions(&project, &redis, &["close", &id]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    for part in [node.as_str(), "ms", "--wait"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let listed = sessions(&project, &redis, &["list"]).ok();
    assert!(listed.contains(&id) && listed.contains(&node), "{listed}");
    server.good("analyze_structure", json!({"session_id": id}));
    server.close();
    let closed = sessions(&project, &redis, &["close", &id, "--wait", "60s"]).ok();
    assert_eq!(closed.trim(), format!("{id} closed"));
    let listed = sessions(&project, &redis, &["list"]).ok();
    assert_eq!(listed, "no sessions\n");
}

#[test]
fn an_unreadable_session_is_quarantined_shown_and_released() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let (id, _) = stocked(&mut server);
    server.close();
    let line = sessions(&project, &redis, &["export", &id]).ok();
    let mut line = parsed(&line);
    line["quarantine"] = json!("its tool panicked three times");
    let file = project.path().join("one.jsonl");
    std::fs::write(&file, line.to_string()).expect("written");
    let file = file.to_str().expect("a path");
    let refused = sessions(&project, &redis, &["import", file]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    let replaced = sessions(&project, &redis, &["import", file, "--replace"]).ok();
    assert_eq!(replaced.trim(), format!("{id} replaced"));
    let listed = sessions(&project, &redis, &["list", "--quarantined"]).ok();
    assert!(
        listed.contains(&id) && listed.contains("panicked three times"),
        "{listed}"
    );
    let mut server = serve(&project, &redis.url(), &[]);
    let refused = server.call("analyze_complexity", json!({"session_id": id}));
    let status = &refused["structuredContent"]["status"];
    assert_eq!(status["reason"], "session_quarantined", "{refused}");
    let released = sessions(&project, &redis, &["release", &id]).ok();
    assert!(released.contains("panicked three times"), "{released}");
    let refused = sessions(&project, &redis, &["release", &id]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    super::serving::until(|| {
        let answer = server.call("analyze_complexity", json!({"session_id": id}));
        (answer["isError"] != true).then_some(())
    });
}

#[test]
fn one_invalid_line_stops_the_whole_import() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let sample = include_str!("../fixtures/session-export.jsonl");
    let file = project.path().join("two.jsonl");
    std::fs::write(&file, format!("{sample}{{\"format\": 1}}\n")).expect("written");
    let file = file.to_str().expect("a path");
    for verb in ["validate", "import"] {
        let found = sessions(&project, &redis, &[verb, file]);
        assert_eq!(found.code, Some(1), "{verb}: {}", found.stderr);
        let said = format!("{}{}", found.stdout, found.stderr);
        assert!(said.contains("two.jsonl:2:"), "{said}");
    }
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    let missing = sessions(&project, &redis, &["import", "no/such/file"]);
    assert_eq!(missing.code, Some(66), "{}", missing.stderr);
}
