//! C: attributes, macros in their place, and C23 syntax that tree-sitter-c 0.24 does not know.

use super::{Edits, Mask, declarations, mask};
use crate::analysis::syntax::code::{Code, REACH};
use crate::analysis::syntax::conditionals::directive;
use crate::analysis::syntax::tokens::TokenKind;

pub(super) const MASKS: &[Mask] = &[
    mask("__attribute__((…)), [[…]] and similar", attribute),
    mask("a macro between struct and the name of the struct", tag),
    mask(
        "macros among the types of a declaration",
        declarations::head,
    ),
    mask(
        "macros after the parameters of a function",
        declarations::trailing,
    ),
    mask(
        "a function that a macro with several arguments defines",
        declarations::defined_by_macro,
    ),
    mask(
        "a call of a macro with a block or a statement after it",
        block,
    ),
    mask("macros on parameters", parameter),
    mask(
        "a macro of any name before a known type",
        declarations::before_known_type,
    ),
    mask("types among the arguments of a call", type_argument),
    mask(
        "storage before a call of a macro that declares",
        declarations::declared_by_macro,
    ),
    mask("auto without a type, _BitInt(…)", c23_type),
    mask("#embed", embed),
    mask("an #include within a declaration", include_inside),
];

/// Compiler keywords without effect on the structure of the code.
fn attribute(code: &Code<'_>, at: usize, edits: &mut Edits) {
    match code.written(at) {
        "__attribute__" | "__attribute" | "__declspec" | "_Alignas" | "alignas" => {
            if let Some(close) = code.partner(at + 1).filter(|close| *close > at) {
                edits.blank(code, at, close);
            }
        }
        // `[[nodiscard]]`: in C, only attributes begin with two brackets.
        "[" if code.touches_next(at) && code.written(at + 1) == "[" => {
            let inner = code.partner(at + 1);
            if let Some(close) = code
                .partner(at)
                .filter(|close| inner == close.checked_sub(1))
            {
                edits.blank(code, at, close);
            }
        }
        "__extension__" | "_Noreturn" | "__restrict" | "__restrict__" => edits.blank(code, at, at),
        _ => {}
    }
}

/// `struct MACRO name {`, `struct MACRO(…) name {`, `struct name MACRO {`.
fn tag(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if !matches!(code.written(at), "struct" | "enum" | "union") {
        return;
    }
    // Each one with its last token.
    let mut words: Vec<(usize, usize)> = Vec::new();
    let mut next = at + 1;
    while code.is_word(next) && words.len() < 4 {
        let end = match code.written(next + 1) {
            "(" => code.partner(next + 1).unwrap_or(next),
            _ => next,
        };
        words.push((next, end));
        next = end + 1;
    }
    // `enum name function(…) {` gives that type.
    let is_function = words
        .last()
        .is_some_and(|(word, end)| end > word && !is_macro_name(code.written(*word)));
    if code.written(next) != "{" || words.is_empty() || is_function {
        return;
    }
    let is_plain = |word: &&(usize, usize)| word.0 == word.1 && !is_attribute(code.written(word.0));
    let name = words
        .iter()
        .rfind(|word| is_plain(word) && !is_macro_name(code.written(word.0)))
        .or_else(|| words.iter().rfind(is_plain))
        .copied();
    for word in words {
        if Some(word) != name {
            edits.blank(code, word.0, word.1);
        }
    }
}

fn is_attribute(word: &str) -> bool {
    word.starts_with("__attribute") || word == "__declspec"
}

/// Upper case: by convention a macro.
pub(super) fn is_macro_name(word: &str) -> bool {
    word.len() > 1
        && word.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && !word.bytes().any(|byte| byte.is_ascii_lowercase())
}

pub(super) const NOT_A_CALL: &[&str] = &[
    "if",
    "for",
    "while",
    "switch",
    "return",
    "sizeof",
    "do",
    "else",
    "case",
    "goto",
    "defined",
    "typeof",
    "__typeof__",
    "_Static_assert",
    "static_assert",
    "_Generic",
    "_Alignof",
    "alignof",
    "__attribute__",
    "asm",
    "__asm__",
    "__asm",
    "struct",
    "union",
    "enum",
];

/// `FOREACH(x, y) { … }` in a body: the grammar parses a call without a semicolon.
fn block(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_call = code.is_word(at)
        && code.written(at + 1) == "("
        && !NOT_A_CALL.contains(&code.written(at))
        && !declarations::is_outside(code, at);
    let before = code.before(at);
    let begins = matches!(before, ";" | "{" | "}" | ")" | "else" | ":")
        || matches!(code.kind(at.saturating_sub(1)), Some(TokenKind::Directive));
    let Some(close) = code.partner(at + 1).filter(|_| is_call && begins) else {
        return;
    };
    let next = close + 1;
    if before == ")" && !is_condition(code, at - 1) {
        return;
    }
    let opens = code.written(next) == "{";
    let is_statement = code.is_word(next) && code.written(next) != "else";
    if !opens && !is_statement {
        return;
    }
    // A name after it on the line may be declared with the macro as its type.
    if is_statement && matches!(code.written(next + 1), "=" | ";" | "," | "[") {
        return;
    }
    if opens
        && let Some(end) = code.partner(next)
        && code.written(end + 1) == "else"
    {
        edits.blank(code, end + 1, end + 1);
    }
    let stands_alone = !matches!(before, ")" | "else") && is_expression_list(code, at + 2, close);
    if !stands_alone || !edits.end_before(code, next) {
        edits.blank(code, at, close);
    }
}

/// Whether a `)` closes the condition of `if`, `for`, `while` or `switch`.
fn is_condition(code: &Code<'_>, close: usize) -> bool {
    code.partner(close)
        .is_some_and(|open| matches!(code.before(open), "if" | "for" | "while" | "switch"))
}

/// Whether no argument is a type or empty.
fn is_expression_list(code: &Code<'_>, first: usize, close: usize) -> bool {
    let is_short = close - first <= REACH;
    is_short
        && (first..close).all(|at| {
            let declares = code.is_word(at) && code.is_word(at + 1);
            let is_pointer = code.written(at) == "*" && matches!(code.written(at + 1), "," | ")");
            let is_missing = matches!(code.written(at), "," | "(") && code.written(at + 1) == ",";
            !declares && !is_pointer && !is_missing
        })
}

/// `UNUSED int a`, `int b UNUSED`, `int UNUSED(a)`.
fn parameter(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let in_list = code.around(at).is_some_and(|open| {
        code.written(open) == "("
            && code.is_word(open.saturating_sub(1))
            && declarations::is_outside(code, open)
    });
    let written = code.written(at);
    let is_attribute = is_macro_name(written)
        || written.starts_with("__")
        || written.to_ascii_lowercase().contains("unused");
    if !in_list || !code.is_word(at) || !is_attribute {
        return;
    }
    let is_first = matches!(code.before(at), "(" | ",");
    let names = |at: usize| code.is_word(at) || code.written(at) == "*";
    let leads = is_first && code.is_word(at + 1) && (names(at + 2) || written.starts_with("__"));
    let trails = matches!(code.written(at + 1), "," | ")")
        && code.is_word(at.saturating_sub(1))
        && names(at.saturating_sub(2))
        && !matches!(
            code.before(at),
            "const" | "struct" | "enum" | "union" | "unsigned" | "signed"
        );
    if leads || trails {
        edits.blank(code, at, at);
    }
    let wraps = !is_first
        && code.written(at + 1) == "("
        && code.is_word(at + 2)
        && code.written(at + 3) == ")";
    if wraps && matches!(code.written(at + 4), "," | ")") {
        edits.blank(code, at, at + 1);
        edits.blank(code, at + 3, at + 3);
    }
}

fn c23_type(code: &Code<'_>, at: usize, edits: &mut Edits) {
    match code.written(at) {
        "auto" if code.is_word(at + 1) && code.written(at + 2) == "=" => {
            edits.replace(code, at, "int");
        }
        "_BitInt" => {
            let close = code.partner(at + 1).and_then(|close| code.token(close));
            if let (Some(first), Some(last)) = (code.token(at), close) {
                edits.write(first.span.start..last.span.end, "int");
            }
        }
        _ => {}
    }
}

/// `va_arg(list, char *)`: replaces the type with one word.
fn type_argument(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let Some(open) = code.around(at).filter(|open| code.written(*open) == "(") else {
        return;
    };
    let callee = code.before(open);
    let is_call = open > 0
        && code.is_word(open - 1)
        && !NOT_A_CALL.contains(&callee)
        && !matches!(callee, "offsetof" | "__builtin_offsetof" | "typeof")
        && !declarations::is_outside(code, open);
    if !is_call || !matches!(code.before(at), "(" | ",") {
        return;
    }
    let mut end = at;
    let mut words = 0;
    let mut is_type = false;
    loop {
        let written = code.written(end);
        match written {
            "*" => is_type |= words > 0,
            "," | ")" => break,
            _ if code.is_word(end) && (is_type_word(written) || words == 0 || is_type) => {
                is_type |= is_type_word(written);
                words += 1;
            }
            _ => return,
        }
        end += 1;
    }
    if !is_type || words == 0 || (code.before(end) != "*" && !is_type_word(code.written(at))) {
        return;
    }
    edits.rename(code, at);
    if end > at + 1 {
        edits.blank(code, at + 1, end - 1);
    }
}

fn is_type_word(word: &str) -> bool {
    declarations::BUILTIN.contains(&word)
        || matches!(word, "struct" | "union" | "enum" | "const" | "volatile")
}

fn embed(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if is_directive(code, at, "embed") {
        edits.blank(code, at, at);
    }
}

fn is_directive(code: &Code<'_>, at: usize, name: &str) -> bool {
    code.token(at).is_some_and(|token| {
        token.kind == TokenKind::Directive && directive(code.text, &token.span).0 == name
    })
}

/// Whether only blanked branches of a conditional are between the head of a function and its body.
fn include_inside(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if !is_directive(code, at, "include") || code.around(at).is_some() {
        return;
    }
    let before = (0..at)
        .rev()
        .take(64)
        .find(|at| code.kind(*at) != Some(TokenKind::Directive));
    let is_inside = before.is_some_and(|at| code.is_word(at) || code.written(at) == ")");
    if is_inside
        && code.written(at + 1) == "{"
        && let Some(token) = code.token(at)
    {
        edits.apart.push(token.span.clone());
    }
}
