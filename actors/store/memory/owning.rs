//! Ownership in the memory store: acquiring a session, and repairing it for an owner with newer state.

use super::tables::{Record, Tables};
use crate::ids::NodeId;
use crate::store::lineage::Standing;
use crate::store::{Fence, Repair, Repaired, StoreError};

use super::Limits;

impl Tables {
    pub(super) fn repair(
        &mut self,
        repair: Repair,
        now: u64,
        lease: u64,
    ) -> Result<Repaired, StoreError> {
        let id = repair.session.id;
        let (mut dropped, mut holder) = (0, None);
        if let Ok(record) = self.record(id) {
            record.may_run()?;
            dropped = record.may_be_replaced(&repair)?;
            holder = record.fence.map(|fence| fence.node);
        }
        let Repair {
            session,
            created_ms,
            fence,
            version,
            lineage,
            last,
            out: _,
            aside: _,
        } = repair;
        match self.record(id) {
            Ok(record) => {
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
        record.last_commit = last.map(|id| (id, Vec::new()));
        let known = lineage.is_last(fence.node).then(|| lineage.clone());
        record.lineage = lineage;
        let given = record.give_to(fence.node, fence.epoch, now, lease);
        // Keep the claimant's own turn.
        if let Some(known) = known {
            record.lineage = known;
        }
        let principal = record.principal.clone();
        self.weigh(id);
        if let Some(own) = self.by_principal.get_mut(&principal) {
            own.remove(&old_key);
            own.insert((created_ms, id));
        }
        Ok(Repaired {
            fence: given,
            dropped,
            holder: holder.filter(|holder| *holder != fence.node),
            forgotten: 0,
        })
    }
}

impl Record {
    /// The holder, if its lease has not ended.
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

    /// Whether the repair may replace the stored session, and how many changes of another branch are lost by that.
    fn may_be_replaced(&self, repair: &Repair) -> Result<u64, StoreError> {
        let last = self.last_commit.as_ref().map(|(last, _)| *last);
        if last.is_some() && last == repair.out {
            return Err(StoreError::Fenced);
        }
        let node = repair.fence.node;
        if self.lineage.is_last(node) && self.epoch > repair.fence.epoch {
            return Err(StoreError::Lapsed);
        }
        let lineage = self.lineage.without(repair.aside);
        match lineage.judge(self.version, &repair.claim()) {
            Standing::Later { from } => Ok(self.version - from),
            Standing::Found => Err(StoreError::Fenced),
            Standing::Overtaken { from } => Err(StoreError::Overtaken { from }),
        }
    }

    /// `after`: the newest epoch that the node has had. It never gets the same fence twice.
    pub(super) fn give_to(&mut self, node: NodeId, after: u64, now: u64, lease: u64) -> Fence {
        self.epoch = self.epoch.max(after) + 1;
        self.lineage.acquired(self.epoch, node, self.version);
        let epoch = self.epoch;
        let fence = Fence { epoch, node };
        self.fence = Some(fence);
        self.lease_ms = now.saturating_add(lease);
        fence
    }
}
