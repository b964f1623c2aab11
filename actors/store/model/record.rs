//! The stored session as the protocol sees it, and what each operation does to it: the scripts, in a few lines each.

use super::{Rule, Rules};
use crate::store::TAKEN_OVER_MAX;

/// Ids of commits, oldest first: four bits each. What a session *is* in this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(super) struct Log(u32);

impl Log {
    pub(super) fn len(self) -> u8 {
        (0..8)
            .take_while(|nth| (self.0 >> (4 * nth)) & 15 != 0)
            .count() as u8
    }

    pub(super) fn ids(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |nth| ((self.0 >> (4 * nth)) & 15) as u8)
    }

    pub(super) fn with(self, id: u8) -> Self {
        Self(self.0 | u32::from(id) << (4 * self.len()))
    }

    pub(super) fn last(self) -> Option<u8> {
        self.ids().last()
    }

    pub(super) fn contains(self, id: u8) -> bool {
        self.ids().any(|known| known == id)
    }

    pub(super) fn begins(self, longer: Self) -> bool {
        self.ids().zip(longer.ids()).all(|(a, b)| a == b) && self.len() <= longer.len()
    }

    pub(super) fn repeats(self) -> bool {
        self.ids()
            .enumerate()
            .any(|(at, id)| self.ids().skip(at + 1).any(|other| other == id))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Fence {
    pub(super) epoch: u8,
    pub(super) node: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Record {
    pub(super) epoch: u8,
    pub(super) fence: Option<Fence>,
    /// The lease has not ended, by the store's clock.
    pub(super) live: bool,
    pub(super) log: Log,
    /// First fences of runs of acquisitions by one node, with the version found then; the newest last.
    pub(super) taken: Vec<(Fence, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Request {
    /// `after`: the newest epoch that this node has had of it.
    Acquire { node: u8, after: u8 },
    /// `onto` is what its sender believes to be stored: no part of the protocol, but what is checked.
    Commit { fence: Fence, id: u8, onto: Log },
    /// `log` stands for the state, its version and its ancestors; `out` is the commit whose fate is not known.
    Repair {
        fence: Fence,
        log: Log,
        out: Option<u8>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    Acquired { fence: Fence, log: Log },
    Committed,
    Released,
    Repaired { fence: Fence },
    Held,
    Fenced,
    Lapsed,
    Regressed { stored: u8 },
    Overtaken { from: u8 },
}

impl Record {
    pub(super) fn step(&mut self, request: &Request, rules: Rules) -> Reply {
        match *request {
            Request::Acquire { node, after } => self.acquire(node, after, rules),
            Request::Commit { fence, id, onto } => self.commit(fence, id, onto.len(), rules),
            Request::Repair { fence, log, out } => self.repair(fence, log, out, rules),
        }
    }

    fn acquire(&mut self, node: u8, after: u8, rules: Rules) -> Reply {
        let held = self
            .fence
            .is_some_and(|fence| self.live && fence.node != node);
        if held && rules.keep(Rule::LiveLeaseIsLeftAlone) {
            return Reply::Held;
        }
        if rules.keep(Rule::EpochsOfANodeRise) {
            self.epoch = self.epoch.max(after);
        }
        let fence = self.give_to(node, rules);
        Reply::Acquired {
            fence,
            log: self.log,
        }
    }

    fn give_to(&mut self, node: u8, rules: Rules) -> Fence {
        let same = self.fence.is_some_and(|fence| fence.node == node);
        if !same || rules.keep(Rule::EachAcquisitionRaisesTheEpoch) {
            self.epoch += 1;
        }
        let fence = Fence {
            epoch: self.epoch,
            node,
        };
        if self.taken.last().is_none_or(|(last, _)| last.node != node) {
            self.taken.push((fence, self.log.len()));
            if self.taken.len() > TAKEN_OVER_MAX {
                self.taken.remove(0);
            }
        }
        self.fence = Some(fence);
        self.live = true;
        fence
    }

    fn is_held_under(&self, fence: Fence, rules: Rules) -> bool {
        if !rules.keep(Rule::FenceIsCompared) {
            return true;
        }
        self.fence.is_some_and(|held| {
            held == fence || !rules.keep(Rule::FenceNamesTheNode) && held.epoch == fence.epoch
        })
    }

    fn commit(&mut self, fence: Fence, id: u8, expected: u8, rules: Rules) -> Reply {
        if !self.is_held_under(fence, rules) {
            return Reply::Fenced;
        }
        if self.log.last() == Some(id) && rules.keep(Rule::LastCommitIsKnownAgain) {
            return Reply::Committed;
        }
        if !self.live && rules.keep(Rule::LapsedLeaseIsRefused) {
            return Reply::Lapsed;
        }
        if self.log.len() != expected && rules.keep(Rule::VersionIsCompared) {
            return Reply::Regressed {
                stored: self.log.len(),
            };
        }
        self.log = self.log.with(id);
        self.live = true;
        Reply::Committed
    }

    fn repair(&mut self, fence: Fence, log: Log, out: Option<u8>, rules: Rules) -> Reply {
        if self.log.last().is_some()
            && self.log.last() == out
            && rules.keep(Rule::CommitOfUnknownFateIsOurs)
        {
            return Reply::Fenced;
        }
        if rules.keep(Rule::RepairYieldsToLaterOwners)
            && let Some(refusal) = self.had_by_others_since(fence, log, rules)
        {
            return refusal;
        }
        let known = self.log.last().is_none_or(|last| log.contains(last));
        if !known && rules.keep(Rule::RepairKnowsWhatItReplaces) {
            if log.len() == 0 {
                return Reply::Fenced;
            }
            return Reply::Overtaken {
                from: self.log.len().min(log.len() - 1),
            };
        }
        if self.log.len() >= log.len() {
            return Reply::Regressed {
                stored: self.log.len(),
            };
        }
        self.log = log;
        self.epoch = self.epoch.max(fence.epoch);
        let fence = self.give_to(fence.node, rules);
        Reply::Repaired { fence }
    }

    fn had_by_others_since(&self, fence: Fence, log: Log, rules: Rules) -> Option<Reply> {
        let ends = self
            .taken
            .iter()
            .skip(1)
            .map(|(next, _)| next.epoch)
            .chain([self.epoch + 1]);
        let mut runs = self.taken.iter().zip(ends);
        let since = runs.find(|((first, _), end)| first.node != fence.node && *end > fence.epoch);
        let ((first, found), _) = since?;
        if !rules.keep(Rule::TakingOverIsRemembered) {
            return Some(Reply::Fenced);
        }
        let went_back = first.epoch <= fence.epoch;
        let is_ours = self.log.last().is_some_and(|last| log.contains(last));
        let has_ours = log.last().is_none() || is_ours && self.log.len() >= log.len();
        if !has_ours && (*found < log.len() || went_back) {
            return Some(Reply::Overtaken { from: *found });
        }
        Some(Reply::Fenced)
    }

    pub(super) fn release(&mut self, fence: Fence, known: u8, rules: Rules) -> Reply {
        if !self.is_held_under(fence, rules) {
            return Reply::Fenced;
        }
        if self.log.len() != known && rules.keep(Rule::ReleaseComparesTheVersion) {
            return Reply::Regressed {
                stored: self.log.len(),
            };
        }
        self.fence = None;
        self.live = false;
        Reply::Released
    }
}
