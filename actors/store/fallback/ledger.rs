//! A short record of every session that this node has owned. It outlives the session's bytes, so that a node which has
//! released a session can still detect that the store lost something.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::ids::{NodeId, SessionId};
use crate::store::{Claim, Lineage};

/// Sessions remembered, newest first: at most half a kilobyte each, and as much again for one that `told` names.
const KNOWN_MAX: usize = 20_000;

/// The state as the store acknowledged it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) lineage: Lineage,
    pub(super) version: u64,
    /// The newest epoch that this node was given.
    pub(super) epoch: u64,
    /// The newest state that another node once had and that is counted as lost here: its node and version.
    pub(super) counted: Option<(NodeId, u64)>,
    /// Another node asked for this state, was told that it is lost, and counts the loss. Its claim at that time.
    pub(super) told: Option<Box<Claim>>,
    /// The run of the store's server in which the other nodes were last asked about the session.
    asked_in: u64,
    /// A later run in which one of them cannot answer yet, and since when it is asked.
    asking: Option<(u64, Instant)>,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: HashMap<SessionId, (u64, Known)>,
    /// Newest last. If a session was noted again, its older entries are ignored.
    order: VecDeque<(u64, SessionId)>,
    next: u64,
}

impl Known {
    pub(super) fn new(lineage: Lineage, version: u64, epoch: u64) -> Self {
        Self {
            lineage,
            version,
            epoch,
            counted: None,
            told: None,
            asked_in: 0,
            asking: None,
        }
    }

    /// Created in this run.
    pub(super) fn made_in(self, run: u64) -> Self {
        Self {
            asked_in: run,
            ..self
        }
    }

    pub(super) fn claim(&self, node: NodeId) -> Claim {
        Claim {
            node,
            epoch: self.epoch,
            lineage: self.lineage.clone(),
            version: self.version,
        }
    }
}

impl Ledger {
    pub(super) fn note(&mut self, id: SessionId, mut known: Known) {
        self.next += 1;
        if let Some(before) = self.get(id) {
            known.counted = before.counted;
            known.asked_in = known.asked_in.max(before.asked_in);
            known.asking = before.asking;
        }
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

    /// The loss of that state is counted.
    pub(super) fn counted(&mut self, id: SessionId, state: (NodeId, u64)) {
        if let Some((_, known)) = self.known.get_mut(&id) {
            known.counted = Some(state);
        }
    }

    /// Whether the other nodes were asked about the session in this run or a later one. An unknown session cannot be
    /// asked about.
    pub(super) fn is_asked_in(&self, id: SessionId, run: u64) -> bool {
        self.get(id).is_none_or(|known| known.asked_in >= run)
    }

    pub(super) fn asked_in(&mut self, id: SessionId, run: u64) {
        if let Some((_, known)) = self.known.get_mut(&id) {
            known.asked_in = known.asked_in.max(run);
            known.asking = None;
        }
    }

    /// Since when the other nodes are asked in this run.
    pub(super) fn asking_in(&mut self, id: SessionId, run: u64) -> Instant {
        let now = Instant::now();
        let Some((_, known)) = self.known.get_mut(&id) else {
            return now;
        };
        match known.asking {
            Some((asking, since)) if asking == run => since,
            Some(_) | None => {
                known.asking = Some((run, now));
                now
            }
        }
    }

    pub(super) fn told(&mut self, id: SessionId, theirs: Claim) {
        if let Some((_, known)) = self.known.get_mut(&id) {
            known.told = Some(Box::new(theirs));
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
    fn only_the_newest_sessions_are_remembered() {
        let mut ledger = Ledger::default();
        let known = Known::new(Lineage::default(), 1, 1);
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
