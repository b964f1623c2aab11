//! C, read as written: macros are not expanded, and every branch of `#if` is code, unless a branch cuts through the
//! code around it ([`syntax`](crate::analysis::syntax), `reading`).

use tree_sitter::Node;

use super::rules::{
    Callee, FunctionRule, Hooks, Named, Parameters, Role, Rules, Scope, Site, field, function,
    member, never_declarative, never_other, parts, source,
};
use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

/// Most declarators around a name: `(*(*f)(int))[3]` has four.
const DECLARATORS: usize = 32;

/// After a macro without a semicolon, and after an `else` whose `if` is in another branch of `#if`, the grammar parses
/// `if (…) {` as the head of a function.
pub(in crate::analysis) const NO_NAMES: &[&str] =
    &["if", "for", "while", "switch", "return", "void"];

pub(super) const RULES: Rules = Rules {
    extends: None,
    separator: "::",
    roles: &[
        (Role::If, &["if_statement"]),
        (Role::Else, &["else_clause"]),
        (Role::Ternary, &["conditional_expression"]),
        (
            Role::Loop(DecisionKind::Loop),
            &["for_statement", "while_statement", "do_statement"],
        ),
        (Role::Switch, &["switch_statement"]),
        (Role::Case, &["case_statement"]),
        (Role::Try, &["seh_try_statement"]),
        (Role::Catch, &["seh_except_clause"]),
        (Role::Count(DecisionKind::Finally), &["seh_finally_clause"]),
        (Role::Binary, &["binary_expression"]),
        (Role::Boolean, &["&&", "||"]),
        (Role::Parenthesis, &["parenthesized_expression"]),
        (Role::Jump, &["break_statement", "continue_statement"]),
        (Role::Goto, &["goto_statement"]),
        (Role::Preprocessor, &["preproc_if", "preproc_ifdef"]),
        (
            Role::PreprocessorElse,
            &["preproc_elif", "preproc_elifdef", "preproc_else"],
        ),
    ],
    functions: &[FunctionRule {
        never: NO_NAMES,
        ..function("function_definition", FunctionKind::Function)
    }],
    keywords: &[
        (DecisionKind::If, &["if"]),
        (DecisionKind::Loop, &["while", "for"]),
        (DecisionKind::Case, &["case"]),
        (DecisionKind::Ternary, &["?"]),
        (DecisionKind::BooleanOperator, &["&&", "||"]),
    ],
    scopes: &[],
    statements: &[
        "break_statement",
        "case_statement",
        "continue_statement",
        "declaration",
        "do_statement",
        "expression_statement",
        "for_statement",
        "goto_statement",
        "if_statement",
        "labeled_statement",
        "return_statement",
        "switch_statement",
        "type_definition",
        "while_statement",
    ],
    exits: &["return_statement"],
    calls: &["call_expression"],
    comments: &["comment"],
    literals: &["string_literal", "char_literal", "system_lib_string"],
    interpolations: &[],
    operators: &[
        "break_statement",
        "continue_statement",
        "primitive_type",
        "storage_class_specifier",
        "preproc_directive",
        "variadic_parameter",
        "gnu_asm_qualifier",
    ],
    angles: &[],
    labels: &[],
    asides: &[],
    computed_names: &[],
    this: &[],
    implicit_this: false,
    hooks: Hooks {
        name,
        parameters,
        scope,
        case,
        callee,
        declarative: never_declarative,
        other_overload: never_other,
        dead,
    },
};

fn name<'t>(site: &Site<'_, 't>) -> Named<'t> {
    let name = declarators(site.node)
        .last()
        .map(|inner| source(*inner, site.text))
        .filter(|name| !name.is_empty());
    Named {
        name,
        qualifier: None,
        receiver: None,
        kind: site.kind,
    }
}

/// The declarators from the outermost one to the name.
fn declarators(node: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut at = node;
    while found.len() < DECLARATORS {
        let inner = at
            .child_by_field_name("declarator")
            .or_else(|| match at.kind() {
                "parenthesized_declarator" | "attributed_declarator" => at.named_child(0),
                _ => None,
            });
        let Some(inner) = inner else {
            break;
        };
        found.push(inner);
        at = inner;
    }
    found
}

/// The parameters of the declarator next to the name; `(void)` has none.
fn parameters(site: &Site<'_, '_>) -> Parameters {
    let list = declarators(site.node)
        .into_iter()
        .rfind(|declarator| declarator.kind() == "function_declarator")
        .and_then(|declarator| declarator.child_by_field_name("parameters"));
    let count = list
        .map(parts)
        .unwrap_or_default()
        .into_iter()
        .filter(|part| part.kind() != "variadic_parameter" && source(*part, site.text) != "void")
        .count();
    Parameters {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        receiver: false,
    }
}

fn scope<'t>(_: Node<'t>, _: Option<Node<'t>>, _: &'t str) -> Option<Scope<'t>> {
    None
}

fn case(node: Node<'_>, _: &str) -> DecisionKind {
    match node.child(0) {
        Some(first) if first.kind() == "default" => DecisionKind::DefaultCase,
        Some(_) | None => DecisionKind::Case,
    }
}

fn callee<'t>(node: Node<'t>, text: &'t str) -> Callee<'t> {
    match node.child_by_field_name("function") {
        Some(called) if called.kind() == "identifier" => Callee::Plain(source(called, text)),
        Some(called) if called.kind() == "field_expression" => {
            member(called, "argument", "field", text)
        }
        Some(_) | None => Callee::Other,
    }
}

/// `#if 0`.
fn dead<'t>(node: Node<'t>, text: &'t str) -> bool {
    field(node, "condition", text).is_some_and(|condition| condition.trim() == "0")
}
