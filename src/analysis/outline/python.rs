//! Python: classes, functions, methods, properties, names bound by modules and classes.

use std::collections::HashSet;
use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Declaration, Rules, children, doc};
use crate::analysis::kinds::Kinds;
use crate::analysis::language::python::alias_name;
use crate::analysis::syntax::Visit;
use crate::analysis::{Language, SymbolKind, Visibility};

#[derive(Clone, Copy)]
enum Act {
    Class,
    Function,
    Decorated,
    Assignment,
    Alias,
}

const LIST: &[(&str, Act)] = &[
    ("class_definition", Act::Class),
    ("function_definition", Act::Function),
    ("decorated_definition", Act::Decorated),
    ("assignment", Act::Assignment),
    ("type_alias_statement", Act::Alias),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Python, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct Python {
    /// Depth of the definition with `@property` or a similar decorator.
    property_at: Option<u32>,
    /// Names bound so far, by surrounding symbol: only the first binding is a declaration.
    bound: HashSet<(Option<u32>, String)>,
    /// Classes that are enumerations.
    enums: HashSet<u32>,
}

impl Rules for Python {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Class => self.class(cx, visit),
            Act::Function => self.function(cx, visit),
            Act::Decorated => {
                let is_property = children(&visit.node)
                    .take_while(|child| child.kind() == "decorator")
                    .any(|decorator| is_property(cx.text(&decorator)));
                self.property_at = is_property.then_some(visit.depth + 1);
            }
            Act::Assignment => self.assignment(cx, visit),
            Act::Alias => alias(cx, visit),
        }
    }
}

impl Python {
    fn class(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let symbol = open(cx, visit, SymbolKind::Class);
        let bases = cx.field_text(&visit.node, "superclasses");
        let is_enum = bases.is_some_and(|bases| {
            bases
                .split(['(', ')', ',', '.', ' '])
                .any(|base| matches!(base, "Enum" | "IntEnum" | "StrEnum" | "Flag" | "IntFlag"))
        });
        if let Some(symbol) = symbol.filter(|_| is_enum) {
            self.enums.insert(symbol);
        }
    }

    fn function(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let is_property = self.property_at.take() == Some(visit.depth);
        let kind = match cx.scope_kind() {
            Some(SymbolKind::Class) if is_property => SymbolKind::Property,
            Some(SymbolKind::Class) if cx.field_text(&visit.node, "name") == Some("__init__") => {
                SymbolKind::Constructor
            }
            Some(SymbolKind::Class) => SymbolKind::Method,
            _ => SymbolKind::Function,
        };
        open(cx, visit, kind);
    }

    fn assignment(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        if cx.is_local() {
            return;
        }
        let Some(left) = visit.node.child_by_field_name("left") else {
            return;
        };
        match left.kind() {
            "identifier" => self.bind(cx, visit, &left),
            "pattern_list" | "tuple_pattern" => {
                for name in children(&left).filter(|name| name.kind() == "identifier") {
                    self.bind(cx, visit, &name);
                }
            }
            _ => {}
        }
    }

    fn bind(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, name: &Node<'_>) {
        let text = cx.text(name);
        let around = cx.scope().and_then(|scope| scope.symbol);
        if !self.bound.insert((around, text.to_owned())) {
            return;
        }
        let is_constant = !text.bytes().any(|byte| byte.is_ascii_lowercase())
            && text.bytes().any(|byte| byte.is_ascii_uppercase());
        let kind = match around {
            Some(class) if self.enums.contains(&class) && !text.starts_with('_') => {
                SymbolKind::EnumMember
            }
            Some(_) => SymbolKind::Field,
            None if is_constant => SymbolKind::Constant,
            None => SymbolKind::Variable,
        };
        let declaration = Declaration {
            node: visit.node,
            name: text.to_owned(),
            kind,
            visibility: visibility(text),
            body: None,
        };
        cx.declare_with(&declaration, None);
    }
}

/// `type Pair[T] = …`: the name is the part before the type parameters.
fn alias(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(left) = visit
        .node
        .child_by_field_name("left")
        .filter(|_| !cx.is_local())
    else {
        return;
    };
    let name = alias_name(cx.text(&left));
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind: SymbolKind::TypeAlias,
        visibility: visibility(name),
        body: None,
    };
    cx.declare_with(&declaration, None);
}

fn open(cx: &mut Context<'_>, visit: &Visit<'_>, kind: SymbolKind) -> Option<u32> {
    let name = cx.field_text(&visit.node, "name")?;
    let body = visit.node.child_by_field_name("body");
    let declaration = Declaration {
        node: visit.node,
        name: name.to_owned(),
        kind,
        visibility: visibility(name),
        body,
    };
    let symbol = cx.open(&declaration, visit.depth);
    let doc = body.and_then(|body| first_string(&body));
    cx.symbols[symbol as usize].doc = doc.and_then(|string| doc::docstring(cx.text(&string)));
    Some(symbol)
}

fn first_string<'t>(body: &Node<'t>) -> Option<Node<'t>> {
    let first = children(body).find(|child| child.kind() != "comment")?;
    if first.kind() == "string" {
        return Some(first);
    }
    let inner = first.named_child(0)?;
    (first.kind() == "expression_statement" && inner.kind() == "string").then_some(inner)
}

fn is_property(decorator: &str) -> bool {
    let name = decorator.trim_start_matches(['@', ' ']);
    let name = name.split('(').next().unwrap_or(name).trim();
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(
        last,
        "property" | "cached_property" | "setter" | "getter" | "deleter" | "abstractproperty"
    )
}

/// By convention, `_name` is private, and `__name__` belongs to the language.
fn visibility(name: &str) -> Visibility {
    let is_special = name.starts_with("__") && name.ends_with("__") && name.len() > 4;
    if name.starts_with('_') && !is_special {
        Visibility::Private
    } else {
        Visibility::Public
    }
}
