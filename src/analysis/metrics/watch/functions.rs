//! Functions and scopes: what opens and closes them.

use tree_sitter::Node;

use super::{Entry, Opens, Watcher};
use crate::analysis::language::rules::{FunctionRule, Role, Site, last_code};
use crate::analysis::metrics::decision::DecisionCounts;
use crate::analysis::metrics::frame::Frame;
use crate::analysis::metrics::{Halstead, hash};
use crate::analysis::syntax::Visit;
use crate::analysis::{ANONYMOUS, Function, FunctionKind, Language, Lines};

impl<'t> Watcher<'t> {
    pub(super) fn open_function(
        &mut self,
        visit: &Visit<'t>,
        rule: &FunctionRule,
        entry: &mut Entry,
    ) {
        let hooks = &self.kinds.rules.hooks;
        let site = Site {
            node: visit.node,
            above: &self.above,
            text: self.text,
            kind: rule.kind,
            in_type: self.scopes.in_type(),
        };
        let named = (hooks.name)(&site);
        if named.name.is_some_and(|name| rule.never.contains(&name)) {
            return;
        }
        // Around an error, the grammar may parse a macro and a block in a function as a nested function.
        let is_nested = self.frames.len() > 1;
        if self.language == Language::C && is_nested && (visit.node.has_error() || self.in_error())
        {
            return;
        }
        let parameters = (hooks.parameters)(&site);
        let row = visit.node.start_position().row;
        let qualified_name = self
            .scopes
            .enter_function(named.name, named.qualifier, row + 1);
        let parent = self.frame().function;
        let nests = parent.is_some() && !self.outer_is_declarative();
        let outer = self.frames.len() > 1;
        entry.level = match (outer, nests) {
            (false, _) => 0,
            (true, true) => entry.level + 1,
            (true, false) => entry.level,
        };
        entry.control = 0;
        entry.in_run = false;
        entry.role = Role::None;
        entry.opens = Opens::Function;
        // A lambda belongs to the surrounding code; any other function has its own body.
        entry.aside &= named.kind == FunctionKind::Closure;
        let index = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        self.frames.push(Frame {
            function: Some(index),
            node: Some(visit.node),
            name: named.name,
            name_hash: named.name.map_or(0, |name| hash::of(name.as_bytes())),
            receiver: named.receiver,
            is_method: self_callable(named.kind),
            parameters: parameters.count,
            declarative: (hooks.declarative)(visit.node),
            statements_before: self.statements,
            ..Frame::default()
        });
        self.functions.push(Function {
            name: named.name.unwrap_or(ANONYMOUS).to_owned(),
            qualified_name,
            kind: named.kind,
            start_line: line(row),
            end_line: line(last_row(self.language, visit.node)),
            span: visit.node.byte_range(),
            parent,
            decisions: DecisionCounts::default(),
            cognitive: 0,
            cognitive_recursion: 0,
            halstead: Halstead::default(),
            lines: Lines::default(),
            max_nesting: 0,
            parameters: parameters.count,
            has_receiver: parameters.receiver,
            recovered: visit.node.has_error() || self.in_error(),
            exits: 0,
            body_digest: 0,
            body_sketch: 0,
        });
        self.stretches.push((row, row, 0));
    }

    fn in_error(&self) -> bool {
        self.entries.last().is_some_and(|entry| entry.in_error)
    }

    fn outer_is_declarative(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.declarative)
    }

    pub(super) fn close_function(&mut self, node: Node<'t>) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let Some(index) = frame.function.map(|index| index as usize) else {
            return;
        };
        let (Some(function), Some(stretch)) =
            (self.functions.get_mut(index), self.stretches.get_mut(index))
        else {
            return;
        };
        stretch.1 = last_row(self.language, node);
        stretch.2 = self.statements.saturating_sub(frame.statements_before);
        let digest = frame.finish(function, &mut self.tokens);
        self.frame().digest(digest);
    }

    pub(super) fn open_scope(&mut self, node: Node<'t>, entry: &mut Entry) {
        let parent = self.above.last().copied();
        if let Some(scope) = (self.kinds.rules.hooks.scope)(node, parent, self.text) {
            self.scopes.enter(&scope, node.start_position().row + 1);
            entry.opens = Opens::Scope;
        }
    }
}

/// Whether it is called on its receiver, not by a plain name.
fn self_callable(kind: FunctionKind) -> bool {
    matches!(
        kind,
        FunctionKind::Method | FunctionKind::Accessor | FunctionKind::Constructor
    )
}

fn last_row(language: Language, node: Node<'_>) -> usize {
    last_code(language, node).end_position().row
}

fn line(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX).saturating_add(1)
}
