//! Session operations, served by the store or, while it is down, by this node.

use super::*;
use crate::store::Reached;

impl Inner {
    pub(super) async fn create(&self, session: NewSession) -> Result<Created, StoreError> {
        // Also while changes are being written back: until then the store does not know the session.
        if let Some(id) = self.with(|state| state.born_under(&session)) {
            return Ok(Created::Before(id));
        }
        if !self.is_open() {
            let run = self.store.run();
            let created = self.noted(in_time(self.store.create(session.clone())).await);
            if let Ok(Created::New(_)) = created {
                let known = Known::new(Lineage::default(), 1, 0).made_in(run);
                self.with(|state| state.ledger.note(session.id, known));
            }
            if !matches!(created, Err(StoreError::Unavailable(_))) || !self.is_open() {
                return created;
            }
        }
        // Only the store knows whether the key was used before.
        let keyed = session.key.as_ref().is_some_and(|key| !key.provisional);
        if !self.degrades() || keyed {
            return Err(self.away());
        }
        let (now, now_ms) = (Instant::now(), self.clock.now_ms());
        let fence = Fence {
            epoch: 0,
            node: self.options.node,
        };
        let bounds = self.options.bounds;
        self.with(|state| {
            let bytes = session.snapshot.len();
            if state.held_bytes + bytes > HELD_BYTES
                || state.held.len() >= HELD_MAX
                || state.pending_bytes + bytes > bounds.bytes
            {
                return Err(StoreError::Limit(
                    "sessions created while the store is down",
                ));
            }
            let id = session.id;
            state.hold(id, Held::born(session, fence, now, now_ms));
            Ok(Created::New(Reached::MEMORY))
        })
    }

    pub(super) async fn acquire(
        &self,
        id: SessionId,
        node: NodeId,
        after: u64,
    ) -> Result<Acquired, StoreError> {
        if !self.is_open() {
            if self.with(|state| state.waits(id)) {
                return Err(coming_back());
            }
            let asked = Instant::now();
            let known = self.with(|state| {
                let held = state.held.get(&id).map_or(0, |held| held.real.epoch);
                held.max(state.ledger.get(id).map_or(0, |known| known.epoch))
            });
            // Otherwise an actor already runs the session and acquires it again.
            let loads = after == 0;
            let newest = after.max(known);
            let acquired = self.noted(in_time(self.store.acquire_after(id, node, newest)).await);
            match acquired {
                Ok(acquired) => return self.compared(id, acquired, loads, asked).await,
                Err(StoreError::Unavailable(_)) if self.is_open() => {}
                Err(StoreError::Missing) if self.with(|state| state.held.contains_key(&id)) => {
                    return self.acquired_anew(id, node).await;
                }
                Err(error) => return Err(error),
            }
        }
        if !self.degrades() {
            return Err(self.away());
        }
        self.with(|state| {
            let (away, lost) = (self.away_as(state), state.untold(id));
            let Some(held) = state.held.get_mut(&id) else {
                return Err(away);
            };
            if held.deleted {
                return Err(StoreError::Deleted);
            }
            // The actor died or slept. Its successor gets a new fence, which only this node knows.
            held.fence = Fence {
                epoch: held.fence.epoch + 1,
                node,
            };
            held.released = false;
            Ok(Acquired {
                lost,
                ..held.as_acquired()
            })
        })
    }

    pub(super) fn acquired(
        &self,
        id: SessionId,
        mut acquired: Acquired,
        asked: Instant,
    ) -> Acquired {
        let (lease_until, now_ms) = (self.lease_from(asked), self.clock.now_ms());
        self.with(|state| {
            acquired.lost = state.untold(id);
            state.note(
                id,
                &acquired.lineage,
                acquired.version,
                acquired.fence.epoch,
            );
            state.hold(id, Held::acquired(&acquired, lease_until, now_ms));
        });
        acquired
    }

    pub(super) async fn renew(&self, id: SessionId, fence: Fence) -> Result<Reached, StoreError> {
        if !self.is_open() {
            if self.with(|state| state.waits(id)) {
                return Err(coming_back());
            }
            let (asked, real) = (Instant::now(), self.real(id, fence));
            let renewed = self.noted(in_time(self.store.renew(id, real)).await);
            if renewed.is_ok() {
                self.extended(id, real, asked);
            }
            return renewed;
        }
        // This node's state is the newest, as long as no other node can own the session.
        let (now, single) = (Instant::now(), self.is_alone());
        let ours = self.with(|state| {
            let held = state.held.get(&id).filter(|held| held.fence == fence);
            held.is_some_and(|held| single || held.born.is_some() || held.lease_until > now)
        });
        if ours && self.degrades() {
            Ok(Reached::MEMORY)
        } else {
            Err(self.away())
        }
    }

    pub(super) async fn keep(&self, held: &[(SessionId, Fence)]) -> Vec<Result<(), StoreError>> {
        if self.is_open() {
            return vec![Err(self.away()); held.len()];
        }
        let real: Vec<_> = held
            .iter()
            .map(|(id, fence)| (*id, self.real(*id, *fence)))
            .collect();
        let asked = Instant::now();
        let answers = tokio::time::timeout(STORE_WITHIN, self.store.keep(&real)).await;
        let Ok(answers) = answers else {
            return vec![
                Err(StoreError::Unavailable(
                    "it did not answer in time".to_owned()
                ));
                held.len()
            ];
        };
        for ((id, fence), answer) in real.iter().zip(&answers) {
            if answer.is_ok() {
                self.extended(*id, *fence, asked);
            }
        }
        answers
    }

    fn extended(&self, id: SessionId, real: Fence, asked: Instant) {
        let lease_until = self.lease_from(asked);
        self.with(|state| {
            if let Some(held) = state.held.get_mut(&id).filter(|held| held.real == real) {
                held.lease_until = lease_until;
            }
        });
    }

    pub(super) async fn release(
        &self,
        id: SessionId,
        fence: Fence,
        version: u64,
    ) -> Result<(), StoreError> {
        let waits = self.with(|state| {
            let waits = state.waits(id);
            if let Some(held) = state
                .held
                .get_mut(&id)
                .filter(|held| waits && held.fence == fence)
            {
                held.released = true;
            }
            waits
        });
        if waits {
            return Err(coming_back());
        }
        if self.is_open() {
            return Err(self.away());
        }
        let real = self.real(id, fence);
        let released = self.noted(in_time(self.store.release(id, real, version)).await);
        match released {
            Ok(()) => {
                self.with(|state| state.forget(id));
                Ok(())
            }
            // After the release no node could repair it.
            Err(
                error @ (StoreError::Fenced | StoreError::Regressed { .. } | StoreError::Missing),
            ) => self.release_behind(id, version, error).await,
            Err(error) => Err(error),
        }
    }

    pub(super) async fn delete(&self, id: SessionId, fence: Fence) -> Result<(), StoreError> {
        if !self.is_open() {
            if self.with(|state| state.waits(id)) {
                return Err(coming_back());
            }
            let real = self.real(id, fence);
            let deleted = self.noted(in_time(self.store.delete(id, real)).await);
            if deleted.is_ok() {
                self.with(|state| {
                    state.forget(id);
                    state.ledger.forget(id);
                });
            }
            return deleted;
        }
        if !self.degrades() {
            return Err(self.away());
        }
        let (now, single) = (Instant::now(), self.is_alone());
        self.with(|state| {
            let away = self.away_as(state);
            let deleted = state.change(id, |held| {
                if held.fence != fence {
                    return Err(StoreError::Fenced);
                }
                if !single && held.born.is_none() && held.lease_until <= now {
                    return Err(away.clone());
                }
                held.pending.clear();
                held.pending_bytes = 0;
                held.deleted = true;
                Ok(held.born.is_some())
            });
            match deleted {
                Some(Ok(true)) => {
                    // The store never had it.
                    state.forget(id);
                    Ok(())
                }
                Some(Ok(false)) => Ok(()),
                Some(Err(error)) => Err(error),
                None => Err(away),
            }
        })
    }
}

impl State {
    /// The session that was created here under the same provisional key, if it is not in the store yet.
    fn born_under(&self, session: &NewSession) -> Option<SessionId> {
        let key = session.key.as_ref().filter(|key| key.provisional)?;
        // Sessions are created here only while the store is down.
        self.since_ms?;
        let mut made = self.held.iter().filter(|(_, held)| !held.deleted);
        let is_it = |(_, held): &(&SessionId, &Held)| {
            held.born.as_ref().is_some_and(|(born, _)| {
                born.principal == session.principal && born.key.as_ref() == Some(key)
            })
        };
        made.find(is_it).map(|(id, _)| *id)
    }

    /// The row of a session that only this node has.
    pub(super) fn born_row(&self, id: SessionId) -> Option<Row> {
        let held = self.held.get(&id)?;
        let (session, created_ms) = held.born.as_ref()?;
        Some(Row {
            id,
            principal: session.principal.clone(),
            label: session.label.clone(),
            created_ms: *created_ms,
            expires_ms: held.expires_ms,
            closed: false,
            quarantine: None,
            node: Some(held.fence.node),
        })
    }
}
