//! Tokens, comments and literals.

use std::ops::Range;

use tree_sitter::Node;

use super::{Entry, OpenLiteral, Opens, Watcher};
use crate::analysis::language::rules::{Kind, Token};
use crate::analysis::metrics::hash;
use crate::analysis::syntax::Visit;

impl<'t> Watcher<'t> {
    pub(super) fn leaf(&mut self, visit: &Visit<'t>, kind: &Kind, parent: &Entry) {
        let span = self.without_line_end(visit.node.byte_range());
        // A missing token has no text, and a line end is not a token.
        if span.is_empty() {
            return;
        }
        match kind.token {
            Token::Comment | Token::Literal | Token::Interpolation => {}
            Token::Silent => self.silent_token(&span, kind),
            Token::ClosingAngle if parent.angles => self.silent_token(&span, kind),
            Token::Operator | Token::ClosingAngle => self.operator(&span, kind),
            Token::Auto if !kind.named => self.operator(&span, kind),
            Token::Auto if visit.node.is_error() => {
                self.lines.code(&span);
                let hash = hash::of(&self.text.as_bytes()[span]);
                self.frame().digest(hash);
            }
            Token::Auto => {
                self.lines.code(&span);
                let hash = hash::of(&self.text.as_bytes()[span]);
                let reserved = self.kinds.reserved(kind, hash);
                let frame = self.frame();
                if let Some(decision) = reserved {
                    frame.decide(decision, parent.aside);
                }
                frame.tally.operand(hash);
                frame.digest_name(hash);
            }
        }
    }

    fn silent_token(&mut self, span: &Range<usize>, kind: &Kind) {
        self.lines.code(span);
        self.frame().digest(kind.hash);
    }

    fn operator(&mut self, span: &Range<usize>, kind: &Kind) {
        self.lines.code(span);
        let frame = self.frame();
        frame.tally.operator(kind.operator);
        frame.digest(kind.hash);
    }

    pub(super) fn comment(&mut self, node: Node<'t>) {
        let span = self.without_line_end(node.byte_range());
        if !span.is_empty() {
            self.lines.comment(span);
        }
    }

    pub(super) fn open_literal(&mut self, node: Node<'t>, entry: &mut Entry) {
        let span = node.byte_range();
        match self.is_docstring(node) {
            true => self.lines.comment(span.clone()),
            false => self.lines.code(&span),
        }
        self.literals.push(OpenLiteral {
            from: span.start,
            hash: 0,
        });
        entry.silent = true;
        entry.opens = Opens::Literal;
    }

    /// A statement with only a triple-quoted string: `cloc`, radon and lizard count it as a comment.
    fn is_docstring(&self, node: Node<'t>) -> bool {
        let is_alone = self.above.last().is_some_and(|statement| {
            statement.kind() == "expression_statement" && statement.named_child_count() == 1
        });
        let text = || self.text.get(node.byte_range()).unwrap_or_default();
        let quoted = || text().trim_start_matches(|c: char| c.is_ascii_alphabetic());
        is_alone
            && node.kind() == "string"
            && (quoted().starts_with("\"\"\"") || quoted().starts_with("'''"))
    }

    /// Hashes the literal's text up to here; the code in it counts as code.
    pub(super) fn interpolation(&mut self, start: usize) {
        let text = self.text.as_bytes();
        if let Some(literal) = self.literals.last_mut() {
            let piece = text.get(literal.from..start).unwrap_or_default();
            literal.hash = hash::mix(literal.hash, hash::of(piece));
        }
    }

    pub(super) fn close_literal(&mut self, end: usize) {
        let Some(literal) = self.literals.pop() else {
            return;
        };
        let rest = self
            .text
            .as_bytes()
            .get(literal.from..end)
            .unwrap_or_default();
        let hash = hash::mix(literal.hash, hash::of(rest));
        let frame = self.frame();
        frame.tally.operand(hash);
        frame.digest(hash);
    }

    fn without_line_end(&self, span: Range<usize>) -> Range<usize> {
        let bytes = self.text.as_bytes().get(span.clone()).unwrap_or_default();
        let kept = bytes
            .iter()
            .rposition(|byte| !matches!(byte, b'\n' | b'\r'));
        span.start..span.start + kept.map_or(0, |last| last + 1)
    }
}
