//! Handles sessions that die, stop or keep failing.

use telemetry::list::metric::Quarantines;

use super::*;

impl State {
    pub(super) fn died(
        &mut self,
        myself: &ActorRef<SupervisorMsg>,
        actor: ActorId,
        death: Death,
        cause: &str,
    ) {
        let Some(id) = self.by_actor.remove(&actor) else {
            return;
        };
        self.arguments
            .registry
            .cast(RegistryMsg::Gone { id, actor });
        let now = self.now();
        let Some(child) = self.children.get_mut(&id) else {
            return;
        };
        tracing::warn!(session = %id, cause, "a session died: it is restarted with its calls, unless it keeps failing");
        let phase = std::mem::replace(&mut child.phase, Phase::Quarantined { stored: false });
        child.last_failure = Some(cause.into());
        child.died = Some(Instant::now());
        if death == Death::Failure {
            child.failures += 1;
        }
        match child.budget.record(death, now, jitter()) {
            Verdict::Restart { after } => {
                let room = match phase {
                    Phase::Awake { _room: room, .. } => Some(room),
                    Phase::Restarting { room, .. } => room,
                    Phase::Quarantined { .. } => None,
                };
                child.phase = Phase::Restarting {
                    waiters: Vec::new(),
                    room,
                };
                if after.is_zero() {
                    // A timer of zero would still cost a millisecond.
                    let _ = myself.send_message(SupervisorMsg::Restart { id });
                } else {
                    myself.send_after(after, move || SupervisorMsg::Restart { id });
                }
            }
            Verdict::GiveUp => self.quarantine(myself, id),
        }
    }

    /// The session stopped by itself: asleep, closed, finished, or refused to run.
    pub(super) fn gone(&mut self, actor: ActorId) {
        let Some(id) = self.by_actor.remove(&actor) else {
            return;
        };
        self.children.remove(&id);
        self.arguments
            .registry
            .cast(RegistryMsg::Gone { id, actor });
    }

    pub(super) fn quarantine(&mut self, myself: &ActorRef<SupervisorMsg>, id: SessionId) {
        let Some(child) = self.children.get(&id) else {
            return;
        };
        let reason = child
            .last_failure
            .as_deref()
            .unwrap_or("it kept failing")
            .to_owned();
        tracing::error!(session = %id, reason, "the session is quarantined: it runs no calls until an operator releases it");
        self.arguments
            .around
            .pool
            .table
            .requests_of(id)
            .into_iter()
            .for_each(|request| {
                self.arguments.around.pool.table.stop(crate::pool::JobKey {
                    session: id,
                    request,
                });
            });
        if let Start::Throwaway { .. } = child.start {
            self.children.remove(&id);
            return;
        }
        let (store, myself) = (
            Arc::clone(&self.arguments.around.persistence.store),
            myself.clone(),
        );
        tokio::spawn(async move {
            let result = in_time(store.quarantine(id, Some(reason))).await;
            let _ = myself.send_message(SupervisorMsg::Quarantined { id, result });
        });
    }

    pub(super) fn quarantine_stored(&mut self, id: SessionId, result: &Result<(), StoreError>) {
        let Some(child) = self.children.get_mut(&id) else {
            return;
        };
        let Phase::Quarantined { stored } = &mut child.phase else {
            return;
        };
        if let Err(StoreError::Missing | StoreError::Deleted | StoreError::Expired(_)) = result {
            // Its owner closed it in the meantime, so there is nothing to quarantine.
            self.children.remove(&id);
            return;
        }
        if result.is_err() || *stored {
            return;
        }
        *stored = true;
        child.listed.quarantine();
        Quarantines {}.add(1);
        self.quarantined += 1;
        let known = self
            .children
            .iter()
            .filter(|(_, child)| matches!(child.phase, Phase::Quarantined { stored: true }));
        let oldest = known
            .clone()
            .min_by_key(|(_, child)| child.since_ms)
            .map(|(id, _)| *id);
        if known.count() > QUARANTINED_MAX
            && let Some(oldest) = oldest
        {
            self.children.remove(&oldest);
        }
    }

    pub(super) fn quarantine_of(&self, id: SessionId) -> CallError {
        let reason = self
            .children
            .get(&id)
            .and_then(|child| child.last_failure.as_deref());
        CallError::Quarantined {
            id,
            reason: reason.unwrap_or("it kept failing").to_owned(),
        }
    }

    pub(super) fn tick(&mut self, myself: &ActorRef<SupervisorMsg>) {
        let now = self.now();
        let idle_after = crate::clock::millis(self.arguments.around.options.idle_after);
        let mut again = Vec::new();
        for (id, child) in &self.children {
            match &child.phase {
                Phase::Awake { actor, .. }
                    if now.saturating_sub(child.heard_ms.load(Ordering::Relaxed)) >= idle_after =>
                {
                    // The session checks for itself, and stops if nothing is in progress.
                    let _ = actor.send_message(SessionMsg::Rest);
                }
                Phase::Quarantined { stored: false } => again.push(*id),
                Phase::Awake { .. }
                | Phase::Restarting { .. }
                | Phase::Quarantined { stored: true } => {}
            }
        }
        again.into_iter().for_each(|id| self.quarantine(myself, id));
    }

    /// Forwards the request to the session's actor, which answers it.
    pub(super) fn hand_over(
        &self,
        id: SessionId,
        trace: Option<Trace>,
        reply: RpcReplyPort<Option<HandOver>>,
    ) {
        match self.children.get(&id).map(|child| &child.phase) {
            Some(Phase::Awake { actor, .. }) => {
                let _in = telemetry::enter(trace);
                let _ = actor.send_message(SessionMsg::HandOver { reply }.traced());
            }
            Some(Phase::Restarting { .. }) => drop(reply.send(Some(HandOver::Busy))),
            Some(Phase::Quarantined { .. }) | None => drop(reply.send(None)),
        }
    }

    pub(super) fn awake(&self) -> Vec<SessionId> {
        let stored = |(id, child): (&SessionId, &Child)| {
            let awake = matches!(child.phase, Phase::Awake { .. });
            (awake && matches!(child.start, Start::Stored)).then_some(*id)
        };
        self.children.iter().filter_map(stored).collect()
    }

    pub(super) fn strike(&self, id: SessionId, strike: InjectedFault) -> bool {
        let Some(Phase::Awake { actor, .. }) = self.children.get(&id).map(|child| &child.phase)
        else {
            return false;
        };
        match strike {
            InjectedFault::Kill => {
                actor.kill();
                true
            }
            InjectedFault::Fault(fault) => actor.send_message(SessionMsg::Fault(fault)).is_ok(),
        }
    }
}
