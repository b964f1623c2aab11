//! The contract of every store: the same tests against the memory store and a real Redis, in real time.

use std::time::{Duration, Instant};

use super::*;
use crate::clock::Clock;
use crate::store::memory::{Limits, MemoryStore};
use crate::store::redis::tests::server::{self, Server};
use crate::store::redis::{RedisOptions, RedisStore};

mod creating;
mod owning;
mod using;

use creating::*;
use owning::*;
use using::*;

/// Short enough to wait for, long enough for a slow machine to act in time.
const LEASE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);

/// A store, and everything that must live as long as it does.
struct ActorSlot {
    store: Arc<dyn Store>,
    _server: Option<Server>,
}

fn memory() -> Option<ActorSlot> {
    let limits = Limits {
        lease: LEASE,
        ..Limits::default()
    };
    Some(ActorSlot {
        store: Arc::new(MemoryStore::new(Clock::system(), limits)),
        _server: None,
    })
}

fn redis() -> Option<ActorSlot> {
    let server = server::good()?;
    let options = RedisOptions {
        lease: LEASE,
        ..RedisOptions::new(server.url(), NodeId::random())
    };
    Some(ActorSlot {
        store: Arc::new(RedisStore::open(options, Clock::system()).unwrap()),
        _server: Some(server),
    })
}

/// Runs each test against both stores.
macro_rules! both {
    ($($test:ident),* $(,)?) => {
        mod over_memory {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::memory().unwrap().store.as_ref()).await;
                }
            )*
        }
        mod over_redis {
            $(
                #[tokio::test]
                async fn $test() {
                    let Some(place) = super::redis() else { return };
                    super::$test(place.store.as_ref()).await;
                }
            )*
        }
    };
}

both!(
    a_repeated_commit_is_applied_once,
    an_old_fence_and_an_old_version_are_refused,
    a_snapshot_replaces_everything_before_it,
    several_changes_are_one_commit,
    results_are_stored_and_dropped_with_their_commits,
    a_session_expires_and_its_owner_gets_expired,
    renewing_extends_the_expiry,
    a_deleted_session_is_remembered_as_deleted,
    a_quarantined_session_is_fenced_off_and_cannot_be_acquired,
    only_its_owner_closes_a_quarantined_session,
    a_lease_keeps_others_away_until_it_ends,
    no_change_is_applied_after_the_lease,
    a_released_session_is_free_at_once,
    extended_leases_do_not_end,
    a_key_of_creation_returns_the_first_session,
    a_key_of_creation_ends_with_its_session,
    concurrent_creations_with_one_key_make_one_session,
    a_list_has_the_principals_sessions_newest_first_in_pages,
    a_result_is_stored_if_both_parts_are,
    stored_bytes_count_for_their_principal_until_deleted,
    expired_sessions_are_not_counted,
    a_lost_session_is_stored_again,
    an_owner_repairs_a_session_that_no_other_node_owned,
    a_repair_is_refused_if_another_node_continued,
    the_higher_fence_wins,
    an_earlier_owner_learns_which_changes_are_lost,
    a_node_never_gets_the_same_fence_twice,
    announced_nodes_are_listed,
    an_unknown_session_is_missing,
);

fn new(principal: &Principal) -> NewSession {
    NewSession {
        id: SessionId::random(),
        principal: principal.clone(),
        label: Some("a label, ü".to_owned()),
        snapshot: b"one".as_slice().into(),
        ttl_ms: 60_000,
        key: None,
    }
}

async fn created(store: &dyn Store) -> SessionId {
    let new = new(&Principal::local());
    let id = new.id;
    let Created::New(_) = store.create(new).await.unwrap() else {
        panic!("it was not there before")
    };
    id
}

pub(super) fn commit(session: SessionId, fence: Fence, expected: u64) -> Commit {
    Commit {
        session,
        id: CommitId::random(),
        fence,
        expected,
        change: Change::Delta(format!("delta {expected}").into_bytes().into()),
        put: Vec::new(),
        drop: Vec::new(),
    }
}

async fn one(store: &dyn Store, commit: Commit) -> Result<Committed, StoreError> {
    store.commit(&[commit]).await.remove(0)
}

fn node(n: u128) -> NodeId {
    NodeId::from_u128(n)
}

/// As text, for comparisons.
fn state(acquired: &Acquired) -> (u64, String, Vec<String>) {
    let text = |bytes: &Arc<[u8]>| String::from_utf8(bytes.to_vec()).unwrap();
    let deltas = acquired.deltas.iter().map(text).collect();
    (acquired.version, text(&acquired.snapshot), deltas)
}

async fn a_repeated_commit_is_applied_once(store: &dyn Store) {
    let id = created(store).await;
    let acquired = store.acquire(id, node(1)).await.unwrap();
    assert_eq!(state(&acquired), (1, "one".to_owned(), vec![]));
    assert_eq!((acquired.fence.epoch, acquired.last_commit), (1, None));
    let commit = commit(id, acquired.fence, 1);
    let first = one(store, commit.clone()).await.unwrap();
    let again = one(store, commit.clone()).await.unwrap();
    assert_eq!((first.version, again.version), (2, 2));
    let now = store.acquire(id, node(1)).await.unwrap();
    assert_eq!(
        state(&now),
        (2, "one".to_owned(), vec!["delta 1".to_owned()])
    );
    assert_eq!((now.fence.epoch, now.last_commit), (2, Some(commit.id)));
}

async fn a_snapshot_replaces_everything_before_it(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    one(store, commit(id, fence, 1)).await.unwrap();
    let large = "two ".repeat(10_000);
    let change = Change::Snapshot(large.clone().into_bytes().into());
    let whole = Commit {
        change,
        ..commit(id, fence, 2)
    };
    one(store, whole).await.unwrap();
    one(store, commit(id, fence, 3)).await.unwrap();
    let acquired = store.acquire(id, node(1)).await.unwrap();
    assert_eq!(state(&acquired), (4, large, vec!["delta 3".to_owned()]));
}

async fn several_changes_are_one_commit(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let bytes = |text: &str| Arc::<[u8]>::from(text.as_bytes());
    let branch = |expected, snapshot: Option<&str>, deltas: &[&str]| Commit {
        change: Change::Branch {
            snapshot: snapshot.map(bytes),
            deltas: deltas.iter().map(|delta| bytes(delta)).collect(),
            versions: 5,
        },
        ..commit(id, fence, expected)
    };
    let done = one(store, branch(1, None, &["a", "b"])).await.unwrap();
    assert_eq!(done.version, 6);
    let read = state(&store.acquire(id, node(1)).await.unwrap());
    assert_eq!(
        read,
        (6, "one".to_owned(), vec!["a".to_owned(), "b".to_owned()])
    );
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let replaced = Commit {
        fence,
        ..branch(6, Some("new"), &["c"])
    };
    assert_eq!(one(store, replaced).await.unwrap().version, 11);
    let read = state(&store.acquire(id, node(1)).await.unwrap());
    assert_eq!(read, (11, "new".to_owned(), vec!["c".to_owned()]));
}

async fn results_are_stored_and_dropped_with_their_commits(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let (a, b) = (ResultId::random(), ResultId::random());
    let blob = |id, part, byte, size| ResultBlob {
        id,
        part,
        bytes: vec![byte; size].into(),
    };
    let put = vec![
        blob(a, Part::Answer, 1, 10),
        blob(a, Part::Whole, 2, 100_000),
        blob(b, Part::Answer, 3, 0),
    ];
    let with_results = Commit {
        put,
        ..commit(id, fence, 1)
    };
    // A refused commit stores no results.
    let refused = Commit {
        expected: 9,
        ..with_results.clone()
    };
    assert!(one(store, refused).await.is_err());
    assert_eq!(store.result(id, a, Part::Answer).await, Ok(None));
    one(store, with_results).await.unwrap();
    let read = |result, part| store.result(id, result, part);
    assert_eq!(
        read(a, Part::Answer).await.unwrap().unwrap().as_ref(),
        [1; 10]
    );
    assert_eq!(
        read(a, Part::Whole).await.unwrap().unwrap().as_ref(),
        [2; 100_000]
    );
    assert_eq!(read(b, Part::Answer).await.unwrap().unwrap().len(), 0);
    assert_eq!(read(b, Part::Whole).await, Ok(None));
    let drop = vec![(a, Part::Whole), (b, Part::Whole)];
    let dropped = Commit {
        drop,
        ..commit(id, fence, 2)
    };
    one(store, dropped).await.unwrap();
    assert_eq!(read(a, Part::Whole).await, Ok(None));
    assert!(read(a, Part::Answer).await.unwrap().is_some());
    store.delete(id, fence).await.unwrap();
    assert_eq!(read(a, Part::Answer).await, Err(StoreError::Deleted));
}

async fn a_session_expires_and_its_owner_gets_expired(store: &dyn Store) {
    let short = NewSession {
        ttl_ms: 300,
        ..new(&Principal::named("a"))
    };
    let id = short.id;
    store.create(short).await.unwrap();
    let expired = StoreError::Expired(Principal::named("a"));
    let started = Instant::now();
    let refused = loop {
        match store.look(id).await {
            Ok(_) if started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            other => break other.unwrap_err(),
        }
    };
    assert!(started.elapsed() >= Duration::from_millis(290));
    assert_eq!(refused, expired);
    assert_eq!(store.acquire(id, node(1)).await.unwrap_err(), expired);
    let fence = Fence {
        epoch: 1,
        node: node(1),
    };
    assert_eq!(one(store, commit(id, fence, 1)).await, Err(expired));
    assert_eq!(
        store.delete(id, fence).await,
        Ok(()),
        "what is gone is gone"
    );
    let (rows, _) = store.list(&Principal::named("a"), None, 10).await.unwrap();
    assert_eq!(rows, []);
}

async fn renewing_extends_the_expiry(store: &dyn Store) {
    /// A store returns the remaining time of a session, and the latency of the answer adds to it.
    const ON_THE_WAY_MS: u64 = 300;
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let before = store.look(id).await.unwrap().expires_ms;
    tokio::time::sleep(Duration::from_millis(2 * ON_THE_WAY_MS)).await;
    store.keep(&[(id, fence)]).await.remove(0).unwrap();
    let kept = store.look(id).await.unwrap().expires_ms;
    assert!(kept.abs_diff(before) < ON_THE_WAY_MS, "a lease is no use");
    store.renew(id, fence).await.unwrap();
    let after = store.look(id).await.unwrap().expires_ms;
    assert!(after >= before + ON_THE_WAY_MS, "{before} {after}");
    let committed = one(store, commit(id, fence, 1)).await.unwrap();
    assert!(committed.expires_ms + ON_THE_WAY_MS >= after);
}

async fn a_deleted_session_is_remembered_as_deleted(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    store.delete(id, fence).await.unwrap();
    store.delete(id, fence).await.unwrap();
    assert_eq!(store.look(id).await, Err(StoreError::Deleted));
    assert_eq!(
        one(store, commit(id, fence, 1)).await,
        Err(StoreError::Deleted)
    );
    assert_eq!(
        store.acquire(id, node(1)).await.unwrap_err(),
        StoreError::Deleted
    );
}

async fn a_list_has_the_principals_sessions_newest_first_in_pages(store: &dyn Store) {
    let (a, b) = (Principal::named("a"), Principal::named("a:b ü~"));
    let mut ids = Vec::new();
    for n in 0..7 {
        let session = new(if n % 3 == 2 { &b } else { &a });
        if n % 3 != 2 {
            ids.insert(0, session.id);
        }
        store.create(session).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (rows, total) = store.list(&a, None, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    assert_eq!(total, 5);
    assert_eq!(rows[0].label.as_deref(), Some("a label, ü"));
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let (rows, total) = store.list(&a, after, 2).await.unwrap();
        assert_eq!(total, 5);
        let Some(last) = rows.last() else { break };
        after = Some((last.created_ms, last.id));
        paged.extend(rows.iter().map(|row| row.id));
    }
    assert_eq!(paged, ids);
    let fence = store.acquire(ids[0], node(1)).await.unwrap().fence;
    store.delete(ids[0], fence).await.unwrap();
    let (rows, _) = store.list(&a, None, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids[1..]);
    assert_eq!(store.list(&b, None, 100).await.unwrap().0.len(), 2);
    assert_eq!(
        store.list(&Principal::named("c"), None, 9).await.unwrap(),
        (vec![], 0)
    );
}

async fn announced_nodes_are_listed(store: &dyn Store) {
    assert_eq!(store.nodes().await.unwrap(), []);
    let record = |n| NodeRecord {
        node: node(n),
        version: "1.2.3".to_owned(),
        address: "stdio".to_owned(),
        started_ms: 5,
        seen_ms: 0,
        sessions: 7,
        calls_in_flight: 1,
        features: vec!["relay".to_owned()],
        draining: false,
        evicted_sessions: 0,
    };
    store.announce(&record(1)).await.unwrap();
    store.announce(&record(2)).await.unwrap();
    store.announce(&record(1)).await.unwrap();
    let nodes = store.nodes().await.unwrap();
    assert_eq!(nodes.len(), 2);
    assert!(nodes[0].seen_ms > 1_700_000_000_000);
    let unseen = NodeRecord {
        seen_ms: 0,
        ..nodes[0].clone()
    };
    assert_eq!(unseen, record(1));
}

async fn an_unknown_session_is_missing(store: &dyn Store) {
    let id = SessionId::random();
    let fence = Fence {
        epoch: 1,
        node: node(1),
    };
    assert_eq!(store.look(id).await, Err(StoreError::Missing));
    assert_eq!(store.renew(id, fence).await, Err(StoreError::Missing));
    assert_eq!(store.release(id, fence, 1).await, Err(StoreError::Missing));
    assert_eq!(store.delete(id, fence).await, Ok(()));
    assert_eq!(store.quarantine(id, None).await, Err(StoreError::Missing));
    let result = store.result(id, ResultId::random(), Part::Whole).await;
    assert_eq!(result, Err(StoreError::Missing));
    assert_eq!(
        one(store, commit(id, fence, 1)).await,
        Err(StoreError::Missing)
    );
    assert_eq!(
        store.acquire(id, node(1)).await.unwrap_err(),
        StoreError::Missing
    );
    assert_eq!(store.commit(&[]).await, []);
    assert_eq!(store.keep(&[]).await, []);
}
