//! Rust.

use tree_sitter::Node;

use super::rules::{
    Callee, Hooks, Named, Parameters, Role, Rules, Scope, Site, by_name_field, field, function,
    member, never_dead, never_declarative, never_other, parts, source,
};
use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

pub(super) const RULES: Rules = Rules {
    extends: None,
    separator: "::",
    roles: &[
        (Role::If, &["if_expression"]),
        (Role::Else, &["else_clause"]),
        (
            Role::Loop(DecisionKind::Loop),
            &["while_expression", "for_expression"],
        ),
        (Role::Loop(DecisionKind::BareLoop), &["loop_expression"]),
        (Role::Switch, &["match_expression"]),
        (Role::Case, &["match_arm"]),
        (
            Role::CountWithCondition(DecisionKind::Guard),
            &["match_pattern"],
        ),
        (Role::Binary, &["binary_expression", "let_chain"]),
        (Role::Boolean, &["&&", "||"]),
        (Role::Parenthesis, &["parenthesized_expression"]),
        (Role::Jump, &["break_expression", "continue_expression"]),
        (Role::LetElse, &["let_declaration"]),
        (Role::Count(DecisionKind::TryOperator), &["try_expression"]),
        (Role::Count(DecisionKind::Where), &["where_clause"]),
    ],
    functions: &[
        function("function_item", FunctionKind::Function),
        function("closure_expression", FunctionKind::Closure),
    ],
    keywords: &[
        (DecisionKind::If, &["if"]),
        (DecisionKind::Loop, &["while", "for"]),
        (DecisionKind::BooleanOperator, &["&&"]),
    ],
    scopes: &["impl_item", "trait_item", "mod_item"],
    statements: &[
        "expression_statement",
        "let_declaration",
        "empty_statement",
        "macro_definition",
        "const_item",
        "static_item",
        "use_declaration",
        "extern_crate_declaration",
        "type_item",
        "associated_type",
        "function_signature_item",
    ],
    exits: &["return_expression", "try_expression"],
    calls: &["call_expression"],
    comments: &["line_comment", "block_comment", "shebang"],
    literals: &["string_literal", "raw_string_literal", "char_literal"],
    interpolations: &[],
    operators: &["mutable_specifier", "primitive_type", "never_type"],
    angles: &[
        "type_arguments",
        "type_parameters",
        "bracketed_type",
        "for_lifetimes",
    ],
    labels: &["label"],
    asides: &["parameters", "closure_parameters"],
    computed_names: &[],
    this: &["self", "Self"],
    implicit_this: false,
    hooks: Hooks {
        name,
        parameters,
        scope,
        case,
        callee,
        declarative: never_declarative,
        other_overload: never_other,
        dead: never_dead,
    },
};

fn name<'t>(site: &Site<'_, 't>) -> Named<'t> {
    by_name_field(site)
}

fn parameters(site: &Site<'_, '_>) -> Parameters {
    let mut found = Parameters::default();
    for part in site
        .node
        .child_by_field_name("parameters")
        .map(parts)
        .unwrap_or_default()
    {
        match part.kind() {
            "self_parameter" => found.receiver = true,
            "parameter" if is_self(part) => found.receiver = true,
            "attribute_item" => {}
            _ => found.count += 1,
        }
    }
    found
}

/// `self: Box<Self>`.
fn is_self(parameter: Node<'_>) -> bool {
    parameter
        .child_by_field_name("pattern")
        .is_some_and(|pattern| pattern.kind() == "self")
}

fn scope<'t>(node: Node<'t>, _: Option<Node<'t>>, text: &'t str) -> Option<Scope<'t>> {
    match node.kind() {
        "mod_item" => field(node, "name", text).map(Scope::Module),
        "impl_item" => Some(Scope::Type(type_name(
            node.child_by_field_name("type")?,
            text,
        ))),
        _ => field(node, "name", text).map(Scope::Type),
    }
}

/// The type without its path and arguments: `a::B<T>` is `B`.
fn type_name<'t>(node: Node<'t>, text: &'t str) -> &'t str {
    let base = match node.kind() {
        "generic_type" => node.child_by_field_name("type").unwrap_or(node),
        _ => node,
    };
    let last = match base.kind() {
        "scoped_type_identifier" => base.child_by_field_name("name").unwrap_or(base),
        _ => base,
    };
    source(last, text)
}

/// `_` without a guard is a default. A plain name that is not spelled as a constant matches everything, too.
fn case<'t>(node: Node<'t>, text: &'t str) -> DecisionKind {
    match field(node, "pattern", text) {
        Some("_") => DecisionKind::DefaultCase,
        Some(pattern) if is_binding(pattern) => DecisionKind::CaptureCase,
        Some(_) | None => DecisionKind::Case,
    }
}

fn is_binding(pattern: &str) -> bool {
    !matches!(pattern, "true" | "false")
        && pattern.starts_with(|first: char| first.is_lowercase() || first == '_')
        && pattern.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn callee<'t>(node: Node<'t>, text: &'t str) -> Callee<'t> {
    let Some(called) = node.child_by_field_name("function") else {
        return Callee::Other;
    };
    let called = match called.kind() {
        "generic_function" => called.child_by_field_name("function").unwrap_or(called),
        _ => called,
    };
    match called.kind() {
        "identifier" => Callee::Plain(source(called, text)),
        "field_expression" => member(called, "value", "field", text),
        "scoped_identifier" => member(called, "path", "name", text),
        _ => Callee::Other,
    }
}
