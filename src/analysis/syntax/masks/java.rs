//! Java 25: syntax that tree-sitter-java 0.23 does not know.

use super::{Edits, Mask, mask};
use crate::analysis::syntax::code::{Code, REACH};

pub(super) const MASKS: &[Mask] = &[
    mask("import module", import_module),
    mask(
        "statements before super(…) and this(…)",
        late_constructor_call,
    ),
    mask(
        "several type patterns without a name in one case",
        pattern_list,
    ),
    mask("value classes and records", value_class),
];

fn import_module(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) == "module" && code.before(at) == "import" && code.is_word(at + 1) {
        edits.blank(code, at, at);
    }
}

fn late_constructor_call(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_call = matches!(code.written(at), "super" | "this") && code.written(at + 1) == "(";
    if is_call && matches!(code.before(at), ";" | "}") {
        edits.rename(code, at);
    }
}

/// `case A _, B _ ->`: only the first pattern is kept.
fn pattern_list(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "case" {
        return;
    }
    let Some(comma) = pattern_end(code, at + 1).filter(|at| code.written(*at) == ",") else {
        return;
    };
    let mut end = comma;
    while code.written(end) == "," && end - at < REACH {
        match pattern_end(code, end + 1) {
            Some(next) => end = next,
            None => return,
        }
    }
    edits.blank(code, comma, end - 1);
}

/// The position after `Type _` or `Record(…)`.
fn pattern_end(code: &Code<'_>, start: usize) -> Option<usize> {
    let mut at = start;
    while code.is_word(at) && code.written(at + 1) == "." && at - start < REACH {
        at += 2;
    }
    if !code.is_word(at) {
        return None;
    }
    at += 1;
    if code.written(at) == "<" {
        at = code.angles(at)? + 1;
    }
    if code.written(at) == "(" {
        return code.partner(at).map(|close| close + 1);
    }
    code.is_word(at).then_some(at + 1)
}

fn value_class(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_modifier = code.written(at) == "value"
        && matches!(
            code.written(at + 1),
            "class" | "record" | "abstract" | "final" | "public" | "private" | "static"
        );
    if is_modifier && code.before(at) != "." {
        edits.blank(code, at, at);
    }
}
