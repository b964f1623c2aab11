//! Every listed metric has a value after its event has happened, and no value is about something that did not happen.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::reading::{Reading, listed};
use crate::support::node::{Client, Node, STRUCK};
use crate::support::redis::Redis;
use crate::support::{PATIENCE, Project};

/// Actors that commit, as many as the program starts.
const SHARDS: usize = 4;

/// Metrics whose event this test does not cause, with the reason.
const NOT_CAUSED: [(&str, &str); 5] = [
    (
        "mca_commit_fenced_total",
        "a node commits nothing after it has heard of the next owner",
    ),
    ("mca_log_dropped_total", "stderr is read"),
    ("mca_trace_malformed_parents_total", "no client sends one"),
    ("mca_telemetry_dropped_total", "nothing is exported"),
    ("mca_telemetry_exported_total", "nothing is exported"),
];

/// The readings of one node.
struct Watched<'a> {
    node: &'a Node,
    last: Reading,
    /// The families that had a value other than 0 in any reading.
    seen: BTreeSet<String>,
}

impl<'a> Watched<'a> {
    fn new(node: &'a Node) -> Self {
        Self {
            node,
            last: Reading::of(node),
            seen: BTreeSet::new(),
        }
    }

    /// Reads the metrics until they are as wanted. Every reading continues the one before.
    fn until(&mut self, wanted: impl Fn(&Reading) -> bool) {
        let started = Instant::now();
        loop {
            let now = Reading::of(self.node);
            now.is_after(&self.last);
            self.last = now;
            let counted = self.last.counted().into_iter().map(str::to_owned);
            self.seen.extend(counted);
            if wanted(&self.last) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{}", self.last.text);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn session(client: &mut Client) -> (String, Value) {
    let made = client.good("create_session", json!({}));
    let durability = &made["context"]["durability"];
    assert_eq!(durability["durable"], true, "{made}");
    let id = made["data"]["session_id"].as_str().expect("an id");
    (id.to_owned(), json!({"session_id": id}))
}

/// Repeats the call until its answer is durable.
fn durable(client: &mut Client, tool: &str, arguments: &Value) {
    let started = Instant::now();
    loop {
        let call = json!({"name": tool, "arguments": arguments});
        let answer = client.request("tools/call", call);
        let context = &answer["result"]["structuredContent"]["context"];
        if context["durability"]["durable"] == true {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn strike(node: &Node, actor: &str, mode: &str, for_ms: u64) {
    let strike = json!({"actor": actor, "mode": mode, "for_ms": for_ms});
    let strike = match for_ms {
        0 => json!({"actor": actor, "mode": mode}),
        _ => strike,
    };
    assert_eq!(node.post_admin("/admin/chaos/actors", &strike), 200);
}

#[test]
fn every_listed_metric_counts_what_happened() {
    // Everything acknowledged is in the file, so that a copy has it.
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut redis) = Redis::with(&settings) else {
        return;
    };
    let project = Project::small();
    let [one, two] = [0, 1].map(|_| Node::on(&redis, project.path(), &STRUCK));
    let mut client = one.client().connected("2025-11-25");
    let mut other = two.client().connected("2025-11-25");
    let (mut first, mut second) = (Watched::new(&one), Watched::new(&two));
    nothing_has_failed(&first.last);
    nothing_has_failed(&second.last);

    // Files are parsed once, and then come from the cache.
    let (id, arguments) = session(&mut client);
    client.good("analyze_complexity", arguments.clone());
    client.good("analyze_structure", arguments.clone());
    first.until(|now| {
        let files = |how| now.sum("mca_analysis_files_total", how);
        let (parsed, cached) = (files("\"parsed\""), files("\"cached\""));
        let commits = now.sum("mca_commit_duration_seconds_count", "\"committed\"");
        parsed > 0.0
            && cached == parsed
            && now.sum("mca_cache_lookups_total", "\"none\"") == parsed
            && now.sum("mca_cache_lookups_total", "\"memory\"") == cached
            && now.sum("mca_analysis_parsed_bytes_total", "python") > 0.0
            && now.sum("mca_pool_wait_duration_seconds_count", "") == 2.0
            && commits >= 2.0
            && now.sum("mca_commit_size_bytes_count", "") == commits
    });

    // The session moves to the other node, which has the files from the shared cache.
    other.good("analyze_complexity", arguments.clone());
    second.until(|now| {
        now.sum("mca_session_hand_overs_total", "\"taken\"") == 1.0
            && now.sum("mca_cache_lookups_total", "\"shared\"") > 0.0
            && now.sum("mca_session_recovery_duration_seconds_count", "\"woken\"") == 1.0
    });
    first.until(|now| now.sum("mca_session_hand_overs_total", "\"given\"") == 1.0);

    strike(&two, &format!("session:{id}"), "kill", 0);
    strike(&two, "cache", "kill", 0);
    other.good("analyze_structure", arguments.clone());
    second.until(|now| {
        let restarts = |kind| now.sum("mca_actor_restarts_total", kind);
        let recovered = now.sum(
            "mca_session_recovery_duration_seconds_count",
            "\"restarted\"",
        );
        recovered == 1.0 && restarts("\"session\"") == 1.0 && restarts("\"cache\"") == 1.0
    });

    // Another program overwrites a session.
    let (broken, arguments_of_broken) = session(&mut client);
    let key = format!("mca:{{{broken}}}:m");
    redis.cli(&["HSET", &key, "snapshot", "garbage"]);
    let call = json!({"name": "get_session", "arguments": arguments_of_broken});
    other.request("tools/call", call);
    second.until(|now| now.sum("mca_session_quarantines_total", "") == 1.0);

    // Redis is rolled back while one node is paused and the other one changes the older state.
    let (_, arguments) = session(&mut client);
    let then = redis.copy();
    client.good("analyze_complexity", arguments.clone());
    one.signal(Signal::STOP);
    redis.go_back(then.path());
    durable(&mut other, "analyze_structure", &arguments);
    one.signal(Signal::CONT);
    durable(&mut client, "analyze_complexity", &arguments);
    first.until(|now| now.sum("mca_store_losses_total", "") > 0.0);

    a_commit_waits(&one, &client, &mut first);

    // Redis goes down, a call is kept in memory, and Redis comes back with older data.
    let (_, kept) = session(&mut client);
    client.good("analyze_complexity", kept.clone());
    let then = redis.copy();
    client.good("analyze_structure", kept.clone());
    redis.kill();
    client.good("analyze_complexity", kept);
    first.until(|now| {
        let states = now.sum("mca_store_state", "");
        now.sum("mca_store_state", "\"away\"") == 1.0
            && states == 1.0
            && now.sum("mca_store_sheltered", "") > 0.0
    });
    redis.go_back(then.path());
    first.until(|now| {
        now.sum("mca_store_state", "\"ready\"") == 1.0
            && now.sum("mca_store_sheltered", "") == 0.0
            && now.sum("mca_store_regressions_total", "") > 0.0
    });

    let call = json!({"name": "get_session", "arguments": {"session_id": "none"}});
    client.request("tools/call", call);
    assert_eq!(client.delete("/mcp"), 204);
    first.until(|now| now.sum("mcp_server_session_duration_seconds_count", "\"tcp\"") == 1.0);

    for reading in [&first.last, &second.last] {
        reading.is_as_prometheus_wants();
        assert!(!reading.text.contains(&id), "{}", reading.text);
    }
    let missing: Vec<_> = listed()
        .into_keys()
        .filter(|name| !first.seen.contains(name) && !second.seen.contains(name))
        .filter(|name| !NOT_CAUSED.iter().any(|(known, _)| known == name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn nothing_has_failed(reading: &Reading) {
    for name in [
        "mca_actor_stuck",
        "mca_commit_ambiguous_total",
        "mca_session_quarantines_total",
        "mca_store_losses_total",
        "mca_store_regressions_total",
    ] {
        assert!(!reading.counted().contains(name), "{}", reading.text);
    }
}

/// The pool and the actors of the store are stuck while a call waits for a thread and for its commit: its lease is extended.
/// Then they are killed, and the fate of the commit is unknown.
fn a_commit_waits(node: &Node, client: &Client, metrics: &mut Watched<'_>) {
    let mut client = client.clone();
    let (_, arguments) = session(&mut client);
    let mut stuck: Vec<_> = (0..SHARDS).map(|n| format!("persistence:{n}")).collect();
    stuck.push("pool".to_owned());
    for actor in &stuck {
        strike(node, actor, "stall", 60_000);
    }
    let call = std::thread::spawn(move || client.good("analyze_complexity", arguments));
    metrics.until(|now| {
        now.sum("mca_actor_stuck", "\"persistence\"") > 0.0
            && now.sum("mca_commit_pending", "") > 0.0
            && now.sum("mca_permits_used", "\"jobs_waiting\"") == 1.0
            && now.sum("mca_lease_held", "") == 1.0
            && now.sum("mca_lease_renewals_total", "\"renewed\"") > 0.0
    });
    for actor in &stuck {
        strike(node, actor, "kill", 0);
    }
    call.join().expect("it is answered");
    metrics.until(|now| {
        now.sum("mca_actor_stuck", "") == 0.0
            && now.sum("mca_commit_pending", "") == 0.0
            && now.sum("mca_actor_stuck_found_total", "\"persistence\"") >= 1.0
            && now.sum("mca_commit_ambiguous_total", "") > 0.0
    });
}
