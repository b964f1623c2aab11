//! Functions, classes and objects that are values. An assignment names them. A value that is passed to a call has no
//! name, and nothing in it is listed.

use tree_sitter::Node;

use super::super::{Context, Declaration, children};
use super::{JavaScript, is_function};
use crate::analysis::language::javascript::{assigned_name, key_text, quoted_member, unwrapped};
use crate::analysis::syntax::Visit;
use crate::analysis::{SymbolKind, Visibility};

/// Values that are named before they are entered, which happens soon.
#[derive(Default)]
pub(super) struct Claims {
    found: Vec<Claim>,
}

struct Claim {
    node: usize,
    symbol: Option<u32>,
    prefix: String,
    /// Its locals are not listed either.
    is_hidden: bool,
}

impl Claims {
    pub(super) fn add(&mut self, cx: &mut Context<'_>, symbol: u32, value: &Node<'_>) {
        if let Some((last, span)) = cx.functions.last_mut()
            && *last == symbol
        {
            *span = value.byte_range();
        }
        let prefix = &cx.symbols[symbol as usize].qualified_name;
        self.found.push(Claim {
            node: value.id(),
            symbol: Some(symbol),
            prefix: prefix.clone(),
            is_hidden: false,
        });
    }

    /// A function that is assigned: nothing in it is listed.
    fn add_assigned(&mut self, cx: &mut Context<'_>, symbol: u32, value: &Node<'_>) {
        self.add(cx, symbol, value);
        if let Some(claim) = self.found.last_mut() {
            claim.is_hidden = is_function(value);
        }
    }

    pub(super) fn add_nameless(&mut self, value: &Node<'_>, prefix: &str) {
        self.found.push(Claim {
            node: value.id(),
            symbol: None,
            prefix: prefix.to_owned(),
            is_hidden: false,
        });
    }

    fn take(&mut self, node: &Node<'_>) -> Option<Claim> {
        let found = self
            .found
            .iter()
            .rposition(|claim| claim.node == node.id())?;
        Some(self.found.swap_remove(found))
    }
}

/// A value with declarations inside: it opens a scope.
pub(super) fn holds(value: &Node<'_>) -> bool {
    is_function(value) || matches!(value.kind(), "class" | "object")
}

impl JavaScript {
    /// A function, class or object that is a value.
    pub(super) fn value(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let node = visit.node;
        let kind = match node.kind() {
            "class" => SymbolKind::Class,
            "object" => SymbolKind::Constant,
            _ => SymbolKind::Function,
        };
        if let Some(claim) = self.claims.take(&node) {
            cx.enter(visit.depth, claim.symbol, kind, claim.prefix);
            if claim.is_hidden
                && let Some(scope) = cx.scopes.last_mut()
            {
                scope.is_hidden = true;
            }
            return;
        }
        let is_argument = || {
            node.parent()
                .is_some_and(|around| around.kind() == "arguments")
        };
        if kind != SymbolKind::Class || cx.is_hidden() || is_argument() {
            return cx.hide(visit.depth);
        }
        let name = match cx.field_text(&node, "name") {
            Some(name) => name.to_owned(),
            None => format!("<anonymous@{}>", node.start_position().row + 1),
        };
        let prefix = cx.qualified(&name);
        cx.enter(visit.depth, None, kind, prefix);
    }

    /// `key: function` and `key: { … }` in an object that is listed.
    pub(super) fn pair(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        if !in_object(cx, visit) {
            return;
        }
        let (Some(key), Some(value)) = (
            cx.field_text(&visit.node, "key").map(key_text),
            visit.node.child_by_field_name("value").map(unwrapped),
        ) else {
            return;
        };
        if value.kind() == "object" {
            let prefix = cx.qualified(key);
            return self.claims.add_nameless(&value, &prefix);
        }
        let kind = match value.kind() {
            "class" => SymbolKind::Class,
            _ if is_function(&value) => SymbolKind::Method,
            _ => return,
        };
        self.assign(cx, visit, key, kind, &value);
    }

    /// `Object.assign(target, { … })`: the members of the object belong to the target.
    pub(super) fn call(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        let text = cx.text.get(visit.node.start_byte()..).unwrap_or_default();
        if !text.starts_with("Object.assign") || cx.is_local() {
            return;
        }
        let Some(arguments) = visit.node.child_by_field_name("arguments") else {
            return;
        };
        let mut arguments = children(&arguments).filter(|child| child.kind() != "comment");
        let target = arguments.next().map(|target| cx.text(&target));
        let Some(target) = target.and_then(assigned_name) else {
            return;
        };
        for object in arguments.filter(|argument| argument.kind() == "object") {
            self.claims.add_nameless(&object, target);
        }
    }

    /// `app.use = function`, `Point.prototype.norm = …`, `exports.make = …`, `module.exports = { … }`.
    pub(super) fn assignment(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(node) = visit.node.child_by_field_name("left") else {
            return;
        };
        let quoted = quoted_member(node, cx.text).map(|(object, key)| format!("{object}.{key}"));
        let left = quoted.as_deref().unwrap_or(cx.text(&node));
        let exports = left == "exports"
            || left == "module.exports"
            || left.starts_with("exports.")
            || left.starts_with("module.exports.");
        if cx.is_local() && !exports && !left.contains(".prototype.") {
            return;
        }
        let Some(right) = visit.node.child_by_field_name("right").map(unwrapped) else {
            return;
        };
        if exports {
            self.offer(cx, &right);
        }
        let Some(target) = assigned_name(left).filter(|target| !target.starts_with("this.")) else {
            return;
        };
        let kind = match right.kind() {
            "object" => return self.claims.add_nameless(&right, target),
            "class" => SymbolKind::Class,
            _ if !is_function(&right) => return,
            _ if target.contains(".prototype.") => SymbolKind::Method,
            _ => SymbolKind::Function,
        };
        let is_known = !target.contains('.')
            && cx
                .symbols
                .iter()
                .any(|symbol| symbol.parent.is_none() && symbol.name == target);
        if !is_known {
            self.assign(cx, visit, target, kind, &right);
        }
    }

    fn assign(
        &mut self,
        cx: &mut Context<'_>,
        visit: &Visit<'_>,
        target: &str,
        kind: SymbolKind,
        value: &Node<'_>,
    ) {
        let declaration = Declaration {
            node: visit.node,
            name: target.to_owned(),
            kind,
            visibility: match target.contains('.') || visit.node.kind() == "pair" {
                true => Visibility::Public,
                false => Visibility::Private,
            },
            body: value.child_by_field_name("body"),
        };
        let symbol = cx.declare(&declaration);
        if let Some(declared) = cx.symbols.get_mut(symbol as usize)
            && let Some((_, name)) = target.rsplit_once('.')
        {
            declared.name = name.to_owned();
        }
        self.claims.add_assigned(cx, symbol, value);
    }

    /// Names of this file in `module.exports = …` are public.
    fn offer(&mut self, cx: &Context<'_>, right: &Node<'_>) {
        if right.kind() == "identifier" {
            self.exported.insert(cx.text(right).to_owned());
            return;
        }
        if right.kind() != "object" {
            return;
        }
        for member in children(right) {
            let value = match member.kind() {
                "shorthand_property_identifier" => Some(member),
                "pair" => member.child_by_field_name("value"),
                _ => None,
            };
            if let Some(value) = value.filter(|value| value.child_count() == 0) {
                self.exported.insert(cx.text(&value).to_owned());
            }
        }
    }
}

/// Whether it is directly in a listed object.
pub(super) fn in_object(cx: &Context<'_>, visit: &Visit<'_>) -> bool {
    cx.scope()
        .is_some_and(|scope| scope.kind == SymbolKind::Constant && visit.depth == scope.depth + 1)
}
