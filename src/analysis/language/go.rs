//! Go.

use tree_sitter::Node;

use super::rules::{
    Callee, Hooks, Named, Parameters, Role, Rules, Scope, Site, field, function, member,
    never_dead, never_declarative, never_other, parts, plain_case, source,
};
use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

pub(super) const RULES: Rules = Rules {
    extends: None,
    separator: ".",
    roles: &[
        (Role::If, &["if_statement"]),
        (Role::Loop(DecisionKind::Loop), &["for_statement"]),
        (
            Role::Switch,
            &[
                "expression_switch_statement",
                "type_switch_statement",
                "select_statement",
            ],
        ),
        (
            Role::Case,
            &["expression_case", "type_case", "communication_case"],
        ),
        (Role::DefaultCase, &["default_case"]),
        (Role::Binary, &["binary_expression"]),
        (Role::Boolean, &["&&", "||"]),
        (Role::Parenthesis, &["parenthesized_expression"]),
        (Role::Jump, &["break_statement", "continue_statement"]),
        (Role::Goto, &["goto_statement"]),
    ],
    functions: &[
        function("function_declaration", FunctionKind::Function),
        function("method_declaration", FunctionKind::Method),
        function("func_literal", FunctionKind::Closure),
    ],
    keywords: &[
        (DecisionKind::If, &["if"]),
        (DecisionKind::Loop, &["for"]),
        (DecisionKind::Case, &["case"]),
        (DecisionKind::BooleanOperator, &["&&", "||"]),
    ],
    scopes: &[],
    statements: &[
        "assignment_statement",
        "break_statement",
        "const_declaration",
        "continue_statement",
        "dec_statement",
        "defer_statement",
        "empty_statement",
        "expression_statement",
        "expression_switch_statement",
        "fallthrough_statement",
        "for_statement",
        "go_statement",
        "goto_statement",
        "if_statement",
        "import_declaration",
        "inc_statement",
        "labeled_statement",
        "receive_statement",
        "return_statement",
        "select_statement",
        "send_statement",
        "short_var_declaration",
        "type_declaration",
        "type_switch_statement",
        "var_declaration",
    ],
    exits: &["return_statement"],
    calls: &["call_expression"],
    comments: &["comment"],
    literals: &["interpreted_string_literal", "raw_string_literal"],
    interpolations: &[],
    operators: &["dot", "fallthrough_statement"],
    angles: &[],
    labels: &["label_name"],
    asides: &[],
    computed_names: &[],
    this: &[],
    implicit_this: false,
    hooks: Hooks {
        name,
        parameters,
        scope,
        case: plain_case,
        callee,
        declarative: never_declarative,
        other_overload: never_other,
        dead: never_dead,
    },
};

fn name<'t>(site: &Site<'_, 't>) -> Named<'t> {
    let receiver = site
        .node
        .child_by_field_name("receiver")
        .and_then(|receiver| parts(receiver).first().copied());
    let of_type = receiver.and_then(|receiver| receiver.child_by_field_name("type"));
    Named {
        name: field(site.node, "name", site.text).or_else(|| assigned(site)),
        qualifier: of_type.map(|of_type| type_name(of_type, site.text)),
        receiver: receiver.and_then(|receiver| field(receiver, "name", site.text)),
        kind: site.kind,
    }
}

/// The name of `var name = func() { … }` and `name := func() { … }`, with one name and one value.
fn assigned<'t>(site: &Site<'_, 't>) -> Option<&'t str> {
    let [.., around, list] = site.above else {
        return None;
    };
    if list.kind() != "expression_list" || list.named_child_count() != 1 {
        return None;
    }
    let names = match around.kind() {
        "var_spec" => around.child_by_field_name("name"),
        "short_var_declaration" => around.child_by_field_name("left"),
        _ => None,
    }?;
    let name = source(names, site.text);
    name.chars()
        .all(|c| c.is_alphanumeric() || c == '_')
        .then_some(name)
}

/// `*T`, `T[K]` and `(T)` are `T`.
fn type_name<'t>(node: Node<'t>, text: &'t str) -> &'t str {
    let source = source(node, text).trim_start_matches(['*', '(', ' ']);
    source.split(['[', ')']).next().unwrap_or_default().trim()
}

/// Each name of `a, b int` is one; an unnamed type is one.
fn parameters(site: &Site<'_, '_>) -> Parameters {
    let list = site
        .node
        .child_by_field_name("parameters")
        .map(parts)
        .unwrap_or_default();
    let count = list
        .into_iter()
        .map(|part| {
            let mut cursor = part.walk();
            part.children_by_field_name("name", &mut cursor)
                .count()
                .max(1)
        })
        .sum::<usize>();
    Parameters {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        receiver: site.kind == FunctionKind::Method,
    }
}

fn scope<'t>(_: Node<'t>, _: Option<Node<'t>>, _: &'t str) -> Option<Scope<'t>> {
    None
}

fn callee<'t>(node: Node<'t>, text: &'t str) -> Callee<'t> {
    let Some(called) = node.child_by_field_name("function") else {
        return Callee::Other;
    };
    match called.kind() {
        "identifier" => Callee::Plain(source(called, text)),
        "selector_expression" => member(called, "operand", "field", text),
        _ => Callee::Other,
    }
}
