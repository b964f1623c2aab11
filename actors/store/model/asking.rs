//! One node asks the other before a repair.

use super::node::Talk;
use super::record::{Reply, Request, Standing};
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

    /// The other node stores its own state first, if it owned the session later.
    pub(super) fn ask_the_other(&mut self, number: u8, rules: Rules) {
        let other = 1 - number;
        let node = &self.nodes[usize::from(other)];
        let Some(fence) = node.fence.filter(|_| rules.keep(Rule::LivingNodesAreAsked)) else {
            return;
        };
        if !self.other_was_later(number) {
            return;
        }
        let request = Request::Repair {
            fence,
            log: node.log,
            turns: node.turns,
            out: node.out,
            aside: self.nodes[usize::from(number)].fence,
        };
        // If it is refused, its own actor finds out why.
        if let Reply::Repaired { fence, .. } = self.apply(&request, rules) {
            let node = self.node(other);
            node.has(fence);
            // Its pending commit goes on under the new fence, as the fallback does it.
            if let Talk::Asked(Request::Commit { .. }) = node.talk {
                node.send_out();
            }
        }
    }
}
