//! Go 1.26 and 1.27: syntax that tree-sitter-go 0.25 does not know.

use super::{Edits, Mask, mask};
use crate::analysis::syntax::code::{Code, REACH};
use crate::analysis::syntax::tokens::{Bracket, TokenKind};

pub(super) const MASKS: &[Mask] = &[
    mask("new(expression): the grammar expects a type", new),
    mask("type parameters of a method", method),
    mask(
        "type parameters of a method of an interface",
        interface_method,
    ),
];

fn new(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_call = code.written(at) == "new" && code.written(at + 1) == "(";
    if !is_call || matches!(code.before(at), "." | "func") {
        return;
    }
    if code
        .partner(at + 1)
        .is_some_and(|close| !is_type(code, at + 2, close))
    {
        edits.rename(code, at);
    }
}

/// Whether tokens `at` to before `end` can be a type; ambiguous ones count as a type.
fn is_type(code: &Code<'_>, mut at: usize, end: usize) -> bool {
    let end = end.min(at + REACH);
    while at < end {
        let written = code.written(at);
        match code.kind(at) {
            Some(TokenKind::Word) if written.starts_with(|first: char| first.is_ascii_digit()) => {
                // The length of an array.
                if code.before(at) != "[" {
                    return false;
                }
            }
            Some(TokenKind::Word) if matches!(written, "struct" | "interface") => {
                let Some(close) = code.partner(at + 1) else {
                    return false;
                };
                at = close;
            }
            // The parameters and results follow.
            Some(TokenKind::Word) if written == "func" => {
                return !(at..end).any(|at| code.kind(at) == Some(TokenKind::Open(Bracket::Curly)));
            }
            Some(
                TokenKind::Word
                | TokenKind::Open(Bracket::Square)
                | TokenKind::Close(Bracket::Square),
            ) => {}
            Some(TokenKind::Open(Bracket::Round)) if at == 0 || code.before(at) == "(" => {}
            Some(TokenKind::Close(Bracket::Round)) => {}
            // A type is in a package, without further qualifiers.
            Some(TokenKind::Mark) if written == "." => {
                if at > 2 && code.before(at - 1) == "." {
                    return false;
                }
            }
            Some(TokenKind::Mark) if matches!(written, "*" | ",") => {}
            Some(TokenKind::Mark) if matches!(written, "<" | "-") => {
                let is_channel = code.written(at + 2) == "chan"
                    || code.before(at) == "chan"
                    || code.written(at + 1) == "chan"
                    || code.before(at.saturating_sub(1)) == "chan";
                if !is_channel {
                    return false;
                }
            }
            _ => return false,
        }
        at += 1;
    }
    true
}

fn method(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "func" || code.written(at + 1) != "(" || code.around(at).is_some() {
        return;
    }
    let Some(close) = code.partner(at + 1) else {
        return;
    };
    let open = close + 2;
    if code.is_word(close + 1) && code.written(open) == "[" {
        let end = code
            .partner(open)
            .filter(|end| code.written(end + 1) == "(");
        if let Some(end) = end {
            edits.blank(code, open, end);
        }
    }
}

fn interface_method(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let in_interface = code
        .around(at)
        .is_some_and(|open| code.written(open) == "{" && code.before(open) == "interface");
    let is_method = in_interface && code.starts_line(at) && code.is_word(at);
    if !is_method || code.written(at + 1) != "[" {
        return;
    }
    let end = code
        .partner(at + 1)
        .filter(|end| code.written(end + 1) == "(");
    if let Some(end) = end {
        edits.blank(code, at + 1, end);
    }
}
