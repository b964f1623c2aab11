//! The counts of one function while it is open.

use tree_sitter::Node;

use super::decision::{DecisionCounts, DecisionKind};
use super::halstead::{FileTally, Tally};
use super::hash;
use super::sketch::Sketch;
use crate::analysis::{Function, Halstead};

/// Represents a function's own name in digests.
const OWN_NAME: u64 = 0x6f77_6e20_6e61_6d65;

/// An open function, or the code outside all functions.
#[derive(Default)]
pub(super) struct Frame<'t> {
    /// Index among the functions; `None` outside.
    pub(super) function: Option<u32>,
    pub(super) node: Option<Node<'t>>,
    pub(super) name: Option<&'t str>,
    pub(super) name_hash: u64,
    /// The name of its receiver in the body.
    pub(super) receiver: Option<&'t str>,
    pub(super) is_method: bool,
    pub(super) parameters: u32,
    /// It only declares other functions: nesting does not rise in it.
    pub(super) declarative: bool,
    pub(super) decisions: DecisionCounts,
    pub(super) cognitive: u32,
    pub(super) recursive: bool,
    pub(super) exits: u32,
    pub(super) max_nesting: u32,
    /// Statements seen before it.
    pub(super) statements_before: u32,
    pub(super) tally: Tally,
    pub(super) digest: u64,
    pub(super) sketch: Sketch,
}

impl Frame<'_> {
    pub(super) fn decide(&mut self, kind: DecisionKind, aside: bool) {
        self.decisions.add(kind, aside);
    }

    /// Adds a token that is not compared with names.
    pub(super) fn digest(&mut self, token: u64) {
        self.digest = hash::mix(self.digest, token);
        self.sketch.add(token);
    }

    pub(super) fn digest_name(&mut self, token: u64) {
        let own = self.name.is_some() && token == self.name_hash;
        self.digest(if own { OWN_NAME } else { token });
    }

    /// Moves the counts into the function, except those that need the finished file. Returns the value that the
    /// surrounding function digests for it.
    pub(super) fn finish(self, function: &mut Function, file: &mut FileTally) -> u64 {
        function.halstead = self.tally.finish(file);
        function.decisions = self.decisions;
        function.cognitive = self.cognitive;
        function.cognitive_recursion = u32::from(self.recursive);
        function.exits = self.exits;
        function.max_nesting = self.max_nesting;
        function.body_digest = self.digest;
        function.body_sketch = self.sketch.finish();
        hash::mix(self.digest, self.name_hash)
    }

    pub(super) fn finish_outside(self, file: &mut FileTally) -> (DecisionCounts, u32, Halstead) {
        self.tally.finish(file);
        (self.decisions, self.cognitive, file.halstead())
    }
}
