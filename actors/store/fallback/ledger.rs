//! A short record of every session that this node has owned. It outlives the session's bytes, so that a node which has
//! released a session can still detect that the store lost something.

use std::collections::{HashMap, VecDeque};

use crate::ids::{NodeId, SessionId};
use crate::store::{Claim, Lineage};

/// Sessions remembered, newest first: at most half a kilobyte each.
const KNOWN_MAX: usize = 20_000;

/// The state as the store acknowledged it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) lineage: Lineage,
    pub(super) version: u64,
    /// The newest epoch that this node was given.
    pub(super) epoch: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: HashMap<SessionId, (u64, Known)>,
    /// Newest last. If a session was noted again, its older entries are ignored.
    order: VecDeque<(u64, SessionId)>,
    next: u64,
}

impl Known {
    pub(super) fn claim(&self, node: NodeId) -> Claim {
        Claim {
            node,
            epoch: self.epoch,
            lineage: self.lineage.clone(),
            version: self.version,
        }
    }

    /// How many changes of this node's own turn are lost if only the first `from` versions remain. Other nodes count
    /// theirs.
    pub(super) fn lost_after(&self, from: u64) -> u64 {
        let found = self.lineage.last().map_or(0, |own| own.found);
        self.version.saturating_sub(from.max(found))
    }
}

impl Ledger {
    pub(super) fn note(&mut self, id: SessionId, known: Known) {
        self.next += 1;
        self.known.insert(id, (self.next, known));
        self.order.push_back((self.next, id));
        while self.known.len() > KNOWN_MAX || self.order.len() > 2 * KNOWN_MAX {
            let Some((number, id)) = self.order.pop_front() else {
                return;
            };
            if self.known.get(&id).is_some_and(|(last, _)| *last == number) {
                self.known.remove(&id);
            }
        }
    }

    pub(super) fn committed(&mut self, id: SessionId, epoch: u64, version: u64) {
        if let Some((_, known)) = self.known.get_mut(&id)
            && known.epoch == epoch
        {
            known.version = version;
        }
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Known> {
        self.known.get(&id).map(|(_, known)| known)
    }

    pub(super) fn forget(&mut self, id: SessionId) {
        self.known.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered_and_no_more() {
        let mut ledger = Ledger::default();
        let known = Known {
            lineage: Lineage::default(),
            version: 1,
            epoch: 1,
        };
        let id = |n: usize| SessionId::from_u128(n as u128);
        for n in 0..3 * KNOWN_MAX {
            ledger.note(id(n), known.clone());
            // Noted again each time, so never the oldest entry.
            ledger.note(id(0), known.clone());
            assert!(ledger.known.len() <= KNOWN_MAX && ledger.order.len() <= 2 * KNOWN_MAX);
        }
        assert!(ledger.get(id(0)).is_some());
        assert!(ledger.get(id(3 * KNOWN_MAX - 1)).is_some());
        assert!(ledger.get(id(1)).is_none());
    }
}
