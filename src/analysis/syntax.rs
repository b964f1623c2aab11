//! Text to tree, and what did not parse; the one traversal that everything else watches.

use std::cell::RefCell;
use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, TreeCursor};

use self::reading::Reading;
pub(super) use self::reading::Unread;
use super::{Cancelled, FileAnalysis, Language, SyntaxReport, imports, metrics, outline};

mod conditionals;
mod cplusplus;
mod macros;
mod reading;
mod tokens;

/// How many lines with errors are named.
const ERROR_LINES_KEPT: usize = 5;
/// Nodes between two looks at `cancelled`: well under a millisecond of work.
const NODES_PER_CHECK: u32 = 4096;

/// Watches the traversal: told of each node once on the way down and once on the way up, in source order, errors,
/// comments and unnamed leaves included.
pub(super) trait Watch<'t> {
    fn enter(&mut self, visit: &Visit<'t>);
    fn leave(&mut self, visit: &Visit<'t>);
}

/// One node as the traversal sees it.
pub(super) struct Visit<'t> {
    pub(super) node: Node<'t>,
    /// `node.kind_id()`, looked up once.
    pub(super) kind: u16,
    /// The field of the parent under which it hangs.
    pub(super) field: Option<std::num::NonZeroU16>,
    /// 0 for the root.
    pub(super) depth: u32,
}

pub(super) fn analyze(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<FileAnalysis, Cancelled> {
    let Reading {
        tree,
        text,
        unread,
        cplusplus,
    } = reading::read(language, text, cancelled)?;
    let text = &*text;
    let mut report = SyntaxReport {
        cplusplus,
        ..SyntaxReport::default()
    };
    let mut metrics = metrics::Watcher::new(language, text, unread);
    let mut outline = outline::Watcher::new(language, text);
    let mut imports = imports::Watcher::new(language, text);
    traverse(tree.walk(), cancelled, |step, visit| match step {
        Step::Enter => {
            note_error(&mut report, &visit.node);
            metrics.enter(visit);
            outline.enter(visit);
            imports.enter(visit);
        }
        Step::Leave => {
            metrics.leave(visit);
            outline.leave(visit);
            imports.leave(visit);
        }
    })?;
    let metrics = metrics.finish();
    let outline = outline.finish();
    let imports = imports.finish();
    Ok(FileAnalysis {
        language,
        lines: metrics.lines,
        halstead: metrics.halstead,
        functions: metrics.functions,
        outside: metrics.outside,
        outside_cognitive: metrics.outside_cognitive,
        symbols: outline.symbols,
        exports: imports.exports,
        imports: imports.imports,
        package: imports.package,
        syntax: report,
    })
}

fn parse(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<tree_sitter::Tree, Cancelled> {
    let mut progress = |_: &tree_sitter::ParseState| {
        if cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let bytes = text.as_bytes();
    PARSER.with_borrow_mut(|parser| {
        // Whatever a parse that was cut off has left.
        parser.reset();
        #[expect(
            clippy::expect_used,
            reason = "a test loads every grammar in the table"
        )]
        parser
            .set_language(&(language.facts().grammar)())
            .expect("the grammar fits the parser");
        parser
            .parse_with_options(
                &mut |at, _| bytes.get(at..).unwrap_or_default(),
                None,
                Some(ParseOptions::new().progress_callback(&mut progress)),
            )
            .ok_or(Cancelled)
    })
}

/// Every parser is made here, so that all that tree-sitter allocates is counted.
fn new_parser() -> Parser {
    metered::meter_tree_sitter();
    Parser::new()
}

thread_local! {
    /// One for each thread: a parser keeps the memory of the files before.
    static PARSER: RefCell<Parser> = RefCell::new(new_parser());
}

enum Step {
    Enter,
    Leave,
}

/// Depth first with a cursor and a stack of our own: no recursion, however deep the nesting, and nothing about a node
/// is looked up twice.
fn traverse<'t>(
    mut cursor: TreeCursor<'t>,
    cancelled: &dyn Fn() -> bool,
    mut watch: impl FnMut(Step, &Visit<'t>),
) -> Result<(), Cancelled> {
    let mut open: Vec<Visit<'t>> = Vec::new();
    let mut seen = 0_u32;
    loop {
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(NODES_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        let entered = visit(&cursor, open.len());
        watch(Step::Enter, &entered);
        if cursor.goto_first_child() {
            open.push(entered);
            continue;
        }
        watch(Step::Leave, &entered);
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Ok(());
            }
            if let Some(left) = open.pop() {
                watch(Step::Leave, &left);
            }
        }
    }
}

fn visit<'t>(cursor: &TreeCursor<'t>, depth: usize) -> Visit<'t> {
    let node = cursor.node();
    Visit {
        node,
        kind: node.kind_id(),
        field: cursor.field_id(),
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
    }
}

fn note_error(report: &mut SyntaxReport, node: &Node<'_>) {
    if node.is_error() {
        report.errors += 1;
    } else if node.is_missing() {
        report.missing += 1;
    } else {
        return;
    }
    let line = u32::try_from(node.start_position().row)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    if report.first_lines.len() < ERROR_LINES_KEPT && report.first_lines.last() != Some(&line) {
        report.first_lines.push(line);
    }
}
