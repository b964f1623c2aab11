//! Helpers for the hooks of several languages.

use tree_sitter::Node;

use super::{Callee, Named, Site};
use crate::analysis::metrics::DecisionKind;
use crate::analysis::{FunctionKind, Language};

/// The source under a node.
pub(in crate::analysis) fn source<'t>(node: Node<'_>, text: &'t str) -> &'t str {
    text.get(node.byte_range()).unwrap_or_default()
}

/// The source under a field of a node.
pub(in crate::analysis) fn field<'t>(node: Node<'_>, name: &str, text: &'t str) -> Option<&'t str> {
    let text = source(node.child_by_field_name(name)?, text);
    (!text.is_empty()).then_some(text)
}

/// A function named by its `name` field; inside a type it is a method.
pub(in crate::analysis) fn by_name_field<'t>(site: &Site<'_, 't>) -> Named<'t> {
    let is_method = site.kind == FunctionKind::Function && site.in_type;
    let kind = if is_method {
        FunctionKind::Method
    } else {
        site.kind
    };
    Named {
        name: field(site.node, "name", site.text),
        qualifier: None,
        receiver: None,
        kind,
    }
}

/// Children of a node that are neither comments nor errors.
pub(in crate::analysis) fn parts<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| !child.is_extra() && !child.is_error())
        .collect()
}

/// The node at whose end the code ends. In Python, a comment after the last statement is in the block of the grammar,
/// but CPython ends the block before it.
pub(in crate::analysis) fn last_code(language: Language, node: Node<'_>) -> Node<'_> {
    let mut last = node;
    if language != Language::Python {
        return last;
    }
    loop {
        let count = last.child_count();
        let inner = (0..count)
            .rev()
            .filter_map(|at| last.child(at))
            .find(|child| child.kind() != "comment" && child.end_byte() > child.start_byte());
        match inner {
            Some(inner) => last = inner,
            None => return last,
        }
    }
}

pub(in crate::analysis) fn never_declarative(_: Node<'_>) -> bool {
    false
}

pub(in crate::analysis) fn never_other(_: Node<'_>, _: Node<'_>, _: &str) -> bool {
    false
}

pub(in crate::analysis) fn never_dead(_: Node<'_>, _: &str) -> bool {
    false
}

pub(in crate::analysis) fn plain_case(_: Node<'_>, _: &str) -> DecisionKind {
    DecisionKind::Case
}

pub(in crate::analysis) fn argument_count(call: Node<'_>) -> u32 {
    let arguments = call.child_by_field_name("arguments").map(parts);
    u32::try_from(arguments.map_or(0, |parts| parts.len())).unwrap_or(u32::MAX)
}

/// A call through a field of the called node.
pub(in crate::analysis) fn member<'t>(
    called: Node<'t>,
    on: &str,
    name: &str,
    text: &'t str,
) -> Callee<'t> {
    match (field(called, on, text), field(called, name, text)) {
        (Some(on), Some(name)) => Callee::Member { on, name },
        _ => Callee::Other,
    }
}
