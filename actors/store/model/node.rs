//! A node of the model, with its session actor.

use super::record::{Claim, Fence, Log, Reply, Request, Turns};
use super::{Rule, Rules};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Talk {
    Silent,
    Asked(Request),
    /// The reply is on its way.
    Answered(Request, Reply),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// `None`: the session is not loaded on this node.
    pub(super) fence: Option<Fence>,
    pub(super) log: Log,
    pub(super) turns: Turns,
    /// The newest epoch that the node has had; it outlives the session actor.
    pub(super) epoch: u8,
    pub(super) out: Option<u8>,
    pub(super) talk: Talk,
    /// Whether it has asked the other node since the store was rolled back. Outlives the session actor.
    pub(super) asked: bool,
}

impl Node {
    pub(super) fn forget(&mut self) {
        (self.fence, self.log, self.out) = (None, Log::default(), None);
        self.turns = Turns::default();
    }

    pub(super) fn has(&mut self, fence: Fence) {
        self.fence = Some(fence);
        self.epoch = fence.epoch;
    }

    pub(super) fn ask_for_it(&mut self, number: u8) {
        self.talk = Talk::Asked(Request::Acquire {
            node: number,
            after: self.epoch,
        });
    }

    pub(super) fn send_out(&mut self) {
        if let (Some(fence), Some(id)) = (self.fence, self.out) {
            self.talk = Talk::Asked(Request::Commit {
                fence,
                id,
                onto: self.log,
            });
        }
    }

    pub(super) fn ask_for_repair(&mut self) {
        if let Some(fence) = self.fence {
            self.talk = Talk::Asked(Request::Repair {
                fence,
                log: self.log,
                turns: self.turns,
                out: self.out,
                aside: None,
            });
        }
    }

    pub(super) fn claim(&self, number: u8) -> Claim {
        Claim {
            node: number,
            turns: self.turns,
            version: self.log.len(),
        }
    }

    /// Called for the first acquisition, and for one after the lease ended under a pending commit.
    pub(super) fn acquired(&mut self, fence: Fence, log: Log, turns: Turns, rules: Rules) {
        let Some(out) = self.out else {
            self.has(fence);
            (self.log, self.turns) = (log, turns);
            return;
        };
        let same = self.log.len() == log.len()
            && (self.log.last() == log.last() || !rules.keep(Rule::LineageIsCompared));
        self.has(fence);
        if !(same || log.last() == Some(out)) {
            return self.ask_for_repair();
        }
        self.turns = turns;
        self.send_out();
    }
}
