//! Moves a journal to a new fence: the pending commit continues under the new one.

use super::*;
use crate::ids::NodeId;

/// How the owner came to its state: fence, earlier owners and last commit.
pub(crate) struct Line {
    pub(crate) fence: Fence,
    pub(crate) lineage: Lineage,
    pub(crate) last: Option<CommitId>,
}

impl Journal {
    /// The lease had ended, and the session was acquired again. Returns true if the stored state is the one that the
    /// pending commit expects, or the one that it made: the commit continues under the new fence. Otherwise the caller
    /// has to repair the session, unless another node has changed it.
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

    /// Whether another node owned the session last.
    pub(crate) fn came_from_another(&self, node: NodeId) -> bool {
        let stored = self.stored.as_ref();
        let before = stored.and_then(|stored| stored.lineage.before_last());
        before.is_some_and(|before| before.node != node)
    }

    pub(crate) fn line(&self) -> Option<Line> {
        let stored = self.stored.as_ref()?;
        Some(Line {
            fence: stored.fence,
            lineage: stored.lineage.clone(),
            last: stored.last,
        })
    }

    /// The session was stored again under this fence. Returns the commit to send again.
    pub(crate) fn repaired(&mut self, fence: Fence) -> Option<CommitId> {
        if let Some(stored) = &mut self.stored {
            stored.fence = fence;
            // The repair stored a snapshot, so there are no deltas to fold.
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
