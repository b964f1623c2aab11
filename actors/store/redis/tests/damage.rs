//! Damaged or foreign values: each takes its own session out of service, and no other.

use super::*;

/// Damage done to a stored session by another client.
const DAMAGES: &[(&str, &[&[&str]])] = &[
    ("a wrong kind", &[&["DEL", "%m"], &["SET", "%m", "text"]]),
    (
        "a journal of another kind",
        &[&["DEL", "%j"], &["SET", "%j", "text"]],
    ),
    ("no snapshot", &[&["HDEL", "%m", "snapshot"]]),
    (
        "a snapshot that is none",
        &[&["HSET", "%m", "snapshot", "nonsense"]],
    ),
    ("an empty snapshot", &[&["HSET", "%m", "snapshot", ""]]),
    (
        "a version that is no number",
        &[&["HSET", "%m", "version", "many"]],
    ),
    (
        "a version that nothing leads to",
        &[&["HSET", "%m", "version", "77"]],
    ),
    ("no principal", &[&["HDEL", "%m", "principal"]]),
    ("a strange change", &[&["RPUSH", "%j", "nonsense"]]),
    ("changes that are missing", &[&["DEL", "%j"]]),
];

#[tokio::test]
async fn damaged_sessions_are_quarantined_and_others_are_not_affected() {
    let Some(server) = server::good() else { return };
    let (store, mut meddler) = (store(&server), server.connection());
    let (well, well_fence) = held(&store).await;
    for (name, damage) in DAMAGES {
        let (id, fence) = held(&store).await;
        one(&store, &commit(id, fence, 1)).await.unwrap();
        let keys = store.0.keys.session(id);
        for words in *damage {
            let words: Vec<_> = words
                .iter()
                .map(|word| {
                    word.replace("%m", &keys.session)
                        .replace("%j", &keys.journal)
                })
                .collect();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            run(&mut meddler, &words).unwrap();
        }
        let refused = store.acquire(id, NODE).await.unwrap_err();
        let told = if let StoreError::Quarantined { reason, .. } | StoreError::Corrupt(reason) =
            &refused
        {
            reason
        } else {
            panic!("{name}: {refused}")
        };
        assert!(!told.is_empty(), "{name}");
        let again = store.acquire(id, NODE).await.unwrap_err();
        assert!(
            matches!(
                again,
                StoreError::Quarantined { .. } | StoreError::Corrupt(_)
            ),
            "{name}: {again}"
        );
        let refused = one(&store, &commit(id, fence, 2)).await;
        assert!(refused.is_err(), "{name}");
    }
    assert!(one(&store, &commit(well, well_fence, 1)).await.is_ok());
    let (rows, _) = store.list(&Principal::local(), None, 100).await.unwrap();
    assert!(rows.iter().any(|row| row.id == well));
}

/// Callers get the reason, and lists show it.
#[tokio::test]
async fn a_quarantine_reason_is_bounded() {
    let Some(server) = server::good() else { return };
    let (store, mut meddler) = (store(&server), server.connection());
    let (id, _) = held(&store).await;
    let key = store.0.keys.session(id).session;
    let long = "ü".repeat(1 << 20);
    run(&mut meddler, &["HSET", &key, "quarantine", &long]).unwrap();
    let refused = store.acquire(id, NODE).await.unwrap_err();
    let StoreError::Quarantined { reason, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!(reason, "ü".repeat(512));
    assert_eq!(store.look(id).await.unwrap().quarantine, Some(reason));
}

/// Written by a later version: it is not changed, so that a node of that version can still run it.
#[tokio::test]
async fn a_newer_form_is_refused_and_released() {
    let Some(server) = server::good() else { return };
    let (store, mut meddler) = (store(&server), server.connection());
    let (id, fence) = held(&store).await;
    one(&store, &commit(id, fence, 1)).await.unwrap();
    let key = store.0.keys.session(id).session;
    let newer = b"MCA\x02and whatever that form is";
    let set = ::redis::cmd("HSET")
        .arg(&key)
        .arg("snapshot")
        .arg(newer)
        .to_owned();
    set.exec(&mut meddler).unwrap();
    for _ in 0..2 {
        let refused = store.acquire(id, NODE).await.unwrap_err();
        assert_eq!(refused, StoreError::NewerSchema(2));
        let row = store.look(id).await.unwrap();
        assert_eq!((row.quarantine, row.node), (None, None));
    }
    let kept: Vec<u8> = ::redis::cmd("HGET")
        .arg(&key)
        .arg("snapshot")
        .query(&mut meddler)
        .unwrap();
    assert_eq!(kept, newer);
}

/// A value that would unpack to far more than a session may be.
#[tokio::test]
async fn a_decompression_bomb_is_not_unpacked() {
    let Some(server) = server::good() else { return };
    let (store, mut meddler) = (store(&server), server.connection());
    let (id, _) = held(&store).await;
    let bomb = frame::wrap(&vec![0; 64 << 20], 1);
    assert!(bomb.len() < 100_000);
    let key = store.0.keys.session(id).session;
    let _: u64 = ::redis::cmd("HSET")
        .arg(key)
        .arg("snapshot")
        .arg(bomb)
        .query(&mut meddler)
        .unwrap();
    let refused = store.acquire(id, NODE).await.unwrap_err();
    let StoreError::Quarantined { reason, .. } = refused else {
        panic!("{refused}")
    };
    assert!(reason.contains("claims"), "{reason}");
}

#[tokio::test]
async fn values_over_the_limit_are_refused_before_they_are_stored() {
    let Some(server) = server::good() else { return };
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let huge = Commit {
        change: Change::Snapshot(vec![7; (8 << 20) + 1].into()),
        ..commit(id, fence, 1)
    };
    let small = commit(id, fence, 1);
    let answers = store.commit(&[huge, small]).await;
    assert!(
        matches!(answers[0], Err(StoreError::Limit(_))),
        "{answers:?}"
    );
    assert!(answers[1].is_ok(), "{answers:?}");
    let damaged = ResultBlob {
        id: ResultId::random(),
        part: Part::Whole,
        bytes: vec![1; 100].into(),
    };
    let with_result = Commit {
        put: vec![damaged.clone()],
        ..commit(id, fence, 2)
    };
    one(&store, &with_result).await.unwrap();
    let key = store.0.keys.session(id).results;
    let field = keys::field(damaged.id, Part::Whole);
    run(
        &mut server.connection(),
        &["HSET", &key, &field, "nonsense"],
    )
    .unwrap();
    let read = store.result(id, damaged.id, Part::Whole).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    assert!(
        one(&store, &commit(id, fence, 3)).await.is_ok(),
        "its session lives"
    );
}
