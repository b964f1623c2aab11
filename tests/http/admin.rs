//! The admin port while Redis is up, goes down and comes back.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::node::{Client, Node};
use crate::support::redis::Redis;
use crate::support::{PATIENCE, Project};

/// The status of the store, once it is as wanted.
fn once(node: &Node, wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let (status, store) = node.ask_admin("/admin/store");
        assert_eq!(status, 200, "{store}");
        if wanted(&store) {
            return store;
        }
        assert!(started.elapsed() < PATIENCE, "{store}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn the_status_shows_redis_while_it_is_up_and_down() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let node = Node::on(&redis, project.path(), &["--admin", "127.0.0.1:0"]);
    let there = once(&node, |store| store["link"]["role"] == "master");
    assert_eq!(there["kind"], "redis", "{there}");
    assert_eq!(there["available"], true, "{there}");
    assert_eq!(there["away"], Value::Null, "{there}");
    assert_eq!(there["breaker"], "closed", "{there}");
    assert_eq!(there["nodes"].as_array().map(Vec::len), Some(1), "{there}");
    let run = there["link"]["run_id"].as_str().expect("a run").to_owned();
    let listens = node.http.to_string();
    assert_eq!(there["nodes"][0]["address"], listens, "{there}");
    assert_eq!(node.ask_admin("/readyz").0, 200);

    redis.kill();
    let away = once(&node, |store| store["away"].is_string());
    assert_ne!(away["breaker"], "closed", "{away}");
    assert_eq!(away["durable"], false, "{away}");
    assert!(away["sheltered"]["since"].is_string(), "{away}");
    let (status, ready) = node.ask_admin("/readyz");
    assert_eq!(status, 200, "it serves from memory: {ready}");
    let mut client = node.client();
    let answer = client.good_stateless("get_server_status", json!({}));
    let told = &answer["data"]["store"];
    assert!(
        told["away"].is_string() && told["durable"] == false,
        "{told}"
    );

    redis.restart();
    let back = once(&node, |store| {
        store["breaker"] == "closed" && store["link"]["run_id"] != run
    });
    assert_eq!(back["durable"], true, "{back}");
    assert_eq!(back["away"], Value::Null, "{back}");
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

/// Both nodes have analysed the folder. A request to one node clears the caches of both.
#[test]
fn the_cache_is_cleared_on_every_node() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let start = || Node::on(&redis, project.path(), &["--admin", "127.0.0.1:0"]);
    let nodes = [start(), start()];
    let misses = |node: &Node| {
        let answer = node
            .client()
            .good_stateless("analyze_complexity", json!({"detail": "full"}));
        let misses = answer["metadata"]["cache"]["misses"].as_u64();
        misses.expect("a count")
    };
    let until = |wanted: &dyn Fn(u64) -> bool| {
        let started = Instant::now();
        loop {
            let misses = misses(&nodes[1]);
            if wanted(misses) {
                return misses;
            }
            assert!(started.elapsed() < PATIENCE, "{misses}");
        }
    };
    let all = misses(&nodes[0]);
    assert!(all > 0);
    until(&|misses| misses == 0);
    let admin = nodes[0].admin.expect("an admin port");
    let one = Client::of(&format!("http://{admin}"));
    assert_eq!(one.delete("/admin/cache"), 200);
    assert_eq!(until(&|misses| misses > 0), all);
}
