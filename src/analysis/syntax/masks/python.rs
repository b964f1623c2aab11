//! Python 3.13: syntax that tree-sitter-python 0.25 does not know.

use super::{Edits, Mask, mask};
use crate::analysis::syntax::code::Code;

pub(super) const MASKS: &[Mask] = &[mask("default values of type parameters", type_default)];

fn type_default(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_head = matches!(code.written(at), "class" | "def" | "type")
        && code.is_word(at + 1)
        && code.written(at + 2) == "[";
    let Some(end) = code.partner(at + 2).filter(|_| is_head) else {
        return;
    };
    let mut from = None;
    let mut at = at + 3;
    while at <= end {
        match (code.written(at), from) {
            ("=", None) => from = Some(at),
            ("," | "]", Some(start)) if at == end || code.around(at) == code.around(start) => {
                edits.blank(code, start, at - 1);
                from = None;
            }
            _ => at = code.partner(at).filter(|close| *close > at).unwrap_or(at),
        }
        at += 1;
    }
}
