//! Decisions, cognitive complexity, nesting, exits and recursion.

use tree_sitter::Node;

use super::{Entry, Watcher};
use crate::analysis::language::rules::{Callee, Kind, Role, argument_count};
use crate::analysis::metrics::cognitive::{Increment, increment, is_else_if};
use crate::analysis::metrics::decision::DecisionKind;
use crate::analysis::syntax::Visit;

/// Surrounding functions that are checked for a recursive call, through closures.
const CALLERS: usize = 16;

/// The kind id of an ERROR node in every grammar.
const ERROR: u16 = u16::MAX;

impl<'t> Watcher<'t> {
    pub(super) fn control(
        &mut self,
        visit: &Visit<'t>,
        kind: &Kind,
        parent: &Entry,
        entry: &mut Entry,
    ) {
        if kind.traits.exit {
            self.frame().exits += 1;
        }
        if kind.traits.call {
            self.call(visit.node);
        }
        if kind.traits.label && parent.role == Role::Jump {
            self.frame().cognitive += 1;
        }
        let fields = &self.kinds.fields;
        let else_if = is_else_if(kind.role, parent.role, visit.field, fields);
        let mut adds = increment(kind.role, parent.role, visit.field, fields);
        let decision = self.decision(visit.node, kind.role, parent.role);
        if kind.role == Role::LetElse && decision.is_none() {
            adds = Increment::Nothing;
        }
        self.conditions(visit, kind.role, parent, entry);
        if let Some(decision) = decision {
            let aside = entry.aside;
            self.frame().decide(decision, aside);
        }
        entry.aside |= matches!(kind.role, Role::Assert | Role::PreprocessorElse)
            || (kind.role == Role::Preprocessor
                && (self.kinds.rules.hooks.dead)(visit.node, self.text));
        if let Some(keyword) = kind.keyword
            && parent.kind == ERROR
        {
            let aside = entry.aside;
            self.frame().decide(keyword, aside);
        }
        if kind.role == Role::Else && parent.role == Role::Try {
            // The `else` of a `try` is not nested deeper than the `try`.
            entry.role = Role::None;
        }
        let is_control = matches!(
            kind.role,
            Role::If | Role::Loop(_) | Role::Switch | Role::Try
        ) && !else_if;
        entry.control += u32::from(is_control);
        let (level, control) = (entry.level, entry.control);
        let frame = self.frame();
        frame.max_nesting = frame.max_nesting.max(control);
        frame.cognitive += match adds {
            Increment::Nothing => 0,
            Increment::Flat => 1,
            Increment::Nested => 1 + level,
        };
    }

    /// Follows boolean operators through expressions and brackets.
    fn conditions(&mut self, visit: &Visit<'t>, role: Role, parent: &Entry, entry: &mut Entry) {
        if role == Role::Parenthesis {
            entry.in_run = parent.in_run;
        } else if role == Role::Binary {
            self.binary(visit.node, parent, entry);
        } else if role == Role::Boolean && parent.role == Role::Binary && parent.in_run {
            self.boolean(visit.kind, parent.aside);
        }
    }

    fn decision(&self, node: Node<'t>, role: Role, parent: Role) -> Option<DecisionKind> {
        match role {
            Role::If | Role::Elif => Some(DecisionKind::If),
            Role::Else if parent == Role::Try => Some(DecisionKind::TryElse),
            Role::Else => matches!(parent, Role::Loop(_)).then_some(DecisionKind::LoopElse),
            Role::Ternary => Some(DecisionKind::Ternary),
            Role::Loop(kind) | Role::Count(kind) => Some(kind),
            Role::CountWithValue(kind) => node
                .child_by_field_id(self.kinds.fields.value?.get())
                .map(|_| kind),
            Role::CountWithCondition(kind) => node
                .child_by_field_id(self.kinds.fields.condition?.get())
                .map(|_| kind),
            Role::Switch => Some(DecisionKind::Switch),
            Role::Case => Some((self.kinds.rules.hooks.case)(node, self.text)),
            Role::DefaultCase => Some(DecisionKind::DefaultCase),
            Role::Catch => Some(DecisionKind::Catch),
            Role::ComprehensionIf if parent == Role::Case => Some(DecisionKind::Guard),
            Role::ComprehensionIf => Some(DecisionKind::ComprehensionIf),
            Role::LetElse => node
                .child_by_field_id(self.kinds.fields.alternative?.get())
                .map(|_| DecisionKind::LetElse),
            Role::Assert => Some(DecisionKind::Assert),
            Role::Preprocessor => Some(DecisionKind::PreprocessorBranch),
            // `#elif` has a condition or a name; `#else` is not a decision.
            Role::PreprocessorElse => node
                .child_by_field_name("condition")
                .or_else(|| node.child_by_field_name("name"))
                .map(|_| DecisionKind::PreprocessorBranch),
            Role::None
            | Role::Try
            | Role::Binary
            | Role::Boolean
            | Role::Parenthesis
            | Role::Jump
            | Role::Goto => None,
        }
    }

    /// A run continues through nested boolean expressions and brackets; a negation or a call starts another one.
    fn binary(&mut self, node: Node<'t>, parent: &Entry, entry: &mut Entry) {
        let operator = self
            .kinds
            .fields
            .operator
            .and_then(|operator| node.child_by_field_id(operator.get()));
        // A chain of conditions has no operator field: its operators are all boolean.
        let boolean =
            operator.is_none_or(|token| self.kinds.get(token.kind_id()).role == Role::Boolean);
        if !boolean {
            return;
        }
        entry.in_run = true;
        if !parent.in_run {
            entry.opens_run = true;
            self.runs.push(None);
        }
    }

    fn boolean(&mut self, operator: u16, aside: bool) {
        let Some(last) = self.runs.last_mut() else {
            return;
        };
        let changes = *last != Some(operator);
        *last = Some(operator);
        let frame = self.frame();
        frame.decide(DecisionKind::BooleanOperator, aside);
        frame.cognitive += u32::from(changes);
    }

    /// Records that a function calls itself, also from a closure inside.
    fn call(&mut self, node: Node<'t>) {
        if self.frames.len() < 2 {
            return;
        }
        let rules = self.kinds.rules;
        let callee = (rules.hooks.callee)(node, self.text);
        if callee == Callee::Other {
            return;
        }
        for frame in self.frames.iter_mut().skip(1).rev().take(CALLERS) {
            let Some(name) = frame.name else {
                continue;
            };
            let calls = match callee {
                Callee::Plain(called) => {
                    called == name
                        && (!frame.is_method
                            || (rules.implicit_this && argument_count(node) == frame.parameters))
                }
                Callee::Member { on, name: called } => {
                    let on_self = rules.this.contains(&on) || frame.receiver == Some(on);
                    called == name
                        && frame.is_method
                        && on_self
                        && (!rules.implicit_this || argument_count(node) == frame.parameters)
                }
                Callee::Other => false,
            };
            let means_other = |function| (rules.hooks.other_overload)(function, node, self.text);
            frame.recursive |= calls && !frame.node.is_some_and(means_other);
            return;
        }
    }
}
