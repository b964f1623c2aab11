//! The lines that did not parse.

use tree_sitter::Node;

use super::{Visit, Watch};
use crate::analysis::SyntaxReport;

/// Most lines with errors that are listed.
const ERROR_LINES_KEPT: usize = 5;
/// Most ranges of lines that are listed.
const STRETCHES_KEPT: usize = 20;

#[derive(Default)]
pub(super) struct Report {
    found: SyntaxReport,
    /// End of the last outermost error.
    behind: usize,
    /// The last line that was counted.
    counted: u32,
}

impl<'t> Watch<'t> for Report {
    fn enter(&mut self, visit: &Visit<'t>) {
        self.note(&visit.node);
    }

    fn leave(&mut self, _: &Visit<'t>) {}
}

impl Report {
    fn note(&mut self, node: &Node<'_>) {
        if node.is_error() {
            self.found.errors += 1;
        } else if node.is_missing() {
            self.found.missing += 1;
        } else {
            return;
        }
        let first = line(node.start_position().row);
        let kept = &mut self.found.first_lines;
        if kept.len() < ERROR_LINES_KEPT && kept.last() != Some(&first) {
            kept.push(first);
        }
        if node.start_byte() < self.behind {
            return;
        }
        self.behind = node.end_byte().max(node.start_byte() + 1);
        self.stretch(first, line(node.end_position().row));
    }

    fn stretch(&mut self, first: u32, last: u32) {
        let from = first.max(self.counted + 1);
        self.found.lines += (last + 1).saturating_sub(from);
        self.counted = self.counted.max(last);
        let stretches = &mut self.found.stretches;
        let is_full = stretches.len() >= STRETCHES_KEPT;
        match stretches.last_mut() {
            Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
            Some(_) if is_full => {}
            Some(_) | None => stretches.push((first, last)),
        }
    }

    pub(super) fn finish(self) -> SyntaxReport {
        self.found
    }
}

fn line(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX).saturating_add(1)
}
