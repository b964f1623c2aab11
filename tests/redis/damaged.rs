//! Sessions damaged by another client: each is quarantined by itself, reported, released and deleted, while a node
//! serves the others.

use serde_json::json;

use super::serving::until;
use super::{serve, sessions, text};
use crate::support::redis::Redis;
use crate::support::{Project, Server};

/// The damage to a session, and the resulting error.
struct Damage {
    label: &'static str,
    does: fn(&Redis, &str),
    says: &'static str,
    /// Even the list row is damaged.
    whole: bool,
}

const DAMAGES: [Damage; 6] = [
    Damage {
        label: "no value",
        does: |redis, id| drop(redis.cli(&["HSET", &state(id), "snapshot", "garbage"])),
        says: "too short",
        whole: false,
    },
    Damage {
        label: "cut off",
        does: |redis, id| {
            let cut = "redis.call('HSET', KEYS[1], 'snapshot', string.sub(redis.call('HGET', KEYS[1], 'snapshot'), 1, -8))";
            redis.cli(&["EVAL", cut, "1", &state(id)]);
        },
        says: "bytes, not",
        whole: false,
    },
    Damage {
        label: "larger than the limit",
        does: |redis, id| {
            // A header that claims 2 GiB.
            let claims = "redis.call('HSET', KEYS[1], 'snapshot', 'MCA\\1\\1\\0\\0\\0\\128' .. string.rep('\\0', 4000))";
            redis.cli(&["EVAL", claims, "1", &state(id)]);
        },
        says: "it claims 2147483648 bytes",
        whole: false,
    },
    Damage {
        label: "a change of another type",
        does: |redis, id| drop(redis.cli(&["SET", &format!("mca:{{{id}}}:j"), "text"])),
        says: "stored as a string",
        whole: false,
    },
    Damage {
        label: "an invalid version",
        does: |redis, id| drop(redis.cli(&["HSET", &state(id), "version", "seven"])),
        says: "the field version is no number",
        whole: true,
    },
    Damage {
        label: "of another type",
        does: |redis, id| drop(redis.cli(&["SET", &state(id), "text"])),
        says: "stored as a string",
        whole: true,
    },
];

fn state(id: &str) -> String {
    format!("mca:{{{id}}}:m")
}

fn stocked(server: &mut Server, label: &str) -> String {
    let made = server.good("create_session", json!({"label": label}));
    let id = text(&made, "/data/session_id").to_owned();
    server.good("analyze_complexity", json!({"session_id": id}));
    id
}

#[test]
fn damaged_sessions_are_quarantined_one_by_one_and_can_be_released() {
    let Some(redis) = Redis::good() else { return };
    let Some(other) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let well = stocked(&mut server, "well");
    let damaged = DAMAGES.map(|damage| (stocked(&mut server, damage.label), damage));
    // Released, so that no node has it in memory.
    server.close();
    for (id, damage) in &damaged {
        (damage.does)(&redis, id);
    }
    let mut server = serve(&project, &redis.url(), &[]);
    for (id, damage) in &damaged {
        let refused = server.call("analyze_structure", json!({"session_id": id}));
        let status = &refused["structuredContent"]["status"];
        let reason = if damage.whole {
            // Its owner is no longer known.
            "unknown_session"
        } else {
            "session_quarantined"
        };
        assert_eq!(status["reason"], reason, "{}: {status}", damage.label);
        server.good("analyze_structure", json!({"session_id": well}));
    }
    let listed = until(|| {
        let listed = sessions(&project, &redis, &["list", "--quarantined"]).ok();
        let all = damaged.iter().all(|(id, _)| listed.contains(id.as_str()));
        all.then_some(listed)
    });
    assert!(!listed.contains(&well), "{listed}");
    for (id, damage) in &damaged {
        assert!(listed.contains(damage.says), "{}: {listed}", damage.label);
        let shown = sessions(&project, &redis, &["show", id]);
        let said = if damage.whole {
            assert_eq!(shown.code, Some(66), "{}", shown.stdout);
            shown.stderr
        } else {
            let shown = shown.ok();
            assert!(shown.contains(damage.label), "{shown}");
            shown
        };
        assert!(said.contains(damage.says), "{}: {said}", damage.label);
    }
    // The other sessions are exported.
    let exported = sessions(&project, &redis, &["export", "--all"]);
    assert_eq!(exported.code, Some(66), "{}", exported.stderr);
    for (id, _) in &damaged {
        assert!(exported.stderr.contains(id), "{}", exported.stderr);
    }
    let file = project.path().join("backup.jsonl");
    std::fs::write(&file, &exported.stdout).expect("written");
    let file = file.to_str().expect("a path");
    let valid = sessions(&project, &other, &["validate", file]).ok();
    assert_eq!(valid, "1 sessions, 0 not valid\n");
    let imported = sessions(&project, &other, &["import", file]).ok();
    assert_eq!(imported.trim(), format!("{well} imported"));
    // A damaged session that is released is quarantined again; one that is closed is gone.
    let (again, damage) = &damaged[0];
    let released = sessions(&project, &redis, &["release", again]).ok();
    assert!(released.contains(damage.says), "{released}");
    let refused = server.call("analyze_structure", json!({"session_id": again}));
    let status = &refused["structuredContent"]["status"];
    assert_eq!(status["reason"], "session_quarantined", "{status}");
    // Its owner can close it too, without an operator.
    let (own, _) = &damaged[1];
    let seen = server.good("get_session", json!({"session_id": own}));
    assert_eq!(seen["data"]["status"], "quarantined", "{seen}");
    assert!(seen.to_string().contains("close_session"), "{seen}");
    server.good("close_session", json!({"session_id": own}));
    let gone = server.call("get_session", json!({"session_id": own}));
    let status = &gone["structuredContent"]["status"];
    assert_eq!(status["reason"], "unknown_session", "{status}");
    for (id, damage) in damaged.iter().filter(|(id, _)| id != own) {
        let closed = sessions(&project, &redis, &["close", id]);
        assert_eq!(closed.code, Some(0), "{}: {}", damage.label, closed.stderr);
    }
    let listed = sessions(&project, &redis, &["list"]).ok();
    let left = damaged
        .iter()
        .filter(|(id, _)| listed.contains(id.as_str()));
    assert_eq!(left.count(), 0, "{listed}");
    server.good("analyze_structure", json!({"session_id": well}));
}

/// Restored from a backup, whether the damage has been detected or not.
#[test]
fn an_import_replaces_a_damaged_session() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let ids = ["state", "result"].map(|label| stocked(&mut server, label));
    server.close();
    let exported = sessions(&project, &redis, &["export", "--all"]).ok();
    let file = project.path().join("backup.jsonl");
    std::fs::write(&file, exported).expect("written");
    redis.cli(&["HSET", &state(&ids[0]), "snapshot", "garbage"]);
    let results = format!("mca:{{{}}}:d", ids[1]);
    for field in redis.cli(&["HKEYS", &results]).lines() {
        redis.cli(&["HSET", &results, field, "garbage"]);
    }
    let file = file.to_str().expect("a path");
    let imported = sessions(&project, &redis, &["import", "--replace", file]).ok();
    let mut server = serve(&project, &redis.url(), &[]);
    for id in &ids {
        assert!(imported.contains(&format!("{id} replaced")), "{imported}");
        let history = super::serving::history(&mut server, id);
        let compared = json!({"session_id": id, "baseline": history[0]});
        server.good("compare_results", compared);
    }
}

/// Damage to each stored part of a result: a script over its hash, field and bytes.
const DAMAGED_RESULTS: [(&str, &str); 6] = [
    ("garbage", "redis.call('HSET', KEYS[1], f, 'garbage')"),
    ("empty", "redis.call('HSET', KEYS[1], f, '')"),
    (
        "cut off",
        "redis.call('HSET', KEYS[1], f, string.sub(v, 1, -9))",
    ),
    (
        "a byte flipped",
        "redis.call('HSET', KEYS[1], f, string.sub(v, 1, -2) .. string.char((string.byte(v, -1) + 1) % 256))",
    ),
    (
        "an unknown codec",
        "redis.call('HSET', KEYS[1], f, string.sub(v, 1, 4) .. '\\9' .. string.sub(v, 6))",
    ),
    ("of another type", "redis.call('SET', KEYS[1], 'text')"),
];

fn damage_results(redis: &Redis, id: &str, how: &str) {
    let script = format!(
        "local all = redis.call('HGETALL', KEYS[1]) for i = 1, #all, 2 do local f, v = all[i], all[i + 1] {how} end"
    );
    redis.cli(&["EVAL", &script, "1", &format!("mca:{{{id}}}:d")]);
}

fn is_lost(status: &serde_json::Value, label: &str) {
    assert_eq!(status["code"], "DATA_LOSS", "{label}: {status}");
    assert_eq!(status["reason"], "data_loss", "{label}: {status}");
    assert_eq!(status["retryable"], false, "{label}: {status}");
    let recovery = text(status, "/recovery");
    assert!(recovery.contains("again"), "{label}: {status}");
}

#[test]
fn a_damaged_result_is_lost_and_its_session_continues() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    for (label, how) in DAMAGED_RESULTS {
        let made = server.good("create_session", json!({"label": label}));
        let id = text(&made, "/data/session_id").to_owned();
        let keyed = json!({"session_id": id, "idempotency_key": "K"});
        let first = server.good("analyze_complexity", keyed.clone());
        let result = text(&first, "/context/result_id").to_owned();
        damage_results(&redis, &id, how);
        let replayed = server.call("analyze_complexity", keyed.clone());
        is_lost(&replayed["structuredContent"]["status"], label);
        let compare = json!({"session_id": id, "baseline": result});
        let compared = server.call("compare_results", compare.clone());
        is_lost(&compared["structuredContent"]["status"], label);
        let batch = json!({"calls": [{"tool": "compare_results", "arguments": compare}]});
        let batch = server.good("run_batch", batch);
        is_lost(&batch["data"]["answers"][0]["status"], label);
        let uri = format!("analysis://sessions/{id}/results/{result}");
        let read = server.request("resources/read", json!({"uri": uri}));
        assert_eq!(
            read["error"]["data"]["code"], "DATA_LOSS",
            "{label}: {read}"
        );
        let view = server.good("get_session", json!({"session_id": id}));
        assert_eq!(view["data"]["status"], "open", "{label}");

        // Undamaged results are exported.
        let exported = sessions(&project, &redis, &["export", &id]);
        assert_eq!(exported.code, Some(66), "{label}: {}", exported.stderr);
        assert!(exported.stderr.contains("damaged"), "{}", exported.stderr);
        let file = project.path().join("damaged.jsonl");
        std::fs::write(&file, &exported.stdout).expect("written");
        let file = file.to_str().expect("a path");
        let valid = sessions(&project, &redis, &["validate", file]).ok();
        assert_eq!(valid, "1 sessions, 0 not valid\n", "{label}");

        // With a new key it runs again, and the result is stored.
        let again = json!({"session_id": id, "idempotency_key": "L"});
        let again = server.good("analyze_complexity", again);
        super::is_durable(&again, "redis");
        let against = text(&again, "/context/result_id").to_owned();
        let compare = json!({"session_id": id, "baseline": against, "against": result});
        let compared = server.call("compare_results", compare);
        let status = &compared["structuredContent"]["status"];
        if how.contains("SET', KEYS[1], 'text'") {
            // Nothing of it remains.
            assert_eq!(status["retryable"], false, "{label}: {status}");
        } else {
            is_lost(status, label);
        }
        server.good(
            "compare_results",
            json!({"session_id": id, "baseline": against}),
        );
    }
    // Also on a node that has to load them.
    server.close();
    let mut server = serve(&project, &redis.url(), &[]);
    for row in server.good("list_sessions", json!({}))["data"]["sessions"]
        .as_array()
        .expect("rows")
    {
        assert_eq!(row["status"], "open", "{row}");
        server.good(
            "analyze_structure",
            json!({"session_id": row["session_id"]}),
        );
    }
}

/// A session in a node's memory is not affected, so there is nothing to release.
#[test]
fn a_session_in_memory_continues() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let id = stocked(&mut server, "held");
    (DAMAGES[0].does)(&redis, &id);
    let refused = sessions(&project, &redis, &["release", &id]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("not quarantined"),
        "{}",
        refused.stderr
    );
    let answer = server.good("analyze_structure", json!({"session_id": id}));
    super::is_durable(&answer, "redis");
}
