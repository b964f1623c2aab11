//! Reads a text, first as written. A text with errors is read again without the syntax that the grammar does not know.
//! The parts that are still broken are then read piece by piece ([`regions`]).
//!
//! The work is bounded: two readings of the whole, and [`regions::READ_BUDGET`] times its length for all pieces.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::Tree;

use super::code::Code;
use super::conditionals::{Conditional, Cut, blanked, conditionals, directive, hidden, merged};
use super::macros::{bare_calls, comments_in_macros};
use super::masks::{self, Edits};
use super::regions::{self, Region};
use super::suspects::is_suspect;
use super::tokens::{TokenKind, Tokens};
use super::{Step, cplusplus, damage, parse, traverse};
use crate::analysis::metrics::hash;
use crate::analysis::{Cancelled, DecisionKind, Language};

/// The trees of a text, and the text for them, which has the length and the lines of the file.
pub(super) struct Reading<'t> {
    pub(super) region: Region,
    pub(super) text: Cow<'t, str>,
    /// Tokens that are in no tree, in source order.
    pub(super) unread: Vec<Unread>,
    /// Whether it is C++.
    pub(super) cplusplus: bool,
}

/// A token of the file that is not in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analysis) struct Unread {
    pub(in crate::analysis) span: Range<usize>,
    pub(in crate::analysis) comment: bool,
    pub(in crate::analysis) decision: Option<DecisionKind>,
    /// Its range in the file.
    pub(in crate::analysis) hash: u64,
}

pub(super) fn read<'t>(
    language: Language,
    text: &'t str,
    cancelled: &dyn Fn() -> bool,
) -> Result<Reading<'t>, Cancelled> {
    let text = line_ends(language, text);
    let mut best = Attempt::first(language, &text, cancelled)?;
    let has_error = best.tree.root_node().has_error();
    if has_error || is_suspect(language, &best.tree, &text) {
        let mut cut = Vec::new();
        if language == Language::C {
            let found = conditionals(&text, cancelled)?;
            if has_error && cplusplus::is_cplusplus(&text, &found, cancelled)? {
                return Ok(best.finish(language, text, true, None));
            }
            cut = cut_stretches(&text, &found, &best.tree, cancelled)?;
        }
        if let Some(second) = Attempt::second(language, &text, cut, cancelled)?
            && second.is_better(&best, cancelled)?
        {
            best = second;
        }
    }
    let mut region = None;
    if best.tree.root_node().has_error() {
        let code = Code::new(language, best.parsed(&text), cancelled)?;
        region = regions::read(&code, &best.tree, cancelled)?;
    }
    if !best.apart.is_empty() {
        let apart = regions::apart(language, best.shown(&text), &best.apart, cancelled)?;
        let region = region.get_or_insert_with(|| Region::whole(best.tree.clone(), text.len()));
        region.add(apart);
    }
    Ok(best.finish(language, text, false, region))
}

/// Single carriage returns end lines too: in Python, Java and JavaScript by definition, in other languages if the text
/// has no other line ends, as in editors.
fn line_ends(language: Language, text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let by_definition = match language {
        Language::Java
        | Language::JavaScript
        | Language::Python
        | Language::TypeScript
        | Language::Tsx => true,
        Language::C | Language::Go | Language::Rust => false,
    };
    let is_alone = |at: usize| bytes.get(at + 1) != Some(&b'\n');
    let is_there = memchr::memchr_iter(b'\r', bytes).any(is_alone);
    if !is_there || !(by_definition || memchr::memchr(b'\n', bytes).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut mended = bytes.to_vec();
    for at in memchr::memchr_iter(b'\r', bytes).filter(|at| is_alone(*at)) {
        mended[at] = b'\n';
    }
    String::from_utf8(mended).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// One reading of the whole.
struct Attempt {
    tree: Tree,
    /// The text without the removed ranges; `None`: all of it.
    shown: Option<String>,
    /// The text of the tree; `None`: the text that is shown.
    parsed: Option<String>,
    /// Tokens that are in neither.
    hidden: Vec<Range<usize>>,
    /// Ranges left out of the tree, to be read separately.
    apart: Vec<Range<usize>>,
}

impl Attempt {
    fn first(
        language: Language,
        text: &str,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let edits = masks::signed(language, text, cancelled)?;
        Self::read(language, text, None, Vec::new(), edits, cancelled)
    }

    /// `None`: there is nothing to mask.
    fn second(
        language: Language,
        text: &str,
        cut: Vec<Range<usize>>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Cancelled> {
        let shown = (!cut.is_empty()).then(|| blanked(text, &cut));
        let code = Code::new(language, shown.as_deref().unwrap_or(text), cancelled)?;
        let edits = masks::all(&code, cancelled)?;
        drop(code);
        if edits.is_empty() && cut.is_empty() {
            return Ok(None);
        }
        Self::read(language, text, shown, cut, edits, cancelled).map(Some)
    }

    fn read(
        language: Language,
        text: &str,
        shown: Option<String>,
        cut: Vec<Range<usize>>,
        edits: Edits,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let base = shown.as_deref().unwrap_or(text);
        let parsed = (!edits.is_empty()).then(|| edits.apply(base));
        let tree = parse(language, parsed.as_deref().unwrap_or(base), cancelled)?;
        let mut hidden = cut;
        hidden.extend(edits.blanks());
        let apart = edits.apart;
        Ok(Self {
            tree,
            parsed,
            shown,
            hidden: merged(hidden),
            apart,
        })
    }

    fn shown<'a>(&'a self, text: &'a str) -> &'a str {
        self.shown.as_deref().unwrap_or(text)
    }

    fn parsed<'a>(&'a self, text: &'a str) -> &'a str {
        self.parsed.as_deref().unwrap_or_else(|| self.shown(text))
    }

    /// Whether less of it is broken. A suspect reading without errors is replaced if the other one has none either.
    fn is_better(&self, other: &Self, cancelled: &dyn Fn() -> bool) -> Result<bool, Cancelled> {
        let (here, there) = (
            damage(&self.tree, cancelled)?,
            damage(&other.tree, cancelled)?,
        );
        Ok(here < there || there.is_none())
    }

    fn finish<'t>(
        self,
        language: Language,
        text: Cow<'t, str>,
        cplusplus: bool,
        region: Option<Region>,
    ) -> Reading<'t> {
        let unread = self
            .hidden
            .iter()
            .flat_map(|stretch| unread(language, &text, stretch.clone()))
            .collect();
        Reading {
            region: region.unwrap_or_else(|| Region::whole(self.tree, text.len())),
            unread,
            text: match self.shown {
                Some(shown) => Cow::Owned(shown),
                None => text,
            },
            cplusplus,
        }
    }
}

/// The ranges removed from C first: branches that cut through the surrounding code, and macros that the grammar cannot
/// read.
fn cut_stretches(
    text: &str,
    found: &[Conditional],
    tree: &Tree,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Range<usize>>, Cancelled> {
    let legible = match found.iter().any(|one| one.cut == Cut::Perhaps) {
        true => legible(tree, cancelled)?,
        false => HashMap::new(),
    };
    let cut: Vec<&Conditional> = found.iter().filter(|one| is_cut(one, &legible)).collect();
    let mut stretches = hidden(text, &cut, cancelled)?;
    stretches.extend(comments_in_macros(text));
    stretches.extend(bare_calls(text));
    Ok(merged(stretches))
}

/// Decisions in unread code are found by its words.
fn unread(language: Language, text: &str, stretch: Range<usize>) -> impl Iterator<Item = Unread> {
    Tokens::reading(language, text, stretch).map(move |token| {
        let written = &text[token.span.clone()];
        let decision = match (token.kind, written) {
            (TokenKind::Word, "if") => Some(DecisionKind::If),
            (TokenKind::Word, "for" | "while") => Some(DecisionKind::Loop),
            (TokenKind::Word, "case") => Some(DecisionKind::Case),
            (TokenKind::Word, "switch") => Some(DecisionKind::Switch),
            (TokenKind::Mark, "?") => Some(DecisionKind::Ternary),
            (TokenKind::Mark, "&&" | "||") => Some(DecisionKind::BooleanOperator),
            (TokenKind::Directive, _) => match directive(text, &token.span).0 {
                "if" | "ifdef" | "ifndef" | "elif" | "elifdef" | "elifndef" => {
                    Some(DecisionKind::PreprocessorBranch)
                }
                _ => None,
            },
            _ => None,
        };
        Unread {
            comment: token.kind == TokenKind::Comment,
            span: token.span,
            decision,
            hash: hash::of(written.as_bytes()),
        }
    })
}

fn is_cut(conditional: &Conditional, legible: &HashMap<usize, usize>) -> bool {
    match conditional.cut {
        Cut::Yes => true,
        Cut::No => false,
        Cut::Perhaps => {
            let end = legible.get(&conditional.start);
            end.is_none_or(|end| *end < conditional.last())
        }
    }
}

/// Starts and ends of the conditionals that the grammar could read.
fn legible(tree: &Tree, cancelled: &dyn Fn() -> bool) -> Result<HashMap<usize, usize>, Cancelled> {
    let mut found = HashMap::new();
    traverse(tree.walk(), cancelled, |step, visit| {
        let node = visit.node;
        let begins = matches!(step, Step::Enter) && node.kind().starts_with("preproc_if");
        if begins && !node.has_error() {
            found.insert(node.start_byte(), node.end_byte());
        }
    })?;
    Ok(found)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
