use std::collections::BTreeSet;
use std::sync::Arc;

use actors::Clock;
use actors::ids::NodeId;
use actors::operator::ExportedSession;
use actors::store::archive::Archive;
use actors::store::memory::{Limits, MemoryStore};
use actors::store::{NodeRecord, Store};
use clap::Parser;
use serde_json::json;

use super::*;

/// Has every variant and every field of a stored session; tests of `actors` check that.
const SAMPLE: &str = include_str!("../../../tests/fixtures/session-export.jsonl");

fn sample() -> Value {
    serde_json::from_str(SAMPLE).expect("JSON")
}

fn wrong(line: &Value) -> Vec<String> {
    validate::check(&line.to_string()).expect_err("refused")
}

/// As the command line creates it.
fn verb(arguments: &[&str]) -> Sessions {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sessions: Sessions,
    }
    let line = [&["sessions"], arguments].concat();
    Line::try_parse_from(line).expect("understood").sessions
}

#[test]
fn the_sample_is_valid_and_round_trips_exactly() {
    let session = validate::check(SAMPLE.trim()).expect("valid");
    assert_eq!(serde_json::to_value(&session).expect("JSON"), sample());
}

/// The sample has every field, so a field cannot be added only to a type or only to the schema.
#[test]
fn the_schema_has_exactly_the_fields_of_the_types() {
    let schema: Value = serde_json::from_str(validate::SCHEMA).expect("JSON");
    let mut named = BTreeSet::new();
    properties(&schema, &mut named);
    let mut used = BTreeSet::new();
    let mut left = vec![sample()];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    used.insert(key);
                    left.push(value);
                }
            }
            Value::Array(items) => left.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let unused: Vec<_> = named.difference(&used).collect();
    assert!(unused.is_empty(), "no session has {unused:?}");
    // Every object is closed: a field that the schema does not have is refused, as below.
    let mut more = sample();
    more["state"]["ended"][0]["end"]["succeeded"]["more"] = json!(1);
    assert!(wrong(&more)[0].contains("more"), "{:?}", wrong(&more));
}

fn properties(schema: &Value, named: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(own)) = object.get("properties") {
                named.extend(own.keys().cloned());
                let closed = object.get("additionalProperties") == Some(&Value::Bool(false));
                assert!(closed, "{:?} accepts any field", own.keys());
            }
            object.values().for_each(|value| properties(value, named));
        }
        Value::Array(items) => items.iter().for_each(|value| properties(value, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn errors_name_their_place() {
    for (place, value, word) in [
        ("/id", json!("ses_1"), "/id"),
        ("/version", json!(0), "/version"),
        ("/state/ended/0/end", json!("lost"), "/state/ended/0/end"),
        ("/state/keys/0/digest", json!([1]), "/state/keys/0/digest"),
        ("/results/0/part", json!("half"), "/results/0/part"),
        ("/principal", json!("eve"), "principal"),
        ("/results/0/content", json!("{"), "result res_"),
        (
            "/state/wholes",
            json!([["res_00000000000000000000000000000009", 2]]),
            "referenced",
        ),
    ] {
        let mut line = sample();
        *line.pointer_mut(place).expect(place) = value;
        let problems = wrong(&line).join("; ").replace('.', "/");
        assert!(problems.contains(word), "{place}: {problems}");
    }
    assert!(validate::check("{").is_err());
}

async fn stocked() -> (Arc<MemoryStore>, Operator, ExportedSession) {
    // Longer than any pause of a loaded machine, and short enough for a test.
    let limits = Limits {
        lease: Duration::from_secs(5),
        ..Limits::default()
    };
    let store = Arc::new(MemoryStore::new(Clock::system(), limits));
    let operator = Operator::new(Arc::clone(&store) as Arc<dyn Archive>, NodeId::from_u128(9));
    let session = validate::check(SAMPLE.trim()).expect("valid");
    operator
        .import(&session, false, Duration::ZERO)
        .await
        .expect("new");
    (store, operator, session)
}

#[tokio::test]
async fn lists_show_the_owner_and_the_quarantine() {
    let (store, operator, session) = stocked().await;
    let list = |arguments: &'static [&'static str]| {
        let operator = operator.clone();
        async move {
            let Verb::List(list) = verb(arguments).verb else {
                panic!("no list")
            };
            list.run(&operator).await.expect("listed")
        }
    };
    let text = list(&["list"]).await;
    for part in [
        &session.id.to_string(),
        "ada",
        "nightly",
        "quarantined",
        "panicked three times",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let json: Value =
        serde_json::from_str(&list(&["list", "--format", "json"]).await).expect("JSON");
    assert_eq!(json["sessions"][0]["session_id"], session.id.to_string());
    assert!(list(&["list", "--quarantined"]).await.contains("nightly"));
    assert_eq!(list(&["list", "--principal", "eve"]).await, "no sessions\n");
    assert_eq!(list(&["list", "--nodes"]).await, "no node is running\n");
    let node = NodeRecord {
        node: NodeId::from_u128(3),
        version: "1.2.3".to_owned(),
        address: "stdio".to_owned(),
        started_ms: 1,
        seen_ms: 0,
        sessions: 4,
        calls_in_flight: 5,
        features: vec!["x".to_owned()],
        draining: true,
        evicted_sessions: 0,
    };
    store.announce(&node).await.expect("there");
    let nodes = list(&["list", "--nodes"]).await;
    assert!(
        nodes.contains("1.2.3") && nodes.contains("stdio"),
        "{nodes}"
    );
}

#[tokio::test]
async fn a_session_is_shown_with_its_content() {
    let (_, operator, session) = stocked().await;
    let id = session.id.to_string();
    let Verb::Show(show) = verb(&["show", &id]).verb else {
        panic!("no show")
    };
    let text = show.run(&operator).await.expect("there");
    for part in [
        "executing",
        "3 functions",
        "/code",
        "a notice",
        "version           9",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let unknown = SessionId::from_u128(77).to_string();
    let Verb::Show(show) = verb(&["show", &unknown]).verb else {
        panic!("no show")
    };
    let error = show.run(&operator).await.expect_err("unknown");
    assert_eq!(refused(&error), Exit::NoInput);
}

#[tokio::test]
async fn changes_return_the_right_exit_codes() {
    let (store, operator, session) = stocked().await;
    let id = session.id.to_string();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), SAMPLE).expect("written");
    let path = file.path().to_str().expect("a path");
    let run = async |arguments: &[&str]| verb(arguments).within(&operator).await;
    assert_eq!(run(&["import", path]).await, Exit::Usage);
    assert_eq!(run(&["import", path, "--replace"]).await, Exit::Ok);
    assert_eq!(run(&["release", &id]).await, Exit::Ok);
    assert_eq!(run(&["release", &id]).await, Exit::Usage);
    store
        .acquire(session.id, NodeId::from_u128(1))
        .await
        .expect("free");
    assert_eq!(run(&["close", &id]).await, Exit::Usage);
    assert_eq!(run(&["close", &id, "--wait", "30s"]).await, Exit::Ok);
    assert_eq!(run(&["close", &id]).await, Exit::NoInput);
    std::fs::write(file.path(), format!("{SAMPLE}{{}}\n")).expect("written");
    assert_eq!(run(&["import", path, "--replace"]).await, Exit::Finding);
    assert_eq!(
        operator.row(session.id).await,
        Ok(None),
        "nothing was imported"
    );
    assert_eq!(run(&["import", "/nowhere/at/all"]).await, Exit::NoInput);
    assert_eq!(verb(&["validate", path]).run(None).await, Exit::Finding);
}
