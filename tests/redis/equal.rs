//! The result of a tool does not depend on the store.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::serve;
use crate::support::redis::Redis;
use crate::support::{Project, Server};
use crate::tidy::root;

/// Parts of an answer that do not depend on the store.
const PARTS: [&str; 4] = ["data", "page", "coverage", "status"];
/// Fields of the status about the store and the process.
const OF_THE_PROCESS: [&str; 9] = [
    "server", "features", "store", "nodes", "cache", "pool", "sessions", "actors", "roots",
];

fn answers(server: &mut Server) -> Vec<(String, Value)> {
    let plan = std::fs::read_to_string(root().join("tests/clients/plan.json")).expect("the plan");
    let plan: Vec<Value> = serde_json::from_str(&plan).expect("JSON");
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = Vec::new();
    for step in plan {
        let tool = step["tool"].as_str().expect("a tool").to_owned();
        let mut arguments = step["arguments"].to_string();
        for (name, value) in &kept {
            arguments = arguments.replace(&format!("\"{name}\""), value.as_str());
        }
        let arguments = serde_json::from_str(&arguments).expect("JSON");
        let answer = server.good(&tool, arguments);
        for (name, path) in step["keep"].as_object().into_iter().flatten() {
            let pointer: String = path
                .as_array()
                .expect("a path")
                .iter()
                .map(|part| format!("/{}", part.as_str().expect("a text")))
                .collect();
            let value = answer.pointer(&pointer).expect("kept").to_string();
            kept.insert(name.clone(), value);
        }
        answers.push((tool, answer));
    }
    answers
}

/// Ids and times differ between sessions, and so does durability, on purpose; everything else must be equal.
fn comparable(tool: &str, answer: &Value) -> Value {
    let mut parts = Map::new();
    for part in PARTS {
        parts.insert(part.to_owned(), answer[part].clone());
    }
    if tool == "get_server_status" {
        let data = parts.get_mut("data").and_then(Value::as_object_mut);
        data.expect("an object")
            .retain(|key, _| !OF_THE_PROCESS.contains(&key.as_str()));
    }
    let mut value = Value::Object(parts);
    blank(&mut value);
    // The calls of a batch end in any order.
    for list in ["/data/calls", "/data/history"] {
        if let Some(Value::Array(items)) = value.pointer_mut(list) {
            items.sort_by_key(Value::to_string);
        }
    }
    value
}

fn blank(value: &mut Value) {
    const IDS: [&str; 3] = ["ses_", "res_", "req_"];
    const NEW: [&str; 11] = [
        "created",
        "expires",
        "since",
        "at",
        "timestamp",
        "duration_ms",
        "cache",
        // Of stored results, which hold how much came from the cache.
        "bytes",
        "version",
        "cursor",
        // In a batch, whose calls run concurrently.
        "related_results",
    ];
    match value {
        Value::String(text) if IDS.iter().any(|prefix| text.starts_with(prefix)) => {
            text.truncate(4);
        }
        Value::Object(object) => {
            for (key, value) in object {
                if key == "durability" || NEW.contains(&key.as_str()) && !value.is_object() {
                    *value = Value::Null;
                } else {
                    blank(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_tool_answers_the_same_on_both_stores() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let in_memory = answers(&mut Server::initialized(project.path()));
    let in_redis = answers(&mut serve(&project, &redis.url(), &[]));
    assert_eq!(in_memory.len(), 11);
    for ((tool, one), (other_tool, other)) in in_memory.iter().zip(&in_redis) {
        assert_eq!(tool, other_tool);
        assert_eq!(comparable(tool, one), comparable(tool, other), "{tool}");
    }
}
