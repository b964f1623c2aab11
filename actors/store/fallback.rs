//! Keeps sessions running while their store is down, and says so: a circuit breaker in front of any store, and the
//! state of the sessions that this node owns.
//!
//! While the store answers, requests pass through, and the newest bytes of each owned session are remembered. When it
//! fails, commits are kept here and acknowledged as not durable, within limits, as long as no other node can own the
//! session. New sessions are created here; requests for unknown sessions fail at once. When the store is back, each
//! session is acquired again. If the stored state is the one that the kept commits build on, they are written as one
//! commit. If another node has changed the session, they are dropped, counted and reported. If the store was rolled
//! back, the session is repaired, after the live nodes were asked whether they owned it later (`peers`).
//!
//! It lives above the tree, so no actor's crash affects it. It ends with the process, and therefore reports the level
//! `memory`.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::ids::{NodeId, Principal, ResultId, SessionId};
use crate::sessions::DurabilityLevel;
use crate::store::{
    Acquired, Claim, Commit, CommitsFuture, Committed, Created, Fence, Health, KeepFuture, Lineage,
    Lost, NewSession, NodeRecord, Part, Peers, PeersFuture, Reached, Repair, Repaired, Row, Said,
    Store, StoreError, StoreFuture, Usage,
};

mod alone;
mod behind;
mod breaker;
mod commits;
mod held;
mod ledger;
mod local;
mod peers;
mod restarted;
mod returning;
mod state;

use breaker::Breaker;
use held::Held;
use ledger::{Known, Ledger};

/// Longest wait for one answer of the store: longer than the store's own timeouts, shorter than callers wait.
const STORE_WITHIN: Duration = Duration::from_secs(4);
/// Sessions remembered, and their bytes. Beyond the limits a session is not available during an outage: about 128
/// sessions with all the results that one may have, or 20,000 small ones.
const HELD_MAX: usize = 20_000;
const HELD_BYTES: usize = 64 << 20;
/// Sessions with losses that have not been reported to their owners yet.
const UNTOLD_MAX: usize = 4096;

#[derive(Debug, Clone)]
pub struct ShelterOptions {
    pub node: NodeId,
    pub lease: Duration,
    pub when_away: WhenAway,
    /// No other node uses the store: changes are kept during an outage even after the lease ends.
    pub single_node: bool,
    pub bounds: Bounds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAway {
    /// Calls are answered, and report that they are not durable.
    Degrade,
    /// Calls are refused.
    Refuse,
}

/// Limits on the changes kept while the store is down: memory is finite, and so is the acceptable loss.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub changes_per_session: usize,
    pub bytes_per_session: usize,
    pub bytes: usize,
    /// Age of the oldest kept change.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            changes_per_session: 256,
            bytes_per_session: 1 << 20,
            bytes: 64 << 20,
            age: Duration::from_secs(60),
        }
    }
}

impl ShelterOptions {
    pub fn new(node: NodeId, lease: Duration) -> Self {
        Self {
            node,
            lease,
            when_away: WhenAway::Degrade,
            single_node: false,
            bounds: Bounds::default(),
        }
    }
}

/// See the module documentation.
pub struct FallbackStore(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    options: ShelterOptions,
    clock: Clock,
    state: Mutex<State>,
    /// Signals that the breaker opened.
    opened: Notify,
    /// Signals that a message arrived over the store's server, so a probe is due.
    heard: Notify,
    /// Set once, when the node can ask others.
    peers: OnceLock<Arc<dyn Peers>>,
}

struct State {
    breaker: Breaker,
    why: String,
    since_ms: Option<u64>,
    held: HashMap<SessionId, Held>,
    held_bytes: usize,
    /// Sessions of this node that there was no room for.
    not_kept: HashSet<SessionId>,
    pending_bytes: usize,
    ledger: Ledger,
    /// Changes lost since the start; and the losses per session that its stored notices do not mention yet.
    lost: u64,
    untold: HashMap<SessionId, Lost>,
    /// The run id of the server before the outage.
    run_id: String,
    seen: alone::Seen,
}

impl FallbackStore {
    /// Must run inside a tokio runtime: a task waits for the store's return until the fallback is dropped.
    pub fn over(store: Arc<dyn Store>, options: ShelterOptions, clock: Clock) -> Arc<Self> {
        let inner = Arc::new(Inner {
            store,
            options,
            clock,
            state: Mutex::new(State {
                breaker: Breaker::Closed { failures: 0 },
                why: String::new(),
                since_ms: None,
                held: HashMap::new(),
                ledger: Ledger::default(),
                held_bytes: 0,
                not_kept: HashSet::new(),
                pending_bytes: 0,
                lost: 0,
                untold: HashMap::new(),
                run_id: String::new(),
                seen: alone::Seen::default(),
            }),
            opened: Notify::new(),
            heard: Notify::new(),
            peers: OnceLock::new(),
        });
        tokio::spawn(returning::watch(Arc::downgrade(&inner)));
        Arc::new(Self(inner))
    }

    /// Marks the store as down before the first request.
    pub fn is_away(&self, why: &str) {
        let error = StoreError::Unavailable(why.to_owned());
        while !self.0.failed(&error) {}
    }
}

// === impl Inner ===

impl Inner {
    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns true if the breaker is open now.
    fn failed(&self, error: &StoreError) -> bool {
        let now_ms = self.clock.now_ms();
        let (opened, open) = self.with(|state| {
            let opened = state.breaker.failed();
            if opened {
                state.why = if let StoreError::Unavailable(why) = error {
                    why.clone()
                } else {
                    error.to_string()
                };
                state.since_ms.get_or_insert(now_ms);
            }
            (opened, state.breaker.is_open())
        });
        if opened {
            tracing::error!(%error, calls_continue = self.degrades(), "the store is down: connecting is retried");
            self.opened.notify_one();
        }
        open
    }

    /// Records what an answer says about the store itself.
    fn noted<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match &answer {
            Err(error @ StoreError::Unavailable(_)) => {
                self.failed(error);
            }
            Ok(_) | Err(_) => self.with(|state| state.breaker.answered()),
        }
        answer
    }

    /// Fails at once while the store is down.
    fn ask<'a, T: Send + 'a>(
        &'a self,
        question: impl FnOnce(&'a dyn Store) -> StoreFuture<'a, T> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            if self.is_open() {
                return Err(self.away());
            }
            self.noted(in_time(question(self.store.as_ref())).await)
        })
    }

    fn is_open(&self) -> bool {
        self.with(|state| state.breaker.is_open())
    }

    fn away(&self) -> StoreError {
        self.with(|state| self.away_as(state))
    }

    fn away_as(&self, state: &State) -> StoreError {
        let why = state.why.clone();
        match self.options.when_away {
            WhenAway::Degrade => StoreError::Unavailable(why),
            WhenAway::Refuse => StoreError::Refused(why),
        }
    }

    fn degrades(&self) -> bool {
        self.options.when_away == WhenAway::Degrade
    }

    /// A node considers its lease over after two thirds, counted from before the request: clocks may run at different
    /// speeds, and the answer took time.
    fn lease_from(&self, asked: Instant) -> Instant {
        asked + self.options.lease * 2 / 3
    }

    /// The fence as the store knows it.
    fn real(&self, id: SessionId, fence: Fence) -> Fence {
        self.with(|state| match state.held.get(&id) {
            Some(held) if held.fence == fence => held.real,
            Some(_) | None => fence,
        })
    }
}

/// Fails with `Unavailable` if the store does not answer in time.
async fn in_time<T>(answer: StoreFuture<'_, T>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(STORE_WITHIN, answer).await;
    answer.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(
            "it did not answer in time".to_owned(),
        ))
    })
}

fn coming_back() -> StoreError {
    StoreError::Unavailable("changes that were kept for it are being written back".to_owned())
}

impl Store for FallbackStore {
    fn kind(&self) -> &'static str {
        self.0.store.kind()
    }

    fn level(&self) -> DurabilityLevel {
        self.0.store.level()
    }

    fn health(&self) -> Health {
        let health = self.0.store.health();
        self.0.with(|state| {
            let waiting = state.held.values().filter(|held| held.waits());
            let mut sheltered = crate::store::Sheltered {
                bytes: state.pending_bytes as u64,
                since_ms: state.since_ms,
                lost: state.lost,
                not_kept: state.not_kept.len() as u64,
                ..crate::store::Sheltered::default()
            };
            for held in waiting {
                sheltered.sessions += 1;
                sheltered.changes += held.pending.len() as u64;
            }
            Health {
                away: state.breaker.is_open().then(|| state.why.clone()),
                breaker: Some(state.breaker.name()),
                sheltered,
                warnings: health.warnings.into_iter().chain(state.beside()).collect(),
                beside: state.beside(),
                ..health
            }
        })
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        self.0.store.probe()
    }

    fn heard_from(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.heard_from())
    }

    fn create(&self, session: NewSession) -> StoreFuture<'_, Created> {
        Box::pin(self.0.create(session))
    }

    fn acquire_after(&self, id: SessionId, node: NodeId, after: u64) -> StoreFuture<'_, Acquired> {
        Box::pin(self.0.acquire(id, node, after))
    }

    fn commit<'a>(&'a self, commits: &'a [Commit]) -> CommitsFuture<'a> {
        Box::pin(self.0.commit(commits))
    }

    fn renew(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, Reached> {
        Box::pin(self.0.renew(id, fence))
    }

    fn keep<'a>(&'a self, held: &'a [(SessionId, Fence)]) -> KeepFuture<'a> {
        Box::pin(self.0.keep(held))
    }

    fn repair(&self, repair: Repair) -> StoreFuture<'_, Repaired> {
        Box::pin(self.0.repair(repair))
    }

    fn meet(&self, peers: Arc<dyn Peers>) {
        self.0.meet(peers);
    }

    fn asked(&self, id: SessionId, theirs: Claim) -> PeersFuture<'_, Option<Said>> {
        Box::pin(self.0.asked(id, theirs))
    }

    fn told(&self, id: SessionId, lost: Lost) {
        self.0.with(|state| state.told(id, lost));
    }

    fn release(&self, id: SessionId, fence: Fence, version: u64) -> StoreFuture<'_, ()> {
        Box::pin(self.0.release(id, fence, version))
    }

    fn delete(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, ()> {
        Box::pin(self.0.delete(id, fence))
    }

    fn quarantine(&self, id: SessionId, reason: Option<String>) -> StoreFuture<'_, ()> {
        self.0.with(|state| {
            if !state.waits(id) {
                state.forget(id);
                state.ledger.forget(id);
            }
        });
        self.0.ask(move |store| store.quarantine(id, reason))
    }

    fn close_quarantined<'a>(&'a self, id: SessionId, owner: &'a Principal) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let closed = self.0.ask(move |store| store.close_quarantined(id, owner));
            closed.await?;
            self.0.with(|state| state.forget(id));
            Ok(())
        })
    }

    fn result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> StoreFuture<'_, Option<Arc<[u8]>>> {
        let here = self.0.with(|state| {
            state
                .held
                .get(&id)
                .and_then(|held| held.result(result, part))
        });
        match here {
            Some(known) => Box::pin(std::future::ready(Ok(known))),
            None => self.0.ask(move |store| store.result(id, result, part)),
        }
    }

    fn has_results<'a>(
        &'a self,
        id: SessionId,
        results: &'a [ResultId],
    ) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let mut stored = self
                .0
                .ask(move |store| store.has_results(id, results))
                .await?;
            self.0.with(|state| state.correct(id, results, &mut stored));
            Ok(stored)
        })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> StoreFuture<'a, (Vec<Row>, u64)> {
        self.0.ask(move |store| store.list(principal, after, limit))
    }

    fn usage<'a>(&'a self, principal: &'a Principal) -> StoreFuture<'a, Usage> {
        self.0.ask(move |store| store.usage(principal))
    }

    fn look(&self, id: SessionId) -> StoreFuture<'_, Row> {
        match self.0.with(|state| state.born_row(id)) {
            Some(row) => Box::pin(std::future::ready(Ok(row))),
            None => self.0.ask(move |store| store.look(id)),
        }
    }

    fn sweep(&self) -> StoreFuture<'_, ()> {
        self.0.ask(|store| store.sweep())
    }

    fn announce<'a>(&'a self, node: &'a NodeRecord) -> StoreFuture<'a, ()> {
        self.0.ask(move |store| store.announce(node))
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        self.0.ask(|store| store.nodes())
    }
}

#[cfg(test)]
mod tests;
