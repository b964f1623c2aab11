//! JavaScript with JSX, and the parts that TypeScript shares.

use tree_sitter::Node;

use super::rules::{
    Callee, FunctionRule, Hooks, Named, Parameters, Role, Rules, Scope, Site, field, function,
    member, never_dead, never_other, parts, plain_case, source,
};
use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

/// The longest left side of an assignment that is shown as a name: `Foo.prototype.bar`.
const NAME_BYTES: usize = 80;

pub(super) const RULES: Rules = Rules {
    extends: None,
    separator: ".",
    roles: &[
        (Role::If, &["if_statement"]),
        (Role::Else, &["else_clause"]),
        (Role::Ternary, &["ternary_expression"]),
        (
            Role::Loop(DecisionKind::Loop),
            &[
                "for_statement",
                "for_in_statement",
                "while_statement",
                "do_statement",
            ],
        ),
        (Role::Switch, &["switch_statement"]),
        (Role::Case, &["switch_case"]),
        (Role::DefaultCase, &["switch_default"]),
        (Role::Try, &["try_statement"]),
        (Role::Catch, &["catch_clause"]),
        (Role::Count(DecisionKind::Finally), &["finally_clause"]),
        (Role::Binary, &["binary_expression"]),
        (Role::Boolean, &["&&", "||"]),
        (Role::Count(DecisionKind::NullCoalesce), &["??"]),
        (
            Role::Count(DecisionKind::LogicalAssignment),
            &["&&=", "||=", "??="],
        ),
        (
            Role::Count(DecisionKind::OptionalChain),
            &["optional_chain"],
        ),
        (
            Role::Count(DecisionKind::DefaultParameter),
            &["assignment_pattern", "object_assignment_pattern"],
        ),
        (Role::Parenthesis, &["parenthesized_expression"]),
        (Role::Jump, &["break_statement", "continue_statement"]),
    ],
    functions: FUNCTIONS,
    keywords: &[
        (DecisionKind::If, &["if"]),
        (DecisionKind::Loop, &["while", "for"]),
        (DecisionKind::Case, &["case"]),
        (DecisionKind::Catch, &["catch"]),
        (DecisionKind::BooleanOperator, &["&&", "||"]),
        (DecisionKind::NullCoalesce, &["??"]),
    ],
    scopes: &[
        "class_declaration",
        "class",
        "variable_declarator",
        "assignment_expression",
        "pair",
        "export_statement",
        "call_expression",
    ],
    statements: &[
        "break_statement",
        "class_declaration",
        "continue_statement",
        "debugger_statement",
        "do_statement",
        "empty_statement",
        "export_statement",
        "expression_statement",
        "for_in_statement",
        "for_statement",
        "function_declaration",
        "generator_function_declaration",
        "if_statement",
        "import_statement",
        "labeled_statement",
        "lexical_declaration",
        "return_statement",
        "switch_statement",
        "throw_statement",
        "try_statement",
        "variable_declaration",
        "while_statement",
        "with_statement",
    ],
    exits: &["return_statement", "throw_statement"],
    calls: &["call_expression"],
    comments: &["comment", "html_comment", "hash_bang_line"],
    literals: &["string", "template_string", "regex"],
    interpolations: &["template_substitution"],
    operators: &["optional_chain", "import", "debugger_statement"],
    angles: &[],
    labels: &["statement_identifier"],
    asides: &["formal_parameters", "class_body", "decorator"],
    computed_names: &["computed_property_name"],
    this: &["this"],
    implicit_this: false,
    hooks: HOOKS,
};

pub(super) const FUNCTIONS: &[FunctionRule] = &[
    function("function_declaration", FunctionKind::Function),
    function("generator_function_declaration", FunctionKind::Function),
    function("function_expression", FunctionKind::Closure),
    function("generator_function", FunctionKind::Closure),
    function("arrow_function", FunctionKind::Closure),
    function("method_definition", FunctionKind::Method),
    function("class_static_block", FunctionKind::Initializer),
];

pub(super) const HOOKS: Hooks = Hooks {
    name,
    parameters,
    scope,
    case: plain_case,
    callee,
    declarative,
    other_overload: never_other,
    dead: never_dead,
};

fn name<'t>(site: &Site<'_, 't>) -> Named<'t> {
    let text = site.text;
    let own = field(site.node, "name", text).map(key_text);
    let named = |name, qualifier, kind| Named {
        name,
        qualifier,
        receiver: None,
        kind,
    };
    match site.node.kind() {
        "class_static_block" => named(Some("<static>"), None, site.kind),
        "method_definition" => named(own, None, method_kind(site, own)),
        "function_declaration" | "generator_function_declaration" if own.is_some() => {
            named(own, None, FunctionKind::Function)
        }
        // Callers use the name that it is bound to.
        _ => match given_name(site) {
            (Some("default"), _, _) | (None, _, _) if own.is_some() => {
                named(own, None, FunctionKind::Function)
            }
            (name, qualifier, _) if own.is_some() => named(name, qualifier, FunctionKind::Function),
            (name, qualifier, kind) => named(name, qualifier, kind),
        },
    }
}

fn method_kind(site: &Site<'_, '_>, name: Option<&str>) -> FunctionKind {
    let mut cursor = site.node.walk();
    let accessor = site
        .node
        .children(&mut cursor)
        .take_while(|child| child.kind() != "formal_parameters")
        .any(|child| matches!(child.kind(), "get" | "set"));
    if accessor {
        return FunctionKind::Accessor;
    }
    if site.in_type && name == Some("constructor") {
        return FunctionKind::Constructor;
    }
    FunctionKind::Method
}

/// The name of the target to which an anonymous function is assigned.
fn given_name<'t>(site: &Site<'_, 't>) -> (Option<&'t str>, Option<&'t str>, FunctionKind) {
    let text = site.text;
    let mut above = site.above.iter().rev().skip_while(|around| wraps(around));
    let Some(around) = above.next() else {
        return (None, None, FunctionKind::Closure);
    };
    match around.kind() {
        "variable_declarator" => (
            plain_name(field(*around, "name", text)),
            None,
            FunctionKind::Function,
        ),
        "assignment_pattern" => (
            plain_name(field(*around, "left", text)),
            None,
            FunctionKind::Closure,
        ),
        "assignment_expression" => assigned(*around, text),
        "pair" => (
            field(*around, "key", text).map(key_text),
            None,
            FunctionKind::Method,
        ),
        "field_definition" => (
            field(*around, "property", text).map(key_text),
            None,
            FunctionKind::Method,
        ),
        "public_field_definition" => (
            field(*around, "name", text).map(key_text),
            None,
            FunctionKind::Method,
        ),
        "export_statement" | "function_declaration" => {
            (Some("default"), None, FunctionKind::Function)
        }
        _ => (None, None, FunctionKind::Closure),
    }
}

/// `a.b.c = function` is `c`, qualified by `a.b`; `this` adds no qualifier.
fn assigned<'t>(
    assignment: Node<'t>,
    text: &'t str,
) -> (Option<&'t str>, Option<&'t str>, FunctionKind) {
    if let Some((object, key)) = assignment
        .child_by_field_name("left")
        .and_then(|left| quoted_member(left, text))
    {
        return (Some(key), Some(object), FunctionKind::Function);
    }
    let Some(left) = field(assignment, "left", text).and_then(assigned_name) else {
        return (None, None, FunctionKind::Closure);
    };
    match left.rsplit_once('.') {
        Some(("this", property)) => (Some(property), None, FunctionKind::Function),
        Some((object, property)) => (Some(property), Some(object), FunctionKind::Function),
        None => (Some(left), None, FunctionKind::Function),
    }
}

/// The left side of an assignment, if it can be shown as a name.
pub(in crate::analysis) fn assigned_name(left: &str) -> Option<&str> {
    let is_name = left.len() <= NAME_BYTES
        && left
            .chars()
            .all(|c| c.is_alphanumeric() || "_$.#".contains(c));
    is_name.then_some(left)
}

/// `object["key"]`.
pub(in crate::analysis) fn quoted_member<'t>(
    left: Node<'_>,
    text: &'t str,
) -> Option<(&'t str, &'t str)> {
    let index = left.child_by_field_name("index")?;
    let object = left.child_by_field_name("object")?;
    let key = key_text(source(index, text));
    let is_plain = index.kind() == "string" && assigned_name(key).is_some() && !key.is_empty();
    is_plain.then_some((assigned_name(source(object, text))?, key))
}

/// Brackets and similar wrappers that do not change a value.
fn wraps(node: &Node<'_>) -> bool {
    matches!(
        node.kind(),
        "parenthesized_expression"
            | "satisfies_expression"
            | "as_expression"
            | "non_null_expression"
            | "type_assertion"
    )
}

/// Most wrappers around a value.
const WRAPPERS: u32 = 8;

/// The value without its wrappers.
pub(in crate::analysis) fn unwrapped(value: Node<'_>) -> Node<'_> {
    let mut value = value;
    for _ in 0..WRAPPERS {
        let inner = match value.kind() {
            "type_assertion" => value.named_child(1),
            _ => value.named_child(0),
        };
        match inner.filter(|_| wraps(&value)) {
            Some(inner) => value = inner,
            None => break,
        }
    }
    value
}

fn plain_name(name: Option<&str>) -> Option<&str> {
    name.filter(|name| name.len() <= NAME_BYTES && !name.starts_with(['{', '[']))
}

/// A key without its quotation marks.
pub(in crate::analysis) fn key_text(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

fn parameters(site: &Site<'_, '_>) -> Parameters {
    let receiver = matches!(
        site.kind,
        FunctionKind::Method | FunctionKind::Accessor | FunctionKind::Constructor
    ) && !is_static(site.node);
    if site.node.child_by_field_name("parameter").is_some() {
        return Parameters { count: 1, receiver };
    }
    let list = site
        .node
        .child_by_field_name("parameters")
        .map(parts)
        .unwrap_or_default();
    let count = list
        .iter()
        .filter(|part| field(**part, "pattern", site.text) != Some("this"))
        .count();
    Parameters {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        receiver,
    }
}

fn is_static(node: Node<'_>) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .take_while(|child| child.kind() != "formal_parameters")
        .any(|child| child.kind() == "static")
}

fn scope<'t>(node: Node<'t>, parent: Option<Node<'t>>, text: &'t str) -> Option<Scope<'t>> {
    match node.kind() {
        "variable_declarator" => holder(node, "value", plain_name(field(node, "name", text))),
        "assignment_expression" => {
            let left = field(node, "left", text).and_then(assigned_name);
            let left = left.map(|left| left.strip_prefix("this.").unwrap_or(left));
            holder(node, "right", left)
        }
        "pair" => holder(node, "value", field(node, "key", text).map(key_text)),
        "export_statement" => holder(node, "value", Some("default")),
        "call_expression" => extended(node, text).map(Scope::Value),
        "class" => match parent.map(|parent| parent.kind()) {
            Some("variable_declarator" | "assignment_expression" | "pair" | "export_statement") => {
                None
            }
            _ => Some(field(node, "name", text).map_or(Scope::AnonymousType, Scope::Type)),
        },
        "internal_module" | "module" => field(node, "name", text).map(key_text).map(Scope::Module),
        _ => field(node, "name", text)
            .map(Scope::Type)
            .or(Some(Scope::Type("default"))),
    }
}

/// A node that names the functions in its value.
fn holder<'t>(node: Node<'t>, value: &str, name: Option<&'t str>) -> Option<Scope<'t>> {
    let value = node.child_by_field_name(value)?;
    match (value.kind(), unwrapped(value).kind()) {
        ("class", _) => Some(match name {
            Some(name) => Scope::Type(name),
            None => Scope::AnonymousType,
        }),
        (_, "object") => name.map(Scope::Value),
        _ => None,
    }
}

/// `Object.assign(target, { … })`.
fn extended<'t>(call: Node<'t>, text: &'t str) -> Option<&'t str> {
    if !source(call, text).starts_with("Object.assign") {
        return None;
    }
    let arguments = parts(call.child_by_field_name("arguments")?);
    let holds = arguments.iter().skip(1).any(|part| part.kind() == "object");
    let target = arguments.first().filter(|_| holds)?;
    assigned_name(source(*target, text))
}

fn callee<'t>(node: Node<'t>, text: &'t str) -> Callee<'t> {
    match node.child_by_field_name("function") {
        Some(called) if called.kind() == "identifier" => Callee::Plain(source(called, text)),
        Some(called) if called.kind() == "member_expression" => {
            member(called, "object", "property", text)
        }
        Some(_) | None => Callee::Other,
    }
}

/// Whether the function has only declarations, assignments and the `return` of their results: a function used as a
/// class or module.
fn declarative(node: Node<'_>) -> bool {
    let Some(body) = node.child_by_field_name("body") else {
        return false;
    };
    body.kind() == "statement_block" && parts(body).into_iter().all(declares)
}

fn declares(statement: Node<'_>) -> bool {
    match statement.kind() {
        "function_declaration"
        | "generator_function_declaration"
        | "class_declaration"
        | "abstract_class_declaration"
        | "interface_declaration"
        | "type_alias_declaration"
        | "enum_declaration"
        | "empty_statement" => true,
        "variable_declaration" | "lexical_declaration" => parts(statement)
            .into_iter()
            .all(|part| part.child_by_field_name("value").is_none_or(is_simple)),
        "return_statement" => parts(statement).into_iter().all(is_simple),
        "expression_statement" => parts(statement).into_iter().all(|part| match part.kind() {
            "assignment_expression" => part.child_by_field_name("right").is_none_or(is_simple),
            "string" => true,
            _ => false,
        }),
        _ => false,
    }
}

/// Whether it makes no decision itself.
fn is_simple(value: Node<'_>) -> bool {
    !matches!(value.kind(), "ternary_expression" | "binary_expression")
}
