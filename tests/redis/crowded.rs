//! Sessions and the shared cache in one Redis with little memory: the cache shrinks.

use serde_json::{Value, json};

use super::serving::until;
use super::text;
use crate::support::Project;
use crate::support::node::{Client, Node};
use crate::support::redis::Redis;

const BUDGET: u64 = 64 << 10;
/// Their analyses exceed the budget.
const FILES: usize = 60;

fn taken(redis: &Redis) -> u64 {
    let keys = redis.cli(&["KEYS", "mca:{cache}:*"]);
    let of = |key: &str| redis.cli(&["MEMORY", "USAGE", key, "SAMPLES", "0"]);
    let each = keys.lines().map(|key| of(key).trim().parse::<u64>());
    each.map(|bytes| bytes.expect("a number")).sum()
}

#[test]
fn the_cache_stays_within_its_budget_and_shrinks_for_sessions() {
    let arguments = ["--appendonly", "yes", "--maxmemory", "24mb"];
    let Some(redis) = Redis::with(&arguments) else {
        return;
    };
    let project = Project::large(FILES);
    let budget = BUDGET.to_string();
    let node = Node::on(
        &redis,
        project.path(),
        &["--admin", "127.0.0.1:0", "--shared-cache-bytes", &budget],
    );
    let shared = || -> (Value, Value) {
        let answer = node.client().good_stateless("get_server_status", json!({}));
        let data = &answer["data"];
        let features = data["features"].as_array().expect("a list");
        let feature = features.iter().find(|it| it["name"] == "shared_cache");
        (
            data["cache"]["shared"].clone(),
            feature.expect("the feature").clone(),
        )
    };
    let analyze = || {
        node.client()
            .good_stateless("analyze_complexity", json!({"detail": "full"}))
    };
    let answer = analyze();
    assert_eq!(answer["metadata"]["cache"]["misses"], FILES);
    let (status, _) =
        until(|| Some(shared()).filter(|(status, _)| status["bytes"].as_u64() > Some(BUDGET / 2)));
    assert_eq!(status["budget"], BUDGET, "{status}");
    assert_eq!(status["errors"], 0, "{status}");
    assert!(taken(&redis) <= BUDGET, "{} bytes", taken(&redis));
    // Other data fills it, beyond its limit.
    for nth in 0..60 {
        redis.cli(&["SETRANGE", &format!("others:{nth}"), "524288", "x"]);
    }
    let (status, feature) =
        until(|| Some(shared()).filter(|(_, feature)| feature["state"] == "degraded"));
    assert!(text(&feature, "/why").contains("of 24 MiB"), "{feature}");
    assert_eq!(status["bytes"], 0, "{status}");
    let admin = node.admin.expect("an admin port");
    let admin = Client::of(&format!("http://{admin}"));
    assert_eq!(admin.delete("/admin/cache"), 200);
    analyze();
    until(|| (shared().0["dropped"].as_u64() > Some(0)).then_some(()));
}
