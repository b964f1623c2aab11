//! TypeScript and JavaScript: syntax that tree-sitter-typescript 0.23 and tree-sitter-javascript 0.25 do not know.

use super::{Edits, Mask, mask};
use crate::analysis::syntax::code::Code;
use crate::analysis::syntax::tokens::{Bracket, TokenKind};

pub(super) const MASKS: &[Mask] = &[
    Mask {
        sign: Some(">`"),
        ..mask(
            "tag<T>`…`: a call after the template is parsed as a call of the surrounding arrow function",
            tagged,
        )
    },
    mask("in and out on type parameters", variance),
    mask("export type * from", export_type),
    mask("import defer * and import source", import_phase),
    mask("attributes of export … from", attributes),
    mask(
        "abstract override: the grammar knows only the other order",
        modifier_order,
    ),
    mask("accessor fields", accessor),
    mask("members with the name of a modifier", member_name),
    mask("as, in and satisfies as names", operator_name),
    mask(
        "a call signature on its own line after a member without a semicolon",
        call_signature,
    ),
    mask("a generator after a field without a semicolon", generator),
    mask("an escaped backtick in a template", escaped_backtick),
    mask("using in the head of a loop", using),
    mask(
        "export default abstract class without a name",
        default_abstract,
    ),
];

fn tagged(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_template = code.written(at).starts_with('`') && code.before(at) == ">";
    if !is_template || !code.touches_next(at - 1) {
        return;
    }
    let Some(open) = code.angles_back(at - 1) else {
        return;
    };
    let is_tag = open > 0
        && code.touches_next(open - 1)
        && matches!(
            code.kind(open - 1),
            Some(TokenKind::Word | TokenKind::Close(_))
        );
    if is_tag {
        edits.blank(code, open, at - 1);
    }
}

fn variance(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if !matches!(code.written(at), "class" | "interface" | "type") {
        return;
    }
    let open = at + 1 + usize::from(code.is_word(at + 1));
    if code.written(open) != "<" {
        return;
    }
    let Some(end) = code.angles(open) else { return };
    for at in open + 1..end {
        let is_place = matches!(code.before(at), "<" | "," | "in" | "const");
        let is_variance = matches!(code.written(at), "in" | "out");
        if is_variance && is_place && code.is_word(at + 1) && code.written(at + 1) != "extends" {
            edits.blank(code, at, at);
        }
    }
}

fn export_type(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) == "type" && code.before(at) == "export" && code.written(at + 1) == "*" {
        edits.blank(code, at, at);
    }
}

fn import_phase(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "import" {
        return;
    }
    let is_phase = |at| matches!(code.written(at), "defer" | "source");
    let is_named =
        code.is_word(at + 2) && code.written(at + 2) != "from" && code.written(at + 3) == "from";
    if is_phase(at + 1) && (code.written(at + 2) == "*" || is_named) {
        edits.blank(code, at + 1, at + 1);
    }
    if code.written(at + 1) == "." && is_phase(at + 2) && code.written(at + 3) == "(" {
        edits.blank(code, at + 1, at + 2);
    }
}

fn attributes(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_clause = matches!(code.written(at), "with" | "assert")
        && code.written(at + 1) == "{"
        && at > 1
        && code.kind(at - 1) == Some(TokenKind::Literal)
        && code.before(at - 1) == "from";
    if let Some(close) = code.partner(at + 1).filter(|_| is_clause) {
        edits.blank(code, at, close);
    }
}

fn modifier_order(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_member = code.is_word(at + 1) || code.written(at + 1) == "[";
    if code.written(at) == "override" && code.before(at) == "abstract" && is_member {
        edits.blank(code, at, at);
    }
}

const MODIFIERS: &[&str] = &[
    "abstract",
    "accessor",
    "declare",
    "override",
    "private",
    "protected",
    "public",
    "readonly",
    "static",
];

fn accessor(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "accessor" || !code.is_in_braces(at) || code.starts_line(at + 1) {
        return;
    }
    let before = code.before(at);
    let is_place = code.starts_line(at)
        || matches!(before, "{" | "}" | ";" | ")")
        || MODIFIERS.contains(&before)
        || is_decorator(code, at.saturating_sub(1));
    let is_named = match code.kind(at + 1) {
        Some(TokenKind::Word) => !matches!(
            code.written(at + 1),
            "as" | "from" | "in" | "instanceof" | "of" | "satisfies"
        ),
        Some(TokenKind::Literal) => true,
        _ => matches!(code.written(at + 1), "#" | "["),
    };
    if is_place && is_named {
        edits.blank(code, at, at);
    }
}

/// `@a.b`, found by its last word.
fn is_decorator(code: &Code<'_>, mut at: usize) -> bool {
    while at > 1 && code.is_word(at) && code.before(at) == "." {
        at -= 2;
    }
    code.is_word(at) && code.before(at) == "@"
}

/// Whether the text after it can follow the name of a member.
fn is_behind_a_name(code: &Code<'_>, at: usize) -> bool {
    match code.written(at) {
        ":" | ";" | "?" | "!" | "(" | "<" | "}" => true,
        "=" => !(code.touches_next(at) && matches!(code.written(at + 1), ">" | "=")),
        _ => false,
    }
}

fn member_name(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_modifier = MODIFIERS.contains(&code.written(at)) && code.written(at) != "static";
    if is_modifier
        && code.before(at) != "."
        && code.is_in_braces(at)
        && is_behind_a_name(code, at + 1)
    {
        edits.rename(code, at);
    }
}

fn operator_name(code: &Code<'_>, at: usize, edits: &mut Edits) {
    // `as const satisfies Shape` declares nothing.
    let before = match code.before(at) {
        "const" if at > 1 && code.before(at - 1) == "as" => "as const",
        before => before,
    };
    let is_member = code.starts_line(at)
        && code.is_in_braces(at)
        && (code.written(at + 1) == ":"
            || (code.written(at + 1) == "?" && code.written(at + 2) == ":"));
    let is_name = match code.written(at) {
        "as" | "satisfies" => {
            is_member
                || (before == "type" && matches!(code.written(at + 1), "=" | "<"))
                || matches!(
                    before,
                    "let" | "const" | "var" | "(" | "=" | "?" | "return" | "+" | "&&" | "||"
                )
                || (matches!(before, ";" | "{" | "}")
                    && matches!(code.written(at + 1), "=" | "." | "+"))
        }
        "in" | "instanceof" => is_member,
        _ => false,
    };
    if is_name {
        edits.rename(code, at);
    }
}

/// Whether a token can be the last one of a member of a type.
fn ends_member(code: &Code<'_>, at: usize) -> bool {
    match code.kind(at) {
        Some(TokenKind::Word) => !matches!(
            code.written(at),
            "return"
                | "case"
                | "extends"
                | "new"
                | "typeof"
                | "keyof"
                | "in"
                | "of"
                | "await"
                | "yield"
                | "is"
        ),
        Some(TokenKind::Close(_) | TokenKind::Literal) => true,
        _ => code.written(at) == ">" && !(code.before(at) == "=" && code.touches_next(at - 1)),
    }
}

fn call_signature(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_place = code.written(at) == "<" && code.starts_line(at) && code.is_in_braces(at);
    if !is_place || at == 0 || !ends_member(code, at - 1) {
        return;
    }
    let Some(end) = code.angles(at) else { return };
    if code.written(end + 1) != "(" {
        return;
    }
    let Some(close) = code.partner(end + 1) else {
        return;
    };
    let is_signature = matches!(code.written(close + 1), ":" | ";" | "}")
        || (code.starts_line(close + 1) && code.written(close + 1) != "=");
    if !is_signature || edits.end_before(code, at) {
        return;
    }
    if let (Some(first), Some(last)) = (code.token(at), code.token(end)) {
        edits.write(first.span.start..last.span.end, ";");
    }
}

fn generator(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_place = code.written(at) == "*" && code.starts_line(at) && code.is_in_braces(at);
    if !is_place || at == 0 || !ends_member(code, at - 1) || code.before(at) == "}" {
        return;
    }
    let name = match code.written(at + 1) {
        "#" => at + 2,
        "[" => match code.partner(at + 1) {
            Some(close) => close,
            None => return,
        },
        _ => at + 1,
    };
    if code.kind(name + 1) != Some(TokenKind::Open(Bracket::Round)) {
        return;
    }
    let behind = code
        .partner(name + 1)
        .map_or("", |close| code.written(close + 1));
    if matches!(behind, "{" | ":") {
        edits.end_before(code, at);
    }
}

fn escaped_backtick(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let Some(token) = code.token(at).filter(|_| code.written(at).starts_with('`')) else {
        return;
    };
    for found in memchr::memmem::find_iter(code.written(at).as_bytes(), b"\\`") {
        let start = token.span.start + found;
        edits.write(start..start + 2, "''");
    }
}

fn using(code: &Code<'_>, at: usize, edits: &mut Edits) {
    if code.written(at) != "using" || !code.is_word(at + 1) || code.written(at + 1) == "of" {
        return;
    }
    let (open, waits) = match code.before(at) {
        "await" => (at.saturating_sub(2), true),
        _ => (at.saturating_sub(1), false),
    };
    let is_head = code.written(open) == "(" && matches!(code.before(open), "for" | "await");
    if !is_head {
        return;
    }
    if waits {
        edits.blank(code, at - 1, at - 1);
    }
    edits.replace(code, at, "const");
}

fn default_abstract(code: &Code<'_>, at: usize, edits: &mut Edits) {
    let is_nameless = code.written(at) == "abstract"
        && code.before(at) == "default"
        && code.written(at + 1) == "class"
        && matches!(code.written(at + 2), "{" | "extends" | "implements" | "<");
    if is_nameless {
        edits.blank(code, at, at);
    }
}
