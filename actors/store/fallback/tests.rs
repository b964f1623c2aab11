//! Nodes over one memory store that is rolled back: what they ask each other, count and report.

use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::session::machine::Machine;
use crate::session::snapshot;
use crate::store::contract::commit;
use crate::store::memory::{LEASE, Limits, MemoryStore};
use crate::store::{Change, Shown};

/// One node of a fleet.
struct Node {
    id: NodeId,
    store: Arc<FallbackStore>,
}

struct Fleet {
    store: Arc<MemoryStore>,
    nodes: Vec<Node>,
    session: SessionId,
    peers: Arc<Direct>,
    clock: Clock,
}

/// Asks the other nodes without a relay.
#[derive(Default)]
struct Direct {
    nodes: Mutex<Vec<(NodeId, Weak<FallbackStore>)>>,
    /// A further node that had the session later and cannot store its state yet.
    cannot_yet: Mutex<Option<Claim>>,
    /// How often nodes asked.
    asked: AtomicUsize,
}

impl Peers for Direct {
    fn ask(&self, _: Vec<NodeId>, id: SessionId, ours: Claim) -> PeersFuture<'_, Vec<Said>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let nodes = self.nodes.lock().unwrap().clone();
        let claim = self.cannot_yet.lock().unwrap().clone();
        Box::pin(async move {
            let shown = Shown::CannotYet;
            let mut said: Vec<_> = claim
                .map(|claim| Said { claim, shown })
                .into_iter()
                .collect();
            for (node, store) in nodes {
                if let Some(store) = store.upgrade().filter(|_| node != ours.node) {
                    said.extend(store.asked(id, ours.clone()).await);
                }
            }
            said
        })
    }
}

async fn fleet(nodes: u128) -> Fleet {
    let clock = Clock::starting_at(1_000_000);
    let store = Arc::new(MemoryStore::new(clock, Limits::default()));
    let peers = Arc::<Direct>::default();
    let node = |n| {
        let id = NodeId::from_u128(n);
        let options = ShelterOptions::new(id, LEASE);
        let store = FallbackStore::over(Arc::clone(&store) as _, options, clock);
        store.meet(Arc::clone(&peers) as _);
        let known = (id, Arc::downgrade(&store));
        peers.nodes.lock().unwrap().push(known);
        Node { id, store }
    };
    let nodes: Vec<_> = (1..=nodes).map(node).collect();
    let session = SessionId::random();
    let new = NewSession {
        id: session,
        principal: Principal::local(),
        label: None,
        snapshot: state(),
        ttl_ms: TTL_MS,
        key: None,
    };
    store.create(new).await.unwrap();
    Fleet {
        store,
        nodes,
        session,
        peers,
        clock,
    }
}

const TTL_MS: u64 = 600_000;

fn state() -> Arc<[u8]> {
    let machine = Machine::new(Principal::local(), None, [].into(), 1_000_000, TTL_MS);
    snapshot::encode(&machine)
}

impl Fleet {
    async fn acquire(&self, node: usize) -> Acquired {
        let Node { id, store } = &self.nodes[node];
        store.acquire(self.session, *id).await.unwrap()
    }

    /// Commits, as an actor does that is at `version`. Returns the version that it made.
    async fn commit(&self, node: usize, fence: Fence, version: u64) -> Result<u64, StoreError> {
        let commit = Commit {
            change: Change::Snapshot(state()),
            ..commit(self.session, fence, version)
        };
        let mut answers = self.nodes[node].store.commit(&[commit]).await;
        answers.remove(0).map(|done| done.version)
    }

    async fn release(&self, node: usize, fence: Fence, version: u64) {
        let released = self.nodes[node].store.release(self.session, fence, version);
        released.await.unwrap();
    }

    /// As the actor of `acquired` repairs the session, at `version`.
    async fn repair(
        &self,
        node: usize,
        acquired: &Acquired,
        version: u64,
    ) -> Result<Repaired, StoreError> {
        let repair = Repair {
            session: NewSession {
                id: self.session,
                principal: Principal::local(),
                label: None,
                snapshot: state(),
                ttl_ms: TTL_MS,
                key: None,
            },
            created_ms: self.clock.now_ms(),
            fence: acquired.fence,
            version,
            lineage: acquired.lineage.clone(),
            last: None,
            out: None,
            aside: None,
        };
        self.nodes[node].store.repair(repair).await
    }

    fn lost(&self, node: usize) -> u64 {
        self.nodes[node].store.health().sheltered.lost
    }

    /// Node 0 acquires the session at version 1 and changes it. Then node 1 takes it over, makes two more changes, and
    /// releases it. The store is rolled back to before the first change.
    async fn rolled_back_past_a_takeover(&self) -> Acquired {
        let first = self.acquire(0).await;
        let stored = self.store.as_stored(self.session);
        assert_eq!(self.commit(0, first.fence, 1).await, Ok(2));
        tokio::time::sleep(LEASE).await;
        let second = self.acquire(1).await;
        assert_eq!(self.commit(1, second.fence, 2).await, Ok(3));
        assert_eq!(self.commit(1, second.fence, 3).await, Ok(4));
        self.release(1, second.fence, 4).await;
        self.store.go_back(self.session, stored);
        first
    }
}

/// The node that no longer has the lost state is asked twice, because another one cannot store its state at first.
#[tokio::test(start_paused = true)]
async fn a_loss_reported_to_a_failed_repair_is_counted_by_the_next_one() {
    let fleet = fleet(2).await;
    let ours = fleet.rolled_back_past_a_takeover().await;
    let mut lineage = ours.lineage.clone();
    lineage.acquired(99, NodeId::from_u128(99), 2);
    *fleet.peers.cannot_yet.lock().unwrap() = Some(Claim {
        node: NodeId::from_u128(99),
        epoch: 99,
        lineage,
        version: 3,
    });
    let failed = fleet.repair(0, &ours, 2).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    assert_eq!(fleet.lost(0), 0, "it is asked again");
    *fleet.peers.cannot_yet.lock().unwrap() = None;
    let repaired = fleet.repair(0, &ours, 2).await.unwrap();
    assert_eq!((repaired.forgotten, fleet.lost(0)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_counted_by_one_node_and_once() {
    let fleet = fleet(2).await;
    let ours = fleet.rolled_back_past_a_takeover().await;
    let before = fleet.store.as_stored(fleet.session);
    let repaired = fleet.repair(0, &ours, 2).await.unwrap();
    assert_eq!(repaired.forgotten, 2);
    // The store is rolled back again, to the same state.
    fleet.store.go_back(fleet.session, before);
    let again = Acquired {
        fence: repaired.fence,
        ..ours
    };
    let repaired = fleet.repair(0, &again, 2).await.unwrap();
    assert_eq!((repaired.forgotten, fleet.lost(0)), (0, 2));
    // The node that reported the loss does not count it when it acquires the session.
    fleet.release(0, repaired.fence, 2).await;
    assert_eq!(fleet.acquire(1).await.lost, Lost::default());
    assert_eq!(fleet.lost(1), 0);
}

/// The repair fails for good, and the asking node never stored anything: the other one counts the loss.
#[tokio::test(start_paused = true)]
async fn a_loss_that_the_asking_node_cannot_count_is_counted_by_the_other() {
    let fleet = fleet(2).await;
    let ours = fleet.rolled_back_past_a_takeover().await;
    let theirs = Claim {
        node: ours.fence.node,
        epoch: ours.fence.epoch,
        lineage: ours.lineage,
        version: 2,
    };
    let said = fleet.nodes[1].store.asked(fleet.session, theirs).await;
    assert_eq!(said.unwrap().shown, Shown::Gone);
    // That node ends here.
    tokio::time::sleep(LEASE).await;
    assert_eq!(fleet.acquire(1).await.lost.forgotten, 2);
}

/// A third node continued from the older state, under a higher fence.
#[tokio::test(start_paused = true)]
async fn a_loss_is_counted_by_a_repair_that_is_refused() {
    let fleet = fleet(2).await;
    let ours = fleet.rolled_back_past_a_takeover().await;
    tokio::time::sleep(LEASE).await;
    let third = NodeId::from_u128(3);
    let theirs = fleet.store.acquire_after(fleet.session, third, 9).await;
    let fence = theirs.unwrap().fence;
    fleet.store.commit(&[commit(fleet.session, fence, 1)]).await;
    let refused = fleet.repair(0, &ours, 2).await;
    assert_eq!(refused.unwrap_err(), StoreError::Overtaken { from: 1 });
    assert_eq!(
        fleet.lost(0),
        3,
        "its own change, and two of the other node"
    );
    tokio::time::sleep(LEASE).await;
    let lost = fleet.acquire(0).await.lost;
    assert_eq!((lost.overtaken, lost.forgotten), (1, 2));
}

/// A third node continued from the state that the second one released, and stores all of it.
#[tokio::test(start_paused = true)]
async fn changes_that_a_later_owner_has_are_not_counted_as_lost() {
    let fleet = fleet(3).await;
    let first = fleet.acquire(0).await;
    let stored = fleet.store.as_stored(fleet.session);
    fleet.commit(0, first.fence, 1).await.unwrap();
    tokio::time::sleep(LEASE).await;
    let second = fleet.acquire(1).await;
    fleet.commit(1, second.fence, 2).await.unwrap();
    fleet.release(1, second.fence, 3).await;
    let third = fleet.acquire(2).await;
    fleet.commit(2, third.fence, 3).await.unwrap();
    fleet.store.go_back(fleet.session, stored);
    let refused = fleet.repair(0, &first, 2).await;
    assert_eq!(refused.unwrap_err(), StoreError::Fenced);
    assert_eq!([0, 1, 2].map(|node| fleet.lost(node)), [0; 3]);
    assert_eq!(fleet.acquire(2).await.version, 4);
}

/// A session that is not kept is counted until it is released; so is one that grows.
#[tokio::test(start_paused = true)]
async fn sessions_without_room_are_counted() {
    let fleet = fleet(1).await;
    let not_kept = || fleet.nodes[0].store.health().sheltered.not_kept;
    let acquired = fleet.acquire(0).await;
    // Other sessions take nearly all the room.
    let other = HELD_BYTES - 2 * state().len();
    fleet.nodes[0].store.0.with(|all| all.held_bytes += other);
    assert_eq!(not_kept(), 0);
    let commit = Commit {
        change: Change::Delta(vec![0; 2 * state().len()].into()),
        ..commit(fleet.session, acquired.fence, 1)
    };
    let committed = fleet.nodes[0].store.commit(&[commit]).await.remove(0);
    assert!(committed.is_ok());
    assert_eq!(not_kept(), 1, "it has grown");
    let again = fleet.acquire(0).await;
    assert_eq!(not_kept(), 1, "it is too large");
    fleet.release(0, again.fence, 2).await;
    assert_eq!(not_kept(), 0);
}

#[tokio::test(start_paused = true)]
async fn losses_are_reported_until_the_notices_mention_them() {
    let fleet = fleet(2).await;
    let ours = fleet.rolled_back_past_a_takeover().await;
    let repaired = fleet.repair(0, &ours, 2).await.unwrap();
    for _ in 0..2 {
        // Each actor dies before it has stored the notice.
        assert_eq!(fleet.acquire(0).await.lost.forgotten, 2);
    }
    fleet.nodes[0].store.told(fleet.session, repaired.lost());
    assert_eq!(fleet.acquire(0).await.lost, Lost::default());
    assert_eq!(fleet.lost(0), 2);
}

/// The store accepts the older owner, because it was rolled back to a state that this node knows.
async fn rolled_back_to_the_older_owner(fleet: &Fleet) -> (Acquired, Acquired) {
    let older = fleet.acquire(0).await;
    assert_eq!(fleet.commit(0, older.fence, 1).await, Ok(2));
    let stored = fleet.store.as_stored(fleet.session);
    tokio::time::sleep(LEASE).await;
    let newer = fleet.acquire(1).await;
    assert_eq!(fleet.commit(1, newer.fence, 2).await, Ok(3));
    fleet.store.go_back(fleet.session, stored);
    (older, newer)
}

#[tokio::test(start_paused = true)]
async fn an_older_owner_commits_nothing_once_the_newer_one_is_asked() {
    let fleet = fleet(2).await;
    let (older, newer) = rolled_back_to_the_older_owner(&fleet).await;
    let refused = fleet.commit(0, older.fence, 2).await;
    assert_eq!(refused, Err(StoreError::Fenced));
    let repaired = fleet.repair(0, &older, 2).await;
    assert_eq!(repaired.unwrap_err(), StoreError::Fenced, "nothing is lost");
    // The newer owner continues with its own fence.
    assert_eq!(fleet.commit(1, newer.fence, 3).await, Ok(4));
    assert_eq!([fleet.lost(0), fleet.lost(1)], [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_owner_that_commits_first_finds_its_state() {
    let fleet = fleet(2).await;
    let (older, newer) = rolled_back_to_the_older_owner(&fleet).await;
    let refused = fleet.commit(1, newer.fence, 3).await;
    assert!(refused.is_err(), "{refused:?}");
    fleet.repair(1, &newer, 3).await.unwrap();
    assert_eq!(
        fleet.commit(1, newer.fence, 3).await,
        Err(StoreError::Fenced)
    );
    assert_eq!(fleet.acquire(1).await.version, 3);
    assert_eq!(
        fleet.commit(0, older.fence, 2).await,
        Err(StoreError::Fenced)
    );
    assert_eq!([fleet.lost(0), fleet.lost(1)], [0, 0]);
}

/// The newer owner has released the session, so its changes are lost. That is counted before the next answer.
#[tokio::test(start_paused = true)]
async fn an_older_owner_learns_of_a_loss_before_it_commits() {
    let fleet = fleet(2).await;
    let older = fleet.acquire(0).await;
    assert_eq!(fleet.commit(0, older.fence, 1).await, Ok(2));
    let stored = fleet.store.as_stored(fleet.session);
    tokio::time::sleep(LEASE).await;
    let newer = fleet.acquire(1).await;
    assert_eq!(fleet.commit(1, newer.fence, 2).await, Ok(3));
    fleet.release(1, newer.fence, 3).await;
    fleet.store.go_back(fleet.session, stored);
    let commit = fleet.commit(0, older.fence, 2).await;
    assert_eq!(commit, Err(StoreError::Lapsed));
    let again = fleet.acquire(0).await;
    assert_eq!(again.lost.forgotten, 1);
    assert_eq!(fleet.commit(0, again.fence, 2).await, Ok(3));
    assert_eq!([fleet.lost(0), fleet.lost(1)], [1, 0]);
}

/// Commits wait a limited time for a newer owner that cannot store its state.
#[tokio::test(start_paused = true)]
async fn commits_wait_for_a_newer_owner_and_ask_it_once_per_run() {
    let fleet = fleet(1).await;
    let older = fleet.acquire(0).await;
    assert_eq!(fleet.commit(0, older.fence, 1).await, Ok(2));
    let asked = || fleet.peers.asked.load(Ordering::SeqCst);
    assert_eq!(asked(), 0, "the server has not restarted");
    let mut lineage = older.lineage.clone();
    lineage.acquired(99, NodeId::from_u128(99), 2);
    *fleet.peers.cannot_yet.lock().unwrap() = Some(Claim {
        node: NodeId::from_u128(99),
        epoch: 99,
        lineage,
        version: 3,
    });
    let stored = fleet.store.as_stored(fleet.session);
    fleet.store.go_back(fleet.session, stored);
    let started = Instant::now();
    while let Err(error) = fleet.commit(0, older.fence, 2).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(started.elapsed() < LEASE, "it waits for too long");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(started.elapsed() > Duration::from_secs(5));
    let before = asked();
    assert_eq!(fleet.commit(0, older.fence, 3).await, Ok(4));
    assert_eq!(asked(), before);
}

/// Changes that were kept during the outage are not written over those of a newer owner.
#[tokio::test(start_paused = true)]
async fn kept_changes_yield_to_a_newer_owner() {
    let fleet = fleet(2).await;
    let (older, _) = rolled_back_to_the_older_owner(&fleet).await;
    let Node { store, .. } = &fleet.nodes[0];
    store.is_away("a test");
    // As recorded within its lease.
    store.0.with(|all| {
        let held = all.held.get_mut(&fleet.session).unwrap();
        held.lease_until = Instant::now() + LEASE;
    });
    assert_eq!(fleet.commit(0, older.fence, 2).await, Ok(3));
    while store.health().sheltered.sessions > 0 || store.health().away.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!([fleet.lost(0), fleet.lost(1)], [1, 0]);
    assert_eq!(fleet.acquire(1).await.version, 3);
}
