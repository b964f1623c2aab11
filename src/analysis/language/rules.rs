//! What the rows of the language table say, and that row resolved to the grammar's node kinds.
//!
//! A language file holds a [`Rules`] constant: plain data by node-kind name, and a few functions for what data cannot
//! say. [`Kinds`] is the same, looked up by kind id: one array access per node of a traversal.

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

/// What a node is to control flow. At most one per kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Role {
    None,
    If,
    /// A clause of its own inside an `If`: Python `elif`.
    Elif,
    /// A node that wraps what follows `else`; under a loop or `try` it is their `else`.
    Else,
    Ternary,
    /// A loop, counted as this.
    Loop(DecisionKind),
    Switch,
    /// A case or arm; [`Rules::case`] says which sort.
    Case,
    DefaultCase,
    Try,
    Catch,
    /// An infix expression; boolean where its operator is a [`Role::Boolean`] token.
    Binary,
    /// A token that joins two conditions.
    Boolean,
    /// Brackets around an expression, which do not end a run of boolean operators.
    Parenthesis,
    /// `break` or `continue`: costs something only with a label.
    Jump,
    /// `goto`.
    Goto,
    /// `let … else`: a decision where it has an `alternative`.
    LetElse,
    /// A condition of a comprehension; in a case, it is the guard.
    ComprehensionIf,
    /// Counted as this, with no effect on nesting.
    Count(DecisionKind),
    /// The same, where the node has a `value`.
    CountWithValue(DecisionKind),
    /// The same, where it has a `condition`.
    CountWithCondition(DecisionKind),
    /// A check of a condition: counted, and what stands in it is aside.
    Assert,
    /// A conditional of the preprocessor; its own condition is no decision of the program.
    Preprocessor,
    /// What stands where such a condition does not hold.
    PreprocessorElse,
}

/// What Halstead's counts make of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Token {
    /// By shape: a named leaf is an operand, another leaf an operator.
    Auto,
    Operator,
    /// A literal with parts inside: one operand.
    Literal,
    /// Code inside a literal.
    Interpolation,
    /// Closing brackets, quotation marks, line ends: seen, not counted.
    Silent,
    /// Closes a bracket only inside type arguments, where `>` is no comparison.
    ClosingAngle,
    Comment,
}

/// Properties that a kind may have beside its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::analysis) struct Traits {
    /// Gives its name to the functions inside.
    pub(in crate::analysis) scope: bool,
    pub(in crate::analysis) statement: bool,
    pub(in crate::analysis) exit: bool,
    pub(in crate::analysis) call: bool,
    /// Type arguments and the like: `>` closes them.
    pub(in crate::analysis) angles: bool,
    /// A label of a jump.
    pub(in crate::analysis) label: bool,
    /// Parameters, decorators, bodies of nested classes: not the body of the function.
    pub(in crate::analysis) aside: bool,
    /// A name that is computed where the function is made.
    pub(in crate::analysis) computed_name: bool,
}

/// One row of the language table. Names are node kinds; a test holds each against the grammar.
pub(in crate::analysis) struct Rules {
    /// Everything of this row holds too.
    pub(in crate::analysis) extends: Option<&'static Rules>,
    /// Joins the parts of a qualified name.
    pub(in crate::analysis) separator: &'static str,
    pub(in crate::analysis) roles: &'static [(Role, &'static [&'static str])],
    /// Not extended: all of them.
    pub(in crate::analysis) functions: &'static [FunctionRule],
    /// Tokens that decide although no statement around them could be read: directly in an ERROR, or reserved words taken
    /// for an identifier.
    pub(in crate::analysis) keywords: &'static [(DecisionKind, &'static [&'static str])],
    pub(in crate::analysis) scopes: &'static [&'static str],
    pub(in crate::analysis) statements: &'static [&'static str],
    pub(in crate::analysis) exits: &'static [&'static str],
    pub(in crate::analysis) calls: &'static [&'static str],
    pub(in crate::analysis) comments: &'static [&'static str],
    pub(in crate::analysis) literals: &'static [&'static str],
    pub(in crate::analysis) interpolations: &'static [&'static str],
    /// Named leaves that are no operand.
    pub(in crate::analysis) operators: &'static [&'static str],
    pub(in crate::analysis) angles: &'static [&'static str],
    pub(in crate::analysis) labels: &'static [&'static str],
    pub(in crate::analysis) asides: &'static [&'static str],
    /// Names of functions that are computed: code of what is around the function.
    pub(in crate::analysis) computed_names: &'static [&'static str],
    /// What a method calls its receiver or its own type.
    pub(in crate::analysis) this: &'static [&'static str],
    /// How a call without a receiver may mean a method.
    pub(in crate::analysis) implicit_this: bool,
    /// What the grammar has no node for.
    pub(in crate::analysis) hooks: Hooks,
}

/// A node kind that is a function.
pub(in crate::analysis) struct FunctionRule {
    pub(in crate::analysis) node: &'static str,
    pub(in crate::analysis) kind: FunctionKind,
    /// Only directly inside these kinds; none: anywhere.
    pub(in crate::analysis) inside: &'static [&'static str],
    /// Not where this would be its name.
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

/// A function and where it stands.
pub(in crate::analysis) struct Site<'a, 't> {
    pub(in crate::analysis) node: Node<'t>,
    /// What encloses it, nearest last; never the node itself.
    pub(in crate::analysis) above: &'a [Node<'t>],
    pub(in crate::analysis) text: &'t str,
    /// As the table says.
    pub(in crate::analysis) kind: FunctionKind,
    /// The nearest scope around it is a type, not a function or the file.
    pub(in crate::analysis) in_type: bool,
}

/// What a language calls a function.
pub(in crate::analysis) struct Named<'t> {
    /// `None`: anonymous.
    pub(in crate::analysis) name: Option<&'t str>,
    /// Stands between the enclosing scopes and the name: the receiver's type of a Go method.
    pub(in crate::analysis) qualifier: Option<&'t str>,
    /// What the body calls its receiver, where the function chooses that.
    pub(in crate::analysis) receiver: Option<&'t str>,
    pub(in crate::analysis) kind: FunctionKind,
}

/// Declared parameters, the receiver apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::analysis) struct Parameters {
    pub(in crate::analysis) count: u32,
    pub(in crate::analysis) receiver: bool,
}

/// Whom a call names.
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

/// What a language says in code.
pub(in crate::analysis) struct Hooks {
    pub(in crate::analysis) name: for<'a, 't> fn(&Site<'a, 't>) -> Named<'t>,
    pub(in crate::analysis) parameters: for<'a, 't> fn(&Site<'a, 't>) -> Parameters,
    /// The name that a scope node gives; `None`: no scope after all.
    pub(in crate::analysis) scope:
        for<'t> fn(Node<'t>, Option<Node<'t>>, &'t str) -> Option<Scope<'t>>,
    /// A conditional of the preprocessor that never holds.
    pub(in crate::analysis) dead: for<'t> fn(Node<'t>, &'t str) -> bool,
    /// Which sort of case a [`Role::Case`] node is.
    pub(in crate::analysis) case: for<'t> fn(Node<'t>, &'t str) -> DecisionKind,
    pub(in crate::analysis) callee: for<'t> fn(Node<'t>, &'t str) -> Callee<'t>,
    /// The function only declares others: cognitive nesting does not rise in it.
    pub(in crate::analysis) declarative: for<'t> fn(Node<'t>) -> bool,
    /// A call of the function's own name, with as many arguments, means another function: of that function and the call.
    pub(in crate::analysis) other_overload: for<'t> fn(Node<'t>, Node<'t>, &'t str) -> bool,
}

/// What a scope node contributes to qualified names.
pub(in crate::analysis) enum Scope<'t> {
    Type(&'t str),
    AnonymousType,
    Module(&'t str),
    /// A value that holds functions: `const api = { … }`.
    Value(&'t str),
}

#[cfg(test)]
impl Rules {
    /// Every node kind that the row names itself.
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
