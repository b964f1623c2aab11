//! The committed state of a session, the commit that is at the store, and the changes that wait for the next: persist,
//! then act.
//!
//! Events are decided on the state as it will be once all pending commits succeed (`ahead`). Nothing is shown or done
//! before its commit is acknowledged, and one commit is at the store at a time. If a commit is refused, all later
//! changes are dropped with it, and the session loads again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telemetry::Trace;

use super::machine::{CallState, Decision, Delta, Effect, Ended, Event, Machine, Rejected};
use super::{invariants, snapshot};
use crate::ids::{CommitId, RequestId, ResultId, SessionId};
use crate::options::Limits;
use crate::store::{
    Acquired, Change, Commit, Committed, Fence, Lineage, Part, Reached, ResultBlob, StoreError,
};
use crate::tool::InputKey;

mod owning;
mod parts;

pub(crate) use owning::Line;

/// Below this size a snapshot costs the store no more than a delta, and is faster to read back.
const SNAPSHOT_BELOW: usize = 4 << 10;
/// A delta larger than this fraction of the state saves nothing.
const DELTA_SHARE: usize = 4;
/// Most deltas, and most bytes of them, that a load has to fold.
const JOURNAL_DELTAS: usize = 64;
const JOURNAL_BYTES: usize = 64 << 10;
/// Pause before a commit of unknown fate is sent again. It doubles each time, up to the maximum.
const AGAIN_AFTER: Duration = Duration::from_millis(10);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

/// The journal of one session. Lost with its actor: the store has all acknowledged changes.
pub(crate) struct Journal {
    committed: Machine,
    ahead: Option<Box<Machine>>,
    /// `None`: a throwaway session, which commits nothing.
    stored: Option<Stored>,
    out: Option<Out>,
    next: Batch,
    /// Calls that the newest commit ended or answers. The history may already have dropped them.
    just_ended: Vec<Arc<Ended>>,
}

/// A call to run.
pub(crate) struct Executing {
    pub(crate) tool: Arc<str>,
    pub(crate) arguments: Arc<Value>,
    /// From the second attempt on: inputs to skip, because earlier attempts were interrupted at them.
    pub(crate) left_out: Option<Vec<InputKey>>,
    pub(crate) attempt: u32,
    pub(crate) trace: Option<Trace>,
}

struct Stored {
    session: SessionId,
    fence: Fence,
    /// The durability that the store last reported.
    reached: Reached,
    /// Earlier owners of the session, up to this one.
    lineage: Lineage,
    /// The commit that made the current version.
    last: Option<CommitId>,
    version: u64,
    expires_ms: u64,
    snapshot_bytes: usize,
    journal_deltas: usize,
    journal_bytes: usize,
    /// The stored state has an older schema, so the next commit replaces all of it.
    old: bool,
}

struct Out {
    commit: Commit,
    batch: Batch,
    /// How often the fate of this commit was unknown.
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

    /// Folds the snapshot and the deltas.
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

    /// The acknowledged state: only this may be shown.
    pub(crate) fn committed(&self) -> &Machine {
        &self.committed
    }

    fn ahead(&self) -> &Machine {
        self.ahead.as_deref().unwrap_or(&self.committed)
    }

    /// A call to run, whether its start is committed or not.
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
                attempt: *attempt,
                trace: call.trace,
            }),
            CallState::ToolSelected | CallState::ParametersSet { .. } => None,
        }
    }

    pub(crate) fn fence(&self) -> Option<Fence> {
        self.stored.as_ref().map(|stored| stored.fence)
    }

    /// The durability that the store last reported; `MEMORY` for a throwaway session.
    pub(crate) fn reached(&self) -> Reached {
        self.stored
            .as_ref()
            .map_or(Reached::MEMORY, |stored| stored.reached)
    }

    /// 0 for a throwaway session.
    pub(crate) fn version(&self) -> u64 {
        self.stored.as_ref().map_or(0, |stored| stored.version)
    }

    /// The store extended the expiry at `now_ms` and reports the durability of the session. That is never lower than
    /// before, unless the store has begun to evict keys. It can be higher: a write kept during an outage may have
    /// reached the store since.
    pub(crate) fn renewed(&mut self, now_ms: u64, reached: Reached) {
        let expires_ms = now_ms.saturating_add(self.committed.ttl_ms);
        if let Some(stored) = &mut self.stored {
            stored.expires_ms = expires_ms;
            if reached.durable || reached.evictable || stored.reached == Reached::MEMORY {
                stored.reached = reached;
            }
        }
    }

    /// How `request` ended, if its end is committed.
    pub(crate) fn find_ended(&self, request: RequestId) -> Option<&Arc<Ended>> {
        let just = || {
            self.just_ended
                .iter()
                .find(|ended| ended.request == request)
        };
        self.committed.find_ended(request).or_else(just)
    }

    /// Whether the whole of `result` is kept, also after pending commits.
    pub(crate) fn keeps_whole(&self, result: ResultId) -> bool {
        self.committed.keeps_whole(result) && self.ahead().keeps_whole(result)
    }

    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.stored.as_ref().map(|stored| stored.expires_ms)
    }

    /// No commit is at the store, and no change waits.
    pub(crate) fn is_settled(&self) -> bool {
        self.out.is_none() && self.next.is_empty()
    }

    /// Decides `event` and records its changes. Returns the effects to run now; the others run after their commit.
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
        // Effects without changes still wait for the commit they depend on.
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
                | Effect::LossTold { .. }
                | Effect::Replay { .. }) => batch.effects.push(other),
            }
        }
        Ok(now)
    }

    /// An idempotent tool may run twice, so it need not wait for the commit.
    fn may_be_done_at_once(&self, effect: &Effect) -> bool {
        match effect {
            Effect::StopJob { .. } | Effect::Adopt { .. } => true,
            // A call that was interrupted before may crash the node. Its next attempt is committed first, so that
            // attempts are counted and end, even if each one takes a node down.
            Effect::Run { request, .. } => self
                .ahead()
                .calls
                .get(request)
                .is_some_and(|call| call.idempotent && call.state.attempt() <= 1),
            // The end is committed now, but the next commit may drop it from the history.
            Effect::Answer { request }
            | Effect::Replay {
                original: request, ..
            } => self.committed.find_ended(*request).is_some(),
            Effect::Await { .. }
            | Effect::Noted { .. }
            | Effect::LossTold { .. }
            | Effect::Forget { .. } => false,
        }
    }

    /// The next commit to send, if none is at the store and there are changes.
    pub(crate) fn next_commit(&mut self) -> Option<Commit> {
        let old = self.stored.as_ref().is_some_and(|stored| stored.old);
        if self.out.is_some() || self.next.is_empty() && !old {
            return None;
        }
        let change = self.form_of_change()?;
        let stored = self.stored.as_ref()?;
        let mut batch = std::mem::take(&mut self.next);
        // A result that is stored and dropped within one batch is never written: no later commit would delete it.
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

    /// The commit of unknown fate, to be sent again under its id.
    pub(crate) fn again(&self, id: CommitId) -> Option<Commit> {
        self.out
            .as_ref()
            .filter(|out| out.commit.id == id)
            .map(|out| out.commit.clone())
    }

    /// Whether the call has an idempotency key.
    pub(crate) fn has_key(&self, request: RequestId) -> bool {
        self.ahead().keys.iter().any(|key| key.request == request)
    }

    /// Whether calls run or are about to run.
    pub(crate) fn is_busy(&self) -> bool {
        !self.ahead().calls.is_empty()
    }

    /// Pause before the pending commit is sent again.
    pub(crate) fn again_after(&mut self) -> Duration {
        let Some(out) = &mut self.out else {
            return AGAIN_AFTER;
        };
        let factor = 1_u32 << out.unknown.min(16);
        out.unknown += 1;
        AGAIN_AFTER.saturating_mul(factor).min(AGAIN_AFTER_MAX)
    }

    /// The pending commit was acknowledged. Applies its changes and returns the effects that waited for it.
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

    /// The end that `effect` reports, if it is already committed: this commit may drop it from the history.
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

    /// True if `id` is the pending commit.
    pub(crate) fn is_out(&self, id: CommitId) -> bool {
        self.out.as_ref().is_some_and(|out| out.commit.id == id)
    }
}

/// The two parts of a result, stored with the commit that refers to them.
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
