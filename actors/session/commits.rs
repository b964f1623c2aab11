//! Decide, commit, act: an effect runs only after its change is persisted.

use telemetry::list::event::{ADOPTED, COMMITTED, REPLAYED};
use telemetry::list::metric::CommitsAmbiguous;

use super::*;

/// The notice for the session's owner when the store declines a whole result.
const NO_ROOM: &str = "the store has no room for more whole results: the newest can be neither read again nor compared; close sessions that are not needed";

impl State {
    pub(super) fn decide(&mut self, myself: &ActorRef<SessionMsg>, event: Event) {
        self.decide_and_put(myself, event, Vec::new());
    }

    pub(super) fn decide_and_put(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        event: Event,
        put: Vec<crate::store::ResultBlob>,
    ) {
        let asker = asker_of(&event);
        let limits = self.around.options.limits;
        let Phase::Running(journal) = &mut self.phase else {
            return;
        };
        match journal.decide(event, put, &limits) {
            Ok(effects) => {
                self.act(myself, effects);
                self.commit_next(myself);
            }
            Err(rejected) => self.rejected(asker, &rejected),
        }
    }

    pub(super) fn rejected(&mut self, asker: Option<RequestId>, rejected: &Rejected) {
        let Some(request) = asker else { return };
        self.extras.remove(&request);
        self.traces.end(request);
        self.replies.reject(self.id, request, rejected);
    }

    pub(super) fn commit_next(&mut self, myself: &ActorRef<SessionMsg>) {
        self.mind_lease();
        let Phase::Running(journal) = &mut self.phase else {
            return;
        };
        if let Some(commit) = journal.next_commit() {
            self.send(myself, commit);
        }
    }

    pub(super) fn send(&mut self, myself: &ActorRef<SessionMsg>, commit: crate::store::Commit) {
        let (id, myself) = (commit.id, myself.clone());
        let parts = || {
            self.phase
                .journal()
                .map(Journal::parts_out)
                .unwrap_or_default()
        };
        let waiting = self.traces.commit(self.id, id, commit.bytes(), parts);
        let tell = Arc::new(move |fate| {
            // If the session has died, its successor loads what was committed.
            let _ = myself.send_message(SessionMsg::Commit { id, fate });
        });
        let ticket = Ticket::new(commit, waiting, tell);
        self.around.persistence.commit(ticket);
        self.pass(CrashPoint::SessionCommitCast);
    }

    pub(super) fn commit_answered(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        id: CommitId,
        fate: CommitOutcome,
    ) {
        self.pass(CrashPoint::SessionCommitAcknowledged);
        let Phase::Running(journal) = &mut self.phase else {
            return;
        };
        if !journal.is_out(id) {
            return;
        }
        self.traces.committed(id, &fate);
        match fate {
            CommitOutcome::Answered(Ok(committed)) => {
                let effects = journal.acknowledged(id, &committed);
                self.pass(CrashPoint::SessionApplied);
                if !committed.declined.is_empty() {
                    let results = committed.declined;
                    self.decide(myself, Event::WholesDeclined { results });
                    let text = NO_ROOM.into();
                    self.decide(myself, Event::Noticed { text });
                }
                // After the declined results are recorded, so that the answers mention them.
                self.act(myself, effects);
                self.commit_next(myself);
            }
            CommitOutcome::Unknown | CommitOutcome::Answered(Err(StoreError::Unavailable(_))) => {
                CommitsAmbiguous {}.add(1);
                let after = journal.again_after();
                myself.send_after(after, move || SessionMsg::Resend { id });
            }
            CommitOutcome::Answered(Err(StoreError::Lapsed)) => self.reacquire(myself, id),
            CommitOutcome::Answered(Err(StoreError::Unrecorded(why))) => {
                self.unrecorded(myself, why)
            }
            CommitOutcome::Answered(Err(StoreError::Refused(why))) => self.refused(myself, &why),
            CommitOutcome::Answered(Err(error)) if self.has_gone_back(&error) => {
                self.repair(myself, &error);
            }
            CommitOutcome::Answered(Err(error)) => self.lost(myself, &error),
        }
    }

    /// The lease ended because no caller was active for longer than it lasts. Usually no other node took the session in
    /// the meantime.
    pub(super) fn reacquire(&self, myself: &ActorRef<SessionMsg>, id: CommitId) {
        let (session, node) = (self.id, self.around.options.node);
        let epoch = self
            .journal()
            .and_then(Journal::fence)
            .map_or(0, |fence| fence.epoch);
        let (store, myself) = (Arc::clone(&self.around.persistence.store), myself.clone());
        tokio::spawn(async move {
            let result = Box::new(in_time(store.acquire_after(session, node, epoch)).await);
            let _ = myself.send_message(SessionMsg::Reacquired { id, result });
        });
    }

    pub(super) fn reacquired(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        id: CommitId,
        result: Result<Acquired, StoreError>,
    ) {
        let Phase::Running(journal) = &mut self.phase else {
            return;
        };
        match result {
            Ok(acquired) if journal.reacquired(id, &acquired) => {
                self.resend(myself, id);
                self.tell_lost(myself, acquired.lost.without(self.telling));
            }
            // Another node has changed the session, or the store was rolled back.
            Ok(_) | Err(StoreError::Held { .. }) => self.repair(myself, &StoreError::Fenced),
            Err(StoreError::Unavailable(_)) => {
                let after = journal.again_after();
                myself.send_after(after, move || SessionMsg::Resend { id });
            }
            Err(error) => self.lost(myself, &error),
        }
    }

    /// Keeps the lease while calls run without commits, so that no other node takes the session.
    pub(super) fn mind_lease(&mut self) {
        let wanted = self
            .journal()
            .filter(|journal| journal.is_busy())
            .and_then(Journal::fence);
        if wanted == self.kept {
            return;
        }
        match wanted {
            Some(fence) => {
                let within = self.around.options.call_deadline;
                let trace = self.traces.any();
                self.around.leases.keep(self.id, fence, within, trace);
            }
            None => self.around.leases.leave(self.id),
        }
        self.kept = wanted;
    }

    pub(super) fn resend(&mut self, myself: &ActorRef<SessionMsg>, id: CommitId) {
        if let Some(commit) = self.journal().and_then(|journal| journal.again(id)) {
            self.send(myself, commit);
        }
    }

    /// This node no longer owns the session as it knows it. If the session can still run, the actor stops, callers ask
    /// again and a new actor loads it; otherwise callers get the error.
    pub(super) fn lost(&mut self, myself: &ActorRef<SessionMsg>, error: &StoreError) {
        match error {
            // The lease of an idle session ends: that is normal, and nothing is lost.
            StoreError::Lapsed => {
                tracing::debug!(session = %self.id, %error, "the session is loaded again");
                myself.stop(Some("load again".to_owned()));
            }
            StoreError::Fenced
            | StoreError::Overtaken { .. }
            | StoreError::Regressed { .. }
            | StoreError::Unavailable(_) => {
                tracing::warn!(session = %self.id, %error, "this node no longer owns the session as it knows it: the session is loaded again with its calls");
                myself.stop(Some("load again".to_owned()));
            }
            StoreError::Missing
            | StoreError::Deleted
            | StoreError::Held { .. }
            | StoreError::Unrecorded(_)
            | StoreError::Refused(_)
            | StoreError::Expired(_)
            | StoreError::Quarantined { .. }
            | StoreError::KeyReused
            | StoreError::Limit(_)
            | StoreError::Corrupt(_)
            | StoreError::NewerSchema(_) => self.cannot_run(myself, error),
        }
    }

    pub(super) fn act(&mut self, myself: &ActorRef<SessionMsg>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Run { request, .. } => self.submit(myself, request),
                Effect::Adopt { request } => self.adopt(myself, request),
                Effect::StopJob { request } => self.around.pool.table.stop(self.key(request)),
                Effect::Noted { request } => {
                    if let Some(told) = self.noting.remove(&request) {
                        // A job that no longer waits has been stopped.
                        let _ = told.try_send(());
                    }
                }
                Effect::Answer { request } => self.answer(myself, request),
                Effect::Await { asker, running } => {
                    if asker != running {
                        self.extras.remove(&asker);
                    }
                    self.replies.await_other(asker, running);
                }
                Effect::Replay { asker, original } => self.replay(asker, original),
                Effect::LossTold { lost } => self.loss_told(lost),
                // Already part of the commit.
                Effect::Forget { .. } => {}
            }
        }
        let closed = self
            .journal()
            .is_some_and(|journal| journal.committed().closed);
        if closed && !self.closing.is_empty() {
            self.delete(myself);
        }
    }

    pub(super) fn adopt(&mut self, myself: &ActorRef<SessionMsg>, request: RequestId) {
        if let Some(call) = self
            .journal()
            .and_then(|journal| journal.executing(request))
        {
            self.traces
                .resume(self.id, request, call.attempt, call.trace);
            self.traces.note(request, ADOPTED);
        }
        let adopted = self
            .around
            .pool
            .table
            .adopt(self.key(request), self.news_of(myself, request));
        if !adopted {
            self.submit(myself, request);
        }
    }

    pub(super) fn answer(&mut self, myself: &ActorRef<SessionMsg>, request: RequestId) {
        self.around.pool.table.forget(self.key(request));
        self.extras.remove(&request);
        self.traces.note(request, COMMITTED);
        self.traces.end(request);
        let output = self.outputs.remove(&request);
        let Phase::Running(journal) = &self.phase else {
            return;
        };
        self.replies
            .answer(&self.around, self.id, journal, request, output);
        self.pass(CrashPoint::SessionReplied);
        self.end_throwaway(myself);
    }

    pub(super) fn replay(&mut self, asker: RequestId, original: RequestId) {
        self.extras.remove(&asker);
        self.traces.note(asker, REPLAYED);
        self.traces.end(asker);
        let Phase::Running(journal) = &self.phase else {
            return;
        };
        self.replies
            .replay(&self.around, self.id, journal, asker, original);
    }
}

fn asker_of(event: &Event) -> Option<RequestId> {
    if let Event::CallRequested { request, .. } = event {
        Some(*request)
    } else {
        None
    }
}
