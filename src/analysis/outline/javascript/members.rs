//! Members of classes, interfaces, enums and objects.

use tree_sitter::Node;

use super::super::{Context, Declaration, children};
use super::values::in_object;
use super::{JavaScript, is_function};
use crate::analysis::language::javascript::{key_text, unwrapped};
use crate::analysis::syntax::Visit;
use crate::analysis::{SymbolKind, Visibility};

pub(super) fn method(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(name) = cx.field_text(&visit.node, "name") else {
        return;
    };
    if !is_member(cx, visit) && !in_object(cx, visit) {
        return;
    }
    let kind = match name {
        "constructor" if is_member(cx, visit) => SymbolKind::Constructor,
        _ if is_accessor(&visit.node) => SymbolKind::Property,
        _ => SymbolKind::Method,
    };
    let declaration = Declaration {
        node: visit.node,
        name: key_text(name).to_owned(),
        kind,
        visibility: member_visibility(cx, &visit.node, name),
        body: visit.node.child_by_field_name("body"),
    };
    let is_in_object = in_object(cx, visit);
    cx.open(&declaration, visit.depth);
    if is_in_object && let Some(scope) = cx.scopes.last_mut() {
        scope.is_hidden = true;
    }
}

/// `get` or `set` before the name.
fn is_accessor(node: &Node<'_>) -> bool {
    let count = node.child_count();
    (0..count)
        .take_while(|at| node.field_name_for_child(*at) != Some("name"))
        .filter_map(|at| node.child(at))
        .any(|child| matches!(child.kind(), "get" | "set"))
}

/// Whether it is in the body of a class or interface, and not in an object or object type inside that.
fn is_member(cx: &Context<'_>, visit: &Visit<'_>) -> bool {
    cx.scope().is_some_and(|scope| {
        matches!(
            scope.kind,
            SymbolKind::Class | SymbolKind::Interface | SymbolKind::TypeAlias
        ) && visit.depth == scope.depth + 2
    })
}

impl JavaScript {
    pub(super) fn field(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let name = cx
            .field_text(&visit.node, "name")
            .or_else(|| cx.field_text(&visit.node, "property"));
        let Some(name) = name.filter(|_| is_member(cx, visit)) else {
            return;
        };
        let value = visit.node.child_by_field_name("value");
        let inner = value.map(unwrapped);
        let callable = inner.filter(is_function);
        let declaration = Declaration {
            node: visit.node,
            name: key_text(name).to_owned(),
            kind: match callable {
                Some(_) => SymbolKind::Method,
                None => SymbolKind::Field,
            },
            visibility: member_visibility(cx, &visit.node, name),
            body: match callable {
                Some(callable) => callable.child_by_field_name("body"),
                None => value,
            },
        };
        let symbol = cx.declare(&declaration);
        if let Some(callable) = callable {
            self.claims.add(cx, symbol, &callable);
        }
    }
}

/// A parameter of a constructor that is also a field: `private readonly repo: Repo`.
pub(super) fn parameter(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let is_constructors = cx.scope().is_some_and(|scope| {
        scope.kind == SymbolKind::Constructor && visit.depth == scope.depth + 2
    });
    let is_field = is_constructors
        && children_and_tokens(&visit.node).any(|child| {
            matches!(
                child.kind(),
                "accessibility_modifier" | "readonly" | "override_modifier"
            )
        });
    let Some(name) = cx.field_text(&visit.node, "pattern").filter(|_| is_field) else {
        return;
    };
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind: SymbolKind::Field,
        visibility: member_visibility(cx, &visit.node, name),
        body: visit.node.child_by_field_name("value"),
    };
    // It belongs to the class, not to the constructor.
    let constructor = cx.scopes.pop();
    cx.declare_with(&declaration, None);
    cx.scopes.extend(constructor);
}

fn children_and_tokens<'t>(node: &Node<'t>) -> impl Iterator<Item = Node<'t>> {
    (0..node.child_count()).filter_map(|at| node.child(at))
}

pub(super) fn property(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let name = cx.field_text(&visit.node, "name");
    let is_direct = cx
        .scope()
        .is_some_and(|scope| visit.depth == scope.depth + 2);
    if let Some(name) = name.filter(|_| is_direct && is_member(cx, visit)) {
        let declaration = Declaration {
            node: visit.node,
            name: key_text(name).to_owned(),
            kind: SymbolKind::Field,
            visibility: Visibility::Public,
            body: None,
        };
        cx.declare(&declaration);
    }
}

fn member_visibility(cx: &Context<'_>, node: &Node<'_>, name: &str) -> Visibility {
    if name.starts_with('#') {
        return Visibility::Private;
    }
    let modifier = children(node)
        .take(4)
        .find(|child| child.kind() == "accessibility_modifier");
    match modifier.map(|modifier| cx.text(&modifier)) {
        Some("private") => Visibility::Private,
        Some("protected") => Visibility::Restricted,
        _ => Visibility::Public,
    }
}

pub(super) fn enum_members(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let members: Vec<Node<'_>> = children(&visit.node)
        .filter(|child| child.kind() != "comment")
        .collect();
    for node in members {
        let name = match node.kind() {
            "enum_assignment" => node.child_by_field_name("name"),
            _ => Some(node),
        };
        if let Some(name) = name {
            enum_member(cx, &node, &name);
        }
    }
}

fn enum_member(cx: &mut Context<'_>, node: &Node<'_>, name: &Node<'_>) {
    let declaration = Declaration {
        node: *node,
        name: key_text(cx.text(name)).to_owned(),
        kind: SymbolKind::EnumMember,
        visibility: Visibility::Public,
        body: None,
    };
    cx.declare_with(&declaration, None);
}
