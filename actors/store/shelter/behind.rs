//! What is done where the store turns out to have gone back while nobody noticed that it was away: this node knows more
//! of a session than the store, and lays it down again, or counts what is lost.

use super::returning::lost_by;
use super::*;
use crate::store::Reached;

impl Inner {
    /// Whoever had the session here died with it, or waits for it, and it was acknowledged to him in a newer version.
    pub(super) fn knows_more(&self, id: SessionId, acquired: &Acquired) -> bool {
        self.with(|state| {
            let held = state.held.get(&id);
            held.is_some_and(|held| held.stored_version > acquired.version && !held.waits())
        })
    }

    /// The store went back, and is acquired as it was before, or what is lost is said.
    pub(super) async fn acquired_behind(
        &self,
        id: SessionId,
        acquired: Acquired,
        asked: Instant,
    ) -> Result<Acquired, StoreError> {
        match self.lay_down_again(id).await {
            Ok(()) => {}
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                self.lost(id, &error);
                return Ok(self.acquired(id, acquired, asked));
            }
        }
        let reached = acquired.reached;
        let again = self.with(|state| {
            let held = state.held.get_mut(&id)?;
            held.fence = held.real;
            Some(Acquired {
                reached,
                ..held.as_acquired()
            })
        });
        again.ok_or_else(coming_back)
    }

    pub(super) async fn repair(&self, mut repair: Repair) -> Result<Fence, StoreError> {
        if self.is_open() {
            return Err(self.away());
        }
        let (id, asked) = (repair.session.id, Instant::now());
        repair.fence = self.real(id, repair.fence);
        let (version, ancestors) = (repair.version, repair.ancestors.clone());
        let (snapshot, ttl_ms) = (Arc::clone(&repair.session.snapshot), repair.session.ttl_ms);
        let given = match self.noted(in_time(self.store.repair(repair)).await) {
            Ok(given) => given,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                self.with(|state| state.lose(id, lost_by(&error, version)));
                return Err(error);
            }
        };
        let now_ms = self.clock.now_ms();
        let acquired = Acquired {
            fence: given,
            version,
            snapshot,
            deltas: Vec::new(),
            expires_ms: now_ms.saturating_add(ttl_ms),
            last_commit: None,
            reached: Reached::MEMORY,
            lost: 0,
        };
        let lease_until = self.lease_from(asked);
        self.with(|state| {
            let mut held = Held::acquired(&acquired, lease_until, now_ms);
            held.ancestors = ancestors.into();
            state.hold(id, held);
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
            // There was no room for its bytes.
            if let StoreError::Regressed { stored, .. } = error {
                self.with(|state| state.lose(id, version.saturating_sub(stored)));
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
