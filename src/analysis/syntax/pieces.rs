//! Splits a text into statements and members between safe points, by its tokens alone.

use std::ops::Range;

use super::code::Code;
use super::tokens::{Bracket, TokenKind};
use crate::analysis::Language;

mod contexts;

/// The surroundings that a parser needs to read one statement or member of a range alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    /// The text to put before and after it.
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    /// Members end at commas.
    commas: bool,
}

const fn context(before: &'static str, after: &'static str) -> Context {
    Context {
        before,
        after,
        commas: false,
    }
}

const fn list(before: &'static str, after: &'static str) -> Context {
    Context {
        before,
        after,
        commas: true,
    }
}

/// The top of a file.
pub(super) const TOP: Context = context("", "");

/// A range inside brackets, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) tokens: Range<usize>,
    pub(super) context: Context,
}

/// The outermost blocks in a range.
pub(super) fn groups(code: &Code<'_>, tokens: &Range<usize>) -> Vec<Group> {
    if code.language == Language::Python {
        return suites(code, tokens);
    }
    let mut found = Vec::new();
    let mut at = tokens.start;
    while at < tokens.end {
        let is_block = code.kind(at) == Some(TokenKind::Open(Bracket::Curly));
        let close = code
            .partner(at)
            .filter(|close| is_block && *close < tokens.end);
        if let Some(close) = close {
            if let Some(context) =
                contexts::around(code, tokens.start, at).filter(|_| at + 1 < close)
            {
                found.push(Group {
                    tokens: at + 1..close,
                    context,
                });
            }
            at = close;
        }
        at += 1;
    }
    found
}

/// The statements or members of a range, in tokens.
pub(super) fn pieces(code: &Code<'_>, group: &Group) -> Vec<Range<usize>> {
    let base = code.column(group.tokens.start);
    let mut found = Vec::new();
    let mut start = group.tokens.start;
    let mut at = start;
    while at < group.tokens.end {
        // Skip the contents of brackets.
        at = code
            .partner(at)
            .filter(|close| *close > at && *close < group.tokens.end)
            .unwrap_or(at);
        if at + 1 >= group.tokens.end || ends(code, group, start, at, base) {
            found.push(start..at + 1);
            start = at + 1;
        }
        at += 1;
    }
    found
}

/// Whether a piece ends with token `last`.
fn ends(code: &Code<'_>, group: &Group, start: usize, last: usize, base: usize) -> bool {
    let next = last + 1;
    let is_directive = |at| code.kind(at) == Some(TokenKind::Directive);
    if code.language == Language::Python {
        return starts_logical_line(code, start, next, base);
    }
    if is_directive(last) && start == last {
        return true;
    }
    match code.written(last) {
        ";" => return true,
        "," if group.context.commas => return true,
        "}" if starts_statement(code, start, next) => return true,
        _ => {}
    }
    let by_lines = matches!(
        code.language,
        Language::JavaScript | Language::TypeScript | Language::Tsx | Language::Go
    );
    by_lines
        && !group.context.commas
        && code.starts_line(next)
        && code.column(next) <= base
        && may_end(code, start, last)
        && may_begin(code, next)
}

/// Whether a piece ends after a block.
fn starts_statement(code: &Code<'_>, start: usize, next: usize) -> bool {
    let continues = matches!(
        code.written(next),
        "else"
            | "catch"
            | "finally"
            | "as"
            | "satisfies"
            | "instanceof"
            | "in"
            | "of"
            | "is"
            | "and"
            | "or"
            | "from"
    ) || (code.written(next) == "while" && code.written(start) == "do");
    if continues {
        return false;
    }
    match code.kind(next) {
        Some(TokenKind::Directive) => true,
        Some(TokenKind::Word) => code.starts_line(next) || begins_declaration(code.written(next)),
        Some(TokenKind::Close(_)) => true,
        _ => code.starts_line(next) && matches!(code.written(next), "@" | "#" | "*" | "'" | "~"),
    }
}

/// Words that begin a declaration also within a line.
fn begins_declaration(word: &str) -> bool {
    matches!(
        word,
        "class"
            | "export"
            | "fn"
            | "func"
            | "function"
            | "impl"
            | "import"
            | "interface"
            | "pub"
            | "public"
            | "private"
            | "static"
            | "type"
            | "const"
            | "let"
            | "var"
            | "return"
    )
}

fn may_end(code: &Code<'_>, start: usize, last: usize) -> bool {
    let ends = match code.kind(last) {
        Some(TokenKind::Word) => !matches!(
            code.written(last),
            "abstract"
                | "async"
                | "case"
                | "class"
                | "const"
                | "default"
                | "else"
                | "export"
                | "extends"
                | "function"
                | "implements"
                | "import"
                | "in"
                | "instanceof"
                | "interface"
                | "let"
                | "new"
                | "of"
                | "private"
                | "public"
                | "static"
                | "typeof"
                | "var"
        ),
        Some(TokenKind::Close(_) | TokenKind::Literal) => true,
        _ => matches!(code.written(last), ">" | "!" | "+" | "-"),
    };
    // A decorator belongs to the following declaration.
    let mut line = last;
    while line > start && !code.starts_line(line) {
        line -= 1;
    }
    ends && code.written(line) != "@"
}

fn may_begin(code: &Code<'_>, next: usize) -> bool {
    match code.kind(next) {
        Some(TokenKind::Word) => !matches!(
            code.written(next),
            "as" | "catch"
                | "else"
                | "extends"
                | "finally"
                | "from"
                | "implements"
                | "in"
                | "instanceof"
                | "of"
                | "satisfies"
        ),
        Some(TokenKind::Literal) => !code.written(next).starts_with('`'),
        _ => matches!(code.written(next), "@" | "#" | "*" | "["),
    }
}

// === Python ===

fn starts_logical_line(code: &Code<'_>, start: usize, next: usize, base: usize) -> bool {
    if !code.starts_line(next) || code.column(next) > base || code.before(next) == "\\" {
        return false;
    }
    let continues = matches!(code.written(next), "else" | "elif" | "except" | "finally");
    let mut line = next - 1;
    while line > start && !code.starts_line(line) {
        line -= 1;
    }
    !continues && code.written(line) != "@"
}

/// The lines that are indented deeper than their statement.
fn suites(code: &Code<'_>, tokens: &Range<usize>) -> Vec<Group> {
    let base = code.column(tokens.start);
    let mut found = Vec::new();
    let mut from: Option<usize> = None;
    let mut at = tokens.start;
    while at < tokens.end {
        if code.starts_line(at) && at > tokens.start {
            let is_deeper = code.column(at) > base;
            match from {
                None if is_deeper && code.before(at) == ":" => from = Some(at),
                Some(start) if !is_deeper => {
                    found.push(Group {
                        tokens: start..at,
                        context: TOP,
                    });
                    from = None;
                }
                None | Some(_) => {}
            }
        }
        at = code
            .partner(at)
            .filter(|close| *close > at && *close < tokens.end)
            .unwrap_or(at)
            + 1;
    }
    if let Some(start) = from {
        found.push(Group {
            tokens: start..tokens.end,
            context: TOP,
        });
    }
    found
}
