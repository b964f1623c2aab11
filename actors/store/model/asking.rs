//! One node asks the other before a repair, and before its first commit after a rollback.

use super::node::Talk;
use super::record::{Fence, Record, Reply, Request, Standing};
use super::world::World;
use super::{Rule, Rules};

impl World {
    pub(super) fn other_was_later(&self, number: u8) -> bool {
        let (node, other) = (
            &self.nodes[usize::from(number)],
            &self.nodes[usize::from(1 - number)],
        );
        let claim = other.claim(1 - number);
        let all = Rules { without: None };
        let standing = node.turns.judge(node.log.len(), &claim, all);
        other.fence.is_some() && matches!(standing, Standing::Later { .. })
    }

    /// Whether the other node owned the session later than the store knows, and changed it.
    pub(super) fn lacks_what_the_other_has(&self, number: u8) -> bool {
        let other = &self.nodes[usize::from(1 - number)];
        let (claim, all) = (other.claim(1 - number), Rules { without: None });
        let Record { turns, log, .. } = &self.record;
        let standing = turns.judge(log.len(), &claim, all);
        other.fence.is_some() && matches!(standing, Standing::Later { .. })
    }

    /// Asks before a repair or a commit that is about to be sent, if a rule says so.
    pub(super) fn ask_first(&mut self, number: u8, rules: Rules) {
        let rule = match self.nodes[usize::from(number)].talk {
            Talk::Asked(Request::Repair { .. }) => Rule::LivingNodesAreAsked,
            Talk::Asked(Request::Commit { .. }) if self.must_ask(number) => {
                Rule::OwnersAskAfterARestart
            }
            Talk::Silent | Talk::Asked(_) | Talk::Answered(..) => return,
        };
        if rules.keep(rule) {
            self.ask_the_other(number, rules);
        }
    }

    /// The other node stores its own state first, if it owned the session later.
    fn ask_the_other(&mut self, number: u8, rules: Rules) {
        let other = 1 - number;
        let node = &self.nodes[usize::from(other)];
        let Some(fence) = node.fence else {
            return;
        };
        if !self.other_was_later(number) {
            return;
        }
        let asker = &self.nodes[usize::from(number)];
        let last = asker.turns.last();
        let began = |fence: &Fence| {
            last.map(|last| (last.epoch, last.node)) == Some((fence.epoch, fence.node))
        };
        let request = Request::Repair {
            fence,
            log: node.log,
            turns: node.turns,
            out: node.out,
            aside: asker.fence.filter(|fence| !began(fence)),
        };
        // If it is refused, its own actor finds out why.
        if let Reply::Repaired { fence, .. } = self.apply(&request, rules) {
            let node = self.node(other);
            node.has(fence);
            // Its pending commit continues under the new fence, as in the fallback.
            if let Talk::Asked(Request::Commit { .. }) = node.talk {
                node.send_out();
            }
        }
    }
}
