//! Keys that another client overwrote with another type: `doctor --repair` fixes them while a node is running.

use serde_json::json;

use super::serving::until;
use super::{command, is_durable, serve, text};
use crate::support::redis::Redis;
use crate::support::{Ended, Project, Server};

fn doctor(project: &Project, redis: &Redis, more: &[&str]) -> Ended {
    let arguments = [&["doctor", "--store", "redis"], more].concat();
    command(project, &redis.url(), &arguments)
}

fn overwrite(redis: &Redis, key: &str) {
    redis.cli(&["DEL", key]);
    redis.cli(&["SET", key, "text"]);
}

fn listed(server: &mut Server) -> Vec<String> {
    let answer = server.good("list_sessions", json!({"limit": 100}));
    let rows = answer["data"]["sessions"].as_array().expect("rows");
    let ids = rows.iter().map(|row| text(row, "/session_id").to_owned());
    ids.collect()
}

fn says(ended: &Ended, code: i32, parts: &[&str]) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(code), "{said}");
    for part in parts {
        assert!(ended.stdout.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn repair_renames_keys_of_a_wrong_type_and_rebuilds_the_list() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let mut known = Vec::new();
    for nth in 0..5 {
        let made = server.good("create_session", json!({"label": format!("s{nth}")}));
        known.push(text(&made, "/data/session_id").to_owned());
    }
    let keyed = json!({"idempotency_key": "once"});
    let made = server.good("create_session", keyed.clone());
    known.push(text(&made, "/data/session_id").to_owned());
    let used = json!({"session_id": known[0]});
    server.good("analyze_complexity", used.clone());
    let creation = redis.cli(&["KEYS", "mca:{ck:*"]);
    for partition in 0..64 {
        for part in ["l", "x", "b", "p"] {
            overwrite(&redis, &format!("mca:{{ix:{partition:02}}}:{part}"));
        }
    }
    for key in [
        creation.trim(),
        "mca:nodes",
        "mca:inbox:somebody",
        "mca:{cp:somebody}",
    ] {
        overwrite(&redis, key);
    }
    redis.cli(&["LPUSH", "mca:node:somebody", "text"]);
    redis.cli(&["SET", "mca:other", "foreign"]);
    let refused = server.call("list_sessions", json!({}));
    let status = &refused["structuredContent"]["status"];
    assert!(status.to_string().contains("doctor --repair"), "{status}");
    // Other sessions are not affected.
    let made = server.good("create_session", json!({}));
    is_durable(&made, "redis");
    known.push(text(&made, "/data/session_id").to_owned());
    is_durable(&server.good("analyze_structure", used.clone()), "redis");
    let found = doctor(&project, &redis, &[]);
    says(
        &found,
        78,
        &["FAIL  redis keys", "doctor --repair", "and 253 more"],
    );

    let there = redis.cli(&["KEYS", "mca:{ses_*:m"]).lines().count();
    let anew = format!("sessions: {there} exist, {there} of them listed again, 0 unreadable");
    let mended = doctor(&project, &redis, &["--repair"]);
    let parts = [
        "set aside as mca:aside:",
        "for 7 days: 261",
        &anew,
        "ok    redis keys",
    ];
    says(&mended, 0, &parts);
    let mut found = listed(&mut server);
    found.retain(|id| known.contains(id));
    found.reverse();
    assert_eq!(found, known, "all of them, the newest first");
    let aside = redis.cli(&["KEYS", "mca:aside:*"]);
    assert_eq!(aside.lines().count(), 261, "{aside}");
    for key in aside.lines() {
        let left: u64 = redis.cli(&["PTTL", key]).trim().parse().expect("an end");
        assert!(left > 6 * 24 * 3600 * 1000, "{key}: {left}");
    }
    assert_eq!(redis.cli(&["GET", "mca:other"]).trim(), "foreign");
    is_durable(&server.good("create_session", keyed), "redis");
    // The storage used by each principal is counted as before.
    let weighed = |key: &str| -> u64 {
        let values = redis.cli(&["HVALS", key]);
        values.lines().filter_map(|it| it.parse::<u64>().ok()).sum()
    };
    let partition = redis.cli(&["KEYS", "mca:{ix:*:p"]);
    let partition = partition.trim();
    assert_eq!(
        weighed(partition),
        weighed(&partition.replace("}:p", "}:b"))
    );

    let again = doctor(&project, &redis, &["--repair"]);
    says(
        &again,
        0,
        &["no key of a wrong type", ", 0 of them listed again"],
    );
    assert_eq!(redis.cli(&["KEYS", "mca:aside:*"]).lines().count(), 261);
}

/// Sums and the keys they are computed from are repaired together.
#[test]
fn repair_corrects_the_sums_of_an_index() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    for _ in 0..3 {
        server.good("create_session", json!({}));
    }
    let sums = redis.cli(&["KEYS", "mca:{ix:*:p"]);
    let sums = sums.trim();
    let before = redis.cli(&["HVALS", sums]);
    for key in [sums.to_owned(), sums.replace("}:p", "}:b")] {
        overwrite(&redis, &key);
        says(
            &doctor(&project, &redis, &["--repair"]),
            0,
            &["ok    redis keys"],
        );
        assert_eq!(redis.cli(&["HVALS", sums]), before, "{key}");
    }
}

#[test]
fn a_session_of_a_wrong_type_is_reported_and_not_changed() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let made = server.good("create_session", json!({}));
    let id = text(&made, "/data/session_id").to_owned();
    server.close();
    let journal = format!("mca:{{{id}}}:j");
    overwrite(&redis, &journal);
    for repair in [[].as_slice(), &["--repair"]] {
        says(
            &doctor(&project, &redis, repair),
            0,
            &["warn  redis keys", &id, "sessions close ID"],
        );
    }
    assert_eq!(redis.cli(&["GET", &journal]).trim(), "text");
}

#[test]
fn missing_permissions_of_repair_are_named() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let page = include_str!("../../docs/redis.md");
    let rule = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER mca"));
    let rule = rule.expect("the rule").replace("PASSWORD", "s3cret");
    let words: Vec<_> = rule.split_whitespace().collect();
    redis.cli(&words);
    let url = format!("redis://mca:s3cret@127.0.0.1:{}", redis.port);
    let run = |more: &[&str]| {
        let arguments = [&["doctor", "--store", "redis"], more].concat();
        command(&project, &url, &arguments)
    };
    says(&run(&[]), 0, &["warn  redis keys", "+scan"]);
    says(
        &run(&["--repair"]),
        78,
        &["FAIL  redis repair", "+scan +rename"],
    );
    redis.cli(&["SET", "mca:nodes", "text"]);
    redis.cli(&["ACL", "SETUSER", "mca", "+scan"]);
    says(&run(&["--repair"]), 78, &["FAIL  redis repair", "+rename"]);
    redis.cli(&["ACL", "SETUSER", "mca", "+rename"]);
    says(
        &run(&["--repair"]),
        0,
        &["ok    redis repair", "mca:nodes", "ok    redis keys"],
    );
}

/// Redis evicts sessions that no node has in memory, and one that a node has.
#[test]
fn evicted_sessions_are_counted_separately() {
    const IDLE: usize = 12;
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let mut server = serve(&project, &redis.url(), &[]);
    let made = server.good("create_session", json!({}));
    let held = json!({"session_id": made["data"]["session_id"]});
    server.good("analyze_complexity", held.clone());
    for _ in 0..IDLE {
        server.good("create_session", json!({}));
    }
    let there = |redis: &Redis| redis.cli(&["KEYS", "mca:{ses_*:m"]).lines().count() as u64;
    let before = there(&redis);
    // A session that may still be about to be created is not counted as evicted.
    std::thread::sleep(std::time::Duration::from_secs(61));
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    until(|| {
        redis.cli(&["SET", "mca:{room}", "for more"]);
        (there(&redis) == 0).then_some(())
    });
    redis.cli(&["CONFIG", "SET", "maxmemory", "256mb"]);
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let eviction = |server: &mut Server| {
        server.good("get_server_status", json!({}))["data"]["store"]["eviction"].clone()
    };
    until(|| (eviction(&mut server)["sessions"] == before).then_some(()));
    assert_eq!(eviction(&mut server)["stored_again"], 0);
    let answer = server.good("analyze_structure", held.clone());
    assert!(answer["context"]["result_id"].is_string(), "{answer}");
    let now = eviction(&mut server);
    assert_eq!(
        (&now["sessions"], &now["stored_again"]),
        (&json!(before), &json!(1))
    );
    let lost =
        server.good("get_server_status", json!({}))["data"]["store"]["sheltered"]["lost"].clone();
    assert_eq!(lost, 0, "no other loss is counted");
    let told = format!("evicted before they expired, as counted by these nodes: {before}");
    until(|| {
        let ended = doctor(&project, &redis, &[]);
        ended.stdout.contains(&told).then_some(())
    });
}
