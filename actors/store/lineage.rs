//! The owners of a session in order, used to tell two branches apart after its store was rolled back. The store keeps
//! the lineage with the session; each owner remembers it as of its own acquisition.
//!
//! A store that was rolled back has lost the newest turns, or has other turns in their place. The rule for which branch
//! is later is implemented here, for the store that is asked to accept a branch and for nodes that ask each other. The
//! script `repair.lua` implements the same rule, and `redis/tests/random.rs` compares the two.

use std::fmt;

use crate::ids::NodeId;
use crate::store::Fence;

/// Turns remembered. An owner that was replaced more turns ago learns only that it lost the session.
pub(crate) const TURNS_MAX: usize = 8;

/// The time during which one node owned the session, from one acquisition to the next one by any node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Epoch of its first fence. A node never gets the same epoch twice, so its turns differ.
    pub epoch: u64,
    pub node: NodeId,
    /// The version that the node found when it acquired the session.
    pub found: u64,
}

/// The newest eight turns, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lineage(Vec<Turn>);

/// What a node knows of a session: the turns, and the version it reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub node: NodeId,
    /// The newest epoch that the node was given.
    pub epoch: u64,
    pub lineage: Lineage,
    pub version: u64,
}

impl Claim {
    /// How many changes of the node's own turn are lost if only the first `from` versions remain. Other nodes count
    /// theirs.
    pub(crate) fn lost_after(&self, from: u64) -> u64 {
        let found = self.lineage.last().map_or(0, |own| own.found);
        self.version.saturating_sub(from.max(found))
    }
}

/// How a claim compares with the stored session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The claim is later. Both agree up to version `from`.
    Later { from: u64 },
    /// The stored session contains the whole claim.
    Found,
    /// Another node continued from version `from`, and the claim has changes beyond it.
    Overtaken { from: u64 },
}

// === impl Lineage ===

impl Lineage {
    /// Records that a node acquires the session.
    pub(crate) fn acquired(&mut self, epoch: u64, node: NodeId, found: u64) {
        self.0.push(Turn { epoch, node, found });
        if self.0.len() > TURNS_MAX {
            self.0.remove(0);
        }
    }

    pub(crate) fn last(&self) -> Option<&Turn> {
        self.0.last()
    }

    pub(crate) fn before_last(&self) -> Option<&Turn> {
        self.0.iter().nth_back(1)
    }

    pub(crate) fn is_last(&self, node: NodeId) -> bool {
        self.last().is_some_and(|last| last.node == node)
    }

    /// The turns that can be compared with `other`, which may have forgotten older ones.
    fn beside<'a>(&'a self, other: &Self) -> &'a [Turn] {
        let oldest = other.0.first().filter(|_| other.0.len() >= TURNS_MAX);
        let from = oldest.map_or(0, |oldest| {
            self.0.partition_point(|turn| turn.epoch < oldest.epoch)
        });
        &self.0[from..]
    }

    /// Compares `claim` with the stored session, which has this lineage and is at version `stored`. If both have turns
    /// that the other does not know, the higher fence wins.
    pub(crate) fn judge(&self, stored: u64, claim: &Claim) -> Standing {
        let (theirs, ours) = (self.beside(&claim.lineage), claim.lineage.beside(self));
        let both = theirs.iter().zip(ours);
        let shared = both.take_while(|(theirs, ours)| theirs == ours).count();
        // Later acquisitions by the claimant itself are not another owner's turns.
        let mut since = theirs[shared..].iter();
        let other = since.find(|turn| turn.node != claim.node);
        let own = ours.get(shared);
        let (from, later) = match (other, own) {
            (None, None) => (stored, true),
            (None, Some(own)) => (own.found.min(stored), true),
            (Some(other), None) => (other.found, false),
            (Some(_), Some(own)) => {
                let there = theirs[shared].found;
                (there.min(own.found), newest(ours) > newest(theirs))
            }
        };
        if claim.version <= from {
            return Standing::Found;
        }
        if later {
            return Standing::Later { from };
        }
        Standing::Overtaken { from }
    }

    /// Drops the newest turn if it began with `fence`.
    pub(crate) fn without(&self, fence: Option<Fence>) -> Self {
        let began = |last: &Turn| Some((last.epoch, last.node)) == fence.map(|f| (f.epoch, f.node));
        let kept = self.0.len() - usize::from(self.last().is_some_and(began));
        Self(self.0[..kept].to_vec())
    }

    /// Parses the stored form. `None`: not written by this code.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let turn = |word: &str| {
            let (epoch, rest) = word.split_once(':')?;
            let (node, found) = rest.split_once('@')?;
            Some(Turn {
                epoch: epoch.parse().ok()?,
                node: NodeId::parse(node).ok()?,
                found: found.parse().ok()?,
            })
        };
        let turns: Option<Vec<_>> = text.split_whitespace().map(turn).collect();
        turns.filter(|turns| turns.len() <= TURNS_MAX).map(Self)
    }
}

/// The epoch with which the newest owner began, however often it acquired the session again. Acquiring it again to
/// continue does not make a node a later owner.
fn newest(turns: &[Turn]) -> Option<u64> {
    let last = turns.last()?;
    let run = turns.iter().rev().take_while(|turn| turn.node == last.node);
    run.last().map(|first| first.epoch)
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, Turn { epoch, node, found }) in self.0.iter().enumerate() {
            let space = if nth > 0 { " " } else { "" };
            write!(f, "{space}{epoch}:{node}@{found}")?;
        }
        Ok(())
    }
}
