//! Rust 2024 and later: syntax that tree-sitter-rust 0.24 does not know.

use super::{Edits, Mask, mask};
use crate::analysis::syntax::code::{Code, REACH};

pub(super) const MASKS: &[Mask] = &[
    mask(
        "attributes in patterns, on parameters of closures and on expressions",
        attribute,
    ),
    mask(
        "macros with the name of a type or a keyword: str![…], try!(…)",
        macro_name,
    ),
    mask("safe fn and safe static in extern blocks", safe),
    mask("gen fn", generator),
    mask(
        "const traits: const trait, impl const, ~const, [const], T: const A",
        const_trait,
    ),
    mask("async bounds", async_bound),
    mask("auto trait", auto_trait),
    mask("trait aliases", trait_alias),
    mask("default values of fields", field_default),
    mask("become", tail_call),
];

/// The grammar knows attributes at the start of items and statements.
fn attribute(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "#" || code.written(at + 1) != "[" {
        return;
    }
    let mut end = at;
    for _ in 0..REACH {
        if code.written(end) != "#" || code.written(end + 1) != "[" {
            break;
        }
        match code.partner(end + 1) {
            Some(close) => end = close + 1,
            None => return,
        }
    }
    let is_inside = matches!(code.before(at), "," | "|" | "(" | "=");
    let begins_a_field = code.before(at) == "{" && is_pattern_field(code, end);
    let begins_an_item = matches!(
        code.written(end),
        "async"
            | "const"
            | "enum"
            | "extern"
            | "fn"
            | "impl"
            | "let"
            | "mod"
            | "pub"
            | "static"
            | "struct"
            | "trait"
            | "type"
            | "unsafe"
            | "use"
    );
    if (is_inside || begins_a_field) && !begins_an_item {
        edits.blank(code, at, end - 1);
    }
}

/// `name,`, `name }`, `name: …`, `ref name`, and other forms of a field in a pattern.
fn is_pattern_field(code: &Code<'_>, at: usize) -> bool {
    let at = at + usize::from(code.written(at) == "ref");
    let at = at + usize::from(code.written(at) == "mut");
    code.is_word(at)
        && matches!(code.written(at + 1), "," | "}" | ":" | "@")
        && code.written(at + 2) != ":"
}

fn macro_name(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_taken = matches!(
        code.written(at),
        "str"
            | "try"
            | "bool"
            | "char"
            | "f32"
            | "f64"
            | "i32"
            | "i64"
            | "u32"
            | "u64"
            | "u8"
            | "usize"
    );
    let opens = matches!(code.written(at + 2), "(" | "[" | "{");
    if is_taken && code.written(at + 1) == "!" && opens && code.touches_next(at) {
        edits.rename(code, at);
    }
}

fn safe(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) == "safe" && matches!(code.written(at + 1), "fn" | "static") {
        edits.blank(code, at, at);
    }
}

fn generator(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) == "gen" && code.written(at + 1) == "fn" {
        edits.blank(code, at, at);
    }
}

fn const_trait(code: &Code<'_>, at: usize, edits: &mut Edits) {
    match code.written(at) {
        "~" if code.written(at + 1) == "const" => edits.blank(code, at, at + 1),
        "[" if code.written(at + 1) == "const" && code.written(at + 2) == "]" => {
            edits.blank(code, at, at + 2);
        }
        "const" => {
            let is_trait = matches!(code.written(at + 1), "trait" | "unsafe")
                && (code.written(at + 1) == "trait" || code.written(at + 2) == "trait");
            let is_impl =
                code.before(at) == "impl" || (code.before(at) == ">" && is_impl_head(code, at - 1));
            let is_bound = matches!(code.before(at), ":" | "+")
                && code.is_word(at + 1)
                && code.written(at + 2) != ":";
            if is_trait || is_impl || is_bound {
                edits.blank(code, at, at);
            }
        }
        _ => {}
    }
}

fn is_impl_head(code: &Code<'_>, close: usize) -> bool {
    code.angles_back(close)
        .is_some_and(|open| code.before(open) == "impl")
}

fn async_bound(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_bound = code.written(at) == "async"
        && matches!(code.before(at), "impl" | "dyn" | ":" | "+")
        && matches!(code.written(at + 1), "Fn" | "FnMut" | "FnOnce");
    if is_bound {
        edits.blank(code, at, at);
    }
}

fn auto_trait(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) == "auto" && code.written(at + 1) == "trait" {
        edits.blank(code, at, at);
    }
}

/// `trait A = B + C;` is read as `trait A {}`.
fn trait_alias(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "=" || code.around(at).is_some() {
        return;
    }
    let mut head = at;
    while head > 0 && at - head < 64 && !matches!(code.before(head), ";" | "}" | "]") {
        head -= 1;
        if code.written(head) == "trait" {
            break;
        }
    }
    if code.written(head) != "trait" {
        return;
    }
    let mut end = at + 1;
    let reach = code.len().min(at + REACH);
    while end < reach && !matches!(code.written(end), ";" | "{" | "}") {
        end += 1;
    }
    if let (Some(first), Some(last)) = (code.token(at), code.token(end))
        && code.written(end) == ";"
    {
        edits.write(first.span.start..last.span.end, "{}");
    }
}

fn field_default(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "=" || !is_struct_body(code, at) {
        return;
    }
    let mut end = at + 1;
    let reach = code.len().min(at + REACH);
    while end < reach && !matches!(code.written(end), "," | "}") {
        end = code
            .partner(end)
            .filter(|close| *close > end)
            .unwrap_or(end)
            + 1;
    }
    if matches!(code.written(end), "," | "}") {
        edits.blank(code, at, end - 1);
    }
}

fn is_struct_body(code: &Code<'_>, at: usize) -> bool {
    let Some(open) = code.around(at).filter(|open| code.written(*open) == "{") else {
        return false;
    };
    let mut head = open;
    while head > 0 && open - head < 128 && !matches!(code.before(head), ";" | "}" | "{" | "]") {
        head -= 1;
        if code.written(head) == "struct" {
            return true;
        }
    }
    false
}

fn tail_call(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_statement = matches!(code.before(at), ";" | "{" | "}" | ">");
    if code.written(at) == "become" && is_statement && code.is_word(at + 1) {
        edits.replace(code, at, "return");
    }
}
