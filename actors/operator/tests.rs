use serde_json::{Value, json};

use super::*;
use crate::Clock;
use crate::ids::ResultId;
use crate::session::machine::{CallState, End};
use crate::store::memory::{Limits, MemoryStore};
use crate::store::{Part, Store};

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(
        Clock::starting_at(1_000_000),
        Limits::default(),
    ))
}

fn operator(store: &Arc<MemoryStore>) -> Operator {
    Operator::new(Arc::clone(store) as Arc<dyn Archive>, NodeId::from_u128(99))
}

/// Written by hand, as an operator could.
fn exported(n: u128, principal: &str) -> ExportedSession {
    let (request, result) = (format!("req_{n:032x}"), format!("res_{n:032x}"));
    let ended = json!({
        "request": request, "tool": "t", "arguments": {"path": "a"}, "attempt": 1, "at_ms": 5,
        "end": {"succeeded": {"result": result, "summary": "s", "input_digest": "d"}},
    });
    let state = json!({
        "schema": 3, "principal": principal, "label": "l", "roots": [{"name": "r", "path": "/r"}],
        "created_ms": 4, "ttl_ms": 60_000, "closed": false, "calls": {}, "ended": [ended], "keys": [],
        "wholes": [[result, 2]], "notices": [],
    });
    let answer = json!({
        "schema": 1, "tool": "t", "arguments": {"path": "a"}, "answer": {"n": 1}, "summary": "s",
        "input_digest": "d", "created_ms": 5,
    });
    let id = ResultId::from_u128(n);
    let result = |part, content: String| ExportedResult { id, part, content };
    ExportedSession {
        format: FORMAT.to_owned(),
        schema: SCHEMA,
        id: SessionId::from_u128(n),
        principal: Principal::named(principal),
        label: Some("l".to_owned()),
        created_ms: 4 + u64::try_from(n).expect("small"),
        expires_ms: 60_004,
        ttl_ms: 60_000,
        version: 7,
        quarantine: None,
        state,
        results: vec![
            result(ExportedPart::Answer, answer.to_string()),
            result(ExportedPart::Whole, "{}".to_owned()),
        ],
    }
}

#[tokio::test]
async fn an_imported_session_is_exported_unchanged() {
    let store = store();
    let operator = operator(&store);
    for quarantine in [None, Some("its tool panics".to_owned())] {
        let id = 1 + u128::from(quarantine.is_some());
        let line = ExportedSession {
            quarantine,
            ..exported(id, "ada")
        };
        let imported = operator.import(&line, false, Duration::ZERO).await;
        assert_eq!(imported, Ok(Imported::New));
        let again = operator.export(line.id).await.expect("there");
        let expires_ms = again.expires_ms;
        assert!(
            expires_ms >= 1_060_000,
            "its time starts anew: {expires_ms}"
        );
        assert_eq!(
            ExportedSession {
                expires_ms: 60_004,
                ..again
            },
            line
        );
        let text = serde_json::to_string(&line).expect("JSON");
        assert_eq!(
            serde_json::from_str::<ExportedSession>(&text).expect("reads back"),
            line
        );
    }
    let shown = operator.show(SessionId::from_u128(2)).await.expect("there");
    assert_eq!(shown.row.quarantine.as_deref(), Some("its tool panics"));
    let stored = shown.stored.expect("readable");
    assert_eq!((stored.results, stored.version), (2, 7));
    assert_eq!(shown.view.expect("readable").history.len(), 1);
}

#[tokio::test]
async fn an_imported_session_can_be_acquired_by_a_node_at_once() {
    let store = store();
    let line = exported(1, "ada");
    operator(&store)
        .import(&line, false, Duration::ZERO)
        .await
        .expect("new");
    let acquired = store
        .acquire(line.id, NodeId::from_u128(1))
        .await
        .expect("free");
    assert_eq!(acquired.version, 7);
    let whole = store
        .result(line.id, ResultId::from_u128(1), Part::Whole)
        .await;
    assert_eq!(whole.expect("read").as_deref(), Some(b"{}".as_slice()));
}

#[tokio::test]
async fn large_results_are_imported_in_parts_under_the_exported_version() {
    let store = store();
    let operator = operator(&store);
    let mut line = exported(1, "ada");
    line.results[1].content = Value::from("x".repeat(COMMIT_BYTES + 1)).to_string();
    operator
        .import(&line, false, Duration::ZERO)
        .await
        .expect("new");
    let again = operator.export(line.id).await.expect("there");
    assert_eq!((again.version, again.results), (7, line.results));
}

#[tokio::test]
async fn an_existing_session_is_replaced_only_on_request() {
    let store = store();
    let operator = operator(&store);
    let mut line = exported(1, "ada");
    operator
        .import(&line, false, Duration::ZERO)
        .await
        .expect("new");
    let id = line.id;
    let refused = operator.import(&line, false, Duration::ZERO).await;
    assert_eq!(refused, Err(OperatorError::Exists(id)));
    let foreign = exported(1, "eve");
    let refused = operator.import(&foreign, true, Duration::ZERO).await;
    assert!(
        matches!(refused, Err(OperatorError::OtherOwner { .. })),
        "{refused:?}"
    );
    line.state["ended"] = json!([]);
    line.state["wholes"] = json!([]);
    line.results = Vec::new();
    let replaced = operator.import(&line, true, Duration::ZERO).await;
    assert_eq!(replaced, Ok(Imported::Replaced));
    let again = operator.export(id).await.expect("there");
    assert_eq!((again.results.len(), again.version), (0, 8));
    assert_eq!(again.state["ended"], json!([]));
    operator.close(id, Duration::ZERO).await.expect("closed");
    let refused = operator.import(&line, false, Duration::ZERO).await;
    assert_eq!(refused, Err(OperatorError::Closed(id)));
    let back = operator.import(&line, true, Duration::ZERO).await;
    assert_eq!(back, Ok(Imported::New));
}

#[tokio::test(start_paused = true)]
async fn an_operator_waits_for_a_session_of_a_live_node() {
    let store = store();
    let operator = operator(&store);
    let line = exported(1, "ada");
    let id = line.id;
    operator
        .import(&line, false, Duration::ZERO)
        .await
        .expect("new");
    let node = NodeId::from_u128(1);
    store.acquire(id, node).await.expect("free");
    for refused in [
        operator.close(id, Duration::from_secs(1)).await.err(),
        operator.import(&line, true, Duration::ZERO).await.err(),
    ] {
        let held = matches!(refused, Some(OperatorError::Held { node: by, .. }) if by == node);
        assert!(held, "{refused:?}");
    }
    let shown = operator.show(id).await.expect("a read needs no lease");
    assert_eq!(shown.row.node, Some(node));
    assert!(shown.stored.expect("readable").left_ms > 0);
    operator
        .close(id, Duration::from_secs(20))
        .await
        .expect("its lease ends");
    assert_eq!(operator.row(id).await, Ok(None));
}

#[tokio::test]
async fn a_quarantined_session_is_released_or_closed() {
    let store = store();
    let operator = operator(&store);
    for n in [1, 2] {
        let line = exported(n, "ada");
        operator
            .import(&line, false, Duration::ZERO)
            .await
            .expect("new");
        let refused = operator.release(line.id).await;
        assert_eq!(refused, Err(OperatorError::NotQuarantined(line.id)));
        store
            .quarantine(line.id, Some("why".to_owned()))
            .await
            .expect("there");
    }
    let (first, second) = (SessionId::from_u128(1), SessionId::from_u128(2));
    assert_eq!(operator.release(first).await, Ok("why".to_owned()));
    store
        .acquire(first, NodeId::from_u128(1))
        .await
        .expect("it may run");
    operator
        .close(second, Duration::ZERO)
        .await
        .expect("closed");
    let unknown = SessionId::from_u128(3);
    assert_eq!(
        operator.release(unknown).await,
        Err(OperatorError::Unknown(unknown))
    );
}

#[tokio::test]
async fn sessions_of_all_principals_are_listed_newest_first() {
    let store = store();
    let operator = operator(&store);
    let all = LISTED_AT_ONCE as u128 + 3;
    for n in 1..=all {
        let principal = if n % 2 == 0 { "ada" } else { "eve" };
        let line = exported(n, principal);
        operator
            .import(&line, false, Duration::ZERO)
            .await
            .expect("new");
    }
    let ids = operator.ids(None).await.expect("listed");
    let expected: Vec<_> = (1..=all).rev().map(SessionId::from_u128).collect();
    assert_eq!(ids.iter().map(|(_, id)| *id).collect::<Vec<_>>(), expected);
    let own = operator
        .ids(Some(&Principal::named("ada")))
        .await
        .expect("listed");
    assert_eq!(own.len() as u128, all / 2);
}

#[test]
fn a_session_that_could_not_run_is_refused_with_the_reason() {
    assert_eq!(check(&exported(1, "ada")), Ok(()));
    type Spoil = fn(&mut ExportedSession);
    let cases: [(&str, Spoil); 10] = [
        ("not", |line| line.format = "x".to_owned()),
        ("newer", |line| line.schema = 2),
        ("newer", |line| line.state["schema"] = json!(99)),
        ("its state", |line| line.state["calls"] = json!("none")),
        ("principal", |line| line.principal = Principal::named("eve")),
        ("label", |line| line.label = None),
        ("ttl_ms", |line| line.ttl_ms = 1),
        ("referenced", |line| line.state["ended"] = json!([])),
        ("twice", |line| line.results.push(line.results[0].clone())),
        ("result res_", |line| {
            line.results[0].content = "{".to_owned()
        }),
    ];
    for (word, spoil) in cases {
        let mut line = exported(1, "ada");
        spoil(&mut line);
        let said = check(&line).expect_err(word).to_string();
        assert!(said.contains(word), "{word}: {said}");
    }
}

/// The published sample has every field that a session can have, and is validated against the schema.
#[test]
fn the_sample_has_every_variant_and_every_field() {
    let sample = include_str!("../../tests/fixtures/session-export.jsonl");
    let line: ExportedSession = serde_json::from_str(sample).expect("an export");
    assert_eq!(check(&line), Ok(()));
    let machine = snapshot::decode(&line.state_bytes()).expect("a state");
    let again: Value = serde_json::from_slice(&snapshot::encode(&machine)).expect("JSON");
    assert_eq!(again, line.state, "a field is missing in the sample");
    let mut states = [0; 3];
    for call in machine.calls.values() {
        states[match call.state {
            CallState::ToolSelected => 0,
            CallState::ParametersSet { .. } => 1,
            CallState::Executing { .. } => 2,
        }] += 1;
    }
    let mut ends = [0; 3];
    for ended in &machine.ended {
        ends[match ended.end {
            End::Succeeded { .. } => 0,
            End::Failed { .. } => 1,
            End::Cancelled => 2,
        }] += 1;
    }
    assert!(
        states.iter().chain(&ends).all(|count| *count > 0),
        "{states:?} {ends:?}"
    );
    assert!(machine.label.is_some() && !machine.wholes.is_empty() && !machine.notices.is_empty());
    let keys = machine.keys.iter().map(|key| key.ended.is_some());
    assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 2);
}

/// Against a real server: sessions are read whole, listed over all parts of the index, and replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_store_works_like_the_memory_store() {
    use crate::store::redis::tests::server;
    use crate::store::redis::{RedisOptions, RedisStore};
    let Some(redis) = server::good() else { return };
    let node = NodeId::from_u128(99);
    let store = RedisStore::open(RedisOptions::new(redis.url(), node), Clock::system());
    let store = Arc::new(store.expect("an address"));
    let operator = Operator::new(Arc::clone(&store) as Arc<dyn Archive>, node);
    let many = 100;
    for n in 1..=many {
        let line = exported(n, &format!("principal {n}"));
        let imported = operator.import(&line, false, Duration::ZERO).await;
        assert_eq!(imported, Ok(Imported::New));
    }
    let ids = operator.ids(None).await.expect("listed");
    let expected: Vec<_> = (1..=many).rev().map(SessionId::from_u128).collect();
    assert_eq!(ids.iter().map(|(_, id)| *id).collect::<Vec<_>>(), expected);
    let line = exported(7, "principal 7");
    let again = operator.export(line.id).await.expect("there");
    assert_eq!(
        ExportedSession {
            expires_ms: 60_004,
            ..again
        },
        line
    );

    let held = store
        .acquire(line.id, NodeId::from_u128(1))
        .await
        .expect("free");
    let refused = operator.close(line.id, Duration::ZERO).await;
    assert!(
        matches!(refused, Err(OperatorError::Held { .. })),
        "{refused:?}"
    );
    let shown = operator.show(line.id).await.expect("there");
    assert!(shown.stored.expect("readable").left_ms > 0);
    assert_eq!(shown.row.node, Some(NodeId::from_u128(1)));
    store
        .release(line.id, held.fence, held.version)
        .await
        .expect("held");
    let replaced = operator.import(&line, true, Duration::ZERO).await;
    assert_eq!(replaced, Ok(Imported::Replaced));
    operator
        .close(line.id, Duration::ZERO)
        .await
        .expect("closed");
    let refused = operator.import(&line, false, Duration::ZERO).await;
    assert_eq!(refused, Err(OperatorError::Closed(line.id)));
    let back = operator.import(&line, true, Duration::ZERO).await;
    assert_eq!(back, Ok(Imported::New));

    // A damaged session can be shown, closed and imported again; one that can run is not discarded.
    let mut beside = redis.connection();
    let damage = |key: &str, what: &[&str]| {
        let mut command = redis::cmd(what[0]);
        command
            .arg(format!("mca:{{{}}}:{key}", line.id))
            .arg(&what[1..]);
        command
    };
    for (key, what) in [
        ("m", ["HSET", "version", "x"].as_slice()),
        ("m", &["HSET", "snapshot", "x"]),
        ("m", &["SET", "x"]),
        ("j", &["SET", "x"]),
    ] {
        damage(key, what).exec(&mut beside).expect("damaged");
        let told = operator.export(line.id).await;
        assert!(
            matches!(told, Err(OperatorError::Unreadable { .. })),
            "{what:?}: {told:?}"
        );
        let back = operator.import(&line, true, Duration::ZERO).await;
        let back_by_closing = async {
            operator.close(line.id, Duration::ZERO).await?;
            operator.import(&line, true, Duration::ZERO).await
        };
        if back.is_err() {
            back_by_closing.await.expect("closed and stored again");
        }
        operator.export(line.id).await.expect("well again");
    }
    let refused = store.discard(line.id, true).await;
    assert_eq!(refused, Err(StoreError::Fenced));
}
