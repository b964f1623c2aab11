//! Counting conventions, each as a set of weights.
//!
//! Each profile other than [`Profile::Strict`] and [`Profile::Modified`] reproduces the values of one tool, so that a
//! team can compare them with its linter.

use super::metrics::{DecisionCounts, DecisionKind};
use super::{ANONYMOUS, Function, FunctionKind, Language};

/// The convention of `cyclomatic`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// McCabe 1976 with each condition counted.
    #[default]
    Strict,
    /// The same, with a whole switch as one decision.
    Modified,
    /// radon 6.0.1, `radon cc`.
    Radon,
    /// ESLint 10, rule `complexity`, variant `classic`.
    Eslint,
    /// gocyclo 0.6.0.
    Gocyclo,
    /// Checkstyle 8.36.1, module `CyclomaticComplexity`, `switchBlockAsSingleDecisionPoint` off.
    Checkstyle,
    /// pmccabe 2.8, the column of the traditional count.
    Pmccabe,
    /// lizard 1.24.3.
    Lizard,
}

impl Profile {
    pub const ALL: [Self; 8] = [
        Self::Strict,
        Self::Modified,
        Self::Radon,
        Self::Eslint,
        Self::Gocyclo,
        Self::Checkstyle,
        Self::Pmccabe,
        Self::Lizard,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Modified => "modified",
            Self::Radon => "radon",
            Self::Eslint => "eslint",
            Self::Gocyclo => "gocyclo",
            Self::Checkstyle => "checkstyle",
            Self::Pmccabe => "pmccabe",
            Self::Lizard => "lizard",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The tool and version that it was checked against; `None` for the two that follow a definition.
    pub fn reference(self) -> Option<&'static str> {
        match self {
            Self::Strict | Self::Modified => None,
            Self::Radon => Some("radon 6.0.1"),
            Self::Eslint => Some("ESLint 10 complexity"),
            Self::Gocyclo => Some("gocyclo 0.6.0"),
            Self::Checkstyle => Some("Checkstyle 8.36.1 CyclomaticComplexity"),
            Self::Pmccabe => Some("pmccabe 2.8"),
            Self::Lizard => Some("lizard 1.24.3"),
        }
    }

    /// The kinds that count 1 each.
    fn counted(self, language: Language) -> &'static [DecisionKind] {
        match self {
            Self::Strict | Self::Gocyclo | Self::Checkstyle | Self::Pmccabe => STRICT,
            Self::Modified => MODIFIED,
            Self::Radon => RADON,
            Self::Eslint => ESLINT,
            Self::Lizard => match language {
                Language::Python => LIZARD_PYTHON,
                Language::Rust => LIZARD_RUST,
                Language::JavaScript | Language::TypeScript | Language::Tsx => LIZARD_JAVASCRIPT,
                Language::C => LIZARD_C,
                Language::Go | Language::Java => STRICT,
            },
        }
    }

    /// Whether decisions in [`DecisionCounts::aside`] count.
    fn counts_aside(self) -> bool {
        !matches!(self, Self::Radon | Self::Pmccabe)
    }

    /// The sum of these decisions, which is added to the base of 1.
    pub fn weigh(self, language: Language, decisions: &DecisionCounts) -> u32 {
        let body = self
            .counted(language)
            .iter()
            .map(|kind| decisions.body(*kind))
            .sum::<u32>();
        if !self.counts_aside() {
            return body;
        }
        body + self
            .counted(language)
            .iter()
            .map(|kind| decisions.aside(*kind))
            .sum::<u32>()
    }

    /// The same, with a whole switch as one decision.
    pub fn weigh_modified(self, language: Language, decisions: &DecisionCounts) -> u32 {
        let of = |kind| match self.counts_aside() {
            true => decisions.get(kind),
            false => decisions.body(kind),
        };
        let cases = self
            .counted(language)
            .iter()
            .filter(|kind| matches!(kind, DecisionKind::Case | DecisionKind::CaptureCase))
            .map(|kind| of(*kind))
            .sum::<u32>();
        let switches = match self.counted(language).contains(&DecisionKind::Switch) {
            true => 0,
            false => of(DecisionKind::Switch),
        };
        self.weigh(language, decisions) - cases + switches
    }

    /// Whether the tool adds this function's decisions to the surrounding function, without its base of 1.
    pub fn folds(self, language: Language, function: &Function) -> bool {
        function.parent.is_some() && self.hides(language, function)
    }

    /// Whether the tool shows this function on a separate line.
    pub fn lists(self, language: Language, function: &Function) -> bool {
        let nested = function.parent.is_some();
        match self {
            // A literal in a top-level `var` has a name, and is shown with it.
            Self::Gocyclo => !nested && function.name != ANONYMOUS,
            Self::Strict
            | Self::Modified
            | Self::Radon
            | Self::Eslint
            | Self::Checkstyle
            | Self::Pmccabe
            | Self::Lizard => !self.hides(language, function),
        }
    }

    fn hides(self, language: Language, function: &Function) -> bool {
        let closure = function.kind == FunctionKind::Closure;
        match self {
            Self::Strict | Self::Modified | Self::Eslint | Self::Pmccabe => false,
            Self::Gocyclo => true,
            Self::Radon | Self::Checkstyle => closure,
            Self::Lizard => {
                closure && matches!(language, Language::Python | Language::Java | Language::Rust)
            }
        }
    }
}

const STRICT: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::ComprehensionFor,
    DecisionKind::ComprehensionIf,
    DecisionKind::Case,
    DecisionKind::CaptureCase,
    DecisionKind::Catch,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
    DecisionKind::LetElse,
];

const MODIFIED: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::ComprehensionFor,
    DecisionKind::ComprehensionIf,
    DecisionKind::Switch,
    DecisionKind::Catch,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
    DecisionKind::LetElse,
];

const RADON: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::ComprehensionFor,
    DecisionKind::ComprehensionIf,
    DecisionKind::Case,
    DecisionKind::Catch,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
    DecisionKind::LetElse,
    DecisionKind::Assert,
    DecisionKind::LoopElse,
    DecisionKind::TryElse,
];

const ESLINT: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::ComprehensionFor,
    DecisionKind::ComprehensionIf,
    DecisionKind::Case,
    DecisionKind::CaptureCase,
    DecisionKind::Catch,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
    DecisionKind::LetElse,
    DecisionKind::NullCoalesce,
    DecisionKind::OptionalChain,
    DecisionKind::LogicalAssignment,
    DecisionKind::DefaultParameter,
];

const LIZARD_C: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::Case,
    DecisionKind::Catch,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
    DecisionKind::PreprocessorBranch,
];

const LIZARD_PYTHON: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::ComprehensionFor,
    DecisionKind::ComprehensionIf,
    DecisionKind::Case,
    DecisionKind::CaptureCase,
    DecisionKind::DefaultCase,
    DecisionKind::Guard,
    DecisionKind::Catch,
    DecisionKind::Finally,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
];

const LIZARD_RUST: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::Case,
    DecisionKind::Guard,
    DecisionKind::BooleanOperator,
    DecisionKind::LetElse,
    DecisionKind::TryOperator,
    DecisionKind::Where,
];

const LIZARD_JAVASCRIPT: &[DecisionKind] = &[
    DecisionKind::If,
    DecisionKind::Loop,
    DecisionKind::Case,
    DecisionKind::Catch,
    DecisionKind::Ternary,
    DecisionKind::BooleanOperator,
    DecisionKind::NullCoalesce,
    DecisionKind::LogicalAssignment,
    DecisionKind::DefaultParameter,
];
