//! TypeScript and TSX: additions to JavaScript.

use super::javascript;
use super::rules::{Role, Rules};
use crate::analysis::metrics::DecisionKind;

pub(super) const RULES: Rules = Rules {
    extends: Some(&javascript::RULES),
    separator: ".",
    roles: &[
        (
            Role::CountWithValue(DecisionKind::DefaultParameter),
            &["required_parameter", "optional_parameter"],
        ),
        // Around the token in members, but not in calls.
        (Role::None, &["optional_chain"]),
        (Role::Count(DecisionKind::OptionalChain), &["?."]),
    ],
    functions: javascript::FUNCTIONS,
    keywords: &[],
    scopes: &["abstract_class_declaration", "internal_module", "module"],
    statements: &[
        "abstract_class_declaration",
        "ambient_declaration",
        "enum_declaration",
        "function_signature",
        "import_alias",
        "interface_declaration",
        "type_alias_declaration",
    ],
    exits: &[],
    calls: &[],
    comments: &[],
    literals: &[],
    interpolations: &["template_type"],
    operators: &[
        "accessibility_modifier",
        "override_modifier",
        "predefined_type",
        "existential_type",
    ],
    angles: &["type_arguments", "type_parameters"],
    labels: &[],
    asides: &[],
    computed_names: &[],
    this: &["this"],
    implicit_this: false,
    hooks: javascript::HOOKS,
};
