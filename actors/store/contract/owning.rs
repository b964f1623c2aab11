//! Ownership and leases: which node may change a session, and for how long.

use super::*;

pub(super) async fn a_lease_keeps_others_away_until_it_ends(store: &dyn Store) {
    let id = created(store).await;
    let started = Instant::now();
    let old = store.acquire(id, node(1)).await.unwrap().fence;
    let StoreError::Held { node: by, left_ms } = store.acquire(id, node(2)).await.unwrap_err()
    else {
        panic!("it is held")
    };
    assert_eq!(by, node(1));
    assert!(left_ms > 0 && left_ms <= 2000, "{left_ms}");
    assert_eq!(store.look(id).await.unwrap().node, Some(node(1)));
    let taken = loop {
        match store.acquire(id, node(2)).await {
            Ok(acquired) => break acquired,
            Err(StoreError::Held { .. }) if started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(started.elapsed() >= LEASE - Duration::from_millis(20));
    assert_eq!(taken.fence.epoch, 2);
    assert_eq!(
        one(store, commit(id, old, 1)).await,
        Err(StoreError::Fenced)
    );
    assert!(one(store, commit(id, taken.fence, 1)).await.is_ok());
}

pub(super) async fn no_change_is_applied_after_the_lease(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    tokio::time::sleep(LEASE + Duration::from_millis(200)).await;
    assert_eq!(
        one(store, commit(id, fence, 1)).await,
        Err(StoreError::Lapsed)
    );
    assert_eq!(store.renew(id, fence).await, Err(StoreError::Lapsed));
    assert_eq!(store.keep(&[(id, fence)]).await, [Err(StoreError::Lapsed)]);
    let again = store.acquire(id, node(1)).await.unwrap();
    assert_eq!((again.version, again.fence.epoch), (1, 2));
    assert!(one(store, commit(id, again.fence, 1)).await.is_ok());
}

pub(super) async fn a_released_session_is_free_at_once(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let regressed = StoreError::Regressed {
        stored: 1,
        expected: 2,
    };
    assert_eq!(store.release(id, fence, 2).await, Err(regressed));
    assert!(store.look(id).await.unwrap().node.is_some());
    store.release(id, fence, 1).await.unwrap();
    assert_eq!(store.release(id, fence, 1).await, Err(StoreError::Fenced));
    assert_eq!(store.look(id).await.unwrap().node, None);
    let taken = store.acquire(id, node(2)).await.unwrap();
    assert_eq!(taken.fence.epoch, 2);
}

pub(super) async fn extended_leases_do_not_end(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let gone = SessionId::random();
    let started = Instant::now();
    while started.elapsed() < LEASE + LEASE / 2 {
        let kept = store.keep(&[(gone, fence), (id, fence)]).await;
        assert_eq!(kept, [Err(StoreError::Missing), Ok(())]);
        tokio::time::sleep(LEASE / 10).await;
    }
    let held = store.acquire(id, node(2)).await;
    assert!(matches!(held, Err(StoreError::Held { .. })));
    assert!(one(store, commit(id, fence, 1)).await.is_ok());
}

/// A claim of a node that last saw that version, with these turns: epochs, nodes, and versions found.
fn repair_of(id: SessionId, fence: Fence, version: u64, turns: &[(u64, u128, u64)]) -> Repair {
    let words = turns
        .iter()
        .map(|(epoch, by, found)| format!("{epoch}:{}@{found}", node(*by)));
    let words: Vec<_> = words.collect();
    Repair {
        session: NewSession {
            id,
            snapshot: b"repaired".as_slice().into(),
            ..new(&Principal::local())
        },
        created_ms: 1_700_000_000_000,
        fence,
        version,
        lineage: Lineage::parse(&words.join(" ")).unwrap(),
        last: Some(CommitId::random()),
        out: None,
        aside: None,
    }
}

fn fence(epoch: u64, by: u128) -> Fence {
    let node = node(by);
    Fence { epoch, node }
}

pub(super) async fn a_lost_session_is_stored_again(store: &dyn Store) {
    // The store does not know the session, as after a rollback to before its creation.
    let id = SessionId::random();
    let lost = repair_of(id, fence(4, 1), 9, &[(2, 2, 1), (4, 1, 3)]);
    let (last, lineage) = (lost.last.unwrap(), lost.lineage.clone());
    let given = store.repair(lost).await.unwrap();
    assert_eq!((given.fence, given.dropped), (fence(5, 1), 0));
    let given = given.fence;
    let again = Commit {
        id: last,
        ..commit(id, given, 8)
    };
    let again = one(store, again).await.unwrap();
    assert_eq!(again.version, 9, "its last commit is known");
    assert_eq!(one(store, commit(id, given, 9)).await.unwrap().version, 10);
    let read = store.acquire(id, node(1)).await.unwrap();
    let turns = read.lineage.to_string();
    assert!(turns.starts_with(&lineage.to_string()), "{turns}");
    assert_eq!(
        state(&read),
        (10, "repaired".to_owned(), vec!["delta 9".to_owned()])
    );
    assert_eq!(store.look(id).await.unwrap().created_ms, 1_700_000_000_000);
}

/// However far the store was rolled back, and however many commits its owner no longer has.
pub(super) async fn an_owner_repairs_a_session_that_no_other_node_owned(store: &dyn Store) {
    for (before_it, ahead) in [(false, 1), (false, 10_000), (true, 1), (true, 10_000)] {
        let id = created(store).await;
        let acquired = store.acquire(id, node(1)).await.unwrap();
        let (mut ours, mut turns) = (acquired.fence, vec![(1, 1, 1)]);
        one(store, commit(id, ours, 1)).await.unwrap();
        if before_it {
            // Rolled back to before this node's turn, to an earlier owner's turn.
            turns = vec![(1, 1, 1), (2, 2, 2), (7, 1, 5)];
            ours = fence(7, 1);
        }
        let version = 2 + ahead;
        let repaired = store.repair(repair_of(id, ours, version, &turns)).await;
        let repaired = repaired.unwrap();
        assert_eq!((repaired.dropped, repaired.holder), (0, None));
        let next = one(store, commit(id, repaired.fence, version)).await;
        assert_eq!(next.unwrap().version, version + 1);
        let old = one(store, commit(id, ours, version + 1)).await;
        assert_eq!(old, Err(StoreError::Fenced));
    }
}

pub(super) async fn a_repair_is_refused_if_another_node_continued(store: &dyn Store) {
    let id = created(store).await;
    let ours = store.acquire(id, node(1)).await.unwrap().fence;
    let first = commit(id, ours, 1);
    one(store, first.clone()).await.unwrap();
    let turns = [(1, 1, 1)];
    let not_behind = store.repair(repair_of(id, ours, 2, &turns)).await;
    assert_eq!(not_behind, Err(StoreError::Fenced));
    let out = Repair {
        out: Some(first.id),
        ..repair_of(id, ours, 9, &turns)
    };
    assert_eq!(
        store.repair(out).await,
        Err(StoreError::Fenced),
        "it is our own, and nothing is lost"
    );
    store.release(id, ours, 2).await.unwrap();
    let theirs = store.acquire(id, node(2)).await.unwrap().fence;
    // Node 2 found version 2. A node with version 9 acknowledged has lost the rest; a node with less has lost nothing.
    let lost = Err(StoreError::Overtaken { from: 2 });
    let repair = |version| store.repair(repair_of(id, ours, version, &turns));
    assert_eq!(repair(9).await, lost, "another holds it");
    assert_eq!(repair(2).await, Err(StoreError::Fenced));
    one(store, commit(id, theirs, 2)).await.unwrap();
    assert_eq!(repair(9).await, lost, "another has gone on with it");
    assert_eq!(repair(2).await, Err(StoreError::Fenced));
    store.release(id, theirs, 3).await.unwrap();
    assert_eq!(repair(9).await, lost, "another has held it since");
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    assert_eq!(repair(9).await, Err(StoreError::Lapsed), "and we again");
    let again = store.repair(repair_of(id, fence, 9, &turns)).await;
    assert_eq!(again, lost);
    store.delete(id, fence).await.unwrap();
    let deleted = store.repair(repair_of(id, fence, 9, &turns)).await;
    assert_eq!(deleted, Err(StoreError::Deleted), "it was closed");
}

pub(super) async fn an_earlier_owner_learns_which_changes_are_lost(store: &dyn Store) {
    // The fence this node had before the rollback; another node has the same epoch now.
    let id = created(store).await;
    let theirs = store.acquire(id, node(2)).await.unwrap().fence;
    let lost = Err(StoreError::Overtaken { from: 1 });
    let repair = || store.repair(repair_of(id, fence(1, 1), 2, &[(1, 1, 1)]));
    assert_eq!(repair().await, lost);
    // It has as many versions as this node had, but other ones.
    one(store, commit(id, theirs, 1)).await.unwrap();
    assert_eq!(repair().await, lost);
    one(store, commit(id, theirs, 2)).await.unwrap();
    assert_eq!(repair().await, lost);
}

/// The store was rolled back past a takeover, and the earlier owner continued: the node that took over wins, even
/// later.
pub(super) async fn the_higher_fence_wins(store: &dyn Store) {
    for (repairs_first, released) in [(false, false), (true, false), (false, true)] {
        let id = created(store).await;
        let mut a = store.acquire(id, node(1)).await.unwrap().fence;
        let a_turns = [(1, 1, 1)];
        one(store, commit(id, a, 1)).await.unwrap();
        // Node 2 took over at version 5, and came to 7. The store is at 2 again.
        let mut at = 2;
        if repairs_first {
            let repaired = store.repair(repair_of(id, a, 5, &a_turns)).await.unwrap();
            (a, at) = (repaired.fence, 5);
        }
        for _ in 0..9 {
            one(store, commit(id, a, at)).await.unwrap();
            at += 1;
        }
        if released {
            store.release(id, a, at).await.unwrap();
        }
        let b_turns = [(1, 1, 1), (2, 2, 5)];
        let repaired = store.repair(repair_of(id, fence(2, 2), 7, &b_turns)).await;
        let repaired = repaired.unwrap();
        let holder = (!released).then(|| node(1));
        assert_eq!((repaired.dropped, repaired.holder), (at - 5, holder));
        // The first node's changes since then are lost: its repair is refused as `Overtaken`.
        let lost = store.repair(repair_of(id, a, at, &a_turns)).await;
        assert_eq!(lost, Err(StoreError::Overtaken { from: 5 }));
        let next = one(store, commit(id, repaired.fence, 7)).await;
        assert_eq!(next.unwrap().version, 8);
    }
}

pub(super) async fn a_node_never_gets_the_same_fence_twice(store: &dyn Store) {
    let id = created(store).await;
    let first = store.acquire_after(id, node(1), 7).await.unwrap().fence;
    assert_eq!(first.epoch, 8);
    let second = store.acquire_after(id, node(1), 7).await.unwrap().fence;
    assert_eq!(second.epoch, 9);
}

pub(super) async fn a_quarantined_session_is_fenced_off_and_cannot_be_acquired(store: &dyn Store) {
    let id = created(store).await;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    store.quarantine(id, Some("why".to_owned())).await.unwrap();
    let refused = StoreError::Quarantined {
        principal: Principal::local(),
        reason: "why".to_owned(),
    };
    assert_eq!(one(store, commit(id, fence, 1)).await, Err(refused.clone()));
    assert_eq!(store.acquire(id, node(1)).await.unwrap_err(), refused);
    let row = store.look(id).await.unwrap();
    assert_eq!((row.quarantine.as_deref(), row.node), (Some("why"), None));
    store.quarantine(id, None).await.unwrap();
    assert!(store.acquire(id, node(1)).await.is_ok());
}

pub(super) async fn only_its_owner_closes_a_quarantined_session(store: &dyn Store) {
    let owner = Principal::named("who closes");
    let session = new(&owner);
    let id = session.id;
    store.create(session).await.unwrap();
    let close = || store.close_quarantined(id, &owner);
    assert_eq!(close().await, Err(StoreError::Fenced), "it may run");
    store.quarantine(id, Some("why".to_owned())).await.unwrap();
    let stranger = Principal::named("a stranger");
    let refused = store.close_quarantined(id, &stranger).await;
    assert_eq!(refused, Err(StoreError::Missing));
    assert!(store.look(id).await.is_ok());
    close().await.unwrap();
    assert_eq!(store.look(id).await, Err(StoreError::Deleted));
    assert_eq!(close().await, Err(StoreError::Deleted));
    let until = Instant::now() + PATIENCE;
    while store.usage(&owner).await.unwrap() != Usage::default() {
        assert!(Instant::now() < until, "it still counts for its owner");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn an_old_fence_and_an_old_version_are_refused(store: &dyn Store) {
    let id = created(store).await;
    let old = store.acquire(id, node(1)).await.unwrap().fence;
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    assert_ne!(old, fence, "the same node gets a new fence, too");
    assert_eq!(
        one(store, commit(id, old, 1)).await,
        Err(StoreError::Fenced)
    );
    assert_eq!(store.renew(id, old).await, Err(StoreError::Fenced));
    assert_eq!(store.keep(&[(id, old)]).await, [Err(StoreError::Fenced)]);
    assert_eq!(store.delete(id, old).await, Err(StoreError::Fenced));
    let regressed = StoreError::Regressed {
        stored: 1,
        expected: 7,
    };
    assert_eq!(one(store, commit(id, fence, 7)).await, Err(regressed));
    store.release(id, fence, 1).await.unwrap();
    assert_eq!(
        one(store, commit(id, fence, 1)).await,
        Err(StoreError::Fenced)
    );
}
