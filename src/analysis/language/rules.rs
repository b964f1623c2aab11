//! The fields of the rows of the language table, and a row resolved to the grammar's node kinds.
//!
//! A language file has a [`Rules`] constant: plain data by node-kind name, and a few functions for what data cannot
//! express. [`Kinds`] is the same, looked up by kind id: one array access per node of a traversal.

use tree_sitter::Node;

use crate::analysis::FunctionKind;
use crate::analysis::metrics::DecisionKind;

mod hooks;
mod kinds;

pub(in crate::analysis) use self::hooks::{
    argument_count, by_name_field, field, last_code, member, never_dead, never_declarative,
    never_other, parts, plain_case, source,
};
pub(in crate::analysis) use self::kinds::{Fields, Kind, Kinds};

/// The role of a node in control flow. At most one per kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Role {
    None,
    If,
    /// A separate clause inside an `If`: Python `elif`.
    Elif,
    /// A node that wraps the code after `else`; under a loop or `try` it is their `else`.
    Else,
    Ternary,
    /// A loop, counted as this decision.
    Loop(DecisionKind),
    Switch,
    /// A case or arm; [`Rules::case`] returns its sort.
    Case,
    DefaultCase,
    Try,
    Catch,
    /// An infix expression; boolean if its operator is a [`Role::Boolean`] token.
    Binary,
    /// A token that joins two conditions.
    Boolean,
    /// Brackets around an expression, which do not end a run of boolean operators.
    Parenthesis,
    /// `break` or `continue`: counted only with a label.
    Jump,
    /// `goto`.
    Goto,
    /// `let … else`: a decision if it has an `alternative`.
    LetElse,
    /// A condition of a comprehension; in a case, it is the guard.
    ComprehensionIf,
    /// Counted as this decision, with no effect on nesting.
    Count(DecisionKind),
    /// The same, if the node has a `value`.
    CountWithValue(DecisionKind),
    /// The same, if it has a `condition`.
    CountWithCondition(DecisionKind),
    /// An assertion: counted, and the code in it is counted aside.
    Assert,
    /// A conditional of the preprocessor; its own condition is not a decision of the program.
    Preprocessor,
    /// The branch of such a conditional for a false condition.
    PreprocessorElse,
}

/// The role of a node in Halstead's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Token {
    /// By form: a named leaf is an operand, any other leaf an operator.
    Auto,
    Operator,
    /// A literal with parts inside: one operand.
    Literal,
    /// Code inside a literal.
    Interpolation,
    /// Closing brackets, quotation marks, line ends: not counted.
    Silent,
    /// Closes a bracket only inside type arguments, where `>` is not a comparison.
    ClosingAngle,
    Comment,
}

/// Properties that a kind may have in addition to its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::analysis) struct Traits {
    /// Names the functions inside.
    pub(in crate::analysis) scope: bool,
    pub(in crate::analysis) statement: bool,
    pub(in crate::analysis) exit: bool,
    pub(in crate::analysis) call: bool,
    /// Type arguments and similar: `>` closes them.
    pub(in crate::analysis) angles: bool,
    /// A label of a jump.
    pub(in crate::analysis) label: bool,
    /// Parameters, decorators, bodies of nested classes: not the body of the function.
    pub(in crate::analysis) aside: bool,
    /// A name that is computed when the function is created.
    pub(in crate::analysis) computed_name: bool,
}

/// One row of the language table. Names are node kinds; a test checks each against the grammar.
pub(in crate::analysis) struct Rules {
    /// The base row, which is included.
    pub(in crate::analysis) extends: Option<&'static Rules>,
    /// Joins the parts of a qualified name.
    pub(in crate::analysis) separator: &'static str,
    pub(in crate::analysis) roles: &'static [(Role, &'static [&'static str])],
    /// Not inherited: the complete list.
    pub(in crate::analysis) functions: &'static [FunctionRule],
    /// Tokens that count as decisions even if their statement could not be read: directly in an ERROR, or reserved
    /// words parsed as identifiers.
    pub(in crate::analysis) keywords: &'static [(DecisionKind, &'static [&'static str])],
    pub(in crate::analysis) scopes: &'static [&'static str],
    pub(in crate::analysis) statements: &'static [&'static str],
    pub(in crate::analysis) exits: &'static [&'static str],
    pub(in crate::analysis) calls: &'static [&'static str],
    pub(in crate::analysis) comments: &'static [&'static str],
    pub(in crate::analysis) literals: &'static [&'static str],
    pub(in crate::analysis) interpolations: &'static [&'static str],
    /// Named leaves that are not operands.
    pub(in crate::analysis) operators: &'static [&'static str],
    pub(in crate::analysis) angles: &'static [&'static str],
    pub(in crate::analysis) labels: &'static [&'static str],
    pub(in crate::analysis) asides: &'static [&'static str],
    /// Computed names of functions: they are code of the surrounding function.
    pub(in crate::analysis) computed_names: &'static [&'static str],
    /// Names of the receiver or the own type in a method.
    pub(in crate::analysis) this: &'static [&'static str],
    /// Whether a call without a receiver can call a method.
    pub(in crate::analysis) implicit_this: bool,
    /// Functions for rules that are not data.
    pub(in crate::analysis) hooks: Hooks,
}

/// A node kind that is a function.
pub(in crate::analysis) struct FunctionRule {
    pub(in crate::analysis) node: &'static str,
    pub(in crate::analysis) kind: FunctionKind,
    /// Only directly inside these kinds; empty: anywhere.
    pub(in crate::analysis) inside: &'static [&'static str],
    /// Not if this would be its name.
    pub(in crate::analysis) never: &'static [&'static str],
}

pub(in crate::analysis) const fn function(node: &'static str, kind: FunctionKind) -> FunctionRule {
    FunctionRule {
        node,
        kind,
        inside: &[],
        never: &[],
    }
}

/// A function and its scopes.
pub(in crate::analysis) struct Site<'a, 't> {
    pub(in crate::analysis) node: Node<'t>,
    /// Its enclosing nodes, nearest last, without the node itself.
    pub(in crate::analysis) above: &'a [Node<'t>],
    pub(in crate::analysis) text: &'t str,
    /// The kind in the table.
    pub(in crate::analysis) kind: FunctionKind,
    /// The nearest scope around it is a type, not a function or the file.
    pub(in crate::analysis) in_type: bool,
}

/// The name of a function.
pub(in crate::analysis) struct Named<'t> {
    /// `None`: anonymous.
    pub(in crate::analysis) name: Option<&'t str>,
    /// The part between the enclosing scopes and the name: the receiver's type of a Go method.
    pub(in crate::analysis) qualifier: Option<&'t str>,
    /// The name of its receiver in the body, if the function declares one.
    pub(in crate::analysis) receiver: Option<&'t str>,
    pub(in crate::analysis) kind: FunctionKind,
}

/// Declared parameters without the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::analysis) struct Parameters {
    pub(in crate::analysis) count: u32,
    pub(in crate::analysis) receiver: bool,
}

/// The callee of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Callee<'t> {
    /// `name(…)`.
    Plain(&'t str),
    /// `on.name(…)`, `On::name(…)`.
    Member {
        on: &'t str,
        name: &'t str,
    },
    Other,
}

/// The functions of a language.
pub(in crate::analysis) struct Hooks {
    pub(in crate::analysis) name: for<'a, 't> fn(&Site<'a, 't>) -> Named<'t>,
    pub(in crate::analysis) parameters: for<'a, 't> fn(&Site<'a, 't>) -> Parameters,
    /// The name of a scope node; `None`: it is not a scope.
    pub(in crate::analysis) scope:
        for<'t> fn(Node<'t>, Option<Node<'t>>, &'t str) -> Option<Scope<'t>>,
    /// Whether a conditional of the preprocessor is never true.
    pub(in crate::analysis) dead: for<'t> fn(Node<'t>, &'t str) -> bool,
    /// The sort of a [`Role::Case`] node.
    pub(in crate::analysis) case: for<'t> fn(Node<'t>, &'t str) -> DecisionKind,
    pub(in crate::analysis) callee: for<'t> fn(Node<'t>, &'t str) -> Callee<'t>,
    /// Whether the function only declares others: cognitive nesting does not rise in it.
    pub(in crate::analysis) declarative: for<'t> fn(Node<'t>) -> bool,
    /// Whether a call of the function's own name with as many arguments calls another function. Arguments: the function
    /// and the call.
    pub(in crate::analysis) other_overload: for<'t> fn(Node<'t>, Node<'t>, &'t str) -> bool,
}

/// The contribution of a scope node to qualified names.
pub(in crate::analysis) enum Scope<'t> {
    Type(&'t str),
    AnonymousType,
    Module(&'t str),
    /// A value that contains functions: `const api = { … }`.
    Value(&'t str),
}

#[cfg(test)]
impl Rules {
    /// Every node kind in the row itself.
    pub(in crate::analysis) fn names(&self) -> Vec<&'static str> {
        let keywords = self.keywords.iter().flat_map(|(_, names)| names.iter());
        let roles = self.roles.iter().flat_map(|(_, names)| names.iter());
        let functions = self
            .functions
            .iter()
            .flat_map(|rule| rule.inside.iter().chain([&rule.node]));
        roles
            .chain(functions)
            .chain(keywords)
            .chain(self.scopes)
            .chain(self.statements)
            .chain(self.exits)
            .chain(self.calls)
            .chain(self.comments)
            .chain(self.literals)
            .chain(self.interpolations)
            .chain(self.operators)
            .chain(self.angles)
            .chain(self.labels)
            .chain(self.asides)
            .chain(self.computed_names)
            .copied()
            .collect()
    }
}
