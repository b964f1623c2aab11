//! How a session reacts when its store was rolled back, lost the session, or is down and records nothing more.

use telemetry::list::metric::Regressions;

use super::*;
use crate::store::{NewSession, Repair};

/// The notice on every answer that is less durable than the operator configured.
pub(crate) fn not_durable(reached: Reached) -> &'static str {
    if reached.evictable {
        return "not durable: the store deletes sessions when its memory is short (maxmemory-policy of its Redis); its \
                operator has to set maxmemory-policy noeviction";
    }
    match reached.level {
        DurabilityLevel::Memory => {
            "not durable: the store is down; this answer is kept in memory and may be lost"
        }
        DurabilityLevel::Redis | DurabilityLevel::Fsync | DurabilityLevel::Replicated => {
            "not durable: this answer is in the store, but did not reach the configured durability level in time"
        }
    }
}

impl State {
    /// Whether the error means that the store has lost, or may have lost, commits that it acknowledged to this node.
    pub(super) fn has_gone_back(&self, error: &StoreError) -> bool {
        let Some(journal) = self.journal() else {
            return false;
        };
        match error {
            // Another node took the session, usually because the lease had ended. The store can tell whether that node
            // had this state.
            StoreError::Fenced | StoreError::Regressed { .. } => true,
            // The session had not expired yet.
            StoreError::Missing => journal
                .expires_ms()
                .is_some_and(|expires| expires > self.now()),
            StoreError::Expired(_)
            | StoreError::Overtaken { .. }
            | StoreError::Held { .. }
            | StoreError::Lapsed
            | StoreError::Deleted
            | StoreError::Unrecorded(_)
            | StoreError::Refused(_)
            | StoreError::Quarantined { .. }
            | StoreError::KeyReused
            | StoreError::Limit(_)
            | StoreError::Corrupt(_)
            | StoreError::NewerSchema(_)
            | StoreError::Unavailable(_) => false,
        }
    }

    /// Stores the acknowledged state again. This node was the owner, and still remembers it.
    pub(super) fn repair(&self, myself: &ActorRef<SessionMsg>, error: &StoreError) {
        let Some(journal) = self.journal() else {
            return;
        };
        let Some(Line {
            fence,
            lineage,
            last,
        }) = journal.line()
        else {
            return;
        };
        tracing::warn!(session = %self.id, %error, "the store lacks this session's state: storing it again, unless another node has changed the session");
        let machine = journal.committed();
        let repair = Repair {
            session: NewSession {
                id: self.id,
                principal: machine.principal.clone(),
                label: machine.label.as_deref().map(str::to_owned),
                snapshot: snapshot::encode(machine),
                ttl_ms: machine.ttl_ms,
                key: None,
            },
            created_ms: machine.created_ms,
            fence,
            version: journal.version(),
            lineage,
            last,
            out: journal.out(),
            aside: None,
        };
        let (store, myself) = (Arc::clone(&self.around.persistence.store), myself.clone());
        tokio::spawn(async move {
            let result = in_time(store.repair(repair)).await;
            let _ = myself.send_message(SessionMsg::Repaired { result });
        });
    }

    pub(super) fn repaired(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        result: Result<Repaired, StoreError>,
    ) {
        let Phase::Running(journal) = &mut self.phase else {
            return;
        };
        match result {
            Ok(repaired) => {
                tracing::error!(session = %self.id, "the store was rolled back: the session was stored again");
                Regressions {}.add(1);
                if let Some(id) = journal.repaired(repaired.fence) {
                    self.resend(myself, id);
                }
                self.mind_lease();
                self.tell_lost(myself, repaired.lost());
            }
            // The store knows a later fence of this same node.
            Err(StoreError::Lapsed) if journal.out().is_some() => {
                if let Some(id) = journal.out() {
                    self.reacquire(myself, id);
                }
            }
            Err(StoreError::Unavailable(_)) => {
                // Send the commit again; it fails with the same error, and the repair is tried again.
                let after = journal.again_after();
                if let Some(id) = journal.out() {
                    myself.send_after(after, move || SessionMsg::Resend { id });
                }
            }
            Err(error @ StoreError::Overtaken { .. }) => {
                tracing::error!(session = %self.id, %error, "acknowledged changes are lost: another node changed the session, which is loaded again");
                self.lost(myself, &StoreError::Fenced);
            }
            // The current owner has the whole state.
            Err(error) => self.lost(myself, &error),
        }
    }

    /// Puts losses into the session's notices. The store reports them until the notices are committed.
    pub(super) fn tell_lost(&mut self, myself: &ActorRef<SessionMsg>, lost: Lost) {
        self.telling = self.telling.plus(lost);
        for (lost, text) in told(lost) {
            let text = text.into();
            self.decide(myself, Event::LossFound { text, lost });
        }
    }

    pub(super) fn loss_told(&mut self, lost: Lost) {
        self.telling = self.telling.without(lost);
        self.around.persistence.store.told(self.id, lost);
    }

    /// The store records nothing. Calls that can run without a record are told to do so; the session is loaded again
    /// for the next call.
    pub(super) fn unrecorded(&mut self, myself: &ActorRef<SessionMsg>, why: &'static str) {
        let Some(journal) = self.journal() else {
            return;
        };
        let roots = Arc::clone(&journal.committed().roots);
        let error = |request: RequestId| {
            if journal.has_key(request) {
                return CallError::StoreUnavailable(why.to_owned());
            }
            CallError::Unrecorded {
                roots: Arc::clone(&roots),
                why: why.into(),
            }
        };
        let asked = self.replies.requests();
        let errors = asked
            .into_iter()
            .map(|request| (request, error(request)))
            .collect();
        self.fail_all(myself, errors, why);
    }

    /// Fails every call: the operator configured that nothing runs without a record.
    pub(super) fn refused(&mut self, myself: &ActorRef<SessionMsg>, why: &str) {
        let refused = CallError::StoreUnavailable(why.to_owned());
        let asked = self.replies.requests().into_iter();
        let errors = asked.map(|request| (request, refused.clone())).collect();
        self.fail_all(myself, errors, why);
    }

    fn fail_all(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        errors: Vec<(RequestId, CallError)>,
        why: &str,
    ) {
        for (request, error) in errors {
            self.around.pool.table.stop(self.key(request));
            self.replies.fail(request, &error);
        }
        for reply in self.closing.drain(..) {
            let _ = reply.send(Err(CallError::StoreUnavailable(why.to_owned())));
        }
        myself.stop(Some("nothing is recorded".to_owned()));
    }
}

/// Notices about lost changes for the session's owner, one per reason, and what each is about.
fn told(lost: Lost) -> Vec<(Lost, String)> {
    let Lost {
        overtaken,
        forgotten,
        replaced,
        refused,
    } = lost;
    let none = Lost::default();
    let why = [
        (
            Lost { overtaken, ..none },
            "the store was down or rolled back, and another node changed the session meanwhile",
        ),
        (
            Lost { forgotten, ..none },
            "the store was rolled back to an older state, and no node still had the newer one",
        ),
        (
            Lost { replaced, ..none },
            "the store was rolled back, a node changed the older state, and a node with the newer one replaced it",
        ),
        (
            Lost { refused, ..none },
            "the store was down, and refused them when it was back",
        ),
    ];
    let told = why.into_iter().filter(|(lost, _)| lost.all() > 0);
    let text = |(lost, why): (Lost, &str)| {
        let changes = lost.all();
        (
            lost,
            format!("{changes} acknowledged changes are lost: {why}"),
        )
    };
    told.map(text).collect()
}

/// Notices of the session, and about its current durability.
pub(super) fn notices(around: &Surroundings, journal: &Journal) -> Vec<String> {
    let mut notices: Vec<String> = journal
        .committed()
        .notices
        .iter()
        .map(ToString::to_string)
        .collect();
    let asked_for_more = around.persistence.store.level() != DurabilityLevel::Memory;
    let reached = journal.reached();
    if asked_for_more && journal.fence().is_some() && !reached.durable {
        notices.insert(0, not_durable(reached).to_owned());
    }
    notices
}
