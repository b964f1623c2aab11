//! Java.

use tree_sitter::Node;

use super::rules::{
    Callee, FunctionRule, Hooks, Named, Parameters, Role, Rules, Scope, Site, by_name_field, field,
    function, member, never_dead, never_declarative, parts, source,
};
use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

mod overload;

pub(super) const RULES: Rules = Rules {
    extends: None,
    separator: ".",
    roles: &[
        (Role::If, &["if_statement"]),
        (Role::Ternary, &["ternary_expression"]),
        (
            Role::Loop(DecisionKind::Loop),
            &[
                "for_statement",
                "enhanced_for_statement",
                "while_statement",
                "do_statement",
            ],
        ),
        (Role::Switch, &["switch_expression"]),
        (Role::Case, &["switch_label"]),
        (
            Role::Try,
            &["try_statement", "try_with_resources_statement"],
        ),
        (Role::Catch, &["catch_clause"]),
        (Role::Count(DecisionKind::Finally), &["finally_clause"]),
        (Role::Assert, &["assert_statement"]),
        (Role::Binary, &["binary_expression"]),
        (Role::Boolean, &["&&", "||"]),
        (Role::Parenthesis, &["parenthesized_expression"]),
        (Role::Jump, &["break_statement", "continue_statement"]),
    ],
    functions: &[
        function("method_declaration", FunctionKind::Method),
        function("constructor_declaration", FunctionKind::Constructor),
        function("compact_constructor_declaration", FunctionKind::Constructor),
        function("lambda_expression", FunctionKind::Closure),
        function("static_initializer", FunctionKind::Initializer),
        FunctionRule {
            node: "block",
            kind: FunctionKind::Initializer,
            inside: &["class_body", "enum_body_declarations"],
            never: &[],
        },
    ],
    keywords: &[
        (DecisionKind::If, &["if"]),
        (DecisionKind::Loop, &["while", "for"]),
        (DecisionKind::Case, &["case"]),
        (DecisionKind::Catch, &["catch"]),
        (DecisionKind::BooleanOperator, &["&&", "||"]),
    ],
    scopes: &[
        "class_declaration",
        "interface_declaration",
        "enum_declaration",
        "record_declaration",
        "annotation_type_declaration",
        "object_creation_expression",
        "enum_constant",
    ],
    statements: &[
        "assert_statement",
        "break_statement",
        "continue_statement",
        "do_statement",
        "enhanced_for_statement",
        "explicit_constructor_invocation",
        "expression_statement",
        "field_declaration",
        "for_statement",
        "if_statement",
        "import_declaration",
        "labeled_statement",
        "local_variable_declaration",
        "package_declaration",
        "return_statement",
        "switch_expression",
        "synchronized_statement",
        "throw_statement",
        "try_statement",
        "try_with_resources_statement",
        "while_statement",
        "yield_statement",
    ],
    exits: &["return_statement", "throw_statement"],
    calls: &["method_invocation"],
    comments: &["line_comment", "block_comment"],
    literals: &["string_literal", "character_literal"],
    interpolations: &["string_interpolation"],
    operators: &[
        "integral_type",
        "floating_point_type",
        "boolean_type",
        "void_type",
        "asterisk",
    ],
    angles: &["type_arguments", "type_parameters"],
    labels: &["identifier"],
    asides: &["formal_parameters", "class_body", "annotation"],
    computed_names: &[],
    this: &["this"],
    implicit_this: true,
    hooks: Hooks {
        name,
        parameters,
        scope,
        case,
        callee,
        declarative: never_declarative,
        other_overload: overload::is_other,
        dead: never_dead,
    },
};

fn name<'t>(site: &Site<'_, 't>) -> Named<'t> {
    let named = by_name_field(site);
    match site.node.kind() {
        "static_initializer" => Named {
            name: Some("<static>"),
            ..named
        },
        "block" => Named {
            name: Some("<init>"),
            ..named
        },
        _ => named,
    }
}

fn parameters(site: &Site<'_, '_>) -> Parameters {
    let Some(list) = site.node.child_by_field_name("parameters") else {
        return Parameters::default();
    };
    if list.kind() == "identifier" {
        return Parameters {
            count: 1,
            receiver: false,
        };
    }
    let count = parts(list)
        .into_iter()
        // The grammar parses an annotated receiver as a parameter.
        .filter(|part| {
            part.kind() != "receiver_parameter" && field(*part, "name", site.text) != Some("this")
        })
        .count();
    let instance = site.kind == FunctionKind::Method && !is_static(site);
    Parameters {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        receiver: instance,
    }
}

fn is_static(site: &Site<'_, '_>) -> bool {
    parts(site.node)
        .first()
        .filter(|first| first.kind() == "modifiers")
        .is_some_and(|modifiers| {
            let mut cursor = modifiers.walk();
            modifiers
                .children(&mut cursor)
                .any(|modifier| modifier.kind() == "static")
        })
}

fn scope<'t>(node: Node<'t>, _: Option<Node<'t>>, text: &'t str) -> Option<Scope<'t>> {
    match node.kind() {
        "object_creation_expression" => parts(node)
            .last()
            .is_some_and(|last| last.kind() == "class_body")
            .then_some(Scope::AnonymousType),
        "enum_constant" => {
            node.child_by_field_name("body")?;
            field(node, "name", text).map(Scope::Type)
        }
        _ => field(node, "name", text).map(Scope::Type),
    }
}

/// `case null, default` is a default, too; the grammar parses its `default` as a name.
fn case(node: Node<'_>, text: &str) -> DecisionKind {
    let mut cursor = node.walk();
    let remains = node
        .children(&mut cursor)
        .any(|part| source(part, text) == "default");
    match remains {
        true => DecisionKind::DefaultCase,
        false => DecisionKind::Case,
    }
}

fn callee<'t>(node: Node<'t>, text: &'t str) -> Callee<'t> {
    if node.child_by_field_name("object").is_some() {
        return member(node, "object", "name", text);
    }
    field(node, "name", text).map_or(Callee::Other, Callee::Plain)
}
