//! Handles a store that was rolled back without an outage being noticed. This node knows more of a session than the
//! store does: it stores the session again, or counts the lost changes.

use super::returning::lost_by;
use super::*;
use crate::store::Reached;
use crate::store::lineage::Standing;

impl Inner {
    /// Compares an acquired session with what this node knows. Repairs it if the store was rolled back, or counts the
    /// lost changes.
    pub(super) async fn compared(
        &self,
        id: SessionId,
        acquired: Acquired,
        loads: bool,
        asked: Instant,
    ) -> Result<Acquired, StoreError> {
        let node = acquired.fence.node;
        let standing = |claim: &Claim| acquired.lineage.judge(acquired.version, claim);
        // An actor of this node runs the session or waits for it, so its bytes are here.
        let held = self.with(|state| {
            let held = state.held.get(&id)?;
            (held.last_commit() != acquired.last_commit).then(|| held.claim(node))
        });
        if let Some(claim) = held {
            match standing(&claim) {
                Standing::Later { .. } => return self.acquired_behind(id, acquired, asked).await,
                Standing::Overtaken { from } => self.lost(id, &StoreError::Overtaken { from }),
                Standing::Found => {}
            }
            return Ok(self.acquired(id, acquired, asked));
        }
        // If an actor has the session, it is asked for its state next, and nothing is lost.
        let known = self.with(|state| {
            let bytes = state.held.contains_key(&id);
            state.ledger.get(id).filter(|_| loads && !bytes).cloned()
        });
        // The node that got the answer counted the loss, if its state reached the store.
        let is_counted = |known: &Known| {
            let told = known.told.as_ref();
            told.is_some_and(|theirs| standing(theirs) == Standing::Found)
        };
        if let Some(known) = known.filter(|known| !is_counted(known)) {
            let (mut lost, claim) = (Lost::default(), known.claim(node));
            match standing(&claim) {
                Standing::Later { from } => lost.forgotten = claim.lost_after(from),
                Standing::Overtaken { from } => lost.overtaken = claim.lost_after(from),
                Standing::Found => {}
            }
            if lost.all() > 0 {
                tracing::error!(session = %id, changes = lost.all(), "the store was rolled back: acknowledged changes are lost");
                self.with(|state| state.lose(id, lost));
            }
        }
        Ok(self.acquired(id, acquired, asked))
    }

    async fn acquired_behind(
        &self,
        id: SessionId,
        acquired: Acquired,
        asked: Instant,
    ) -> Result<Acquired, StoreError> {
        match self.lay_down_as(id, acquired.fence).await {
            Ok(()) => {}
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                self.lost(id, &error);
                return Ok(self.acquired(id, acquired, asked));
            }
        }
        self.as_held(id, acquired.reached).ok_or_else(coming_back)
    }

    /// The store has lost the whole session, and this node still has it.
    pub(super) async fn acquired_anew(
        &self,
        id: SessionId,
        node: NodeId,
    ) -> Result<Acquired, StoreError> {
        self.lay_down_again(id).await?;
        let real = self.with(|state| state.held.get(&id).map(|held| held.real.epoch));
        let (asked, epoch) = (Instant::now(), real.ok_or(StoreError::Missing)?);
        let acquired = in_time(self.store.acquire_after(id, node, epoch)).await?;
        Ok(self.acquired(id, acquired, asked))
    }

    /// For an actor that continues under the fence of the store.
    fn as_held(&self, id: SessionId, reached: Reached) -> Option<Acquired> {
        self.with(|state| {
            let lost = state.untold(id);
            let held = state.held.get_mut(&id)?;
            held.fence = held.real;
            Some(Acquired {
                reached,
                lost,
                ..held.as_acquired()
            })
        })
    }

    pub(super) async fn repair(&self, mut repair: Repair) -> Result<Repaired, StoreError> {
        if self.is_open() {
            return Err(self.away());
        }
        let (id, asked) = (repair.session.id, Instant::now());
        repair.fence = self.real(id, repair.fence);
        let (version, last, lineage) = (repair.version, repair.last, repair.lineage.clone());
        let (snapshot, ttl_ms) = (Arc::clone(&repair.session.snapshot), repair.session.ttl_ms);
        let given = match self.noted(self.lay_down(repair).await) {
            Ok(given) => given,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                // The actor acquires the session again and retries.
                if error != StoreError::Lapsed {
                    self.with(|state| state.lose(id, lost_by(&error, version, 0)));
                }
                return Err(error);
            }
        };
        let now_ms = self.clock.now_ms();
        let acquired = Acquired {
            fence: given.fence,
            version,
            snapshot,
            deltas: Vec::new(),
            expires_ms: now_ms.saturating_add(ttl_ms),
            last_commit: last,
            reached: Reached::MEMORY,
            lineage,
            lost: Lost::default(),
        };
        let lease_until = self.lease_from(asked);
        self.with(|state| {
            state.add(id, given.lost());
            state.note(id, &acquired.lineage, version, given.fence.epoch);
            state.hold(id, Held::acquired(&acquired, lease_until, now_ms));
        });
        Ok(given)
    }

    pub(super) async fn release_behind(
        &self,
        id: SessionId,
        version: u64,
        error: StoreError,
    ) -> Result<(), StoreError> {
        if self.with(|state| !state.held.contains_key(&id)) {
            // The bytes were not kept, because there was no room.
            if let StoreError::Regressed { stored, .. } = error {
                let forgotten = version.saturating_sub(stored);
                let lost = Lost {
                    forgotten,
                    ..Lost::default()
                };
                self.with(|state| state.lose(id, lost));
            }
            return Err(error);
        }
        match self.lay_down_again(id).await {
            Ok(()) => {}
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                self.lost(id, &error);
                return Err(error);
            }
        }
        let Some(real) = self.with(|state| state.held.get(&id).map(|held| held.real)) else {
            return Ok(());
        };
        in_time(self.store.release(id, real, version)).await?;
        self.with(|state| state.forget(id));
        Ok(())
    }
}
