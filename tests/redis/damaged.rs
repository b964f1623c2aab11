//! Sessions that somebody else has written to: each is taken out by itself, told, let run again and deleted, beside a
//! node that serves the others.

use serde_json::json;

use super::serving::until;
use super::{serve, sessions, text};
use crate::support::redis::Redis;
use crate::support::{Project, Server};

/// What was done to a session, and what is said of it.
struct Damage {
    label: &'static str,
    does: fn(&Redis, &str),
    says: &'static str,
    /// Even what a list shows is gone.
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
        label: "larger than may be",
        does: |redis, id| {
            // 2 GiB, it says.
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
        label: "a version that is none",
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
fn what_is_damaged_is_taken_out_by_itself_and_can_be_dealt_with() {
    let Some(redis) = Redis::good() else { return };
    let Some(other) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let well = stocked(&mut server, "well");
    let damaged = DAMAGES.map(|damage| (stocked(&mut server, damage.label), damage));
    // Given up, so that nobody knows better.
    server.close();
    for (id, damage) in &damaged {
        (damage.does)(&redis, id);
    }
    let mut server = serve(&project, &redis.url(), &[]);
    for (id, damage) in &damaged {
        let refused = server.call("analyze_structure", json!({"session_id": id}));
        let status = &refused["structuredContent"]["status"];
        let reason = if damage.whole {
            // Whose it was nobody can tell any more.
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
    // The others are saved.
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
    // Whoever lets one run again as it is hears the same of it, and whoever closes it is rid of it.
    let (again, damage) = &damaged[0];
    let released = sessions(&project, &redis, &["release", again]).ok();
    assert!(released.contains(damage.says), "{released}");
    let refused = server.call("analyze_structure", json!({"session_id": again}));
    let status = &refused["structuredContent"]["status"];
    assert_eq!(status["reason"], "session_quarantined", "{status}");
    for (id, damage) in &damaged {
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

/// From a backup, whether anybody has found the damage out before or not.
#[test]
fn what_is_damaged_is_replaced_by_an_import() {
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

/// What a node has in memory is as good as ever, and nothing that could be released.
#[test]
fn what_a_node_holds_goes_on() {
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
