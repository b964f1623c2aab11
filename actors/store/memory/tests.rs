//! The contract of every store, run against the memory store.

use std::time::Duration;

use super::*;
use crate::ids::CommitId;
use crate::store::Fence;
use crate::store::{Change, Committed, ResultBlob};

fn store() -> MemoryStore {
    let limits = Limits {
        sessions: 5,
        sessions_per_principal: 3,
        whole_bytes: 100,
        lease: Duration::from_secs(15),
    };
    MemoryStore::new(Clock::starting_at(1000), limits)
}

fn new(principal: &Principal) -> NewSession {
    NewSession {
        id: SessionId::random(),
        principal: principal.clone(),
        label: None,
        snapshot: b"one".as_slice().into(),
        ttl_ms: 1000,
        key: None,
    }
}

fn commit(session: SessionId, fence: Fence, expected: u64) -> Commit {
    Commit {
        session,
        id: CommitId::random(),
        fence,
        expected,
        change: Change::Delta(b"delta".as_slice().into()),
        put: Vec::new(),
        drop: Vec::new(),
    }
}

async fn one(store: &MemoryStore, commit: Commit) -> Result<Committed, StoreError> {
    store.commit(&[commit]).await.remove(0)
}

#[tokio::test]
async fn a_repeated_commit_is_applied_once() {
    let store = store();
    let new = new(&Principal::local());
    let id = new.id;
    store.create(new).await.unwrap();
    let acquired = store.acquire(id, NodeId::random()).await.unwrap();
    assert_eq!(
        (acquired.version, acquired.snapshot.as_ref()),
        (1, b"one".as_slice())
    );
    let commit = commit(id, acquired.fence, 1);
    let first = one(&store, commit.clone()).await.unwrap();
    assert_eq!(one(&store, commit).await.unwrap(), first);
    let again = store.acquire(id, acquired.fence.node).await.unwrap();
    assert_eq!((again.version, again.deltas.len()), (2, 1));
}

#[tokio::test]
async fn an_old_fence_and_an_old_version_are_refused() {
    let store = store();
    let new = new(&Principal::local());
    let id = new.id;
    store.create(new).await.unwrap();
    let old = store.acquire(id, NodeId::random()).await.unwrap().fence;
    let fence = store.acquire(id, old.node).await.unwrap().fence;
    assert_ne!(old, fence, "the same node gets a new fence, too");
    assert_eq!(
        one(&store, commit(id, old, 1)).await,
        Err(StoreError::Fenced)
    );
    assert_eq!(store.renew(id, old).await, Err(StoreError::Fenced));
    assert_eq!(store.delete(id, old).await, Err(StoreError::Fenced));
    assert_eq!(
        one(&store, commit(id, fence, 7)).await,
        Err(StoreError::Regressed {
            stored: 1,
            expected: 7
        })
    );
    store.release(id, fence, 1).await.unwrap();
    assert_eq!(
        one(&store, commit(id, fence, 1)).await,
        Err(StoreError::Fenced)
    );
}

#[tokio::test]
async fn a_snapshot_replaces_everything_before_it() {
    let store = store();
    let new = new(&Principal::local());
    let id = new.id;
    store.create(new).await.unwrap();
    let fence = store.acquire(id, NodeId::random()).await.unwrap().fence;
    one(&store, commit(id, fence, 1)).await.unwrap();
    let change = Change::Snapshot(b"two".as_slice().into());
    one(
        &store,
        Commit {
            change,
            ..commit(id, fence, 2)
        },
    )
    .await
    .unwrap();
    let acquired = store.acquire(id, fence.node).await.unwrap();
    assert_eq!(
        (
            acquired.version,
            acquired.snapshot.as_ref(),
            acquired.deltas.len()
        ),
        (3, b"two".as_slice(), 0)
    );
}

#[tokio::test]
async fn results_are_stored_and_dropped_with_their_commits_and_bounded() {
    let store = store();
    let new = new(&Principal::local());
    let id = new.id;
    store.create(new).await.unwrap();
    let fence = store.acquire(id, NodeId::random()).await.unwrap().fence;
    let (a, b) = (ResultId::random(), ResultId::random());
    let blob = |id, part, size| ResultBlob {
        id,
        part,
        bytes: vec![0; size].into(),
    };
    let put = vec![blob(a, Part::Answer, 1000), blob(a, Part::Whole, 60)];
    assert_eq!(
        one(
            &store,
            Commit {
                put,
                ..commit(id, fence, 1)
            }
        )
        .await
        .unwrap()
        .declined,
        []
    );
    let put = vec![blob(b, Part::Answer, 1000), blob(b, Part::Whole, 60)];
    let over = Commit {
        put,
        ..commit(id, fence, 2)
    };
    assert_eq!(one(&store, over.clone()).await.unwrap().declined, [b]);
    assert_eq!(
        one(&store, over).await.unwrap().declined,
        [b],
        "told again what was told before"
    );
    assert!(store.result(id, b, Part::Answer).await.unwrap().is_some());
    assert!(store.result(id, b, Part::Whole).await.unwrap().is_none());
    let drop = vec![(a, Part::Whole), (a, Part::Answer)];
    let put = vec![blob(b, Part::Whole, 90)];
    assert_eq!(
        one(
            &store,
            Commit {
                put,
                drop,
                ..commit(id, fence, 3)
            }
        )
        .await
        .unwrap()
        .declined,
        []
    );
    assert!(store.result(id, a, Part::Answer).await.unwrap().is_none());
    store.delete(id, fence).await.unwrap();
    assert_eq!(
        store.result(id, b, Part::Answer).await,
        Err(StoreError::Deleted)
    );
    assert_eq!(store.with(|inner, _| inner.whole_bytes), 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_expire_and_their_owners_get_expired() {
    let store = store();
    let new = new(&Principal::named("a"));
    let id = new.id;
    store.create(new).await.unwrap();
    let fence = store.acquire(id, NodeId::random()).await.unwrap().fence;
    tokio::time::sleep(Duration::from_millis(900)).await;
    store.renew(id, fence).await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(store.look(id).await.is_ok());
    tokio::time::sleep(Duration::from_millis(101)).await;
    let expired = StoreError::Expired(Principal::named("a"));
    assert_eq!(
        one(&store, commit(id, fence, 1)).await,
        Err(expired.clone())
    );
    assert_eq!(store.acquire(id, fence.node).await.unwrap_err(), expired);
    assert_eq!(
        store.delete(id, fence).await,
        Ok(()),
        "what is gone is gone"
    );
}

#[tokio::test]
async fn one_caller_cannot_take_all_room() {
    let store = store();
    let (a, b) = (Principal::named("a"), Principal::named("b"));
    for _ in 0..3 {
        store.create(new(&a)).await.unwrap();
    }
    assert_eq!(
        store.create(new(&a)).await,
        Err(StoreError::Limit("sessions of one caller"))
    );
    store.create(new(&b)).await.unwrap();
    store.create(new(&b)).await.unwrap();
    assert_eq!(
        store.create(new(&b)).await,
        Err(StoreError::Limit("sessions in the store"))
    );
}

#[tokio::test]
async fn a_quarantined_session_is_fenced_off_and_cannot_be_acquired() {
    let store = store();
    let new = new(&Principal::local());
    let id = new.id;
    store.create(new).await.unwrap();
    let fence = store.acquire(id, NodeId::random()).await.unwrap().fence;
    store.quarantine(id, Some("why".to_owned())).await.unwrap();
    let refused = StoreError::Quarantined {
        principal: Principal::local(),
        reason: "why".to_owned(),
    };
    assert_eq!(
        one(&store, commit(id, fence, 1)).await,
        Err(refused.clone())
    );
    assert_eq!(store.acquire(id, fence.node).await.unwrap_err(), refused);
    assert_eq!(
        store.look(id).await.unwrap().quarantine.as_deref(),
        Some("why")
    );
    store.quarantine(id, None).await.unwrap();
    assert!(store.acquire(id, fence.node).await.is_ok());
}
