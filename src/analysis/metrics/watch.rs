//! Counts while the file is traversed.

mod flow;
mod functions;
mod tokens;

use std::iter::Peekable;

use tree_sitter::Node;

use super::cognitive::deepens;
use super::decision::DecisionCounts;
use super::frame::Frame;
use super::halstead::{FileTally, Halstead};
use super::lines::LineMap;
use super::names::Scopes;
use crate::analysis::language::rules::{Kind, Kinds, Role, Token};
use crate::analysis::syntax::{Unread, Visit, Watch};
use crate::analysis::{Function, Language, Lines};

/// The result for a file.
pub(in crate::analysis) struct Found {
    pub(in crate::analysis) lines: Lines,
    pub(in crate::analysis) halstead: Halstead,
    pub(in crate::analysis) functions: Vec<Function>,
    pub(in crate::analysis) outside: DecisionCounts,
    pub(in crate::analysis) outside_cognitive: u32,
}

pub(in crate::analysis) struct Watcher<'t> {
    language: Language,
    kinds: &'static Kinds,
    text: &'t str,
    /// The nodes from the root to the current one, with their properties.
    above: Vec<Node<'t>>,
    entries: Vec<Entry>,
    /// The last entered node is a leaf that opened nothing, so it is not among `entries`.
    at_leaf: bool,
    scopes: Scopes,
    /// The last one is current; the first one is the code outside every function.
    frames: Vec<Frame<'t>>,
    /// Functions whose computed names are being read.
    set_aside: Vec<Frame<'t>>,
    functions: Vec<Function>,
    /// Rows of each function, from 0, and its statements.
    stretches: Vec<(usize, usize, u32)>,
    /// The last operator of each open run of boolean operators.
    runs: Vec<Option<u16>>,
    literals: Vec<OpenLiteral>,
    statements: u32,
    lines: LineMap,
    tokens: FileTally,
    /// Tokens that are not in the tree and not passed yet.
    unread: Peekable<std::vec::IntoIter<Unread>>,
}

/// A node on the way from the root.
#[derive(Clone, Copy)]
struct Entry {
    kind: u16,
    role: Role,
    /// Cognitive nesting at this node.
    level: u32,
    /// Control constructs around this node and itself, within its function.
    control: u32,
    /// Its content continues the run of boolean operators.
    in_run: bool,
    /// It opened the run.
    opens_run: bool,
    angles: bool,
    /// It is not in the body of the function.
    aside: bool,
    /// It is in a condition of the preprocessor, where nothing is a decision.
    preprocessed: bool,
    /// It is inside a comment or a literal, so its tokens are parts of that.
    silent: bool,
    /// It is inside code that did not parse.
    in_error: bool,
    opens: Opens,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Nothing,
    /// The computed name of a function: code of the surrounding function.
    Around,
    Scope,
    Function,
    Literal,
}

impl Entry {
    const ROOT: Self = Self {
        kind: 0,
        role: Role::None,
        level: 0,
        control: 0,
        in_run: false,
        opens_run: false,
        angles: false,
        aside: false,
        preprocessed: false,
        silent: false,
        in_error: false,
        opens: Opens::Nothing,
    };
}

/// A literal with parts. Its text without the code in it is hashed at its end.
struct OpenLiteral {
    /// Start of the text that is not hashed yet.
    from: usize,
    hash: u64,
}

impl<'t> Watch<'t> for Watcher<'t> {
    fn enter(&mut self, visit: &Visit<'t>) {
        self.pass(visit.node.start_byte());
        let parent = self.entries.last().copied().unwrap_or(Entry::ROOT);
        let kind = self.kinds.get(visit.kind);
        let entry = match parent.silent && kind.token != Token::Interpolation {
            true => Entry {
                kind: visit.kind,
                role: Role::None,
                opens: Opens::Nothing,
                opens_run: false,
                ..parent
            },
            false => self.entry(visit, kind, &parent),
        };
        // Most nodes are leaves: a node that opens nothing need not be remembered.
        self.at_leaf = entry.opens == Opens::Nothing
            && kind.token != Token::Interpolation
            && visit.node.child_count() == 0;
        if self.at_leaf {
            if entry.opens_run {
                self.runs.pop();
            }
            return;
        }
        self.entries.push(entry);
        self.above.push(visit.node);
    }

    fn leave(&mut self, visit: &Visit<'t>) {
        if std::mem::take(&mut self.at_leaf) {
            return;
        }
        self.above.pop();
        let Some(entry) = self.entries.pop() else {
            return;
        };
        if entry.opens_run {
            self.runs.pop();
        }
        match entry.opens {
            Opens::Nothing => {}
            Opens::Around => self.frames.extend(self.set_aside.pop()),
            Opens::Scope => self.scopes.leave(),
            Opens::Function => {
                self.pass(visit.node.end_byte());
                self.scopes.leave();
                self.close_function(visit.node);
            }
            Opens::Literal => self.close_literal(visit.node.end_byte()),
        }
        if self.kinds.get(entry.kind).token == Token::Interpolation
            && let Some(literal) = self.literals.last_mut()
        {
            literal.from = visit.node.end_byte();
        }
    }
}

impl<'t> Watcher<'t> {
    pub(in crate::analysis) fn new(language: Language, text: &'t str, unread: Vec<Unread>) -> Self {
        let kinds = language.kinds();
        Self {
            language,
            kinds,
            text,
            above: Vec::new(),
            entries: Vec::new(),
            at_leaf: false,
            scopes: Scopes::new(kinds.rules.separator),
            frames: vec![Frame::default()],
            set_aside: Vec::new(),
            functions: Vec::new(),
            stretches: Vec::new(),
            runs: Vec::new(),
            literals: Vec::new(),
            statements: 0,
            lines: LineMap::new(text),
            tokens: FileTally::default(),
            unread: unread.into_iter().peekable(),
        }
    }

    /// Counts tokens before this one that are not in the tree: their lines, and their decisions as aside.
    fn pass(&mut self, to: usize) {
        while let Some(unread) = self.unread.next_if(|unread| unread.span.start < to) {
            self.lines.unread(&unread.span);
            if unread.comment {
                self.lines.comment(unread.span);
                continue;
            }
            self.lines.code(&unread.span);
            let frame = self.frame();
            frame.digest(unread.hash);
            if let Some(decision) = unread.decision {
                frame.decide(decision, true);
            }
        }
    }

    pub(in crate::analysis) fn finish(mut self) -> Found {
        self.pass(usize::MAX);
        let outside = self.frames.pop().unwrap_or_default();
        let (decisions, cognitive, halstead) = outside.finish_outside(&mut self.tokens);
        let lines = self.lines.sum();
        for (function, (first, last, statements)) in self.functions.iter_mut().zip(&self.stretches)
        {
            function.lines = lines.stretch(*first, *last, &function.span, *statements);
        }
        Found {
            lines: lines.file(self.statements),
            halstead,
            functions: self.functions,
            outside: decisions,
            outside_cognitive: cognitive,
        }
    }

    /// Determines the properties of the node, and counts its contributions.
    fn entry(&mut self, visit: &Visit<'t>, kind: &Kind, parent: &Entry) -> Entry {
        let fields = &self.kinds.fields;
        let mut entry = Entry {
            kind: visit.kind,
            role: kind.role,
            level: parent.level + u32::from(deepens(parent.role, kind.role, visit.field, fields)),
            control: parent.control,
            in_run: false,
            opens_run: false,
            angles: kind.traits.angles,
            aside: parent.aside,
            preprocessed: parent.preprocessed
                || (parent.role == Role::Preprocessor
                    && visit.field.is_some()
                    && visit.field == fields.condition),
            silent: false,
            in_error: parent.in_error || visit.node.is_error(),
            opens: Opens::Nothing,
        };
        if kind.traits.computed_name && parent.opens == Opens::Function {
            self.computed_name(&mut entry);
        }
        if visit.node.child_count() == 0 {
            self.leaf(visit, kind, parent);
        }
        if kind.traits.statement {
            self.statements = self.statements.saturating_add(1);
        }
        match kind.token {
            Token::Comment => {
                self.comment(visit.node);
                entry.silent = true;
                return entry;
            }
            Token::Literal => self.open_literal(visit.node, &mut entry),
            Token::Interpolation => self.interpolation(visit.node.start_byte()),
            Token::Auto | Token::Operator | Token::Silent | Token::ClosingAngle => {}
        }
        let flows = !kind.plain || parent.role == Role::If;
        if flows && !entry.preprocessed {
            self.control(visit, kind, parent, &mut entry);
        }
        if let Some(rule) = self.kinds.function(kind, Some(parent.kind)) {
            self.open_function(visit, rule, &mut entry);
        } else if kind.traits.scope {
            self.open_scope(visit.node, &mut entry);
        }
        if kind.traits.aside && self.frames.len() > 1 {
            entry.aside = true;
        }
        entry
    }

    /// Its code does not belong to the function that it names: the frame of that function is suspended.
    fn computed_name(&mut self, entry: &mut Entry) {
        let around = self.entries.iter().rev().nth(1);
        let (level, control, aside) = around
            .map(|around| (around.level, around.control, around.aside))
            .unwrap_or_default();
        entry.level = level;
        entry.control = control;
        entry.aside = aside;
        entry.opens = Opens::Around;
        self.set_aside.extend(self.frames.pop());
    }

    /// The innermost open function, or the code outside.
    fn frame(&mut self) -> &mut Frame<'t> {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }
}
