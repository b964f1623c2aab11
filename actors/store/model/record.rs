//! The stored session and the effect of each operation on it: the scripts, in a few lines each.

use super::{Rule, Rules};
use crate::store::lineage::TURNS_MAX;

/// Commit ids, oldest first, four bits each. In this model the log is the session's state.
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

/// The model's [`crate::store::Turn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) epoch: u8,
    pub(super) node: u8,
    pub(super) found: u8,
}

/// The model's [`crate::store::Lineage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(super) struct Turns {
    all: [Turn; TURNS_MAX],
    count: u8,
}

/// The turns of a node and the version it reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) node: u8,
    pub(super) turns: Turns,
    pub(super) version: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Later { from: u8 },
    Found,
    Overtaken { from: u8 },
}

impl Turns {
    pub(super) fn as_slice(&self) -> &[Turn] {
        &self.all[..usize::from(self.count)]
    }

    pub(super) fn last(&self) -> Option<Turn> {
        self.as_slice().last().copied()
    }

    /// The epoch with which the newest owner began.
    pub(super) fn began(&self) -> Option<u8> {
        newest(self.as_slice())
    }

    /// The same for the newest owner other than `node`.
    pub(super) fn began_by_another(&self, node: u8) -> Option<u8> {
        let all = self.as_slice();
        let newer = all.iter().rev().take_while(|turn| turn.node == node);
        newest(&all[..all.len() - newer.count()])
    }

    fn is_last(&self, node: u8) -> bool {
        self.last().is_some_and(|last| last.node == node)
    }

    pub(super) fn acquired(&mut self, epoch: u8, node: u8, found: u8) {
        if usize::from(self.count) == TURNS_MAX {
            self.all.rotate_left(1);
            self.count -= 1;
        }
        self.all[usize::from(self.count)] = Turn { epoch, node, found };
        self.count += 1;
    }

    fn without(mut self, fence: Option<Fence>) -> Self {
        let began = |last: Turn| {
            fence
                == Some(Fence {
                    epoch: last.epoch,
                    node: last.node,
                })
        };
        if self.last().is_some_and(began) {
            self.count -= 1;
            self.all[usize::from(self.count)] = Turn::default();
        }
        self
    }

    fn beside<'a>(&'a self, other: &Self) -> &'a [Turn] {
        let oldest = other.all[0].epoch;
        let full = usize::from(other.count) == TURNS_MAX;
        let from = self
            .as_slice()
            .partition_point(|turn| full && turn.epoch < oldest);
        &self.as_slice()[from..]
    }

    pub(super) fn judge(&self, stored: u8, claim: &Claim, rules: Rules) -> Standing {
        let (theirs, ours) = (self.beside(&claim.turns), claim.turns.beside(self));
        let both = theirs.iter().zip(ours);
        let shared = both.take_while(|(theirs, ours)| theirs == ours).count();
        let mut since = theirs[shared..].iter();
        let mine = rules.keep(Rule::OwnTurnIsNobodyElses);
        let other = since.find(|turn| !mine || turn.node != claim.node);
        let own = ours.get(shared);
        let yields = rules.keep(Rule::RepairYieldsToLaterOwners);
        let (from, later) = match (other, own) {
            (None, None) => (stored, true),
            (None, Some(own)) => (own.found.min(stored), true),
            (Some(other), None) => (other.found, !yields),
            (Some(_), Some(own)) => {
                let later = newest(ours) > newest(theirs) || !yields;
                (theirs[shared].found.min(own.found), later)
            }
        };
        // Without the rule, the longer branch counts as the later one.
        if !rules.keep(Rule::HigherFenceWins) && later && claim.version <= stored {
            return Standing::Overtaken { from };
        }
        if claim.version <= from {
            return Standing::Found;
        }
        if later {
            return Standing::Later { from };
        }
        Standing::Overtaken { from }
    }
}

fn newest(turns: &[Turn]) -> Option<u8> {
    let last = turns.last()?;
    let run = turns.iter().rev().take_while(|turn| turn.node == last.node);
    run.last().map(|first| first.epoch)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Record {
    pub(super) epoch: u8,
    pub(super) fence: Option<Fence>,
    /// Whether the lease is valid by the store's clock.
    pub(super) live: bool,
    pub(super) log: Log,
    pub(super) turns: Turns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Request {
    /// `after`: the newest epoch that this node has had of the session.
    Acquire { node: u8, after: u8 },
    /// `onto` is the state the sender believes to be stored. It is not part of the protocol; the checker compares it.
    Commit { fence: Fence, id: u8, onto: Log },
    /// `log` stands for the state and its version; `out` is the pending commit of unknown fate.
    Repair {
        fence: Fence,
        log: Log,
        turns: Turns,
        out: Option<u8>,
        /// The fence of the node that asked this one before it continued.
        aside: Option<Fence>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    Acquired {
        fence: Fence,
        log: Log,
        turns: Turns,
    },
    Committed,
    Released,
    Repaired {
        fence: Fence,
        dropped: u8,
    },
    Held,
    Fenced,
    Lapsed,
    Regressed {
        stored: u8,
    },
    Overtaken {
        from: u8,
    },
}

impl Record {
    pub(super) fn step(&mut self, request: &Request, rules: Rules) -> Reply {
        match *request {
            Request::Acquire { node, after } => self.acquire(node, after, rules),
            Request::Commit { fence, id, onto } => self.commit(fence, id, onto.len(), rules),
            Request::Repair {
                fence,
                log,
                turns,
                out,
                aside,
            } => self.repair(fence, log, turns, out, aside, rules),
        }
    }

    fn acquire(&mut self, node: u8, after: u8, rules: Rules) -> Reply {
        let held = self
            .fence
            .is_some_and(|fence| self.live && fence.node != node);
        if held && rules.keep(Rule::LiveLeaseIsLeftAlone) {
            return Reply::Held;
        }
        let fence = self.give_to(node, after, rules);
        Reply::Acquired {
            fence,
            log: self.log,
            turns: self.turns,
        }
    }

    fn give_to(&mut self, node: u8, after: u8, rules: Rules) -> Fence {
        if rules.keep(Rule::EpochsOfANodeRise) {
            self.epoch = self.epoch.max(after);
        }
        let same = self.fence.is_some_and(|fence| fence.node == node);
        if !same || rules.keep(Rule::EachAcquisitionRaisesTheEpoch) {
            self.epoch += 1;
        }
        self.turns.acquired(self.epoch, node, self.log.len());
        let fence = Fence {
            epoch: self.epoch,
            node,
        };
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

    fn repair(
        &mut self,
        fence: Fence,
        log: Log,
        turns: Turns,
        out: Option<u8>,
        aside: Option<Fence>,
        rules: Rules,
    ) -> Reply {
        if self.log.last().is_some() && self.log.last() == out {
            return Reply::Fenced;
        }
        let newer = self.turns.is_last(fence.node) && self.epoch > fence.epoch;
        if newer && rules.keep(Rule::RepairNamesTheNewestFence) {
            return Reply::Lapsed;
        }
        let claim = Claim {
            node: fence.node,
            turns,
            version: log.len(),
        };
        let dropped = match self
            .turns
            .without(aside)
            .judge(self.log.len(), &claim, rules)
        {
            Standing::Later { from } => self.log.len() - from,
            Standing::Overtaken { from } if rules.keep(Rule::TakingOverIsRemembered) => {
                return Reply::Overtaken { from };
            }
            Standing::Overtaken { .. } | Standing::Found => return Reply::Fenced,
        };
        self.log = log;
        self.turns = turns;
        let fence = self.give_to(fence.node, fence.epoch, rules);
        if turns.is_last(fence.node) {
            self.turns = turns;
        }
        Reply::Repaired { fence, dropped }
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
