//! What becomes of a journal whose fence is no longer the session's: the commit that is out goes on under the next.

use super::*;

impl Journal {
    /// The lease had ended, and the session was acquired anew: whether it is as the commit that is out takes it to be,
    /// or as that commit made it, or older, which that commit finds out. If so, it goes on under the new fence.
    pub(crate) fn reacquired(&mut self, id: CommitId, acquired: &Acquired) -> bool {
        let (Some(stored), Some(out)) = (&mut self.stored, &mut self.out) else {
            return false;
        };
        let last = acquired.last_commit;
        let same = acquired.version == stored.version && last == stored.ancestors.back().copied();
        let known = last.is_none_or(|last| stored.ancestors.contains(&last));
        let behind = acquired.version < stored.version && known;
        if out.commit.id != id || !(same || behind || last == Some(id)) {
            return false;
        }
        stored.fence = acquired.fence;
        out.commit.fence = acquired.fence;
        true
    }

    /// Our fence, and the commits that led to what is committed.
    pub(crate) fn lineage(&self) -> Option<(Fence, Vec<CommitId>)> {
        let stored = self.stored.as_ref()?;
        Some((stored.fence, stored.ancestors.iter().copied().collect()))
    }

    /// The session was laid down again under that fence. Returns the commit to be sent again.
    pub(crate) fn repaired(&mut self, fence: Fence) -> Option<CommitId> {
        if let Some(stored) = &mut self.stored {
            stored.fence = fence;
            // A snapshot is what was laid down, and results that it points at may be gone with what was lost.
            (stored.journal_deltas, stored.journal_bytes) = (0, 0);
        }
        let out = self.out.as_mut()?;
        out.commit.fence = fence;
        Some(out.commit.id)
    }

    pub(crate) fn out(&self) -> Option<CommitId> {
        self.out.as_ref().map(|out| out.commit.id)
    }
}
