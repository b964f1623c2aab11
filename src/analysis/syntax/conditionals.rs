//! Conditionals of C's preprocessor that cut through the surrounding code: `#ifdef A`, `if (a) {`, `#else`, `if (b) {`,
//! `#endif`. No grammar can read both branches; a compiler reads one of them.

use std::ops::Range;

use super::tokens::{Bracket, TOKENS_PER_CHECK, Token, TokenKind, Tokens};
use crate::analysis::Cancelled;

/// Nested conditionals whose branches are read: a C compiler need not support more than 63 levels. Each level reads the
/// inner levels again.
const NESTED: usize = 64;
/// Conditionals between two checks of whether to stop: most branches are short.
const CONDITIONALS_PER_CHECK: usize = 16;

/// One `#if … #endif`.
#[derive(Debug)]
pub(super) struct Conditional {
    /// Start of its `#if`.
    pub(super) start: usize,
    /// Its directives, including `#if` and `#endif`: branch `n` is between `n` and `n + 1`.
    directives: Vec<Range<usize>>,
    /// The branch that is read; beyond the last: none. Branches for C++ only, and disabled branches, are not read.
    kept: usize,
    pub(super) cut: Cut,
    /// It tests for a C++ compiler.
    pub(super) cplusplus: bool,
    /// It is not inside a bracket or a block, nor in more than [`NESTED`] other conditionals.
    at_top: bool,
}

/// Whether its branches can be read as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cut {
    No,
    /// It is not between statements, but in a list, which some grammars read, or in an expression.
    Perhaps,
    Yes,
}

impl Conditional {
    /// Start of its `#endif`.
    pub(super) fn last(&self) -> usize {
        self.directives.last().map_or(self.start, |last| last.start)
    }
}

/// Every conditional that has an `#endif`, ordered by end.
pub(super) fn conditionals(
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Conditional>, Cancelled> {
    let mut finder = Finder {
        text,
        open: Vec::new(),
        found: Vec::new(),
        here: Here::default(),
        behind: None,
    };
    for (at, token) in Tokens::of(text).enumerate() {
        if at.is_multiple_of(TOKENS_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        finder.token(&token);
    }
    Ok(finder.found)
}

/// The ranges to blank so that only one branch of each of `cut` is left, in source order. `#include` and `#define` at
/// the top of a file are kept.
pub(super) fn hidden(
    text: &str,
    cut: &[&Conditional],
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Range<usize>>, Cancelled> {
    let mut stretches = Vec::new();
    for (at, conditional) in cut.iter().enumerate() {
        if at.is_multiple_of(CONDITIONALS_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        stretches.extend(conditional.directives.iter().cloned());
        for (branch, pair) in conditional.directives.windows(2).enumerate() {
            let [before, after] = pair else { continue };
            if branch != conditional.kept {
                hide_branch(
                    text,
                    before.end..after.start,
                    conditional.at_top,
                    &mut stretches,
                    cancelled,
                )?;
            }
        }
    }
    Ok(merged(stretches))
}

fn hide_branch(
    text: &str,
    branch: Range<usize>,
    at_top: bool,
    stretches: &mut Vec<Range<usize>>,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Cancelled> {
    let mut from = branch.start;
    if at_top {
        for (at, token) in Tokens::within(text, branch.clone()).enumerate() {
            if (at + 1).is_multiple_of(TOKENS_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            let stays = token.kind == TokenKind::Directive
                && matches!(directive(text, &token.span).0, "include" | "define");
            if stays {
                stretches.push(from..token.span.start);
                from = token.span.end;
            }
        }
    }
    stretches.push(from..branch.end);
    Ok(())
}

/// Merges overlapping ranges.
pub(super) fn merged(mut stretches: Vec<Range<usize>>) -> Vec<Range<usize>> {
    stretches.sort_unstable_by_key(|stretch| stretch.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match merged.last_mut() {
            Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
            _ => merged.push(stretch),
        }
    }
    merged
}

/// The text with spaces in place of these ranges; line ends and offsets stay the same.
pub(super) fn blanked(text: &str, stretches: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for stretch in stretches {
        blank_into(&mut bytes, stretch);
    }
    // Ranges start and end with tokens, so no character is cut.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Replaces the range with spaces, except line ends.
pub(super) fn blank_into(bytes: &mut [u8], stretch: &Range<usize>) {
    for byte in &mut bytes[stretch.clone()] {
        if !matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// The name of a directive, and the rest of its line.
pub(super) fn directive<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, &'t str) {
    let line = text[span.clone()].trim_start_matches('#').trim_start();
    let end = line
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .unwrap_or(line.len());
    (&line[..end], line[end..].trim())
}

/// The bracket depth, and the lowest depth since the branch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Depth {
    now: i64,
    least: i64,
}

/// The state of the reader.
#[derive(Debug, Clone, Copy, Default)]
struct Here {
    brackets: [Depth; 3],
    /// The last token ends no statement, block or label.
    inside: bool,
    /// The last token ends a label or a case, after which some grammars require a statement.
    labelled: bool,
}

impl Here {
    fn begin_branch(mut self) -> Self {
        for depth in &mut self.brackets {
            depth.least = depth.now;
        }
        self
    }

    /// Whether exactly the brackets opened since are closed.
    fn is_balanced_since(&self, start: &Self) -> bool {
        let pairs = self.brackets.iter().zip(&start.brackets);
        pairs
            .into_iter()
            .all(|(end, start)| end.now == start.now && end.least >= start.now)
    }
}

struct Open {
    conditional: Conditional,
    start: Here,
    /// The state at the end of the branch that is read.
    kept: Option<Here>,
    /// A token of the current branch was seen.
    begun: bool,
}

struct Finder<'t> {
    text: &'t str,
    open: Vec<Open>,
    found: Vec<Conditional>,
    here: Here,
    /// The last ended conditional, while no token came after it.
    behind: Option<usize>,
}

impl Finder<'_> {
    fn token(&mut self, token: &Token) {
        match token.kind {
            TokenKind::Comment => return,
            TokenKind::Directive => return self.directive(&token.span),
            TokenKind::Open(bracket) => self.here.brackets[index(bracket)].now += 1,
            TokenKind::Close(bracket) => {
                let depth = &mut self.here.brackets[index(bracket)];
                depth.now -= 1;
                depth.least = depth.least.min(depth.now);
            }
            TokenKind::Word | TokenKind::Mark | TokenKind::Literal => {}
        }
        let written = &self.text[token.span.clone()];
        if let Some(behind) = self.behind.take()
            && (written == "else" || (written == "{" && self.here.inside))
        {
            self.found[behind].cut = Cut::Yes;
        }
        if let Some(open) = self.open.last_mut() {
            if !open.begun && written == "else" {
                open.conditional.cut = Cut::Yes;
            }
            open.begun = true;
        }
        self.here.labelled = written == ":";
        self.here.inside = !self.here.labelled && !matches!(written, ";" | "{" | "}");
    }

    fn directive(&mut self, span: &Range<usize>) {
        let (name, rest) = directive(self.text, span);
        match name {
            "if" | "ifdef" | "ifndef" => self.begin(name, rest, span),
            "elif" | "elifdef" | "elifndef" | "else" => {
                self.end_branch();
                if let Some(open) = self.open.last_mut() {
                    open.conditional.directives.push(span.clone());
                    self.here = open.start.begin_branch();
                    open.begun = false;
                }
                self.behind = None;
            }
            "endif" => self.end(span),
            _ => {}
        }
    }

    fn begin(&mut self, name: &str, rest: &str, span: &Range<usize>) {
        let [round, square, curly] = self.here.brackets;
        let cplusplus = rest.contains("__cplusplus");
        let never = name == "if" && rest.split_whitespace().next() == Some("0");
        let cut = match (cplusplus, self.here.inside || self.here.labelled) {
            (true, _) => Cut::Yes,
            (false, true) => Cut::Perhaps,
            (false, false) => Cut::No,
        };
        self.open.push(Open {
            conditional: Conditional {
                start: span.start,
                directives: vec![span.clone()],
                kept: usize::from(never || (cplusplus && name != "ifndef" && !rest.contains('!'))),
                cut,
                cplusplus,
                at_top: self.open.len() < NESTED
                    && round.now <= 0
                    && square.now <= 0
                    && curly.now <= 0,
            },
            start: self.here,
            kept: None,
            begun: false,
        });
        self.here = self.here.begin_branch();
        self.behind = None;
    }

    fn end_branch(&mut self) {
        let here = self.here;
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let cut = match (here.is_balanced_since(&open.start), here.inside) {
            (false, _) => Cut::Yes,
            (true, true) => Cut::Perhaps,
            (true, false) => Cut::No,
        };
        open.conditional.cut = open.conditional.cut.max(cut);
        if open.conditional.directives.len() == open.conditional.kept + 1 {
            open.kept = Some(here);
        }
    }

    /// Continues with the state at the end of the branch that is read.
    fn end(&mut self, span: &Range<usize>) {
        self.end_branch();
        let Some(mut open) = self.open.pop() else {
            return;
        };
        open.conditional.directives.push(span.clone());
        self.here = open.kept.unwrap_or(open.start);
        for (depth, start) in self.here.brackets.iter_mut().zip(&open.start.brackets) {
            depth.least = depth.least.min(start.least);
        }
        if let Some(around) = self.open.last_mut() {
            around.begun = true;
        }
        self.behind = Some(self.found.len());
        self.found.push(open.conditional);
    }
}

fn index(bracket: Bracket) -> usize {
    match bracket {
        Bracket::Round => 0,
        Bracket::Square => 1,
        Bracket::Curly => 2,
    }
}
