//! JavaScript, JSX, TypeScript, TSX: classes, interfaces, enums, aliases, namespaces, functions, members, top-level names.

use std::collections::HashSet;
use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Declaration, Rules, children};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    Open(SymbolKind),
    Function,
    Method,
    Field,
    Property,
    Enum,
    EnumMember,
    Lexical,
    Declarator,
    Export,
    ExportSpecifier,
    Assignment,
    Comment,
    Decorator,
}

const LIST: &[(&str, Act)] = &[
    ("class_declaration", Act::Open(SymbolKind::Class)),
    ("abstract_class_declaration", Act::Open(SymbolKind::Class)),
    ("interface_declaration", Act::Open(SymbolKind::Interface)),
    ("type_alias_declaration", Act::Open(SymbolKind::TypeAlias)),
    ("internal_module", Act::Open(SymbolKind::Namespace)),
    ("module", Act::Open(SymbolKind::Namespace)),
    ("enum_declaration", Act::Open(SymbolKind::Enum)),
    ("function_declaration", Act::Function),
    ("generator_function_declaration", Act::Function),
    ("function_signature", Act::Function),
    ("method_definition", Act::Method),
    ("method_signature", Act::Method),
    ("abstract_method_signature", Act::Method),
    ("public_field_definition", Act::Field),
    ("field_definition", Act::Field),
    ("property_signature", Act::Property),
    ("enum_body", Act::Enum),
    ("enum_assignment", Act::EnumMember),
    ("lexical_declaration", Act::Lexical),
    ("variable_declaration", Act::Lexical),
    ("variable_declarator", Act::Declarator),
    ("export_statement", Act::Export),
    ("export_specifier", Act::ExportSpecifier),
    ("assignment_expression", Act::Assignment),
    ("comment", Act::Comment),
    ("decorator", Act::Decorator),
];

pub(super) fn kinds(language: Language) -> &'static Kinds {
    static JAVASCRIPT: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::JavaScript, LIST));
    static TYPESCRIPT: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::TypeScript, LIST));
    static TSX: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Tsx, LIST));
    if language == Language::TypeScript {
        return &TYPESCRIPT;
    }
    if language == Language::Tsx {
        &TSX
    } else {
        &JAVASCRIPT
    }
}

#[derive(Default)]
pub(super) struct JavaScript {
    is_const: bool,
    /// Depth of the `export` statement around or before the present node, and where it ends.
    export_ends: usize,
    /// Names that another statement offers: `export { a }`, `module.exports = { a }`.
    exported: HashSet<String>,
}

impl Rules for JavaScript {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Open(kind) => self.open(cx, visit, kind),
            Act::Function => self.open(cx, visit, SymbolKind::Function),
            Act::Method => method(cx, visit),
            Act::Field => field(cx, visit),
            Act::Property => property(cx, visit),
            Act::Enum => plain_enum_members(cx, visit),
            Act::EnumMember => enum_member(cx, &visit.node),
            Act::Lexical => {
                self.is_const = visit
                    .node
                    .child(0)
                    .is_some_and(|kind| kind.kind() == "const");
            }
            Act::Declarator => self.declarator(cx, visit),
            Act::Export => self.export(cx, visit),
            Act::ExportSpecifier => {
                let name = cx.field_text(&visit.node, "name");
                self.exported.extend(name.map(str::to_owned));
            }
            Act::Assignment => self.assignment(cx, visit),
            Act::Comment => cx.remarks.comment(cx.text, &visit.node),
            Act::Decorator => cx.remarks.attribute(cx.text, &visit.node),
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        for symbol in &mut cx.symbols {
            if symbol.parent.is_none() && self.exported.contains(&symbol.name) {
                symbol.visibility = Visibility::Public;
            }
        }
    }
}

impl JavaScript {
    /// Directly under an `export` statement, or in a namespace of declarations only.
    fn visibility(&self, cx: &Context<'_>, node: &Node<'_>) -> Visibility {
        let is_member = cx
            .scope()
            .is_some_and(|scope| scope.kind != SymbolKind::Namespace);
        if node.start_byte() < self.export_ends && !is_member {
            Visibility::Public
        } else {
            Visibility::Private
        }
    }

    fn open(&self, cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) {
        let Some(name) = cx.field_text(&visit.node, "name") else {
            return;
        };
        let value = visit.node.child_by_field_name("value");
        let body = visit.node.child_by_field_name("body");
        let declaration = Declaration {
            node: visit.node,
            name: name.trim_matches(['"', '\'']).to_owned(),
            kind,
            visibility: self.visibility(cx, &visit.node),
            // A short alias says what it is; a long one is cut like any signature.
            body: body.filter(|_| value.is_none()),
        };
        cx.open(&declaration, visit.depth);
    }

    fn declarator(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(name) = visit.node.child_by_field_name("name") else {
            return;
        };
        let value = visit.node.child_by_field_name("value");
        let callable = value.filter(|value| is_function(value));
        let class = value.filter(|value| value.kind() == "class");
        let is_plain = callable.is_none() && class.is_none();
        if is_plain && cx.is_local() {
            return;
        }
        let kind = match (callable, class) {
            (Some(_), _) => SymbolKind::Function,
            (_, Some(_)) => SymbolKind::Class,
            _ if self.is_const => SymbolKind::Constant,
            _ => SymbolKind::Variable,
        };
        let mut body = callable
            .or(class)
            .and_then(|value| value.child_by_field_name("body"));
        if is_plain {
            body = value;
        }
        let visibility = self.visibility(cx, &visit.node);
        if name.kind() == "identifier" {
            let declaration = Declaration {
                node: visit.node,
                name: cx.text(&name).to_owned(),
                kind,
                visibility,
                body,
            };
            if is_plain {
                cx.declare(&declaration);
            } else {
                cx.open(&declaration, visit.depth);
            }
            return;
        }
        for bound in bound_names(&name) {
            let declaration = Declaration {
                node: visit.node,
                name: cx.text(&bound).to_owned(),
                kind,
                visibility,
                body,
            };
            cx.declare(&declaration);
        }
    }

    fn export(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        if cx.is_local() {
            return;
        }
        self.export_ends = visit.node.end_byte();
        let value = visit.node.child_by_field_name("value");
        let Some(value) = value else { return };
        if value.kind() == "identifier" {
            self.exported.insert(cx.text(&value).to_owned());
        }
        // `export default () => …` has no other name.
        let kind = match value.kind() {
            "class" => SymbolKind::Class,
            _ if is_function(&value) => SymbolKind::Function,
            _ => return,
        };
        let name = cx.field_text(&value, "name").unwrap_or("default");
        let declaration = Declaration {
            node: visit.node,
            name: name.to_owned(),
            kind,
            visibility: Visibility::Public,
            body: value.child_by_field_name("body"),
        };
        cx.open(&declaration, visit.depth);
    }

    /// `module.exports = …`: names of this file in it are public.
    fn assignment(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        let text = cx.text.get(visit.node.start_byte()..).unwrap_or_default();
        if !text.starts_with("module.exports") && !text.starts_with("exports.") {
            return;
        }
        let Some(right) = visit.node.child_by_field_name("right") else {
            return;
        };
        if right.kind() == "identifier" {
            self.exported.insert(cx.text(&right).to_owned());
            return;
        }
        if right.kind() != "object" {
            return;
        }
        for member in children(&right) {
            let value = match member.kind() {
                "shorthand_property_identifier" => Some(member),
                "pair" => member.child_by_field_name("value"),
                _ => None,
            };
            if let Some(value) = value {
                self.exported.insert(cx.text(&value).to_owned());
            }
        }
    }
}

fn is_function(node: &Node<'_>) -> bool {
    matches!(
        node.kind(),
        "arrow_function" | "function_expression" | "generator_function"
    )
}

/// The identifiers that a destructuring pattern binds.
fn bound_names<'t>(pattern: &Node<'t>) -> Vec<Node<'t>> {
    let mut bound = vec![];
    let mut open = vec![*pattern];
    while let Some(node) = open.pop() {
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => bound.push(node),
            "pair_pattern" => open.extend(node.child_by_field_name("value")),
            "assignment_pattern" | "object_assignment_pattern" => {
                open.extend(node.child_by_field_name("left"));
            }
            _ => {
                let at = open.len();
                open.extend(children(&node));
                open[at..].reverse();
            }
        }
    }
    bound
}

fn method(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(name) = cx.field_text(&visit.node, "name") else {
        return;
    };
    if !is_member(cx, visit) {
        return;
    }
    let kind = match name {
        "constructor" => SymbolKind::Constructor,
        _ if is_accessor(&visit.node) => SymbolKind::Property,
        _ => SymbolKind::Method,
    };
    let declaration = Declaration {
        node: visit.node,
        name: name.trim_matches(['"', '\'']).to_owned(),
        kind,
        visibility: member_visibility(cx, &visit.node, name),
        body: visit.node.child_by_field_name("body"),
    };
    cx.open(&declaration, visit.depth);
}

/// `get` or `set` before the name.
fn is_accessor(node: &Node<'_>) -> bool {
    let count = node.child_count();
    (0..count)
        .take_while(|at| node.field_name_for_child(*at) != Some("name"))
        .filter_map(|at| node.child(at))
        .any(|child| matches!(child.kind(), "get" | "set"))
}

/// In the body of a class or interface; not in an object or an object type somewhere inside it.
fn is_member(cx: &Context<'_>, visit: &Visit<'_>) -> bool {
    cx.scope().is_some_and(|scope| {
        matches!(
            scope.kind,
            SymbolKind::Class | SymbolKind::Interface | SymbolKind::TypeAlias
        ) && visit.depth <= scope.depth + 3
    })
}

fn field(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let name = cx
        .field_text(&visit.node, "name")
        .or_else(|| cx.field_text(&visit.node, "property"));
    let Some(name) = name.filter(|_| is_member(cx, visit)) else {
        return;
    };
    let value = visit.node.child_by_field_name("value");
    let callable = value.filter(|value| is_function(value));
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind: if callable.is_some() {
            SymbolKind::Method
        } else {
            SymbolKind::Field
        },
        visibility: member_visibility(cx, &visit.node, name),
        body: match callable {
            Some(callable) => callable.child_by_field_name("body"),
            None => value,
        },
    };
    if callable.is_some() {
        cx.open(&declaration, visit.depth);
    } else {
        cx.declare(&declaration);
    }
}

fn property(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let name = cx.field_text(&visit.node, "name");
    let is_direct = cx
        .scope()
        .is_some_and(|scope| visit.depth == scope.depth + 2);
    if let Some(name) = name.filter(|_| is_direct && is_member(cx, visit)) {
        let declaration = Declaration {
            node: visit.node,
            name: name.trim_matches(['"', '\'']).to_owned(),
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

fn plain_enum_members(cx: &mut Context<'_>, visit: &Visit<'_>) {
    // Members with a value come as nodes of their own.
    let plain: Vec<Node<'_>> = children(&visit.node)
        .filter(|child| !matches!(child.kind(), "enum_assignment" | "comment"))
        .collect();
    for name in plain {
        member(cx, &name, &name);
    }
}

fn enum_member(cx: &mut Context<'_>, node: &Node<'_>) {
    if let Some(name) = node.child_by_field_name("name") {
        member(cx, node, &name);
    }
}

fn member(cx: &mut Context<'_>, node: &Node<'_>, name: &Node<'_>) {
    let declaration = Declaration {
        node: *node,
        name: cx.text(name).trim_matches(['"', '\'']).to_owned(),
        kind: SymbolKind::EnumMember,
        visibility: Visibility::Public,
        body: None,
    };
    cx.declare_with(&declaration, None);
}
