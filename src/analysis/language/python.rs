//! Python 3, and Python 2 as far as the grammar supports it.

use tree_sitter::Node;

use super::rules::{
    Callee, Hooks, Named, Parameters, Role, Rules, Scope, Site, field, function, member,
    never_dead, never_other, parts, source,
};
use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

pub(super) const RULES: Rules = Rules {
    extends: None,
    separator: ".",
    roles: &[
        (Role::If, &["if_statement"]),
        (Role::Elif, &["elif_clause"]),
        (Role::Else, &["else_clause"]),
        (Role::Ternary, &["conditional_expression"]),
        (
            Role::Loop(DecisionKind::Loop),
            &["for_statement", "while_statement"],
        ),
        (
            Role::Count(DecisionKind::ComprehensionFor),
            &["for_in_clause"],
        ),
        (Role::ComprehensionIf, &["if_clause"]),
        (Role::Switch, &["match_statement"]),
        (Role::Case, &["case_clause"]),
        (Role::Try, &["try_statement"]),
        (Role::Catch, &["except_clause"]),
        (Role::Count(DecisionKind::Finally), &["finally_clause"]),
        (Role::Assert, &["assert_statement"]),
        (Role::Binary, &["boolean_operator"]),
        (Role::Boolean, &["and", "or"]),
        (Role::Parenthesis, &["parenthesized_expression"]),
        (
            Role::Count(DecisionKind::DefaultParameter),
            &["default_parameter", "typed_default_parameter"],
        ),
    ],
    functions: &[
        function("function_definition", FunctionKind::Function),
        function("lambda", FunctionKind::Closure),
    ],
    keywords: &[
        (DecisionKind::If, &["if", "elif"]),
        (DecisionKind::Loop, &["while", "for"]),
        (DecisionKind::Catch, &["except"]),
        (DecisionKind::BooleanOperator, &["and", "or"]),
    ],
    scopes: &["class_definition"],
    statements: &[
        "assert_statement",
        "break_statement",
        "class_definition",
        "continue_statement",
        "delete_statement",
        "exec_statement",
        "expression_statement",
        "for_statement",
        "function_definition",
        "future_import_statement",
        "global_statement",
        "if_statement",
        "import_from_statement",
        "import_statement",
        "match_statement",
        "nonlocal_statement",
        "pass_statement",
        "print_statement",
        "raise_statement",
        "return_statement",
        "try_statement",
        "type_alias_statement",
        "while_statement",
        "with_statement",
    ],
    exits: &["return_statement", "raise_statement"],
    calls: &["call"],
    comments: &["comment"],
    literals: &["string"],
    interpolations: &["interpolation"],
    operators: &[
        "pass_statement",
        "break_statement",
        "continue_statement",
        "keyword_separator",
        "positional_separator",
        "wildcard_import",
    ],
    angles: &[],
    labels: &[],
    asides: &[
        "parameters",
        "lambda_parameters",
        "class_definition",
        "decorator",
    ],
    computed_names: &[],
    this: &["self", "cls"],
    implicit_this: false,
    hooks: Hooks {
        name,
        parameters,
        scope,
        case,
        callee,
        declarative,
        other_overload: never_other,
        dead: never_dead,
    },
};

fn name<'t>(site: &Site<'_, 't>) -> Named<'t> {
    let name = field(site.node, "name", site.text);
    let kind = match (site.kind, name) {
        (FunctionKind::Function, Some("__init__")) if site.in_type => FunctionKind::Constructor,
        (FunctionKind::Function, _) if site.in_type && is_property(site) => FunctionKind::Accessor,
        (FunctionKind::Function, _) if site.in_type => FunctionKind::Method,
        (kind, _) => kind,
    };
    Named {
        name,
        qualifier: None,
        receiver: None,
        kind,
    }
}

fn decorators<'t>(site: &Site<'_, 't>) -> Vec<&'t str> {
    let Some(around) = site.above.last() else {
        return Vec::new();
    };
    if around.kind() != "decorated_definition" {
        return Vec::new();
    }
    parts(*around)
        .into_iter()
        .filter(|part| part.kind() == "decorator")
        .map(|part| source(part, site.text).trim_start_matches('@').trim())
        .collect()
}

fn is_property(site: &Site<'_, '_>) -> bool {
    decorators(site).iter().any(|decorator| {
        matches!(
            *decorator,
            "property" | "cached_property" | "functools.cached_property"
        ) || decorator.ends_with(".setter")
            || decorator.ends_with(".getter")
            || decorator.ends_with(".deleter")
    })
}

/// The first parameter of a method is its receiver, unless it is a static one.
fn parameters(site: &Site<'_, '_>) -> Parameters {
    let list = site
        .node
        .child_by_field_name("parameters")
        .map(parts)
        .unwrap_or_default();
    let count = list
        .iter()
        .filter(|part| !matches!(part.kind(), "keyword_separator" | "positional_separator"))
        .count();
    let receiver = site.in_type
        && site.kind == FunctionKind::Function
        && list.first().is_some_and(|first| takes_an_argument(*first))
        && !decorators(site).contains(&"staticmethod");
    Parameters {
        count: u32::try_from(count)
            .unwrap_or(u32::MAX)
            .saturating_sub(u32::from(receiver)),
        receiver,
    }
}

/// One parameter, with or without a type; `*args` would include the receiver.
fn takes_an_argument(parameter: Node<'_>) -> bool {
    match parameter.kind() {
        "identifier" => true,
        "typed_parameter" => parameter
            .named_child(0)
            .is_some_and(|name| name.kind() == "identifier"),
        _ => false,
    }
}

fn scope<'t>(node: Node<'t>, _: Option<Node<'t>>, text: &'t str) -> Option<Scope<'t>> {
    field(node, "name", text).map(Scope::Type)
}

/// `case _` is a default; `case name` matches everything too, and binds a name.
fn case<'t>(node: Node<'t>, text: &'t str) -> DecisionKind {
    let guarded = node.child_by_field_name("guard").is_some();
    let patterns: Vec<_> = parts(node)
        .into_iter()
        .filter(|part| part.kind() == "case_pattern")
        .collect();
    let [pattern] = patterns.as_slice() else {
        return DecisionKind::Case;
    };
    let pattern = source(*pattern, text).trim();
    match (pattern, guarded) {
        ("_", false) => DecisionKind::DefaultCase,
        ("_", true) => DecisionKind::CaptureCase,
        _ if is_name(pattern) => DecisionKind::CaptureCase,
        _ => DecisionKind::Case,
    }
}

fn is_name(pattern: &str) -> bool {
    !matches!(pattern, "None" | "True" | "False")
        && !pattern.starts_with(|first: char| first.is_ascii_digit())
        && pattern.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn callee<'t>(node: Node<'t>, text: &'t str) -> Callee<'t> {
    let Some(called) = node.child_by_field_name("function") else {
        return Callee::Other;
    };
    match called.kind() {
        "identifier" => Callee::Plain(source(called, text)),
        "attribute" => member(called, "object", "attribute", text),
        _ => Callee::Other,
    }
}

/// A decorator: one nested function, and the `return` of it.
fn declarative(node: Node<'_>) -> bool {
    let body = node
        .child_by_field_name("body")
        .map(parts)
        .unwrap_or_default();
    let [nested, handed_out] = body.as_slice() else {
        return false;
    };
    nested.kind() == "function_definition" && handed_out.kind() == "return_statement"
}

/// The name on the left of a `type` statement, without its type parameters.
pub(in crate::analysis) fn alias_name(left: &str) -> &str {
    left.split_once('[').map_or(left, |(name, _)| name).trim()
}
