//! What is remembered of sessions here, and what is lost of them, with the sums kept.

use super::*;

impl State {
    /// What a session's bytes are remembered by, unless there is no room.
    pub(super) fn hold(&mut self, id: SessionId, held: Held) {
        self.forget(id);
        let bytes = held.now.len();
        if self.held.len() < HELD_MAX && self.held_bytes + bytes <= HELD_BYTES {
            self.held_bytes += bytes;
            self.held.insert(id, held);
        }
    }

    pub(super) fn forget(&mut self, id: SessionId) {
        if let Some(held) = self.held.remove(&id) {
            self.held_bytes = self.held_bytes.saturating_sub(held.now.len());
            self.pending_bytes = self.pending_bytes.saturating_sub(held.pending_bytes);
        }
    }

    /// Changes what is held, and keeps the sums.
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
        Some(done)
    }

    /// What is known here of a session stands for nothing any more, and `lost` of it nobody will see again.
    pub(super) fn lose(&mut self, id: SessionId, lost: Lost) {
        self.forget(id);
        self.ledger.forget(id);
        self.count(id, lost);
    }

    /// To be told when it is acquired next.
    pub(super) fn count(&mut self, id: SessionId, lost: Lost) {
        // Until then all that is lost of it is lost of one branch, however often that is found out.
        let known = self.untold.get(&id).copied().unwrap_or_default();
        if lost.all() <= known.all() {
            return;
        }
        self.lost += lost.all() - known.all();
        if known.all() > 0 || self.untold.len() < UNTOLD_MAX {
            self.untold.insert(id, lost);
        }
    }

    /// As it was before somebody took it to tell it: it is counted already.
    pub(super) fn retell(&mut self, id: SessionId, lost: Lost) {
        let room = self.untold.len() < UNTOLD_MAX;
        let known = self.untold.get(&id).copied();
        if known.map_or(room, |known| known.all() < lost.all()) {
            self.untold.insert(id, lost);
        }
    }

    /// What the store has of it, as far as it concerns this node.
    pub(super) fn note(&mut self, id: SessionId, lineage: &Lineage, version: u64, epoch: u64) {
        let known = Known {
            lineage: lineage.clone(),
            version,
            epoch,
        };
        self.ledger.note(id, known);
    }

    /// Which results are stored, after the store has said so: what is pending here is on its way, with both parts or with
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
