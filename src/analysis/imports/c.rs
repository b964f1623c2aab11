//! C: `#include`. The guard of a header is not a condition.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use super::{Context, MACRO, NEXT, Rules, children, line, unquoted};
use crate::analysis::kinds::Kinds;
use crate::analysis::language::c::NO_NAMES;
use crate::analysis::syntax::Visit;
use crate::analysis::{ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Include,
    Call,
    Define,
    Condition,
    Guard,
    Function,
    Declaration,
}

const LIST: &[(&str, Act)] = &[
    ("preproc_include", Act::Include),
    ("preproc_call", Act::Call),
    ("preproc_def", Act::Define),
    ("preproc_if", Act::Condition),
    ("preproc_elif", Act::Condition),
    ("preproc_else", Act::Condition),
    ("preproc_ifdef", Act::Guard),
    ("function_definition", Act::Function),
    ("declaration", Act::Declaration),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::C, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct C {
    /// Macros that name a file: `#define CONFIG "x.h"`. Several if conditions choose.
    files: HashMap<String, BTreeSet<String>>,
}

/// Macros remembered per file, and files per macro.
const MACROS: usize = 1024;
const FILES_OF_MACRO: usize = 16;

impl Rules for C {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Include => self.include(cx, visit),
            Act::Call => include_next(cx, visit),
            Act::Define => self.define(cx, visit),
            Act::Condition => cx.conditional(visit),
            Act::Guard if !is_guard(cx, visit) => cx.conditional(visit),
            Act::Guard => {}
            Act::Function => function(cx, visit),
            Act::Declaration => declaration(cx, visit),
        }
    }
}

impl C {
    fn include(&self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(path) = visit.node.child_by_field_name("path") else {
            return;
        };
        let text = cx.text(&path);
        let line = line(&visit.node);
        if matches!(path.kind(), "system_lib_string" | "string_literal") {
            let import = cx.import(kind_of(text), unquoted(text), line);
            cx.add(import);
            return;
        }
        let defined = self.files.get(text);
        if let Some(only) = defined
            .filter(|files| files.len() == 1)
            .and_then(BTreeSet::first)
        {
            let import = cx.import(kind_of(only), unquoted(only), line);
            cx.add(import);
            return;
        }
        // `#include CONFIG_H` keeps the name of the macro. The missing quotes tell it from a file.
        let mut import = cx.import(ImportKind::IncludeLocal, text, line);
        import.names.push(MACRO.to_owned());
        let candidates = defined.into_iter().flatten();
        import
            .names
            .extend(candidates.map(|file| unquoted(file).to_owned()));
        cx.add(import);
    }

    fn define(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        let field = |name| visit.node.child_by_field_name(name);
        let (Some(name), Some(value)) = (field("name"), field("value")) else {
            return;
        };
        let value = cx.text(&value).trim();
        if !is_file(value) || self.files.len() == MACROS {
            return;
        }
        let files = self.files.entry(cx.text(&name).to_owned()).or_default();
        if files.len() < FILES_OF_MACRO {
            files.insert(value.to_owned());
        }
    }
}

fn is_file(text: &str) -> bool {
    let quoted = text.starts_with('"') && text.ends_with('"');
    let is_one = |text: &str| text.len() > 2 && !text[1..text.len() - 1].contains(['"', '<', '>']);
    (quoted || (text.starts_with('<') && text.ends_with('>'))) && is_one(text)
}

fn kind_of(text: &str) -> ImportKind {
    match text.starts_with('<') {
        true => ImportKind::IncludeSystem,
        false => ImportKind::IncludeLocal,
    }
}

/// `#include_next <x.h>` and `#import`, which the grammar parses as unknown directives.
fn include_next(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let field = |name| visit.node.child_by_field_name(name);
    let (Some(directive), Some(argument)) = (field("directive"), field("argument")) else {
        return;
    };
    let directive: String = cx.text(&directive).split_whitespace().collect();
    let argument = cx.text(&argument).trim();
    let is_next = directive == "#include_next";
    if !is_next && directive != "#import" {
        return;
    }
    let close = match argument.as_bytes().first() {
        Some(b'<') => '>',
        Some(b'"') => '"',
        _ => return,
    };
    let Some(end) = argument[1..].find(close) else {
        return;
    };
    let written = &argument[..end + 2];
    if !is_file(written) {
        return;
    }
    let mut import = cx.import(kind_of(written), unquoted(written), line(&visit.node));
    if is_next {
        import.names.push(NEXT.to_owned());
    }
    cx.add(import);
}

/// `#ifndef X` whose first line is `#define X`; `#ifdef __cplusplus` has no include of C.
fn is_guard(cx: &Context<'_>, visit: &Visit<'_>) -> bool {
    if cx.conditional_at.is_some() {
        return false;
    }
    let Some(name) = visit.node.child_by_field_name("name") else {
        return false;
    };
    let first = children(&visit.node)
        .skip(1)
        .find(|child| child.kind() != "comment");
    first.is_some_and(|first| {
        first.kind() == "preproc_def"
            && first
                .child_by_field_name("name")
                .is_some_and(|defined| cx.text(&defined) == cx.text(&name))
    })
}

fn function(cx: &mut Context<'_>, visit: &Visit<'_>) {
    cx.conditional(visit);
    offer(cx, visit);
}

/// Only functions are exported: other files call the prototypes of a header.
fn declaration(cx: &mut Context<'_>, visit: &Visit<'_>) {
    // Outside functions only: a condition of the preprocessor does not make a declaration local.
    if visit.depth <= 4 {
        offer(cx, visit);
    }
}

fn offer(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let is_static = children(&visit.node)
        .take_while(|child| child.kind() != "compound_statement")
        .any(|child| child.kind() == "storage_class_specifier" && cx.text(&child) == "static");
    if is_static {
        return;
    }
    let mut declarator = visit.node.child_by_field_name("declarator");
    let mut is_function = false;
    while let Some(node) = declarator {
        match node.kind() {
            "identifier" => {
                if is_function && !NO_NAMES.contains(&cx.text(&node)) {
                    cx.export(cx.text(&node), line(&node), None);
                }
                return;
            }
            "function_declarator" => is_function = true,
            _ => {}
        }
        declarator = node.child_by_field_name("declarator");
    }
}
