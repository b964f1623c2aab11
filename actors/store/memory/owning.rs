//! Who owns a session of the memory store: giving it out, and laying it down again for an owner who knows more.

use super::tables::{Record, Tables};
use crate::ids::{CommitId, NodeId};
use crate::store::{Fence, Repair, StoreError, TAKEN_OVER_MAX, TakenOver};

use super::Limits;

impl Tables {
    pub(super) fn repair(
        &mut self,
        repair: Repair,
        now: u64,
        lease: u64,
    ) -> Result<Fence, StoreError> {
        let Repair {
            session,
            created_ms,
            fence,
            version,
            ancestors,
            out,
        } = repair;
        let id = session.id;
        match self.record(id) {
            Ok(record) => {
                record.may_run()?;
                record.may_be_replaced(fence, version, &ancestors, out)?;
                if record.version >= version {
                    let stored = record.version;
                    return Err(StoreError::Regressed {
                        stored,
                        expected: version,
                    });
                }
                record.snapshot = session.snapshot;
                record.deltas = Vec::new();
            }
            Err(StoreError::Missing) => {
                let limits = Limits {
                    sessions: usize::MAX,
                    sessions_per_principal: usize::MAX,
                    ..Limits::default()
                };
                self.create(session, now, &limits)?;
            }
            Err(error) => return Err(error),
        }
        let record = self.record(id)?;
        let old_key = (record.created_ms, id);
        record.created_ms = created_ms;
        record.version = version;
        record.last_commit = ancestors.last().map(|id| (*id, Vec::new()));
        record.epoch = record.epoch.max(fence.epoch);
        let given = record.give_to(fence.node, now, lease);
        let principal = record.principal.clone();
        self.weigh(id);
        if let Some(own) = self.by_principal.get_mut(&principal) {
            own.remove(&old_key);
            own.insert((created_ms, id));
        }
        Ok(given)
    }
}

impl Record {
    /// Who holds it, under a lease that has not ended.
    pub(super) fn holder(&self, now: u64) -> Option<NodeId> {
        self.fence
            .filter(|_| self.lease_ms > now)
            .map(|fence| fence.node)
    }

    pub(super) fn is_at(&self, expected: u64) -> Result<(), StoreError> {
        let stored = self.version;
        if stored != expected {
            return Err(StoreError::Regressed { stored, expected });
        }
        Ok(())
    }

    /// Nobody but the owner under `fence`, who knows those commits, has changed it or may do so.
    fn may_be_replaced(
        &self,
        fence: Fence,
        version: u64,
        ancestors: &[CommitId],
        out: Option<CommitId>,
    ) -> Result<(), StoreError> {
        let last = self.last_commit.as_ref().map(|(last, _)| *last);
        if last.is_some() && last == out {
            return Err(StoreError::Fenced);
        }
        let ends = self.taken.iter().skip(1).map(|next| next.fence.epoch);
        let ends = ends.chain([self.epoch + 1]);
        let mut runs = self.taken.iter().zip(ends);
        let since = runs.find(|(taken, end)| taken.fence.node != fence.node && *end > fence.epoch);
        if let Some((taken, _)) = since {
            let went_back = taken.fence.epoch <= fence.epoch;
            let is_ours = last.is_some_and(|last| ancestors.contains(&last));
            let has_ours = ancestors.is_empty() || is_ours && self.version >= version;
            if !has_ours && (taken.found < version || went_back) {
                return Err(StoreError::Overtaken { from: taken.found });
            }
            return Err(StoreError::Fenced);
        }
        if last.is_some_and(|last| !ancestors.contains(&last)) {
            if ancestors.is_empty() {
                return Err(StoreError::Fenced);
            }
            let from = self.version.min(version.saturating_sub(1));
            return Err(StoreError::Overtaken { from });
        }
        Ok(())
    }

    pub(super) fn give_to(&mut self, node: NodeId, now: u64, lease: u64) -> Fence {
        self.epoch += 1;
        let epoch = self.epoch;
        let fence = Fence { epoch, node };
        let taken_over = self.taken.back().is_none_or(|last| last.fence.node != node);
        if taken_over {
            let found = self.version;
            self.taken.push_back(TakenOver { fence, found });
            if self.taken.len() > TAKEN_OVER_MAX {
                self.taken.pop_front();
            }
        }
        self.fence = Some(fence);
        self.lease_ms = now.saturating_add(lease);
        fence
    }
}
