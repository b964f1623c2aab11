//! Cognitive complexity (Campbell, SonarSource 2018): the increments of nodes, and the nesting level.

use std::num::NonZeroU16;

use crate::analysis::language::rules::{Fields, Role};

/// The increment of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Increment {
    Nothing,
    /// 1 at any depth.
    Flat,
    /// 1 plus the nesting level.
    Nested,
}

/// An `if` that continues another: in `else`, or in the `alternative` of the grammars without a node for `else`.
pub(super) fn is_else_if(
    role: Role,
    parent: Role,
    field: Option<NonZeroU16>,
    fields: &Fields,
) -> bool {
    let continues =
        parent == Role::Else || (parent == Role::If && is_field(field, fields.alternative));
    role == Role::If && continues
}

fn is_field(field: Option<NonZeroU16>, wanted: Option<NonZeroU16>) -> bool {
    field.is_some() && field == wanted
}

/// The increment of a node of this role below a parent of that role. Boolean operators and labelled jumps are counted
/// separately.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new role is without effect on nesting until it is named here"
)]
pub(super) fn increment(
    role: Role,
    parent: Role,
    field: Option<NonZeroU16>,
    fields: &Fields,
) -> Increment {
    if is_else_if(role, parent, field, fields) {
        // If `else` is a separate node, it is counted for both.
        let paid = parent == Role::Else;
        return if paid {
            Increment::Nothing
        } else {
            Increment::Flat
        };
    }
    if matches!(
        role,
        Role::If | Role::Ternary | Role::Loop(_) | Role::Switch | Role::Catch
    ) {
        return Increment::Nested;
    }
    let is_else = match parent {
        Role::If if role == Role::Else => true,
        Role::If if role != Role::Elif => is_field(field, fields.alternative),
        Role::Elif | Role::Loop(_) => role == Role::Else,
        _ => false,
    };
    if is_else || matches!(role, Role::Elif | Role::Goto | Role::LetElse) {
        return Increment::Flat;
    }
    Increment::Nothing
}

/// Whether the nesting level rises from a parent of this role to its child.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new role is without effect on nesting until it is named here"
)]
pub(super) fn deepens(
    parent: Role,
    child: Role,
    field: Option<NonZeroU16>,
    fields: &Fields,
) -> bool {
    match parent {
        Role::If | Role::Elif => {
            let continues = matches!(child, Role::Else | Role::Elif)
                || is_else_if(child, parent, field, fields);
            !continues
                && (is_field(field, fields.consequence) || is_field(field, fields.alternative))
        }
        Role::Else => child != Role::If,
        Role::Loop(_) | Role::Switch | Role::Catch => child != Role::Else,
        Role::Ternary => !is_field(field, fields.condition),
        _ => false,
    }
}
