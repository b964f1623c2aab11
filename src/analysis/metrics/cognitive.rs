//! Cognitive complexity (Campbell, SonarSource 2018): what a node adds, and how nesting rises.

use std::num::NonZeroU16;

use crate::analysis::language::rules::{Fields, Role};

/// What a node adds, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Increment {
    Nothing,
    /// 1, however deep.
    Flat,
    /// 1 and the nesting level.
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

/// What a node of this role adds below a parent of that one. Boolean operators and labelled jumps are counted apart.
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
        // Where `else` is a node of its own, it has paid for both.
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
