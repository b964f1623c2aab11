//! C macros that the grammar cannot read: comments in macros of several lines, and calls without a semicolon.

use std::iter::Peekable;
use std::ops::Range;

use super::conditionals::directive;
use super::tokens::{Bracket, Token, TokenKind, Tokens};

/// One-line comments in macros that continue after them: for the grammar, a comment ends a macro.
pub(super) fn comments_in_macros(text: &str) -> impl Iterator<Item = Range<usize>> {
    Tokens::of(text)
        .filter(|token| {
            token.kind == TokenKind::Directive && directive(text, &token.span).0 == "define"
        })
        .flat_map(|define| {
            let end = define.span.end;
            Tokens::within(text, define.span.start + 1..end).map(move |token| (token, end))
        })
        .filter(|(token, end)| {
            token.kind == TokenKind::Comment
                && !text[token.span.clone()].contains('\n')
                && !text[token.span.end..*end].trim().is_empty()
        })
        .map(|(comment, _)| comment.span)
}

/// `NAME(…)` at the start of a statement or a declaration, if the next one starts on a new line; `LIST` before an
/// `#undef`. The grammar parses them as the type of the following name.
pub(super) fn bare_calls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut tokens = Tokens::of(text).filter(is_code).peekable();
    let mut starts = true;
    while let Some(token) = tokens.next() {
        let named = starts && is_macro(text, &token);
        if token.kind != TokenKind::Directive {
            starts = matches!(&text[token.span.clone()], ";" | "{" | "}");
        }
        if !named {
            continue;
        }
        let is_list = |next: &Token| {
            next.kind == TokenKind::Directive && directive(text, &next.span).0 == "undef"
        };
        if tokens.peek().is_some_and(is_list) {
            found.push(token.span);
        } else if let Some(end) = arguments(text, &mut tokens)
            && tokens.peek().is_none_or(|next| is_apart(text, next))
        {
            found.push(token.span.start..end);
            starts = true;
        }
    }
    found
}

fn is_code(token: &Token) -> bool {
    token.kind != TokenKind::Comment
}

fn is_macro(text: &str, token: &Token) -> bool {
    let name = text[token.span.clone()].as_bytes();
    token.kind == TokenKind::Word
        && name.len() > 1
        && name[0].is_ascii_uppercase()
        && !name.iter().any(u8::is_ascii_lowercase)
}

/// The end of the following arguments; `None` if there are none, or if they may have decisions.
fn arguments(text: &str, tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Option<usize> {
    let mut depth = 0_u32;
    while let Some(token) = tokens.peek() {
        let stops = matches!(
            &text[token.span.clone()],
            "{" | "}" | ";" | "?" | "&&" | "||"
        );
        if stops || token.kind == TokenKind::Directive {
            return None;
        }
        if token.kind == TokenKind::Open(Bracket::Round) {
            depth += 1;
        } else if depth == 0 {
            return None;
        }
        let closes = token.kind == TokenKind::Close(Bracket::Round);
        let end = token.span.end;
        depth -= u32::from(closes);
        tokens.next();
        if depth == 0 {
            return Some(end);
        }
    }
    None
}

/// Whether a token begins a new statement or declaration. A plain name before a bracket may be a function whose type is
/// the macro.
fn is_apart(text: &str, next: &Token) -> bool {
    let word = &text[next.span.clone()];
    let is_apart = match next.kind {
        TokenKind::Directive => true,
        TokenKind::Word => {
            let after = Tokens::within(text, next.span.end..text.len()).find(is_code);
            after.is_none_or(|after| after.kind != TokenKind::Open(Bracket::Round))
                || is_macro(text, next)
                || matches!(word, "if" | "for" | "while" | "switch" | "return")
        }
        TokenKind::Open(_)
        | TokenKind::Close(_)
        | TokenKind::Mark
        | TokenKind::Literal
        | TokenKind::Comment => word == "}",
    };
    is_apart && next.first_on_line
}
