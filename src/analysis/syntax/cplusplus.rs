//! C++ in a file with the extension of C.

use super::conditionals::{Conditional, blanked, hidden};
use super::tokens::{Token, TokenKind, Tokens};
use crate::analysis::Cancelled;

/// True if a line starts in a way that C does not allow: `namespace a {`, `class A : …`, `template <`, `using
/// namespace`. Code below `#ifdef __cplusplus` is ignored, because C headers have that, too. Called only for text that
/// is not valid C.
pub(super) fn is_cplusplus(
    text: &str,
    conditionals: &[Conditional],
    cancelled: &dyn Fn() -> bool,
) -> Result<bool, Cancelled> {
    let asking: Vec<&Conditional> = conditionals.iter().filter(|one| one.cplusplus).collect();
    let shared = blanked(text, &hidden(text, &asking, cancelled)?);
    let mut tokens = Tokens::of(&shared).filter(|token| token.kind != TokenKind::Comment);
    let mut three = [tokens.next(), tokens.next(), tokens.next()];
    while let [Some(first), second, third] = &three {
        let written = |token: &Option<Token>| match token {
            Some(token) => &shared[token.span.clone()],
            None => "",
        };
        let named = second
            .as_ref()
            .is_some_and(|token| token.kind == TokenKind::Word);
        let starts = match &shared[first.span.clone()] {
            "template" => written(second) == "<",
            "namespace" => written(second) == "{" || (named && matches!(written(third), "{" | ":")),
            "class" => named && matches!(written(third), "{" | ":" | ";"),
            "using" => written(second) == "namespace",
            _ => false,
        };
        if starts && first.first_on_line && first.kind == TokenKind::Word {
            return Ok(true);
        }
        three.rotate_left(1);
        three[2] = tokens.next();
    }
    Ok(false)
}
