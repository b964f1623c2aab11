//! Go: types with fields and methods, functions, package constants and variables.

use std::collections::HashMap;
use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Declaration, Rules, children};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    Function,
    Method,
    Type,
    Alias,
    Field,
    InterfaceMethod,
    Constants,
    Variables,
    Comment,
}

const LIST: &[(&str, Act)] = &[
    ("function_declaration", Act::Function),
    ("method_declaration", Act::Method),
    ("type_spec", Act::Type),
    ("type_alias", Act::Alias),
    ("field_declaration", Act::Field),
    ("method_elem", Act::InterfaceMethod),
    ("const_spec", Act::Constants),
    ("var_spec", Act::Variables),
    ("comment", Act::Comment),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Go, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct Go {
    /// Methods with their receiver's type, which may be declared further down.
    methods: Vec<(u32, String)>,
}

impl Rules for Go {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Function => open(cx, visit, SymbolKind::Function),
            Act::Method => self.method(cx, visit),
            Act::Type => open(cx, visit, type_kind(&visit.node)),
            Act::Alias => open(cx, visit, SymbolKind::TypeAlias),
            Act::Field => field(cx, visit),
            Act::InterfaceMethod => {
                if cx.scope_kind() == Some(SymbolKind::Interface) {
                    open(cx, visit, SymbolKind::Method);
                }
            }
            Act::Constants => names(cx, visit, SymbolKind::Constant),
            Act::Variables => names(cx, visit, SymbolKind::Variable),
            Act::Comment => cx.remarks.comment(cx.text, &visit.node),
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        let is_type = |kind| {
            matches!(
                kind,
                SymbolKind::Struct | SymbolKind::Interface | SymbolKind::TypeAlias
            )
        };
        let types: HashMap<String, u32> = cx
            .symbols
            .iter()
            .enumerate()
            .filter(|(_, symbol)| symbol.parent.is_none() && is_type(symbol.kind))
            .map(|(at, symbol)| (symbol.name.clone(), super::index(at)))
            .collect();
        for (method, receiver) in self.methods.drain(..) {
            cx.symbols[method as usize].parent = types.get(&receiver).copied();
        }
    }
}

impl Go {
    fn method(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let before = cx.symbols.len();
        open(cx, visit, SymbolKind::Method);
        let receiver = cx.field_text(&visit.node, "receiver").map(receiver_type);
        let (Some(symbol), Some(receiver)) = (cx.symbols.get_mut(before), receiver) else {
            return;
        };
        symbol.qualified_name = format!("{receiver}.{}", symbol.name);
        let prefix = symbol.qualified_name.clone();
        if let Some(scope) = cx.scopes.last_mut() {
            scope.prefix = prefix;
        }
        self.methods
            .push((super::index(before), receiver.to_owned()));
    }
}

/// `(r *Type[T])` is a method of `Type`.
fn receiver_type(receiver: &str) -> &str {
    let inner = receiver.trim_matches(['(', ')', ' ', ',']);
    let inner = inner.split('[').next().unwrap_or(inner).trim_end();
    inner
        .rsplit([' ', '*', '\t', '('])
        .next()
        .unwrap_or(inner)
        .trim_end_matches(')')
}

fn type_kind(spec: &Node<'_>) -> SymbolKind {
    let kind = spec.child_by_field_name("type").map(|node| node.kind());
    match kind {
        Some("struct_type") => SymbolKind::Struct,
        Some("interface_type") => SymbolKind::Interface,
        _ => SymbolKind::TypeAlias,
    }
}

fn open(cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) {
    let Some(name) = cx.field_text(&visit.node, "name") else {
        return;
    };
    let body = visit.node.child_by_field_name("body");
    let body = body.or_else(|| {
        let inner = visit.node.child_by_field_name("type")?;
        children(&inner)
            .find(|child| child.kind() == "field_declaration_list")
            .or_else(|| inner.child(1).filter(|child| child.kind() == "{"))
    });
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind,
        visibility: visibility(name),
        body,
    };
    cx.open(&declaration, visit.depth);
}

fn field(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if cx.scope_kind() != Some(SymbolKind::Struct) {
        return;
    }
    let mut cursor = visit.node.walk();
    let mut found: Vec<Node<'_>> = visit
        .node
        .children_by_field_name("name", &mut cursor)
        .filter(|node| node.is_named())
        .collect();
    if found.is_empty() {
        // An embedded type is a field with the name of the type.
        found.extend(visit.node.child_by_field_name("type"));
    }
    each(cx, visit, &found, SymbolKind::Field);
}

fn names(cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) {
    if cx.is_local() {
        return;
    }
    let mut cursor = visit.node.walk();
    let found: Vec<Node<'_>> = visit
        .node
        .children_by_field_name("name", &mut cursor)
        .filter(|node| node.kind() == "identifier")
        .collect();
    each(cx, visit, &found, kind);
}

/// One symbol per name of a spec, all with the spec's documentation.
fn each(cx: &mut Context<'_>, visit: &Visit<'_>, names: &[Node<'_>], kind: SymbolKind) {
    let doc = cx.remarks.before(cx.text, &visit.node, Language::Go);
    for name in names {
        let text = cx.text(name);
        let text = text.split('[').next().unwrap_or(text);
        let text = text.rsplit(['.', '*']).next().unwrap_or(text).trim();
        if text == "_" {
            continue;
        }
        let declaration = Declaration {
            node: visit.node,
            name: text.to_owned(),
            kind,
            visibility: visibility(text),
            body: visit.node.child_by_field_name("value"),
        };
        cx.declare_with(&declaration, doc.clone());
    }
}

fn visibility(name: &str) -> Visibility {
    if name.chars().next().is_some_and(char::is_uppercase) {
        Visibility::Public
    } else {
        Visibility::Private
    }
}

#[cfg(test)]
mod tests {
    use super::receiver_type;

    #[test]
    fn a_receiver_names_its_type() {
        for (receiver, name) in [
            ("(g *Greeter)", "Greeter"),
            ("(Greeter)", "Greeter"),
            ("(s *Stack[T])", "Stack"),
            ("(s Stack[K, V])", "Stack"),
            ("(*T)", "T"),
        ] {
            assert_eq!(receiver_type(receiver), name);
        }
    }
}
