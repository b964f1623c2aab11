//! What becomes of a journal whose fence is no longer the session's: the commit that is out goes on under the next.

use super::*;

/// What an owner remembers of how it came to its state.
pub(crate) struct Line {
    pub(crate) fence: Fence,
    pub(crate) lineage: Lineage,
    pub(crate) last: Option<CommitId>,
}

impl Journal {
    /// The lease had ended, and the session was acquired anew. True where it is as the commit that is out takes it to
    /// be, or as that commit made it: the commit goes on under the new fence. Otherwise what we know is to be laid down
    /// again under that fence, unless another node has gone on with the session.
    pub(crate) fn reacquired(&mut self, id: CommitId, acquired: &Acquired) -> bool {
        let (Some(stored), Some(out)) = (&mut self.stored, &mut self.out) else {
            return false;
        };
        if out.commit.id != id {
            return false;
        }
        stored.fence = acquired.fence;
        out.commit.fence = acquired.fence;
        let last = acquired.last_commit;
        let same = acquired.version == stored.version && last == stored.last;
        let fits = same || last == Some(id);
        if fits {
            stored.lineage = acquired.lineage.clone();
        }
        fits
    }

    pub(crate) fn line(&self) -> Option<Line> {
        let stored = self.stored.as_ref()?;
        Some(Line {
            fence: stored.fence,
            lineage: stored.lineage.clone(),
            last: stored.last,
        })
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
