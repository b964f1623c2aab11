//! Determines the kind of a block by the words before it.

use super::{Context, TOP, context, list};
use crate::analysis::Language;
use crate::analysis::syntax::code::Code;
use crate::analysis::syntax::tokens::TokenKind;

/// `None`: its content is not split.
pub(super) fn around(code: &Code<'_>, start: usize, open: usize) -> Option<Context> {
    match code.language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(code, start, open),
        Language::Java => java(code, start, open),
        Language::Rust => rust(code, start, open),
        Language::Go => go(code, start, open),
        Language::C => c(code, start, open),
        Language::Python => None,
    }
}

/// The words of the head of a block, back to the end of the previous statement, without the contents of brackets.
fn head<'t>(code: &Code<'t>, start: usize, open: usize) -> Vec<&'t str> {
    let mut words = Vec::new();
    let mut at = open;
    while at > start && words.len() < HEAD {
        at -= 1;
        match code.written(at) {
            ")" | "]" => at = code.partner(at).filter(|open| *open >= start).unwrap_or(at),
            ";" | "{" | "}" | "(" | "[" | "," => break,
            word if code.is_word(at) => words.push(word),
            _ => {}
        }
    }
    words
}

/// Words of a head that are read.
const HEAD: usize = 64;

/// The word before the brackets that end before `open`.
fn called<'t>(code: &Code<'t>, open: usize) -> &'t str {
    open.checked_sub(1)
        .and_then(|close| code.partner(close))
        .map_or("", |bracket| code.before(bracket))
}

fn script(code: &Code<'_>, start: usize, open: usize) -> Option<Context> {
    let statements = context("async function*f(){", "}");
    let object = list("a={", "}");
    let types = context("type A={", "}");
    let before = code.before(open);
    if open == start
        || matches!(
            before,
            "else" | "try" | "finally" | "do" | "static" | ";" | "}" | "{"
        )
    {
        return Some(statements);
    }
    if before == ")" {
        return Some(match called(code, open) {
            "switch" => context("switch(a){", "}"),
            _ => statements,
        });
    }
    if before == ">" && code.before(open - 1) == "=" {
        return Some(statements);
    }
    let words = head(code, start, open);
    if words.contains(&"class") {
        return Some(context("class A{", "}"));
    }
    if words.contains(&"interface") {
        return Some(types);
    }
    if words.contains(&"enum") {
        return Some(list("enum A{", "}"));
    }
    if words
        .iter()
        .any(|word| matches!(*word, "namespace" | "module" | "global"))
    {
        return Some(statements);
    }
    if words
        .iter()
        .any(|word| matches!(*word, "import" | "export"))
        && !words.contains(&"type")
        && before != "="
    {
        return None;
    }
    match before {
        // The result type of a function is before its body.
        _ if returns(code, start, open) => Some(statements),
        "=" if words.contains(&"type") => Some(types),
        ":" | "&" | "|" | "<" => Some(types),
        _ => Some(object),
    }
}

/// `) : Type {`.
fn returns(code: &Code<'_>, start: usize, open: usize) -> bool {
    let mut at = open;
    while at > start && open - at < HEAD {
        at -= 1;
        match code.written(at) {
            ":" => return code.before(at) == ")",
            "]" | "}" => at = code.partner(at).filter(|open| *open >= start).unwrap_or(at),
            "=" | ";" | "{" | "(" | "," => return false,
            _ => {}
        }
    }
    false
}

fn java(code: &Code<'_>, start: usize, open: usize) -> Option<Context> {
    let words = head(code, start, open);
    let has = |word: &str| words.contains(&word);
    if has("enum") {
        return Some(list("enum A{", "}"));
    }
    if has("class") || has("interface") || has("record") || (code.before(open) == ")" && has("new"))
    {
        return Some(context("class A{", "}"));
    }
    if code.before(open) == ")" && called(code, open) == "switch" {
        return Some(context("switch(a){", "}"));
    }
    let is_array = matches!(code.before(open), "=" | "]" | ",");
    (!is_array).then_some(TOP)
}

fn rust(code: &Code<'_>, start: usize, open: usize) -> Option<Context> {
    let words = head(code, start, open);
    let has = |word: &str| words.contains(&word);
    if has("match") && !has("fn") {
        return Some(list("match a{", "}"));
    }
    if has("impl") && !has("fn") {
        return Some(context("impl A{", "}"));
    }
    if has("trait") {
        return Some(context("trait A{", "}"));
    }
    if has("struct") || has("union") {
        return Some(list("struct A{", "}"));
    }
    if has("enum") {
        return Some(list("enum A{", "}"));
    }
    if has("mod") {
        return Some(TOP);
    }
    // The syntax of a macro, and the fields of a value.
    let is_macro = code.before(open) == "!" || code.before(open.saturating_sub(1)) == "!";
    let is_statement = open == start
        || matches!(
            code.before(open),
            ")" | "=" | ">" | "|" | ";" | "}" | "{" | "else" | "unsafe" | "loop" | "async" | "move"
        )
        || words
            .iter()
            .any(|word| matches!(*word, "fn" | "if" | "while" | "for" | "else"));
    (is_statement && !is_macro).then_some(context("fn f(){", "}"))
}

fn go(code: &Code<'_>, start: usize, open: usize) -> Option<Context> {
    let words = head(code, start, open);
    match code.before(open) {
        "struct" => return Some(context("type a struct{", "}")),
        "interface" => return Some(context("type a interface{", "}")),
        "select" => return Some(context("select{", "}")),
        _ => {}
    }
    if words.contains(&"switch") {
        return Some(context("switch{", "}"));
    }
    let is_block = open == start
        || words
            .iter()
            .any(|word| matches!(*word, "func" | "if" | "for" | "else"));
    is_block.then_some(context("func f(){", "}"))
}

fn c(code: &Code<'_>, start: usize, open: usize) -> Option<Context> {
    let words = head(code, start, open);
    let has = |word: &str| words.contains(&word);
    if matches!(code.before(open), "=" | ",") {
        return None;
    }
    if code.before(open) != ")" {
        if has("struct") || has("union") {
            return Some(context("struct a{", "};"));
        }
        if has("enum") {
            return Some(list("enum a{", "};"));
        }
    }
    if code.before(open) == ")" && called(code, open) == "switch" {
        return Some(context("void f(){switch(a){", "}}"));
    }
    if open > 0 && code.kind(open - 1) == Some(TokenKind::Literal) {
        return Some(TOP);
    }
    Some(context("void f(){", "}"))
}
