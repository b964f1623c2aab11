//! Java: types of all kinds with fields, methods, constructors, enum constants and record components.

use std::sync::LazyLock;

use super::{Context, Declaration, Rules, children};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    Type(SymbolKind),
    Callable(SymbolKind),
    Fields,
    Constant,
    Component,
    Anonymous,
    Lambda,
    Global,
    Module,
    Comment,
}

const LIST: &[(&str, Act)] = &[
    ("class_declaration", Act::Type(SymbolKind::Class)),
    ("record_declaration", Act::Type(SymbolKind::Class)),
    ("interface_declaration", Act::Type(SymbolKind::Interface)),
    (
        "annotation_type_declaration",
        Act::Type(SymbolKind::Interface),
    ),
    ("enum_declaration", Act::Type(SymbolKind::Enum)),
    ("method_declaration", Act::Callable(SymbolKind::Method)),
    (
        "annotation_type_element_declaration",
        Act::Callable(SymbolKind::Method),
    ),
    (
        "constructor_declaration",
        Act::Callable(SymbolKind::Constructor),
    ),
    (
        "compact_constructor_declaration",
        Act::Callable(SymbolKind::Constructor),
    ),
    ("field_declaration", Act::Fields),
    ("constant_declaration", Act::Fields),
    ("enum_constant", Act::Constant),
    ("formal_parameter", Act::Component),
    ("object_creation_expression", Act::Anonymous),
    ("lambda_expression", Act::Lambda),
    ("local_variable_declaration", Act::Global),
    ("module_declaration", Act::Module),
    ("block_comment", Act::Comment),
    ("line_comment", Act::Comment),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Java, LIST));
    &KINDS
}

pub(super) struct Java;

impl Rules for Java {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Comment => cx.remarks.comment(cx.text, &visit.node),
            _ if cx.is_hidden() => {}
            Act::Lambda => cx.hide(visit.depth),
            Act::Type(kind) | Act::Callable(kind) => open(cx, visit, kind),
            Act::Fields => fields(cx, visit),
            Act::Constant => open(cx, visit, SymbolKind::EnumMember),
            Act::Component => component(cx, visit),
            Act::Anonymous => anonymous(cx, visit),
            // A compact source file is a class without a head.
            Act::Global if visit.depth == 1 => fields(cx, visit),
            Act::Global => {}
            Act::Module => module(cx, visit),
        }
    }
}

fn open(cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) {
    let Some(name) = cx.field_text(&visit.node, "name") else {
        return;
    };
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind,
        visibility: visibility(cx, visit),
        body: visit.node.child_by_field_name("body"),
    };
    cx.open(&declaration, visit.depth);
}

fn fields(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let modifiers = modifiers(cx, visit);
    let is = |word: &str| {
        modifiers
            .split_whitespace()
            .any(|modifier| modifier == word)
    };
    let is_constant = visit.node.kind() == "constant_declaration" || (is("static") && is("final"));
    let kind = if is_constant {
        SymbolKind::Constant
    } else {
        SymbolKind::Field
    };
    let visibility = visibility(cx, visit);
    let doc = cx.remarks.before(cx.text, &visit.node, Language::Java);
    for declarator in children(&visit.node).filter(|child| child.kind() == "variable_declarator") {
        let Some(name) = cx.field_text(&declarator, "name") else {
            continue;
        };
        let declaration = Declaration {
            node: visit.node,
            name: name.to_owned(),
            kind,
            visibility,
            body: declarator.child_by_field_name("value"),
        };
        cx.declare_with(&declaration, doc.clone());
    }
}

/// Members of an anonymous class belong to the surrounding symbol, and other code cannot name them.
fn anonymous(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let has_body = children(&visit.node).any(|child| child.kind() == "class_body");
    if has_body {
        let line = visit.node.start_position().row + 1;
        let prefix = cx.qualified(&format!("<anonymous@{line}>"));
        cx.enter(visit.depth, None, SymbolKind::Class, prefix);
        if let Some(scope) = cx.scopes.last_mut() {
            scope.is_anonymous = true;
        }
    }
}

fn module(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(name) = cx.field_text(&visit.node, "name") else {
        return;
    };
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind: SymbolKind::Module,
        visibility: Visibility::Public,
        body: visit.node.child_by_field_name("body"),
    };
    cx.open(&declaration, visit.depth);
}

/// A record's parameters are its fields. They are two levels below the record; those of a method are below the
/// method's scope.
fn component(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let is_component = cx
        .scope()
        .is_some_and(|scope| scope.kind == SymbolKind::Class && scope.depth + 2 == visit.depth);
    let name = cx.field_text(&visit.node, "name");
    if let Some(name) = name.filter(|_| is_component) {
        let declaration = Declaration {
            node: visit.node,
            name: name.to_owned(),
            kind: SymbolKind::Field,
            visibility: Visibility::Private,
            body: None,
        };
        cx.declare_with(&declaration, None);
    }
}

fn modifiers<'s>(cx: &Context<'s>, visit: &Visit<'_>) -> &'s str {
    visit
        .node
        .child(0)
        .filter(|child| child.kind() == "modifiers")
        .map_or("", |child| cx.text(&child))
}

fn visibility(cx: &Context<'_>, visit: &Visit<'_>) -> Visibility {
    if cx.scope().is_some_and(|scope| scope.is_anonymous) {
        return Visibility::Private;
    }
    for word in modifiers(cx, visit).split_whitespace() {
        match word {
            "public" => return Visibility::Public,
            "private" => return Visibility::Private,
            "protected" => return Visibility::Restricted,
            _ => {}
        }
    }
    match cx.scope() {
        // Members of an interface and constants of an enum have the visibility of their type.
        Some(scope) if scope.kind == SymbolKind::Interface => scope.visibility,
        Some(scope) if visit.node.kind() == "enum_constant" => scope.visibility,
        _ => Visibility::Restricted,
    }
}
