//! Commits sessions to the store, in order, several at a time.
//!
//! A session sends a [`Ticket`] and continues; the answer arrives as a message. While one group of commits is at the
//! store, new commits collect for the next group, so a slow store gets larger groups, not more round trips. When this
//! actor dies, its waiting tickets are dropped. Each dropped ticket tells its session that the fate of the commit is
//! unknown, and the session sends the same commit again: a store applies each commit id once. Nothing else is lost,
//! because the store lives above the tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use telemetry::list::attribute::GROUP_SIZE;
use telemetry::list::metric::{CommitDuration, CommitGroup, CommitSize, FenceRefusals};
use telemetry::list::span::SWEEP;
use telemetry::{Follower, Parent, Span};
use tokio::time::Instant;

use crate::activity::messages;
use crate::faults::{CrashPoint, Fault, Faults};
use crate::handle::ActorSlot;
use crate::ids::SessionId;
use crate::session::traces::{context, lock};
use crate::store::{Change, Commit, Committed, Store, StoreError, StoreFuture};

/// Longest wait for one answer of the store. After it the commit's fate is unknown, and the session sends it again.
const STORE_WITHIN: Duration = Duration::from_secs(5);
/// How long a request to an unavailable store is retried while a caller waits. A restarted server is back by then.
const ASKED_AGAIN_FOR: Duration = Duration::from_secs(3);
/// Pause before the first retry; it doubles with each further one.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// The `error.type` of a sweep that the store did not finish.
const SWEEP_FAILED: &str = "sweep_failed";
/// Commits in one group at most: bounds how long the last of a group waits.
const GROUP_MAX: usize = 256;

pub(crate) enum PersistenceMsg {
    Commit(Box<Ticket>),
    /// The store has answered the current group.
    Flushed,
    Sweep,
    Fault(Fault),
}

messages!(PersistenceMsg {
    Commit => "commit",
    Flushed => "flushed",
    Sweep => "sweep",
    Fault => "fault",
});

impl From<Fault> for PersistenceMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A commit and the callback for its result. A ticket dropped without an answer reports that its fate is unknown.
pub(crate) struct Ticket {
    commit: Option<Commit>,
    /// The spans of the calls that wait for it.
    waiting: Arc<[Follower]>,
    tell: Arc<dyn Fn(CommitOutcome) + Send + Sync>,
    sent: Instant,
    _pending: Option<Pending>,
}

/// Counts a commit that has no answer yet.
struct Pending(Arc<AtomicU64>);

impl Pending {
    fn of(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The result of a commit.
#[derive(Debug)]
pub(crate) enum CommitOutcome {
    Answered(Result<Committed, StoreError>),
    Unknown,
}

impl Ticket {
    pub(crate) fn new(
        commit: Commit,
        waiting: Arc<[Follower]>,
        tell: Arc<dyn Fn(CommitOutcome) + Send + Sync>,
    ) -> Self {
        Self {
            commit: Some(commit),
            waiting,
            tell,
            sent: Instant::now(),
            _pending: None,
        }
    }

    fn answer(mut self, result: Result<Committed, StoreError>) {
        self.commit = None;
        self.tell(CommitOutcome::Answered(result));
    }

    fn tell(&self, outcome: CommitOutcome) {
        let time = self.sent.elapsed().as_secs_f64();
        let name = outcome.name();
        // So that the figure leads to the trace of a call that waited.
        let _in = telemetry::enter(self.waiting.first().and_then(context));
        CommitDuration { outcome: name }.record(time);
        if name == FENCED {
            FenceRefusals {}.add(1);
        }
        (self.tell)(outcome);
    }
}

/// The outcome of a commit whose session belongs to another node now.
const FENCED: &str = "fenced";

impl CommitOutcome {
    /// For metrics and traces.
    pub(crate) fn name(&self) -> &'static str {
        let error = match self {
            Self::Unknown => return "unknown",
            Self::Answered(Ok(_)) => return "committed",
            Self::Answered(Err(error)) => error,
        };
        match error {
            StoreError::Fenced | StoreError::Overtaken { .. } | StoreError::Held { .. } => FENCED,
            StoreError::Lapsed => "lapsed",
            StoreError::Refused(_) | StoreError::Unrecorded(_) | StoreError::Limit(_) => "refused",
            StoreError::Unavailable(_) => "away",
            StoreError::Missing
            | StoreError::Expired(_)
            | StoreError::Deleted
            | StoreError::Regressed { .. }
            | StoreError::Quarantined { .. }
            | StoreError::KeyReused
            | StoreError::Corrupt(_)
            | StoreError::NewerSchema(_) => "failed",
        }
    }
}

impl Commit {
    /// Of its change and of the results that are stored with it.
    pub(crate) fn bytes(&self) -> usize {
        let put: usize = self.put.iter().map(|blob| blob.bytes.len()).sum();
        let (snapshot, deltas) = match &self.change {
            Change::Delta(delta) => (None, std::slice::from_ref(delta)),
            Change::Snapshot(snapshot) => (Some(snapshot), [].as_slice()),
            Change::Branch {
                snapshot, deltas, ..
            } => (snapshot.as_ref(), deltas.as_slice()),
        };
        let change = deltas.iter().chain(snapshot).map(|bytes| bytes.len());
        put + change.sum::<usize>()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.commit.is_some() {
            self.tell(CommitOutcome::Unknown);
        }
    }
}

/// One of several shards; each session always uses the same one.
pub(crate) struct Persistence;

pub(crate) struct Arguments {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) faults: Faults,
}

pub(crate) struct State {
    arguments: Arguments,
    waiting: Vec<Ticket>,
    flushing: bool,
}

impl Actor for Persistence {
    type Msg = PersistenceMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State {
            arguments,
            waiting: Vec::new(),
            flushing: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PersistenceMsg::Commit(ticket) => {
                state.arguments.faults.pass(CrashPoint::PersistenceReceived);
                state.waiting.push(*ticket);
            }
            PersistenceMsg::Flushed => state.flushing = false,
            PersistenceMsg::Sweep => sweep(&state.arguments.store),
            PersistenceMsg::Fault(fault) => fault.strike().await,
        }
        if !state.flushing && !state.waiting.is_empty() {
            state.flushing = true;
            let rest = state.waiting.split_off(state.waiting.len().min(GROUP_MAX));
            let group = std::mem::replace(&mut state.waiting, rest);
            let (store, faults) = (
                Arc::clone(&state.arguments.store),
                state.arguments.faults.clone(),
            );
            // Not awaited, so that the mailbox collects the next group meanwhile.
            tokio::spawn(flush(store, group, faults, Done(myself)));
        }
        Ok(())
    }
}

/// Tells the actor that its group is done, however the flush ended.
struct Done(ActorRef<PersistenceMsg>);

impl Drop for Done {
    fn drop(&mut self) {
        // If the actor has died, its successor knows nothing of this group and needs no message.
        let _ = self.0.send_message(PersistenceMsg::Flushed);
    }
}

async fn flush(store: Arc<dyn Store>, group: Vec<Ticket>, faults: Faults, _done: Done) {
    let commits: Vec<Commit> = group
        .iter()
        .filter_map(|ticket| ticket.commit.clone())
        .collect();
    CommitGroup {}.record(commits.len() as f64);
    for commit in &commits {
        CommitSize {}.record(commit.bytes() as f64);
    }
    let work = tokio::time::timeout(STORE_WITHIN, store.commit(&commits));
    let answer = for_all(&group, work).await;
    // If the store gave no answer, the tickets are dropped below, and each reports an unknown fate.
    let results = answer.unwrap_or_default();
    faults.pass(CrashPoint::PersistenceCommitted);
    for (ticket, result) in group.into_iter().zip(results) {
        ticket.answer(result);
    }
    faults.pass(CrashPoint::PersistenceAnswered);
}

/// Does the work in the trace of the first call that waits for it; the others are linked to it.
async fn for_all<F: Future>(group: &[Ticket], work: F) -> F::Output {
    let mut waiting = group.iter().flat_map(|ticket| ticket.waiting.iter());
    let Some(first) = waiting.next() else {
        return telemetry::traced(None, work).await;
    };
    for span in std::iter::once(first).chain(waiting.clone()) {
        lock(span).set(GROUP_SIZE, group.len());
    }
    telemetry::traced(context(first), work)
        .followed_by(waiting.cloned().collect())
        .await
}

/// Fails with `Unavailable` if the store does not answer in time.
pub(crate) async fn in_time<T>(answer: StoreFuture<'_, T>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(STORE_WITHIN, answer).await;
    answer.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())))
}

/// As [`in_time`], and retries for a while if the connection breaks. Only for requests that are safe to repeat.
pub(crate) async fn patiently<'a, T>(
    mut ask: impl FnMut() -> StoreFuture<'a, T>,
) -> Result<T, StoreError> {
    let until = Instant::now() + ASKED_AGAIN_FOR;
    let mut wait = ASK_AGAIN_AFTER;
    loop {
        let answer = in_time(ask()).await;
        let away = matches!(answer, Err(StoreError::Unavailable(_)));
        if !away || Instant::now() + wait >= until {
            return answer;
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
}

fn sweep(store: &Arc<dyn Store>) {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let mut span = Span::start(&SWEEP, Parent::None);
        if let Err(error) = telemetry::traced(span.context(), store.sweep()).await {
            span.fail(SWEEP_FAILED);
            tracing::warn!(%error, "expired sessions could not be removed from the store: the next sweep tries again");
        }
        span.end();
    });
}

/// The way to the store for all other code: commits go through the shards, everything else directly.
#[derive(Clone)]
pub(crate) struct PersistenceHandle {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) shards: Arc<[ActorSlot<PersistenceMsg>]>,
    pending: Arc<AtomicU64>,
}

impl PersistenceHandle {
    pub(crate) fn new(store: Arc<dyn Store>, shards: Arc<[ActorSlot<PersistenceMsg>]>) -> Self {
        Self {
            store,
            shards,
            pending: Arc::default(),
        }
    }

    pub(crate) fn commit(&self, mut ticket: Ticket) {
        let Some(session) = ticket.commit.as_ref().map(|commit| commit.session) else {
            return;
        };
        ticket._pending = Some(Pending::of(&self.pending));
        // If the shard is not running, the ticket is dropped, and reports an unknown fate.
        self.shard(session)
            .cast(PersistenceMsg::Commit(Box::new(ticket)));
    }

    fn shard(&self, session: SessionId) -> &ActorSlot<PersistenceMsg> {
        let shards = self.shards.len() as u128;
        &self.shards[usize::try_from(session.as_u128() % shards).unwrap_or(0)]
    }

    /// Commits without an answer.
    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }
}
