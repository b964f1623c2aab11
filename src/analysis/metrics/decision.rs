//! The kinds of decisions, and their counts in a piece of code.

use serde::{Deserialize, Serialize};

/// A construct at which control flow may branch. A [`Profile`](crate::analysis::Profile) defines which of them count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DecisionKind {
    /// `if`, `elif`, `else if`.
    If,
    /// A loop with a condition or over a collection.
    Loop,
    /// Rust `loop`.
    BareLoop,
    ComprehensionFor,
    ComprehensionIf,
    /// A whole `switch`, `match` or `select`.
    Switch,
    /// A label or arm other than the default.
    Case,
    DefaultCase,
    /// `case name` and `case _ if …` of Python, `name =>` of Rust: matches everything, with a name or a condition.
    CaptureCase,
    /// A condition on a case or arm.
    Guard,
    Catch,
    Ternary,
    /// `&&`, `||`, `and`, `or`: each one.
    BooleanOperator,
    /// `??`.
    NullCoalesce,
    /// `?.`.
    OptionalChain,
    /// `&&=`, `||=`, `??=`.
    LogicalAssignment,
    /// A default value of a parameter or in a pattern.
    DefaultParameter,
    Assert,
    /// `else` of a loop.
    LoopElse,
    /// `else` of a `try`.
    TryElse,
    Finally,
    /// Rust `?`.
    TryOperator,
    /// Rust `let … else`.
    LetElse,
    /// Rust `where`.
    Where,
    /// `#if`, `#ifdef`, `#elif`.
    PreprocessorBranch,
}

impl DecisionKind {
    pub const ALL: [Self; 25] = [
        Self::If,
        Self::Loop,
        Self::BareLoop,
        Self::ComprehensionFor,
        Self::ComprehensionIf,
        Self::Switch,
        Self::Case,
        Self::DefaultCase,
        Self::CaptureCase,
        Self::Guard,
        Self::Catch,
        Self::Ternary,
        Self::BooleanOperator,
        Self::NullCoalesce,
        Self::OptionalChain,
        Self::LogicalAssignment,
        Self::DefaultParameter,
        Self::Assert,
        Self::LoopElse,
        Self::TryElse,
        Self::Finally,
        Self::TryOperator,
        Self::LetElse,
        Self::Where,
        Self::PreprocessorBranch,
    ];
}

/// Counts of each kind of decision in a piece of code. A profile is a set of weights for these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionCounts {
    body: [u32; DecisionKind::ALL.len()],
    aside: [u32; DecisionKind::ALL.len()],
}

impl DecisionCounts {
    /// Everywhere in the piece.
    pub fn get(&self, kind: DecisionKind) -> u32 {
        self.body(kind).saturating_add(self.aside(kind))
    }

    /// Without the decisions counted aside.
    pub fn body(&self, kind: DecisionKind) -> u32 {
        self.body[kind as usize]
    }

    /// Decisions in parameters, decorators, assertions, the bodies of classes nested in a function, and below `#else`:
    /// some tools do not count there.
    pub fn aside(&self, kind: DecisionKind) -> u32 {
        self.aside[kind as usize]
    }

    pub(super) fn add(&mut self, kind: DecisionKind, aside: bool) {
        let counts = if aside {
            &mut self.aside
        } else {
            &mut self.body
        };
        counts[kind as usize] = counts[kind as usize].saturating_add(1);
    }
}
