//! C: functions and prototypes, structs, unions, enums, typedefs, macros, globals.

use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Declaration, Rules, children};
use crate::analysis::kinds::Kinds;
use crate::analysis::language::c::NO_NAMES;
use crate::analysis::syntax::Visit;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    Function,
    Declaration,
    Type(SymbolKind),
    Typedef,
    Enumerator,
    Field,
    Macro,
    Comment,
}

const LIST: &[(&str, Act)] = &[
    ("function_definition", Act::Function),
    ("declaration", Act::Declaration),
    ("struct_specifier", Act::Type(SymbolKind::Struct)),
    ("union_specifier", Act::Type(SymbolKind::Union)),
    ("enum_specifier", Act::Type(SymbolKind::Enum)),
    ("type_definition", Act::Typedef),
    ("enumerator", Act::Enumerator),
    ("field_declaration", Act::Field),
    ("preproc_def", Act::Macro),
    ("preproc_function_def", Act::Macro),
    ("comment", Act::Comment),
];

/// Pointers to arrays of functions …: people do not nest more declarators than this.
const DECLARATOR_LIMIT: u32 = 64;

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::C, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct C {
    /// `typedef struct { … } Name;`: the depth of the nameless type, and the name that it gets.
    named_by_typedef: Option<(u32, String)>,
}

impl Rules for C {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Function => function(cx, visit),
            Act::Declaration => declaration(cx, visit),
            Act::Type(kind) => self.r#type(cx, visit, kind),
            Act::Typedef => self.typedef(cx, visit),
            Act::Enumerator => leaf(cx, visit, SymbolKind::EnumMember),
            Act::Field => fields(cx, visit),
            Act::Macro => define(cx, visit),
            Act::Comment => cx.remarks.comment(cx.text, &visit.node),
        }
    }
}

fn function(cx: &mut Context<'_>, visit: &Visit<'_>) {
    // Around an error, the grammar may parse a macro and a block in a function as a nested function.
    if cx.is_local() && visit.node.has_error() {
        return;
    }
    let Some(declarator) = visit.node.child_by_field_name("declarator") else {
        return;
    };
    let Some((name, _)) = declared(&declarator) else {
        return;
    };
    if NO_NAMES.contains(&cx.text(&name)) {
        return;
    }
    let declaration = Declaration {
        node: visit.node,
        name: cx.text(&name).to_owned(),
        kind: SymbolKind::Function,
        visibility: linkage(cx, &visit.node),
        body: visit.node.child_by_field_name("body"),
    };
    cx.open(&declaration, visit.depth);
}

/// Prototypes and globals; declarations in a function are local.
fn declaration(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if cx.is_local() {
        return;
    }
    let visibility = linkage(cx, &visit.node);
    let doc = cx.remarks.before(cx.text, &visit.node, Language::C);
    for (declarator, name, kind) in declarators(&visit.node, SymbolKind::Variable) {
        let declaration = Declaration {
            node: visit.node,
            name: cx.text(&name).to_owned(),
            kind,
            visibility,
            body: declarator.child_by_field_name("value"),
        };
        cx.declare_with(&declaration, doc.clone());
    }
}

impl C {
    fn r#type(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) {
        let Some(body) = visit.node.child_by_field_name("body") else {
            return;
        };
        let given = match self.named_by_typedef.take() {
            Some((depth, name)) if depth == visit.depth => Some(name),
            _ => None,
        };
        let name = cx
            .field_text(&visit.node, "name")
            .map(str::to_owned)
            .or(given);
        // A nameless member's own members count as the outer type's.
        let Some(name) = name else { return };
        let declaration = Declaration {
            node: visit.node,
            name,
            kind,
            visibility: Visibility::Public,
            body: Some(body),
        };
        cx.open(&declaration, visit.depth);
    }

    fn typedef(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let inner = visit.node.child_by_field_name("type");
        let is_nameless = inner.is_some_and(|inner| {
            inner.child_by_field_name("body").is_some()
                && inner.child_by_field_name("name").is_none()
        });
        let found = declarators(&visit.node, SymbolKind::TypeAlias);
        let mut found = found.iter().map(|(_, name, _)| cx.text(name).to_owned());
        if is_nameless {
            self.named_by_typedef = found.next().map(|name| (visit.depth + 1, name));
        }
        let names: Vec<String> = found.collect();
        if names.is_empty() {
            return;
        }
        let doc = cx.remarks.before(cx.text, &visit.node, Language::C);
        for name in names {
            let declaration = Declaration {
                node: visit.node,
                name,
                kind: SymbolKind::TypeAlias,
                visibility: Visibility::Public,
                body: inner.and_then(|inner| inner.child_by_field_name("body")),
            };
            cx.declare_with(&declaration, doc.clone());
        }
    }
}

fn leaf(cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) {
    if cx.is_local() {
        return;
    }
    if let Some(name) = cx.field_text(&visit.node, "name") {
        let declaration = Declaration {
            node: visit.node,
            name: name.to_owned(),
            kind,
            visibility: Visibility::Public,
            body: visit.node.child_by_field_name("value"),
        };
        cx.declare(&declaration);
    }
}

fn define(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if let Some(name) = cx.field_text(&visit.node, "name") {
        let declaration = Declaration {
            node: visit.node,
            name: name.to_owned(),
            kind: SymbolKind::Macro,
            visibility: Visibility::Public,
            body: visit.node.child_by_field_name("value"),
        };
        cx.declare(&declaration);
    }
}

fn fields(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if cx.is_local() {
        return;
    }
    let doc = cx.remarks.before(cx.text, &visit.node, Language::C);
    for (_, name, _) in declarators(&visit.node, SymbolKind::Field) {
        let declaration = Declaration {
            node: visit.node,
            name: cx.text(&name).to_owned(),
            kind: SymbolKind::Field,
            visibility: Visibility::Public,
            body: None,
        };
        cx.declare_with(&declaration, doc.clone());
    }
}

/// Every `declarator` of a declaration with its name; one that is not a function has the kind `otherwise`.
fn declarators<'t>(
    node: &Node<'t>,
    otherwise: SymbolKind,
) -> Vec<(Node<'t>, Node<'t>, SymbolKind)> {
    let mut cursor = node.walk();
    let found = node.children_by_field_name("declarator", &mut cursor);
    found
        .filter_map(|declarator| {
            let (name, is_function) = declared(&declarator)?;
            let is_prototype = is_function && otherwise == SymbolKind::Variable;
            let kind = if is_prototype {
                SymbolKind::Function
            } else {
                otherwise
            };
            Some((declarator, name, kind))
        })
        .collect()
}

/// The name inside a declarator, and whether it is a function's (not a pointer to one).
fn declared<'t>(declarator: &Node<'t>) -> Option<(Node<'t>, bool)> {
    let mut node = *declarator;
    let mut is_function = false;
    for _ in 0..DECLARATOR_LIMIT {
        match node.kind() {
            // Around an error, the grammar may parse a statement as a declaration.
            "identifier" | "field_identifier" | "type_identifier" | "primitive_type" => {
                return (node.end_byte() > node.start_byte()).then_some((node, is_function));
            }
            "function_declarator" => is_function = true,
            "pointer_declarator" | "array_declarator" => is_function = false,
            _ => {}
        }
        node = match node.child_by_field_name("declarator") {
            Some(inner) => inner,
            None => children(&node).find(|child| {
                child.kind().ends_with("declarator") || child.kind().ends_with("identifier")
            })?,
        };
    }
    None
}

fn linkage(cx: &Context<'_>, node: &Node<'_>) -> Visibility {
    let is_static = children(node)
        .take_while(|child| !child.kind().ends_with("declarator"))
        .any(|child| child.kind() == "storage_class_specifier" && cx.text(&child) == "static");
    if is_static {
        Visibility::Private
    } else {
        Visibility::Public
    }
}
