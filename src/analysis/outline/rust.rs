//! Rust: modules, types with their parts, traits, impls, functions, constants, statics, aliases, macros.

use std::sync::LazyLock;

use super::{Context, Declaration, Rules, children};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    /// Contains other items.
    Open(SymbolKind),
    Leaf(SymbolKind),
    Impl,
    Function,
    Comment,
    Attribute,
}

const LIST: &[(&str, Act)] = &[
    ("mod_item", Act::Open(SymbolKind::Module)),
    ("struct_item", Act::Open(SymbolKind::Struct)),
    ("enum_item", Act::Open(SymbolKind::Enum)),
    ("union_item", Act::Open(SymbolKind::Union)),
    ("enum_variant", Act::Open(SymbolKind::EnumMember)),
    ("trait_item", Act::Open(SymbolKind::Trait)),
    ("impl_item", Act::Impl),
    ("function_item", Act::Function),
    ("function_signature_item", Act::Function),
    ("field_declaration", Act::Leaf(SymbolKind::Field)),
    ("const_item", Act::Leaf(SymbolKind::Constant)),
    ("static_item", Act::Leaf(SymbolKind::Variable)),
    ("type_item", Act::Leaf(SymbolKind::TypeAlias)),
    ("associated_type", Act::Leaf(SymbolKind::TypeAlias)),
    ("macro_definition", Act::Leaf(SymbolKind::Macro)),
    ("line_comment", Act::Comment),
    ("block_comment", Act::Comment),
    ("attribute_item", Act::Attribute),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Rust, LIST));
    &KINDS
}

pub(super) struct Rust;

impl Rules for Rust {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Open(kind) => {
                if let Some(declaration) = named(cx, visit, kind) {
                    cx.open(&declaration, visit.depth);
                    inner_doc(cx, &declaration);
                }
            }
            Act::Leaf(kind) => {
                if let Some(mut declaration) = named(cx, visit, kind) {
                    declaration.body = signature_end(visit, kind);
                    cx.declare(&declaration);
                }
            }
            Act::Impl => implementation(cx, visit),
            Act::Function => function(cx, visit),
            Act::Comment => cx.remarks.comment(cx.text, &visit.node),
            Act::Attribute => cx.remarks.attribute(cx.text, &visit.node),
        }
    }
}

fn named<'t>(cx: &Context<'_>, visit: &Visit<'t>, kind: SymbolKind) -> Option<Declaration<'t>> {
    let name = cx.field_text(&visit.node, "name")?;
    Some(Declaration {
        node: visit.node,
        name: name.strip_prefix("r#").unwrap_or(name).to_owned(),
        kind,
        visibility: visibility(cx, visit, kind),
        body: visit.node.child_by_field_name("body"),
    })
}

/// The signature excludes a constant's value and a macro's rules.
fn signature_end<'t>(visit: &Visit<'t>, kind: SymbolKind) -> Option<tree_sitter::Node<'t>> {
    if kind == SymbolKind::Macro {
        return children(&visit.node).find(|child| child.kind() == "macro_rule");
    }
    visit.node.child_by_field_name("value")
}

fn visibility(cx: &Context<'_>, visit: &Visit<'_>, kind: SymbolKind) -> Visibility {
    let modifier = visit
        .node
        .child(0)
        .filter(|child| child.kind() == "visibility_modifier");
    if let Some(modifier) = modifier {
        let is_open = cx.text(&modifier) == "pub";
        return if is_open {
            Visibility::Public
        } else {
            Visibility::Restricted
        };
    }
    match cx.scope() {
        // A variant and its fields are as visible as the enum; the items of a trait, as the trait.
        Some(scope)
            if matches!(
                scope.kind,
                SymbolKind::Enum | SymbolKind::EnumMember | SymbolKind::Trait
            ) =>
        {
            scope.visibility
        }
        // The items of `impl Trait for Type` are as visible as the trait.
        Some(scope) if scope.kind == SymbolKind::Impl => scope.visibility,
        _ if kind == SymbolKind::Macro => Visibility::Restricted,
        _ => Visibility::Private,
    }
}

/// Named by its type, so that methods are `Type::method`; the signature includes the trait.
fn implementation(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(target) = visit.node.child_by_field_name("type") else {
        return;
    };
    let is_trait = visit.node.child_by_field_name("trait").is_some();
    let declaration = Declaration {
        node: visit.node,
        name: bare_type(cx.text(&target)).to_owned(),
        kind: SymbolKind::Impl,
        visibility: if is_trait {
            Visibility::Public
        } else {
            Visibility::Private
        },
        body: visit.node.child_by_field_name("body"),
    };
    cx.open(&declaration, visit.depth);
}

/// `&'a mut path::Type<T>` is called `Type`.
fn bare_type(text: &str) -> &str {
    let text = text.trim_start_matches(['&', ' ']);
    let text = match text.strip_prefix('\'') {
        Some(lifetime) => lifetime.split_once(' ').map_or(lifetime, |(_, rest)| rest),
        None => text,
    };
    let text = text.strip_prefix("mut ").unwrap_or(text);
    let text = text.strip_prefix("dyn ").unwrap_or(text);
    if text.starts_with(['[', '(', '*', '<']) {
        return text;
    }
    let text = text.split(['<', ' ', '\n']).next().unwrap_or(text);
    text.rsplit("::").next().unwrap_or(text)
}

fn function(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let is_member = matches!(cx.scope_kind(), Some(SymbolKind::Impl | SymbolKind::Trait));
    let kind = if is_member {
        SymbolKind::Method
    } else {
        SymbolKind::Function
    };
    if let Some(declaration) = named(cx, visit, kind) {
        cx.open(&declaration, visit.depth);
    }
}

/// `//!` at the start of an inline module.
fn inner_doc(cx: &mut Context<'_>, declaration: &Declaration<'_>) {
    let Some(body) = declaration
        .body
        .filter(|_| declaration.kind == SymbolKind::Module)
    else {
        return;
    };
    let mut lines = vec![];
    for child in children(&body).take_while(|child| child.kind() == "line_comment") {
        let Some(line) = cx.text(&child).strip_prefix("//!") else {
            break;
        };
        lines.push(line.trim());
    }
    if let Some(symbol) = cx.symbols.last_mut()
        && !lines.is_empty()
        && symbol.doc.is_none()
    {
        symbol.doc = Some(super::doc::bounded(lines.join("\n").trim()));
    }
}

#[cfg(test)]
mod tests {
    use super::bare_type;

    #[test]
    fn an_impl_is_called_by_its_type() {
        for (text, name) in [
            ("Greeter", "Greeter"),
            ("a::Greeter<'_, T>", "Greeter"),
            ("&'a mut Greeter", "Greeter"),
            ("dyn Greet + Send", "Greet"),
            ("[T]", "[T]"),
            ("Vec<a::B>", "Vec"),
        ] {
            assert_eq!(bare_type(text), name);
        }
    }
}
