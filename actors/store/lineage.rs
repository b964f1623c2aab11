//! Who has had a session, one node after the other: what tells two branches of a session apart when its store has gone
//! back. The store keeps it beside the session; an owner remembers it as it was when he acquired the session.
//!
//! A store that went back has forgotten the newest turns, or has other turns in their place. Which branch is the later
//! one is decided here, by the store that is asked to take a branch and by the nodes that ask each other. The script
//! `repair.lua` does the same; `redis/tests/random.rs` compares the two.

use std::fmt;

use crate::ids::NodeId;
use crate::store::Fence;

/// So many turns are remembered. An owner who was away for longer than that hears no more than that he was.
pub(crate) const TURNS_MAX: usize = 8;

/// The time for which one node had the session: from acquiring it until it is acquired again, by that node or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Of the fence that it began with. A node is given no epoch twice, so that its turns differ.
    pub epoch: u64,
    pub node: NodeId,
    /// The version that the node found.
    pub found: u64,
}

/// The newest eight turns, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lineage(Vec<Turn>);

/// What a node knows of a session: its turns, and the version that it had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub node: NodeId,
    /// The newest epoch that it was given.
    pub epoch: u64,
    pub lineage: Lineage,
    pub version: u64,
}

/// How a claim stands against what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the later one. Both are the same up to version `from`.
    Later { from: u64 },
    /// All of it is in what is stored.
    Found,
    /// Another node went on from version `from`, and the claim goes beyond that.
    Overtaken { from: u64 },
}

// === impl Lineage ===

impl Lineage {
    /// That node acquires the session.
    pub(crate) fn acquired(&mut self, epoch: u64, node: NodeId, found: u64) {
        self.0.push(Turn { epoch, node, found });
        if self.0.len() > TURNS_MAX {
            self.0.remove(0);
        }
    }

    pub(crate) fn last(&self) -> Option<&Turn> {
        self.0.last()
    }

    pub(crate) fn is_last(&self, node: NodeId) -> bool {
        self.last().is_some_and(|last| last.node == node)
    }

    /// From the oldest turn that `other` remembers, where it may have forgotten those before.
    fn beside<'a>(&'a self, other: &Self) -> &'a [Turn] {
        let oldest = other.0.first().filter(|_| other.0.len() >= TURNS_MAX);
        let from = oldest.map_or(0, |oldest| {
            self.0.partition_point(|turn| turn.epoch < oldest.epoch)
        });
        &self.0[from..]
    }

    /// Compares `claim` with what is stored, which is of this lineage and at version `stored`. The higher fence wins
    /// where both have turns that the other does not know.
    pub(crate) fn judge(&self, stored: u64, claim: &Claim) -> Standing {
        let (theirs, ours) = (self.beside(&claim.lineage), claim.lineage.beside(self));
        let both = theirs.iter().zip(ours);
        let shared = both.take_while(|(theirs, ours)| theirs == ours).count();
        // What the claimant itself acquired since is nobody else's turn.
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

    /// Without the newest turn, where it began with `fence`.
    pub(crate) fn without(&self, fence: Option<Fence>) -> Self {
        let began = |last: &Turn| Some((last.epoch, last.node)) == fence.map(|f| (f.epoch, f.node));
        let kept = self.0.len() - usize::from(self.last().is_some_and(began));
        Self(self.0[..kept].to_vec())
    }

    /// As it is stored and sent. `None`: written by somebody else.
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

/// The epoch with which the newest owner began, however often it acquired the session again: a node that goes on with
/// what it had does not become a later owner by it.
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
