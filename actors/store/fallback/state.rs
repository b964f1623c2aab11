//! The sessions remembered here and the losses, with their totals.

use super::*;

/// Sessions counted that there is no room for, at 16 bytes each.
const NOT_KEPT_MAX: usize = 20_000;

impl State {
    /// Remembers a session's bytes, unless there is no room.
    pub(super) fn hold(&mut self, id: SessionId, held: Held) {
        self.forget(id);
        let bytes = held.now.len();
        if self.held.len() >= HELD_MAX || self.held_bytes + bytes > HELD_BYTES {
            self.no_room(id);
            return;
        }
        self.held_bytes += bytes;
        self.held.insert(id, held);
    }

    fn no_room(&mut self, id: SessionId) {
        if self.not_kept.is_empty() {
            tracing::warn!(
                sessions = self.held.len(),
                bytes = self.held_bytes,
                "no room to keep further sessions in memory: while the store is down, they are not available"
            );
        }
        if self.not_kept.len() < NOT_KEPT_MAX {
            self.not_kept.insert(id);
        }
    }

    pub(super) fn forget(&mut self, id: SessionId) {
        self.not_kept.remove(&id);
        if let Some(held) = self.held.remove(&id) {
            self.held_bytes = self.held_bytes.saturating_sub(held.now.len());
            self.pending_bytes = self.pending_bytes.saturating_sub(held.pending_bytes);
        }
    }

    /// Changes a remembered session, and updates the totals.
    pub(super) fn change<R>(
        &mut self,
        id: SessionId,
        act: impl FnOnce(&mut Held) -> R,
    ) -> Option<R> {
        let held = self.held.get_mut(&id)?;
        let (before, pending) = (held.now.len(), held.pending_bytes);
        let done = act(held);
        self.held_bytes = (self.held_bytes + held.now.len()).saturating_sub(before);
        self.pending_bytes = (self.pending_bytes + held.pending_bytes).saturating_sub(pending);
        // It has grown. Bytes that the store does not have yet are limited elsewhere.
        let is_stored = !held.waits() && held.fence == held.real;
        if self.held_bytes > HELD_BYTES && is_stored {
            self.forget(id);
            self.no_room(id);
        }
        Some(done)
    }

    /// Forgets a session whose state here is outdated; the changes `lost` are gone for good.
    pub(super) fn lose(&mut self, id: SessionId, lost: Lost) {
        self.forget(id);
        self.ledger.forget(id);
        self.count(id, lost);
    }

    /// Records losses, to be reported at each acquisition until the session's notices mention them. Until then, losses
    /// of one kind belong to the same branch, however often they are detected.
    pub(super) fn count(&mut self, id: SessionId, lost: Lost) {
        let known = self.untold(id);
        self.add(id, known.max(lost).without(known));
    }

    /// As [`Self::count`], for losses that cannot be detected twice.
    pub(super) fn add(&mut self, id: SessionId, lost: Lost) {
        self.lost += lost.all();
        let all = self.untold(id).plus(lost);
        let room = self.untold.contains_key(&id) || self.untold.len() < UNTOLD_MAX;
        if all.all() > 0 && room {
            self.untold.insert(id, all);
        }
    }

    pub(super) fn untold(&self, id: SessionId) -> Lost {
        self.untold.get(&id).copied().unwrap_or_default()
    }

    /// The session's notices mention these.
    pub(super) fn told(&mut self, id: SessionId, lost: Lost) {
        let rest = self.untold(id).without(lost);
        if rest.all() > 0 {
            self.untold.insert(id, rest);
        } else {
            self.untold.remove(&id);
        }
    }

    /// Records what the store has of a session, as far as this node took part.
    pub(super) fn note(&mut self, id: SessionId, lineage: &Lineage, version: u64, epoch: u64) {
        let known = Known::new(lineage.clone(), version, epoch);
        self.ledger.note(id, known);
    }

    /// Corrects the store's answer about which results are stored: a pending result is written with both parts or with
    /// neither.
    pub(super) fn correct(&self, id: SessionId, results: &[ResultId], stored: &mut [bool]) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        for (id, stored) in results.iter().zip(stored) {
            if let Some(known) = held.result(*id, Part::Whole) {
                *stored = known.is_some();
            }
        }
    }

    pub(super) fn waits(&self, id: SessionId) -> bool {
        self.held.get(&id).is_some_and(Held::waits)
    }
}
