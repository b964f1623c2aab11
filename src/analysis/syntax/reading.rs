//! How a text is read: once as it stands, and C that cannot be read so once more, without the branches and macros that
//! stand in the way.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::Tree;

use super::conditionals::{Conditional, Cut, blanked, conditionals, directive, hidden, merged};
use super::macros::{bare_calls, comments_in_macros};
use super::tokens::{TokenKind, Tokens};
use super::{NODES_PER_CHECK, Step, cplusplus, parse, traverse};
use crate::analysis::metrics::hash;
use crate::analysis::{Cancelled, DecisionKind, Language};

/// A tree, and the text that it is the tree of: as long as the file and with its lines.
pub(super) struct Reading<'t> {
    pub(super) tree: Tree,
    pub(super) text: Cow<'t, str>,
    /// What is not in that text, in source order.
    pub(super) unread: Vec<Unread>,
    /// It is C++.
    pub(super) cplusplus: bool,
}

/// A token that is in the file and not in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analysis) struct Unread {
    pub(in crate::analysis) span: Range<usize>,
    pub(in crate::analysis) comment: bool,
    pub(in crate::analysis) decision: Option<DecisionKind>,
    /// Of what is written.
    pub(in crate::analysis) hash: u64,
}

/// At most two parses.
pub(super) fn read<'t>(
    language: Language,
    text: &'t str,
    cancelled: &dyn Fn() -> bool,
) -> Result<Reading<'t>, Cancelled> {
    let mut whole = Reading {
        tree: parse(language, text, cancelled)?,
        text: Cow::Borrowed(text),
        unread: Vec::new(),
        cplusplus: false,
    };
    if language != Language::C || !whole.tree.root_node().has_error() {
        return Ok(whole);
    }
    let found = conditionals(text);
    whole.cplusplus = cplusplus::is_cplusplus(text, &found);
    if whole.cplusplus {
        return Ok(whole);
    }
    let legible = match found.iter().any(|one| one.cut == Cut::Perhaps) {
        true => legible(&whole.tree, cancelled)?,
        false => HashMap::new(),
    };
    let cut: Vec<&Conditional> = found.iter().filter(|one| is_cut(one, &legible)).collect();
    let mut stretches = hidden(text, &cut);
    stretches.extend(comments_in_macros(text));
    stretches.extend(bare_calls(text));
    if stretches.is_empty() {
        return Ok(whole);
    }
    let hidden = merged(stretches);
    let kept = blanked(text, &hidden);
    let tree = parse(language, &kept, cancelled)?;
    if errors(&tree, cancelled)? >= errors(&whole.tree, cancelled)? {
        return Ok(whole);
    }
    Ok(Reading {
        tree,
        text: Cow::Owned(kept),
        unread: hidden
            .into_iter()
            .flat_map(|stretch| unread(text, stretch))
            .collect(),
        cplusplus: false,
    })
}

/// What could not be read still decides, by its words.
fn unread(text: &str, stretch: Range<usize>) -> impl Iterator<Item = Unread> {
    Tokens::within(text, stretch).map(|token| {
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

/// Where the conditionals start and end that the grammar could read.
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

/// How many errors a tree holds: what is clean is not entered.
fn errors(tree: &Tree, cancelled: &dyn Fn() -> bool) -> Result<u32, Cancelled> {
    let mut cursor = tree.walk();
    let mut count = 0_u32;
    let mut seen = 0_u32;
    loop {
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(NODES_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        let node = cursor.node();
        count += u32::from(node.is_error() || node.is_missing());
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
