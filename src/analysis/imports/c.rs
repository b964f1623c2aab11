//! C: `#include`. A header's own guard is no condition.

use std::sync::LazyLock;

use super::{Context, MACRO, Rules, children, line, unquoted};
use crate::analysis::kinds::Kinds;
use crate::analysis::language::c::NO_NAMES;
use crate::analysis::syntax::Visit;
use crate::analysis::{ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Include,
    Condition,
    Guard,
    Function,
    Declaration,
}

const LIST: &[(&str, Act)] = &[
    ("preproc_include", Act::Include),
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
pub(super) struct C {}

impl Rules for C {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Include => include(cx, visit),
            Act::Condition => cx.conditional(visit),
            Act::Guard if !is_guard(cx, visit) => cx.conditional(visit),
            Act::Guard => {}
            Act::Function => function(cx, visit),
            Act::Declaration => declaration(cx, visit),
        }
    }
}

fn include(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(path) = visit.node.child_by_field_name("path") else {
        return;
    };
    let kind = match path.kind() {
        "system_lib_string" => ImportKind::IncludeSystem,
        _ => ImportKind::IncludeLocal,
    };
    // A macro stands for itself: `#include CONFIG_H` keeps its name, told from a file by the missing quotes.
    let text = cx.text(&path);
    let specifier = match path.kind() {
        "system_lib_string" | "string_literal" => unquoted(text),
        _ => text,
    };
    let mut import = cx.import(kind, specifier, line(&visit.node));
    if !matches!(path.kind(), "system_lib_string" | "string_literal") {
        import.names.push(MACRO.to_owned());
    }
    cx.add(import);
}

/// `#ifndef X` whose first line is `#define X`; `#ifdef __cplusplus` holds no include of C.
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

/// Only functions are offered: a header's prototypes are what others call.
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
