//! The heads of C declarations: finds the type among the words before a name, and the macros.

use super::Edits;
use super::c::{NOT_A_CALL, is_macro_name};
use crate::analysis::syntax::code::{Code, REACH};
use crate::analysis::syntax::tokens::{Bracket, TokenKind};

/// Most words before a name: bounds the search.
const HEAD: usize = 32;

/// Whether it is neither in a function nor in a list: only `extern "C" {` may be around it.
pub(super) fn is_outside(code: &Code<'_>, at: usize) -> bool {
    let mut at = at;
    for _ in 0..REACH {
        let Some(open) = code.around(at) else {
            return true;
        };
        let is_linkage = open
            .checked_sub(1)
            .is_some_and(|before| code.kind(before) == Some(TokenKind::Literal));
        if code.written(open) != "{" || !is_linkage {
            return false;
        }
        at = open;
    }
    false
}

fn begins(code: &Code<'_>, at: usize) -> bool {
    let begins = at == 0
        || matches!(code.before(at), ";" | "}" | "{")
        || code.kind(at - 1) == Some(TokenKind::Directive);
    begins && code.is_word(at) && is_outside(code, at)
}

/// A word before the declared name.
enum Item {
    /// `static`, `const`: not a type, and allowed before one.
    Qualifier,
    /// `unsigned`, `int`.
    Builtin,
    /// `struct name`, with or without a body.
    Tag,
    Word(usize),
    /// A macro with arguments: its first and last token.
    Call(usize, usize),
}

const QUALIFIERS: &[&str] = &[
    "static",
    "extern",
    "inline",
    "const",
    "volatile",
    "register",
    "restrict",
    "typedef",
    "constexpr",
    "thread_local",
    "_Thread_local",
    "__thread",
    "__inline",
    "__inline__",
    "__forceinline",
    "auto",
    "_Atomic",
    "_Noreturn",
    "__extension__",
    "__restrict",
    "__const",
    "__volatile__",
];

pub(super) const BUILTIN: &[&str] = &[
    "unsigned",
    "signed",
    "long",
    "short",
    "int",
    "char",
    "void",
    "float",
    "double",
    "_Bool",
    "bool",
    "_Complex",
    "__int128",
    "__signed__",
];

/// `API int name(…)`, `static TYPE WINAPI name(…)`, `static void printflike(2, 3) name(…)`: only the type is read.
pub(super) fn head(code: &Code<'_>, start: usize, edits: &mut Edits) {
    if !begins(code, start) || NOT_A_CALL.contains(&code.written(start)) && !is_tag(code, start) {
        return;
    }
    let Some((mut items, end)) = items(code, start) else {
        return;
    };
    let defines = code.written(end) == "(" || code.written(end + 1) == "(";
    if !defines && !matches!(code.written(end), "=" | ";" | "[" | ",") {
        return;
    }
    if defines && is_trailing_call(code, &items, end) {
        let close = code.partner(end + 1).unwrap_or(end);
        return edits.blank(code, end, close);
    }
    if !defines {
        // The last word is the name, unless a macro follows it.
        let name = items.iter().rposition(|item| match item {
            Item::Word(at) => !is_macro_name(code.written(*at)),
            Item::Qualifier | Item::Builtin | Item::Tag | Item::Call(..) => false,
        });
        let name = name.or_else(|| items.iter().rposition(|item| matches!(item, Item::Word(_))));
        if let Some(name) = name {
            items.remove(name);
        }
    }
    keep_one_type(code, &items, edits);
}

/// `int name ALIGNED(4);`: looks like a function, but is an attribute of a name.
fn is_trailing_call(code: &Code<'_>, items: &[Item], name: usize) -> bool {
    let is_named = match items {
        [
            ..,
            Item::Builtin | Item::Tag | Item::Word(_),
            Item::Word(last),
        ] => !is_macro_name(code.written(*last)),
        _ => false,
    };
    let close = code.partner(name + 1);
    is_named
        && is_attribute_name(code.written(name))
        && close.is_some_and(|close| matches!(code.written(close + 1), ";" | "=" | ","))
}

fn is_tag(code: &Code<'_>, at: usize) -> bool {
    matches!(code.written(at), "struct" | "enum" | "union")
}

/// The words before the declarator, and the start of the declarator: its name, or the bracket around it.
fn items(code: &Code<'_>, start: usize) -> Option<(Vec<Item>, usize)> {
    let mut items = Vec::new();
    let mut at = start;
    while items.len() < HEAD {
        let written = code.written(at);
        if written == "*" {
            at += 1;
            continue;
        }
        if !code.is_word(at) {
            break;
        }
        if is_tag(code, at) {
            at += 1;
            while code.is_word(at) && code.is_word(at + 1) && code.written(at + 2) == "{" {
                at += 1;
            }
            at += usize::from(code.is_word(at));
            if code.written(at) == "{" {
                at = code.partner(at)? + 1;
            }
            items.push(Item::Tag);
            continue;
        }
        if written.starts_with("__attribute") || written == "__declspec" {
            at = code.partner(at + 1)? + 1;
            continue;
        }
        if code.written(at + 1) == "(" {
            let close = code.partner(at + 1)?;
            if matches!(
                written,
                "typeof" | "__typeof__" | "__typeof" | "_Atomic" | "_BitInt"
            ) {
                items.push(Item::Builtin);
                at = close + 1;
                continue;
            }
            let is_type = QUALIFIERS.contains(&written) || BUILTIN.contains(&written);
            if is_type {
                items.push(item(written, at));
                return Some((items, at + 1));
            }
            if !is_macro_call(code, close) {
                return Some((items, at));
            }
            items.push(Item::Call(at, close));
            at = close + 1;
            continue;
        }
        items.push(item(written, at));
        at += 1;
    }
    // A macro alone before a bracket: `API(int) (wrapped) (int a)`.
    Some((items, at))
}

fn item(written: &str, at: usize) -> Item {
    if QUALIFIERS.contains(&written) {
        return Item::Qualifier;
    }
    match BUILTIN.contains(&written) {
        true => Item::Builtin,
        false => Item::Word(at),
    }
}

/// Whether the text after a bracket is the rest of a head: then the bracket does not contain parameters.
fn is_macro_call(code: &Code<'_>, close: usize) -> bool {
    let mut at = close + 1;
    if code.written(at) == "(" {
        // A name in brackets, and its parameters.
        return code
            .partner(at)
            .is_some_and(|close| code.written(close + 1) == "(");
    }
    if !code.is_word(at) && code.written(at) != "*" {
        return false;
    }
    let limit = at + HEAD;
    while at < limit && (code.is_word(at) || code.written(at) == "*") {
        at += 1;
    }
    let is_parameters = code.kind(at) == Some(TokenKind::Open(Bracket::Round));
    // Macros after the parameters have arguments too.
    let first = code.partner(close).map_or("", |open| code.before(open));
    is_parameters
        && code.is_word(at - 1)
        && (!is_attribute_name(code.before(at)) || is_attribute_name(first))
}

fn is_attribute_name(word: &str) -> bool {
    is_macro_name(word) || word.starts_with("__")
}

fn keep_one_type(code: &Code<'_>, items: &[Item], edits: &mut Edits) {
    let has_known = items
        .iter()
        .any(|item| matches!(item, Item::Builtin | Item::Tag));
    let words: Vec<usize> = items
        .iter()
        .filter_map(|item| match item {
            Item::Word(at) => Some(*at),
            Item::Qualifier | Item::Builtin | Item::Tag | Item::Call(..) => None,
        })
        .collect();
    let kept = match has_known {
        true => None,
        false => words
            .iter()
            .rfind(|at| !is_macro_name(code.written(**at)))
            .or(words.first())
            .copied(),
    };
    for at in &words {
        if Some(*at) != kept {
            edits.blank(code, *at, *at);
        }
    }
    let mut has_type = has_known || kept.is_some();
    for item in items {
        if let Item::Call(first, last) = item {
            // Without another type, the macro gives the type: its name is kept.
            let from = match has_type {
                true => *first,
                false => *first + 1,
            };
            edits.blank(code, from, *last);
            has_type = true;
        }
    }
}

/// `redisAtomic int requests;`: no other type can precede a built-in type.
pub(super) fn before_known_type(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let written = code.written(at);
    let is_plain = code.is_word(at)
        && !QUALIFIERS.contains(&written)
        && !BUILTIN.contains(&written)
        && !NOT_A_CALL.contains(&written)
        && !written.starts_with(|first: char| first.is_ascii_digit());
    let begins = at == 0 || matches!(code.before(at), ";" | "{" | "}" | "(" | ",");
    let is_typed =
        BUILTIN.contains(&code.written(at + 1)) || (is_tag(code, at + 1) && code.is_word(at + 2));
    let is_named = code.is_word(at + 2) || code.written(at + 2) == "*";
    if is_plain && begins && is_typed && is_named {
        edits.blank(code, at, at);
    }
}

/// `static TAILQ_HEAD(, entry) queue;`: the macro gives the type of the following name, and its own name is kept.
pub(super) fn declared_by_macro(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_call =
        code.is_word(at) && is_macro_name(code.written(at)) && code.written(at + 1) == "(";
    let begins = at == 0
        || matches!(
            code.before(at),
            ";" | "{" | "}" | "static" | "extern" | "const" | "struct"
        )
        || code.kind(at - 1) == Some(TokenKind::Directive);
    let Some(close) = code.partner(at + 1).filter(|_| is_call && begins) else {
        return;
    };
    let mut name = close + 1;
    while code.written(name) == "*" {
        name += 1;
    }
    if code.is_word(name) && matches!(code.written(name + 1), ";" | "=" | "," | "[") {
        edits.blank(code, at + 1, close);
    }
}

/// `int name(void) MACRO(1, 2);`, `… MACRO {`.
pub(super) fn trailing(code: &Code<'_>, close: usize, edits: &mut Edits) {
    if code.written(close) != ")" || !code.is_word(close + 1) || !is_outside(code, close) {
        return;
    }
    let mut at = close + 1;
    while code.is_word(at) && at - close < HEAD {
        let is_asm = matches!(code.written(at), "__asm__" | "asm" | "__asm");
        let end = match code.written(at + 1) {
            "(" => match code.partner(at + 1) {
                Some(close) => close,
                None => return,
            },
            _ => at,
        };
        let is_last = matches!(code.written(end + 1), ";" | "{" | ",");
        let goes_on = code.is_word(end + 1) && (end > at || is_macro_name(code.written(at)));
        if is_asm || !(is_last || goes_on) {
            return;
        }
        at = end + 1;
    }
    let is_end = matches!(code.written(at), ";" | "{" | ",");
    let attribute = code.partner(close).map_or("", |open| code.before(open));
    if attribute.starts_with("__attribute") || is_macro_call(code, close) {
        return;
    }
    // There is a head before it, so the block does not belong to a call of a macro.
    let is_head = code
        .partner(close)
        .is_some_and(|open| code.is_word(open.saturating_sub(1)) || code.before(open) == ")");
    // `MACRO(a) name;` declares a name.
    let declares = code.partner(close).is_some_and(|open| {
        let name = open.saturating_sub(1);
        begins(code, name) || QUALIFIERS.contains(&code.before(name))
    });
    if is_end && is_head && !declares {
        edits.blank(code, close + 1, at - 1);
    }
}

/// `Test(suite, name) {`: one of the arguments becomes the name.
pub(super) fn defined_by_macro(code: &Code<'_>, start: usize, edits: &mut Edits) {
    let is_static = matches!(code.written(start), "static" | "extern" | "inline");
    let at = start + usize::from(is_static);
    if !begins(code, start) || !code.is_word(at) || code.written(at + 1) != "(" {
        return;
    }
    let Some(close) = code
        .partner(at + 1)
        .filter(|close| code.written(close + 1) == "{")
    else {
        return;
    };
    if NOT_A_CALL.contains(&code.written(at)) {
        return;
    }
    let arguments = arguments(code, at + 2, close);
    if arguments.len() < 2 {
        return;
    }
    let is_name = |argument: &&(usize, usize)| argument.0 == argument.1 && code.is_word(argument.0);
    let second = arguments.get(1).filter(is_name);
    let is_definition = code.written(at).to_ascii_uppercase().contains("DEFINE");
    let named = match (arguments.len(), second) {
        (2 | 3, Some(second)) if !is_definition => Some(second),
        _ => arguments.iter().find(is_name),
    };
    let Some((first, last)) = named else { return };
    if *first > at + 2 {
        edits.blank(code, at + 2, first - 1);
    }
    if last + 1 < close {
        edits.blank(code, last + 1, close - 1);
    }
}

/// First and last token of each argument.
fn arguments(code: &Code<'_>, first: usize, close: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = first;
    let mut at = first;
    while at < close {
        if code.written(at) == "," {
            found.push((from, at.saturating_sub(1)));
            from = at + 1;
        }
        at = code.partner(at).filter(|close| *close > at).unwrap_or(at) + 1;
    }
    if from < close {
        found.push((from, close - 1));
    }
    found
}
