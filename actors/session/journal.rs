//! What of a session is committed, what is on its way, and what waits for that: persist, then act.
//!
//! Events are decided on the state as it will be once everything on its way has arrived (`ahead`); nothing is shown
//! or done before its commit is acknowledged, and one commit is out at a time. What is refused is dropped with
//! everything behind it: the session then loads again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::machine::{CallState, Decision, Delta, Effect, Ended, Event, Machine, Rejected};
use super::{invariants, snapshot};
use crate::ids::{CommitId, RequestId, ResultId, SessionId};
use crate::options::Limits;
use crate::store::{
    Acquired, Change, Commit, Committed, Fence, Lineage, Part, Reached, ResultBlob, StoreError,
};
use crate::tool::InputKey;

mod owning;

pub(crate) use owning::Line;

/// Below this size a snapshot costs the store what a delta costs, and is quicker to read back.
const SNAPSHOT_BELOW: usize = 4 << 10;
/// A delta over this part of the state is no saving.
const DELTA_SHARE: usize = 4;
/// Deltas, and bytes of them, that a reader has to fold at most.
const JOURNAL_DELTAS: usize = 64;
const JOURNAL_BYTES: usize = 64 << 10;
/// Pause before a commit of unknown fate is sent again; each one is twice as long as the one before, up to the last.
const AGAIN_AFTER: Duration = Duration::from_millis(10);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

/// One session's. Lost with its actor: the store has what was acknowledged.
pub(crate) struct Journal {
    committed: Machine,
    ahead: Option<Box<Machine>>,
    /// `None`: a throwaway session, which commits to nobody.
    stored: Option<Stored>,
    out: Option<Out>,
    next: Batch,
    /// Ends that the newest commit made, or that somebody is told of with it: the history may be too short for them.
    just_ended: Vec<Arc<Ended>>,
}

/// What is to be run.
pub(crate) struct Executing {
    pub(crate) tool: Arc<str>,
    pub(crate) arguments: Arc<Value>,
    /// From the second attempt on: inputs on which earlier attempts were cut off.
    pub(crate) left_out: Option<Vec<InputKey>>,
}

struct Stored {
    session: SessionId,
    fence: Fence,
    /// What the newest answer of the store survives.
    reached: Reached,
    /// Who had the session, up to our own turn.
    lineage: Lineage,
    /// The commit that made this version.
    last: Option<CommitId>,
    version: u64,
    expires_ms: u64,
    snapshot_bytes: usize,
    journal_deltas: usize,
    journal_bytes: usize,
    /// What is stored is in an older form: the next commit replaces all of it.
    old: bool,
}

struct Out {
    commit: Commit,
    batch: Batch,
    /// How often its fate was unknown.
    unknown: u32,
}

#[derive(Default)]
struct Batch {
    deltas: Vec<Delta>,
    effects: Vec<Effect>,
    put: Vec<ResultBlob>,
    drop: Vec<(ResultId, Part)>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.deltas.is_empty() && self.put.is_empty()
    }
}

impl Journal {
    pub(crate) fn throwaway(machine: Machine) -> Self {
        Self {
            committed: machine,
            ahead: None,
            stored: None,
            out: None,
            next: Batch::default(),
            just_ended: Vec::new(),
        }
    }

    /// Snapshot and deltas, folded.
    pub(crate) fn load(session: SessionId, acquired: &Acquired) -> Result<Self, StoreError> {
        let committed = snapshot::fold(&acquired.snapshot, &acquired.deltas)?;
        let stored = Stored {
            session,
            fence: acquired.fence,
            reached: acquired.reached,
            lineage: acquired.lineage.clone(),
            last: acquired.last_commit,
            version: acquired.version,
            expires_ms: acquired.expires_ms,
            snapshot_bytes: acquired.snapshot.len(),
            journal_deltas: acquired.deltas.len(),
            journal_bytes: acquired.deltas.iter().map(|delta| delta.len()).sum(),
            old: snapshot::is_old(&acquired.snapshot, &acquired.deltas),
        };
        Ok(Self {
            committed,
            ahead: None,
            stored: Some(stored),
            out: None,
            next: Batch::default(),
            just_ended: Vec::new(),
        })
    }

    /// What has been acknowledged: all that may be shown.
    pub(crate) fn committed(&self) -> &Machine {
        &self.committed
    }

    fn ahead(&self) -> &Machine {
        self.ahead.as_deref().unwrap_or(&self.committed)
    }

    /// A call that is to be run, committed or on its way.
    pub(crate) fn executing(&self, request: RequestId) -> Option<Executing> {
        let call = self.ahead().calls.get(&request)?;
        match &call.state {
            CallState::Executing {
                arguments,
                attempt,
                suspects,
            } => Some(Executing {
                tool: Arc::clone(&call.tool),
                arguments: Arc::clone(arguments),
                left_out: (*attempt > 1).then(|| suspects.left_out.clone()),
            }),
            CallState::ToolSelected | CallState::ParametersSet { .. } => None,
        }
    }

    pub(crate) fn fence(&self) -> Option<Fence> {
        self.stored.as_ref().map(|stored| stored.fence)
    }

    /// What the newest answer of the store survives; `MEMORY` for a throwaway session.
    pub(crate) fn reached(&self) -> Reached {
        self.stored
            .as_ref()
            .map_or(Reached::MEMORY, |stored| stored.reached)
    }

    /// 0 for a throwaway session.
    pub(crate) fn version(&self) -> u64 {
        self.stored.as_ref().map_or(0, |stored| stored.version)
    }

    /// The store put the end off at `now_ms`, and says what the session has reached. That is no less than it was, unless
    /// the store has begun to evict keys: what was kept for a store that was away may have come to it since.
    pub(crate) fn renewed(&mut self, now_ms: u64, reached: Reached) {
        let expires_ms = now_ms.saturating_add(self.committed.ttl_ms);
        if let Some(stored) = &mut self.stored {
            stored.expires_ms = expires_ms;
            if reached.durable || reached.evictable || stored.reached == Reached::MEMORY {
                stored.reached = reached;
            }
        }
    }

    /// How `request` ended, if that is acknowledged.
    pub(crate) fn find_ended(&self, request: RequestId) -> Option<&Arc<Ended>> {
        let just = || {
            self.just_ended
                .iter()
                .find(|ended| ended.request == request)
        };
        self.committed.find_ended(request).or_else(just)
    }

    /// Whether the whole of `result` is kept, and will be.
    pub(crate) fn keeps_whole(&self, result: ResultId) -> bool {
        self.committed.keeps_whole(result) && self.ahead().keeps_whole(result)
    }

    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.stored.as_ref().map(|stored| stored.expires_ms)
    }

    /// Nothing is out and nothing waits.
    pub(crate) fn is_settled(&self) -> bool {
        self.out.is_none() && self.next.is_empty()
    }

    /// Decides on `event` and takes the changes in. Returns the effects to be done now; the rest follows its commit.
    pub(crate) fn decide(
        &mut self,
        event: Event,
        put: Vec<ResultBlob>,
        limits: &Limits,
    ) -> Result<Vec<Effect>, Rejected> {
        let Decision { deltas, effects } = self.ahead().decide(event, limits)?;
        if self.stored.is_none() {
            deltas.iter().for_each(|delta| self.committed.apply(delta));
            return Ok(effects);
        }
        if deltas.is_empty() && self.is_settled() {
            return Ok(effects);
        }
        if !deltas.is_empty() {
            let mut ahead = self
                .ahead
                .take()
                .unwrap_or_else(|| Box::new(self.committed.clone()));
            deltas.iter().for_each(|delta| ahead.apply(delta));
            debug_assert_eq!(invariants::over_limits(&ahead, limits), None);
            self.ahead = Some(ahead);
        }
        let (now, later): (Vec<_>, Vec<_>) = effects
            .into_iter()
            .partition(|effect| self.may_be_done_at_once(effect));
        // What needs no commit of its own still waits for what it was decided upon.
        let only_effects = deltas.is_empty() && put.is_empty() && self.next.is_empty();
        let batch = match &mut self.out {
            Some(out) if only_effects => &mut out.batch,
            _ => &mut self.next,
        };
        batch.deltas.extend(deltas);
        batch.put.extend(put);
        for effect in later {
            match effect {
                Effect::Forget { result, part } => batch.drop.push((result, part)),
                other @ (Effect::Run { .. }
                | Effect::Adopt { .. }
                | Effect::StopJob { .. }
                | Effect::Noted { .. }
                | Effect::Answer { .. }
                | Effect::Await { .. }
                | Effect::Replay { .. }) => batch.effects.push(other),
            }
        }
        Ok(now)
    }

    /// Running a tool twice does no harm where it is idempotent, so it need not wait for the commit.
    fn may_be_done_at_once(&self, effect: &Effect) -> bool {
        match effect {
            Effect::StopJob { .. } | Effect::Adopt { .. } => true,
            // One that was cut off before may be what cut it off: that it is tried again is laid down first, so that
            // it ends some day, whichever node it takes along.
            Effect::Run { request, .. } => self
                .ahead()
                .calls
                .get(request)
                .is_some_and(|call| call.idempotent && call.state.attempt() <= 1),
            // From what is acknowledged, and may be forgotten with the next commit.
            Effect::Answer { request }
            | Effect::Replay {
                original: request, ..
            } => self.committed.find_ended(*request).is_some(),
            Effect::Await { .. } | Effect::Noted { .. } | Effect::Forget { .. } => false,
        }
    }

    /// The next commit to be sent, where none is out and there is something to commit.
    pub(crate) fn next_commit(&mut self) -> Option<Commit> {
        let old = self.stored.as_ref().is_some_and(|stored| stored.old);
        if self.out.is_some() || self.next.is_empty() && !old {
            return None;
        }
        let change = self.form_of_change()?;
        let stored = self.stored.as_ref()?;
        let mut batch = std::mem::take(&mut self.next);
        // What came and went before anybody could see it is not laid down: nobody would ever take it away.
        let Batch { put, drop, .. } = &mut batch;
        put.retain(|blob| !drop.contains(&(blob.id, blob.part)));
        let commit = Commit {
            session: stored.session,
            id: CommitId::random(),
            fence: stored.fence,
            expected: stored.version,
            change,
            put: batch.put.clone(),
            drop: batch.drop.clone(),
        };
        self.out = Some(Out {
            commit: commit.clone(),
            batch,
            unknown: 0,
        });
        Some(commit)
    }

    fn form_of_change(&mut self) -> Option<Change> {
        let delta = snapshot::encode_deltas(&self.next.deltas);
        let snapshot_is_better = |stored: &Stored| {
            stored.old
                || stored.snapshot_bytes < SNAPSHOT_BELOW
                || delta.len() > stored.snapshot_bytes / DELTA_SHARE
                || stored.journal_deltas + 1 >= JOURNAL_DELTAS
                || stored.journal_bytes + delta.len() > JOURNAL_BYTES
        };
        let whole = self
            .stored
            .as_ref()
            .is_some_and(snapshot_is_better)
            .then(|| snapshot::encode(self.ahead()));
        let stored = self.stored.as_mut()?;
        if let Some(snapshot) = whole {
            stored.old = false;
            (
                stored.snapshot_bytes,
                stored.journal_deltas,
                stored.journal_bytes,
            ) = (snapshot.len(), 0, 0);
            return Some(Change::Snapshot(snapshot));
        }
        stored.journal_deltas += 1;
        stored.journal_bytes += delta.len();
        Some(Change::Delta(delta))
    }

    /// The commit that is out, to be sent again under its id: its fate is unknown.
    pub(crate) fn again(&self, id: CommitId) -> Option<Commit> {
        self.out
            .as_ref()
            .filter(|out| out.commit.id == id)
            .map(|out| out.commit.clone())
    }

    /// Whether the call came under an idempotency key.
    pub(crate) fn has_key(&self, request: RequestId) -> bool {
        self.ahead().keys.iter().any(|key| key.request == request)
    }

    /// Calls run, or are about to.
    pub(crate) fn is_busy(&self) -> bool {
        !self.ahead().calls.is_empty()
    }

    /// How long to wait before the commit that is out is sent again.
    pub(crate) fn again_after(&mut self) -> Duration {
        let Some(out) = &mut self.out else {
            return AGAIN_AFTER;
        };
        let factor = 1_u32 << out.unknown.min(16);
        out.unknown += 1;
        AGAIN_AFTER.saturating_mul(factor).min(AGAIN_AFTER_MAX)
    }

    /// The commit that is out was acknowledged: it becomes the state, and what waited for it is to be done.
    pub(crate) fn acknowledged(&mut self, id: CommitId, committed: &Committed) -> Vec<Effect> {
        if self.out.as_ref().is_none_or(|out| out.commit.id != id) {
            return Vec::new();
        }
        let Some(out) = self.out.take() else {
            return Vec::new();
        };
        self.just_ended = out
            .batch
            .effects
            .iter()
            .filter_map(|effect| self.told_by(effect))
            .collect();
        for delta in &out.batch.deltas {
            if let Delta::Ended(ended) = delta {
                self.just_ended.push(Arc::clone(ended));
            }
            self.committed.apply(delta);
        }
        if let Some(stored) = &mut self.stored {
            stored.version = committed.version;
            stored.reached = committed.reached;
            stored.last = Some(id);
            stored.expires_ms = committed.expires_ms;
        }
        if self.next.deltas.is_empty() {
            self.ahead = None;
        }
        out.batch.effects
    }

    /// The end that `effect` tells somebody of, where it is committed already: its commit may forget it.
    fn told_by(&self, effect: &Effect) -> Option<Arc<Ended>> {
        if let Effect::Answer { request }
        | Effect::Replay {
            original: request, ..
        } = effect
        {
            return self.committed.find_ended(*request).cloned();
        }
        None
    }

    /// True where `id` is the commit that is out.
    pub(crate) fn is_out(&self, id: CommitId) -> bool {
        self.out.as_ref().is_some_and(|out| out.commit.id == id)
    }
}

/// The two parts of a result, as they are put into the store with the commit that points at them.
pub(crate) fn blobs(
    id: ResultId,
    answer: Option<Arc<[u8]>>,
    whole: Option<Arc<[u8]>>,
) -> Vec<ResultBlob> {
    let answer = answer.map(|bytes| ResultBlob {
        id,
        part: Part::Answer,
        bytes,
    });
    let whole = whole.map(|bytes| ResultBlob {
        id,
        part: Part::Whole,
        bytes,
    });
    answer.into_iter().chain(whole).collect()
}

#[cfg(test)]
mod tests;
