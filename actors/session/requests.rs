//! Requests of callers to a session.

use telemetry::list::event::{ACCEPTED, CANCELLED};
use telemetry::list::metric::HandOvers;

use super::*;

impl State {
    pub(super) fn call(&mut self, myself: &ActorRef<SessionMsg>, message: CallMsg) {
        self.heard();
        self.pass(CrashPoint::SessionCallReceived);
        let CallMsg {
            request,
            principal,
            call,
            deadline,
            cancel,
            progress,
            reply,
            span,
            _permit: _,
        } = message;
        if reply.is_closed() {
            self.end_throwaway(myself);
            return;
        }
        let Some(journal) = self.journal() else {
            return;
        };
        if journal.committed().principal != principal {
            let _ = reply.send(Err(CallError::UnknownSession(self.id)));
            return;
        }
        if journal
            .expires_ms()
            .is_some_and(|expires| expires <= self.now())
        {
            self.replies.add(request, principal, reply);
            self.lost(myself, &StoreError::Expired(self.owner()));
            return;
        }
        self.around
            .pool
            .table
            .watch(self.key(request), progress.clone());
        self.extras.insert(
            request,
            Extras {
                deadline,
                cancel,
                progress,
            },
        );
        self.replies.add(request, principal, reply);
        self.traces.hold(request, span);
        self.traces.note(request, ACCEPTED);
        self.decide(
            myself,
            Event::CallRequested {
                request,
                call,
                at_ms: self.now(),
            },
        );
        self.pass(CrashPoint::SessionCallDecided);
    }

    pub(super) fn cancel(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        request: RequestId,
        reply: RpcReplyPort<()>,
    ) {
        let at_ms = self.now();
        self.traces.note(request, CANCELLED);
        self.decide(myself, Event::CancelRequested { request, at_ms });
        let runs = self
            .journal()
            .is_some_and(|journal| journal.committed().calls.contains_key(&request));
        if !runs {
            self.replies.leave(request);
            self.extras.remove(&request);
            self.traces.end(request);
        }
        let _ = reply.send(());
        self.end_throwaway(myself);
    }

    /// A throwaway session ends after its call.
    pub(super) fn end_throwaway(&self, myself: &ActorRef<SessionMsg>) {
        let over =
            |journal: &Journal| journal.fence().is_none() && journal.committed().calls.is_empty();
        if self.journal().is_some_and(over) {
            myself.stop(Some("done".to_owned()));
        }
    }

    /// Handles a request that changes nothing. It first renews the session at the store, to extend its expiry and to
    /// confirm that this node still owns it: after a takeover, the state in memory is outdated.
    pub(super) fn look(&mut self, myself: &ActorRef<SessionMsg>, asked: SessionMsg) {
        self.heard();
        let fence = self.journal().and_then(Journal::fence);
        let owned = |principal: &Principal| {
            let owner = self.journal().map(|journal| &journal.committed().principal);
            owner == Some(principal)
        };
        let Some(fence) = fence.filter(|_| asked.asker().is_some_and(owned)) else {
            self.show(asked);
            return;
        };
        let (store, id) = (Arc::clone(&self.around.persistence.store), self.id);
        let myself = myself.clone();
        spawn(async move {
            let result = in_time(store.renew(id, fence)).await;
            let asked = Box::new(asked);
            let _ = myself.send_message(SessionMsg::Renewed { result, asked });
        });
    }

    pub(super) fn renewed(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        result: Result<Reached, StoreError>,
        asked: SessionMsg,
    ) {
        let now = self.now();
        match result {
            Ok(reached) => {
                if let Phase::Running(journal) = &mut self.phase {
                    journal.renewed(now, reached);
                }
            }
            // While the store is down, this node's state is the best known.
            Err(StoreError::Unavailable(_)) => {}
            Err(error) if self.has_gone_back(&error) => {
                // The caller sees its port close, and asks again.
                self.repair(myself, &error);
                return;
            }
            Err(error) => {
                self.lost(myself, &error);
                if let Phase::Refusing(error) = &self.phase {
                    refuse(asked, self.id, error);
                }
                return;
            }
        }
        self.show(asked);
    }

    fn show(&self, asked: SessionMsg) {
        let Some(journal) = self.journal() else {
            return;
        };
        let owner = &journal.committed().principal;
        let unknown = || CallError::UnknownSession(self.id);
        if let SessionMsg::View {
            principal,
            replayed,
            reply,
        } = asked
        {
            let view = (principal == *owner)
                .then(|| view::of(self.id, journal, &self.around.options, replayed));
            let _ = reply.send(view.ok_or_else(unknown));
        } else if let SessionMsg::Touch { principal, reply } = asked {
            let allowed = (principal == *owner).then_some(());
            let _ = reply.send(allowed.ok_or_else(unknown));
        }
    }

    pub(super) fn close(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        principal: &Principal,
        reply: RpcReplyPort<Result<(), CallError>>,
    ) {
        let Some(journal) = self.journal() else {
            return;
        };
        if journal.committed().principal != *principal {
            let _ = reply.send(Err(CallError::UnknownSession(self.id)));
            return;
        }
        let already = journal.committed().closed;
        self.traces.close();
        self.closing.push(reply);
        if already {
            self.delete(myself);
            return;
        }
        self.decide(myself, Event::CloseRequested { at_ms: self.now() });
    }

    pub(super) fn delete(&self, myself: &ActorRef<SessionMsg>) {
        let Some(fence) = self.journal().and_then(Journal::fence) else {
            return;
        };
        let (store, id, myself) = (
            Arc::clone(&self.around.persistence.store),
            self.id,
            myself.clone(),
        );
        let _in = telemetry::enter(self.traces.closer());
        spawn(async move {
            let result = in_time(store.delete(id, fence)).await;
            let _ = myself.send_message(SessionMsg::Deleted { result });
        });
    }

    pub(super) fn deleted(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        result: Result<(), StoreError>,
    ) {
        if let Err(error) = result {
            self.lost(myself, &error);
            return;
        }
        for reply in self.closing.drain(..) {
            let _ = reply.send(Ok(()));
        }
        self.replies.refuse_all(self.id, &StoreError::Missing);
        self.stop_jobs();
        myself.stop(Some("closed".to_owned()));
    }

    pub(super) fn rest(&mut self, myself: &ActorRef<SessionMsg>) {
        let Some(journal) = self.journal() else {
            return;
        };
        if journal.fence().is_none() {
            self.end_throwaway(myself);
            return;
        }
        let quiet =
            journal.committed().calls.is_empty() && journal.is_settled() && self.replies.is_empty();
        let idle = self
            .now()
            .saturating_sub(self.heard_ms.load(Ordering::Relaxed));
        if !quiet || idle < crate::clock::millis(self.around.options.idle_after) {
            return;
        }
        self.around.leases.leave(self.id);
        if let Some(fence) = journal.fence() {
            let (store, id) = (Arc::clone(&self.around.persistence.store), self.id);
            let version = journal.version();
            // After the release another node can take the session at once. If the release fails, it waits for the lease
            // to end.
            tokio::spawn(async move { store.release(id, fence, version).await.ok() });
        }
        myself.stop(Some("idle".to_owned()));
    }

    /// Another node asks for the session. It is handed over unless a call runs here. During shutdown it is handed over
    /// with its running calls: the next owner finds them in the state and runs them again, as after a kill.
    pub(super) fn hand_over(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        reply: RpcReplyPort<Option<HandOver>>,
    ) {
        self.pass(CrashPoint::SessionHandOverAsked);
        let leaving = self.around.leaving.is_cancelled();
        let idle = |journal: &&Journal| (leaving || !journal.is_busy()) && journal.is_settled();
        // During shutdown the callers have already been answered.
        let free = (leaving || self.replies.is_empty()) && self.closing.is_empty();
        let held = self
            .journal()
            .filter(idle)
            .filter(|_| free)
            .and_then(|journal| Some((journal.fence()?, journal.version())));
        let Some((fence, version)) = held else {
            let _ = reply.send(Some(HandOver::Busy));
            return;
        };
        if leaving {
            self.stop_jobs();
            self.around.leases.leave(self.id);
        }
        let (store, id) = (Arc::clone(&self.around.persistence.store), self.id);
        spawn(async move {
            let answer = match in_time(store.release(id, fence, version)).await {
                Ok(()) => HandOver::Released,
                // The other node finds the actual state when it acquires the session.
                Err(
                    StoreError::Fenced
                    | StoreError::Lapsed
                    | StoreError::Regressed { .. }
                    | StoreError::Overtaken { .. },
                ) => HandOver::Released,
                Err(_) => HandOver::Failed,
            };
            if answer == HandOver::Released {
                HandOvers { direction: "given" }.add(1);
            }
            let _ = reply.send(Some(answer));
        });
        myself.stop(Some("handed over".to_owned()));
    }
}

/// Spawns work that belongs to the current trace.
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(telemetry::traced(telemetry::current(), work));
}
