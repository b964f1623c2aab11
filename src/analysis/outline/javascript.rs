//! JavaScript, JSX, TypeScript, TSX: classes, interfaces, enums, aliases, namespaces, functions, members, top-level names.

use std::collections::HashSet;
use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Declaration, Rules, children};
use crate::analysis::kinds::Kinds;
use crate::analysis::language::javascript::unwrapped;
use crate::analysis::syntax::Visit;

mod members;
mod values;

use self::members::{enum_members, parameter, property};
use self::values::Claims;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    Open(SymbolKind),
    Function,
    Method,
    Field,
    Property,
    Enum,
    Lexical,
    Declarator,
    Export,
    ExportSpecifier,
    Assignment,
    Call,
    Value,
    Block,
    StaticBlock,
    Pair,
    Parameter,
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
    ("lexical_declaration", Act::Lexical),
    ("variable_declaration", Act::Lexical),
    ("variable_declarator", Act::Declarator),
    ("export_statement", Act::Export),
    ("export_specifier", Act::ExportSpecifier),
    ("assignment_expression", Act::Assignment),
    ("call_expression", Act::Call),
    ("arrow_function", Act::Value),
    ("function_expression", Act::Value),
    ("generator_function", Act::Value),
    ("class", Act::Value),
    ("object", Act::Value),
    ("statement_block", Act::Block),
    ("for_statement", Act::Block),
    ("switch_body", Act::Block),
    ("class_static_block", Act::StaticBlock),
    ("pair", Act::Pair),
    ("required_parameter", Act::Parameter),
    ("optional_parameter", Act::Parameter),
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
    /// `let` or `const`: visible only in its block.
    is_lexical: bool,
    /// Depth of the `export` statement around or before the current node, and its end.
    export_ends: usize,
    /// Names that another statement exports: `export { a }`, `module.exports = { a }`.
    exported: HashSet<String>,
    /// Later values that belong to an earlier declaration.
    claims: Claims,
}

impl Rules for JavaScript {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Value => self.value(cx, visit),
            Act::Assignment => self.assignment(cx, visit),
            Act::Comment => cx.remarks.comment(cx.text, &visit.node),
            Act::Decorator => cx.remarks.attribute(cx.text, &visit.node),
            _ if cx.is_hidden() => {}
            Act::Open(kind) => self.open(cx, visit, kind),
            Act::Function => self.open(cx, visit, SymbolKind::Function),
            Act::Method => members::method(cx, visit),
            Act::Field => self.field(cx, visit),
            Act::Property => property(cx, visit),
            Act::Enum => enum_members(cx, visit),
            Act::Lexical => {
                let kind = visit.node.child(0).map(|kind| kind.kind());
                self.is_const = kind == Some("const");
                self.is_lexical = visit.node.kind() == "lexical_declaration";
            }
            Act::Declarator => self.declarator(cx, visit),
            Act::Export => self.export(cx, visit),
            Act::ExportSpecifier => {
                let name = cx.field_text(&visit.node, "name");
                self.exported.extend(name.map(str::to_owned));
            }
            Act::Call => self.call(cx, visit),
            Act::Block => block(cx, visit),
            Act::StaticBlock => cx.hide(visit.depth),
            Act::Pair => self.pair(cx, visit),
            Act::Parameter => parameter(cx, visit),
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        for symbol in &mut cx.symbols {
            if symbol.parent.is_none() && self.exported.contains(&symbol.qualified_name) {
                symbol.visibility = Visibility::Public;
            }
        }
    }
}

impl JavaScript {
    /// Whether it is directly under an `export` statement, or in a namespace with only declarations.
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
            // A short alias is shown whole; a long one is cut like any signature.
            body: body.filter(|_| value.is_none()),
        };
        cx.open(&declaration, visit.depth);
    }

    fn declarator(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(name) = visit.node.child_by_field_name("name") else {
            return;
        };
        let value = visit.node.child_by_field_name("value");
        let inner = value.map(unwrapped);
        let callable = inner.filter(is_function);
        let class = inner.filter(|value| value.kind() == "class");
        let is_plain = callable.is_none() && class.is_none();
        let is_known_here = match cx.scope() {
            Some(scope) if scope.is_block => self.is_lexical,
            Some(scope) => scope.is_local,
            None => false,
        };
        if is_plain && is_known_here {
            return;
        }
        let kind = match (callable, class) {
            (Some(_), _) => SymbolKind::Function,
            (_, Some(_)) => SymbolKind::Class,
            _ if self.is_const => SymbolKind::Constant,
            _ => SymbolKind::Variable,
        };
        let body = match callable.or(class) {
            Some(value) => value.child_by_field_name("body"),
            None => value,
        };
        let names = match name.kind() {
            "identifier" => vec![name],
            _ => bound_names(&name),
        };
        for bound in names {
            let declaration = Declaration {
                node: visit.node,
                name: cx.text(&bound).to_owned(),
                kind,
                visibility: self.visibility(cx, &visit.node),
                body,
            };
            let symbol = cx.declare(&declaration);
            let inner = inner.filter(|inner| name.kind() == "identifier" && values::holds(inner));
            if let Some(inner) = inner {
                self.claims.add(cx, symbol, &inner);
            }
        }
    }

    fn export(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        if cx.is_local() {
            return;
        }
        self.export_ends = visit.node.end_byte();
        let value = visit.node.child_by_field_name("value").map(unwrapped);
        let Some(value) = value else { return };
        if value.kind() == "identifier" {
            self.exported.insert(cx.text(&value).to_owned());
        }
        // `export default () => …` has no other name.
        let kind = match value.kind() {
            "class" => SymbolKind::Class,
            "object" => return self.claims.add_nameless(&value, "default"),
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
        let symbol = cx.declare(&declaration);
        self.claims.add(cx, symbol, &value);
    }
}

/// A block at the top of a file: `let` and `const` in it are visible only there.
fn block(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let is_top = cx
        .scope()
        .is_none_or(|scope| scope.kind == SymbolKind::Namespace && !scope.is_block);
    let around = || visit.node.parent().map(|around| around.kind());
    let is_body = || {
        matches!(
            around(),
            Some("internal_module" | "module" | "ambient_declaration" | "function_declaration")
        )
    };
    if is_top && (visit.node.kind() == "for_statement" || !is_body()) {
        let prefix = cx.scope().map(|scope| scope.prefix.clone());
        cx.enter(
            visit.depth,
            None,
            SymbolKind::Namespace,
            prefix.unwrap_or_default(),
        );
        if let Some(scope) = cx.scopes.last_mut() {
            scope.is_block = true;
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
