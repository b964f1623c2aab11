//! Python: `import`, `from … import`, type-checking imports, and the exported names of a module.

use std::ops::Range;
use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Rules, children, line};
use crate::analysis::kinds::Kinds;
use crate::analysis::language::python::alias_name;
use crate::analysis::syntax::Visit;
use crate::analysis::{Export, Import, ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Import,
    From,
    Future,
    If,
    Condition,
    Function,
    Class,
    Assignment,
    Alias,
}

const LIST: &[(&str, Act)] = &[
    ("import_statement", Act::Import),
    ("import_from_statement", Act::From),
    ("future_import_statement", Act::Future),
    ("if_statement", Act::If),
    ("try_statement", Act::Condition),
    ("match_statement", Act::Condition),
    ("function_definition", Act::Function),
    ("class_definition", Act::Class),
    ("assignment", Act::Assignment),
    ("augmented_assignment", Act::Assignment),
    ("type_alias_statement", Act::Alias),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Python, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct Python {
    /// The body of the outermost `if TYPE_CHECKING:` around or before the current node.
    types_only: Range<usize>,
    /// Depth of the outermost function or class around the current node.
    local_at: Option<u32>,
    /// The names in `__all__`, if there is one.
    all: Option<Vec<Export>>,
}

impl Rules for Python {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Import => self.import(cx, visit),
            Act::From => self.from(cx, visit),
            Act::Future => {
                let mut import = cx.import(ImportKind::From, "__future__", line(&visit.node));
                import.names = names(cx, &visit.node, "name");
                cx.add(import);
            }
            Act::If => self.condition(cx, visit),
            Act::Condition => cx.conditional(visit),
            Act::Function => {
                self.offer(cx, visit);
                cx.conditional(visit);
                self.local_at.get_or_insert(visit.depth);
            }
            Act::Class => {
                self.offer(cx, visit);
                self.local_at.get_or_insert(visit.depth);
            }
            Act::Assignment => self.assignment(cx, visit),
            Act::Alias => self.alias(cx, visit),
        }
    }

    fn leave(&mut self, _cx: &mut Context<'_>, visit: &Visit<'_>, _row: usize) {
        if self.local_at == Some(visit.depth) {
            self.local_at = None;
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        if let Some(all) = self.all.take() {
            cx.found.exports = all;
        }
    }
}

impl Python {
    fn import(&self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        for child in children(&visit.node) {
            let name = match child.kind() {
                "dotted_name" => Some(child),
                "aliased_import" => child.child_by_field_name("name"),
                _ => None,
            };
            if let Some(name) = name {
                let specifier = without_space(cx.text(&name));
                let import = cx.import(ImportKind::Import, specifier, line(&name));
                self.add(cx, visit, import);
            }
        }
    }

    fn from(&self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(module) = visit.node.child_by_field_name("module_name") else {
            return;
        };
        let specifier = without_space(cx.text(&module));
        let mut import = cx.import(ImportKind::From, specifier, line(&visit.node));
        import.names = names(cx, &visit.node, "name");
        if children(&visit.node).any(|child| child.kind() == "wildcard_import") {
            import.names.push("*".to_owned());
        }
        self.add(cx, visit, import);
    }

    fn add(&self, cx: &mut Context<'_>, visit: &Visit<'_>, mut import: Import) {
        import.type_only = self.types_only.contains(&visit.node.start_byte());
        cx.add(import);
    }

    fn condition(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let condition = visit.node.child_by_field_name("condition");
        let types_only = condition.is_some_and(|condition| {
            matches!(
                cx.text(&condition),
                "TYPE_CHECKING" | "typing.TYPE_CHECKING" | "t.TYPE_CHECKING" | "MYPY"
            )
        });
        if types_only
            && !self.types_only.contains(&visit.node.start_byte())
            && let Some(body) = visit.node.child_by_field_name("consequence")
        {
            self.types_only = body.byte_range();
        }
        cx.conditional(visit);
    }

    fn offer(&self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        if self.local_at.is_none()
            && let Some(name) = visit.node.child_by_field_name("name")
        {
            offer(cx, &name);
        }
    }

    fn alias(&self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let left = visit.node.child_by_field_name("left");
        if let Some(left) = left.filter(|_| self.local_at.is_none()) {
            offer_name(cx, alias_name(cx.text(&left)), line(&left));
        }
    }

    fn assignment(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        if self.local_at.is_some() {
            return;
        }
        let Some(left) = visit.node.child_by_field_name("left") else {
            return;
        };
        if cx.text(&left) == "__all__" {
            let mut listed = self.all.take().unwrap_or_default();
            if let Some(right) = visit.node.child_by_field_name("right") {
                strings(cx, &right, &mut listed);
            }
            self.all = Some(listed);
            return;
        }
        if left.kind() == "identifier" {
            offer(cx, &left);
        }
    }
}

/// The strings of a list, a tuple, or a sum of these.
fn strings(cx: &Context<'_>, value: &Node<'_>, listed: &mut Vec<Export>) {
    let mut open = vec![*value];
    while let Some(node) = open.pop() {
        match node.kind() {
            "string" => listed.push(Export {
                name: cx.text(&node).trim_matches(['"', '\'']).to_owned(),
                line: line(&node),
                from: None,
            }),
            "list" | "tuple" | "binary_operator" | "parenthesized_expression" | "set" => {
                let at = open.len();
                open.extend(children(&node));
                open[at..].reverse();
            }
            _ => {}
        }
    }
}

/// Adds a public name once: a module may bind it several times.
fn offer(cx: &mut Context<'_>, name: &Node<'_>) {
    offer_name(cx, cx.text(name), line(name));
}

fn offer_name(cx: &mut Context<'_>, text: &str, line: u32) {
    if text.starts_with('_')
        || cx
            .found
            .exports
            .last()
            .is_some_and(|last| last.name == text)
    {
        return;
    }
    cx.export(text, line, None);
}

/// The original names, without aliases.
fn names(cx: &Context<'_>, node: &Node<'_>, field: &str) -> Vec<String> {
    let mut cursor = node.walk();
    node.children_by_field_name(field, &mut cursor)
        .filter_map(|name| match name.kind() {
            "aliased_import" => name.child_by_field_name("name"),
            _ => Some(name),
        })
        .map(|name| without_space(cx.text(&name)))
        .collect()
}

fn without_space(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '\\')
        .collect()
}
