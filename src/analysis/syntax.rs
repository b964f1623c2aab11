//! Parses text to a tree, reports what did not parse, and traverses the tree once for all watchers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, Parser, Point, Tree, TreeCursor};

use self::reading::Reading;
pub(super) use self::reading::Unread;
use self::regions::Region;
use super::{
    ANONYMOUS, Cancelled, FileAnalysis, Function, Language, Symbol, SyntaxReport, imports, metrics,
    outline,
};

mod code;
mod conditionals;
mod cplusplus;
mod lines;
mod macros;
mod masks;
mod pieces;
mod reading;
mod regions;
mod report;
mod sound;
mod suspects;
mod tokens;

/// Bytes that a parser gets at a time, with a check of `cancelled` each time: some ten microseconds of work. A lexer
/// may read to the end of a long line for each token, without any check.
const BYTES_PER_CHECK: usize = 4096;
/// Nodes between two checks of `cancelled`: well under a millisecond of work.
const NODES_PER_CHECK: u32 = 4096;

/// Watches the traversal. It is called for each node once on the way down and once on the way up, in source order, also
/// for errors, comments and unnamed leaves.
pub(super) trait Watch<'t> {
    fn enter(&mut self, visit: &Visit<'t>);
    fn leave(&mut self, visit: &Visit<'t>);
}

/// One node as the traversal sees it.
pub(super) struct Visit<'t> {
    pub(super) node: Node<'t>,
    /// `node.kind_id()`, looked up once.
    pub(super) kind: u16,
    /// Its field in the parent.
    pub(super) field: Option<std::num::NonZeroU16>,
    /// 0 for the root.
    pub(super) depth: u32,
}

/// Only the data of a file that import resolution needs.
pub(super) fn imports(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<FileAnalysis, Cancelled> {
    let Reading {
        region,
        text,
        cplusplus,
        ..
    } = reading::read(language, text, cancelled)?;
    let text = &*text;
    // The exports of a package of these languages are the declarations of its files.
    let by_name = matches!(language, Language::Go | Language::Java | Language::Rust);
    let mut outline = by_name.then(|| outline::Watcher::new(language, text));
    let mut imports = imports::Watcher::new(language, text);
    let mut watchers: Vec<&mut dyn Watch<'_>> = vec![&mut imports];
    watchers.extend(
        outline
            .as_mut()
            .map(|outline| outline as &mut dyn Watch<'_>),
    );
    show(&region, cancelled, &mut watchers)?;
    let imports = imports.finish();
    let mut analysis = FileAnalysis::empty(language);
    analysis.syntax.cplusplus = cplusplus;
    (analysis.imports, analysis.exports) = (imports.imports, imports.exports);
    analysis.package = imports.package;
    analysis.symbols = outline.map_or(vec![], |outline| outline.finish().symbols);
    for symbol in &mut analysis.symbols {
        symbol.signature.clear();
        symbol.doc = None;
    }
    Ok(analysis)
}

pub(super) fn analyze(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<FileAnalysis, Cancelled> {
    let Reading {
        region,
        text,
        unread,
        cplusplus,
    } = reading::read(language, text, cancelled)?;
    let text = &*text;
    let mut report = report::Report::default();
    let mut metrics = metrics::Watcher::new(language, text, unread);
    let mut outline = outline::Watcher::new(language, text);
    let mut imports = imports::Watcher::new(language, text);
    show(
        &region,
        cancelled,
        &mut [&mut report, &mut metrics, &mut outline, &mut imports],
    )?;
    let metrics = metrics.finish();
    let outline = outline.finish();
    let imports = imports.finish();
    let mut symbols = outline.symbols;
    name_alike(&mut symbols, outline.functions, &metrics.functions);
    Ok(FileAnalysis {
        language,
        lines: metrics.lines,
        halstead: metrics.halstead,
        functions: metrics.functions,
        outside: metrics.outside,
        outside_cognitive: metrics.outside_cognitive,
        symbols,
        exports: imports.exports,
        imports: imports.imports,
        package: imports.package,
        syntax: SyntaxReport {
            cplusplus,
            ..report.finish()
        },
    })
}

/// Gives a symbol the name that the metrics use for the same function, so that all tools agree.
fn name_alike(symbols: &mut [Symbol], listed: Vec<(u32, Range<usize>)>, functions: &[Function]) {
    let measured: HashMap<Range<usize>, &Function> = functions
        .iter()
        .map(|function| (function.span.clone(), function))
        .collect();
    for (symbol, span) in listed {
        let function = measured.get(&span).filter(|one| one.name != ANONYMOUS);
        if let (Some(symbol), Some(function)) = (symbols.get_mut(symbol as usize), function) {
            symbol.qualified_name.clone_from(&function.qualified_name);
        }
    }
}

fn parse(language: Language, text: &str, cancelled: &dyn Fn() -> bool) -> Result<Tree, Cancelled> {
    parse_ranges(language, text.as_bytes(), &[], cancelled)
}

/// Parses only a part of the text, which starts at this point; the nodes have their positions in the whole text.
fn parse_within(
    language: Language,
    bytes: &[u8],
    stretch: &Range<usize>,
    start: Point,
    cancelled: &dyn Fn() -> bool,
) -> Result<Tree, Cancelled> {
    let within = bytes.get(stretch.clone()).unwrap_or_default();
    let rows = memchr::memchr_iter(b'\n', within).count();
    let end = Point {
        row: start.row + rows,
        column: match memchr::memrchr(b'\n', within) {
            Some(line) => within.len() - line - 1,
            None => start.column + within.len(),
        },
    };
    let range = tree_sitter::Range {
        start_byte: stretch.start,
        end_byte: stretch.end,
        start_point: start,
        end_point: end,
    };
    parse_ranges(language, bytes, &[range], cancelled)
}

fn parse_ranges(
    language: Language,
    bytes: &[u8],
    ranges: &[tree_sitter::Range],
    cancelled: &dyn Fn() -> bool,
) -> Result<Tree, Cancelled> {
    let stopped = Cell::new(false);
    let stops = || {
        stopped.set(stopped.get() || cancelled());
        stopped.get()
    };
    let mut progress = |_: &tree_sitter::ParseState| match stops() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    // To stop the parser, the text ends.
    let mut read = |at: usize, _: Point| match bytes.get(at..) {
        Some(rest) if !stops() => &rest[..rest.len().min(BYTES_PER_CHECK)],
        Some(_) | None => &[],
    };
    PARSER.with_borrow_mut(|parser| {
        // Discard the state of an interrupted parse.
        parser.reset();
        #[expect(
            clippy::expect_used,
            reason = "a test loads every grammar in the table"
        )]
        parser
            .set_language(&(language.facts().grammar)())
            .expect("the grammar fits the parser");
        #[expect(clippy::expect_used, reason = "there is one range at most")]
        parser
            .set_included_ranges(ranges)
            .expect("ranges do not overlap");
        parser
            .parse_with_options(
                &mut read,
                None,
                Some(ParseOptions::new().progress_callback(&mut progress)),
            )
            .filter(|_| !stopped.get())
            .ok_or(Cancelled)
    })
}

/// Every parser is created here, so that all memory of tree-sitter is counted.
fn new_parser() -> Parser {
    metered::meter_tree_sitter();
    Parser::new()
}

thread_local! {
    /// One per thread: a parser keeps the memory of earlier files.
    static PARSER: RefCell<Parser> = RefCell::new(new_parser());
}

enum Step {
    Enter,
    Leave,
}

/// Calls all watchers for each node of a region and of its holes.
fn show<'t>(
    region: &'t Region,
    cancelled: &dyn Fn() -> bool,
    watchers: &mut [&mut dyn Watch<'t>],
) -> Result<(), Cancelled> {
    walk(region, 0, cancelled, &mut |step, visit| {
        for watcher in watchers.iter_mut() {
            match step {
                Step::Enter => watcher.enter(visit),
                Step::Leave => watcher.leave(visit),
            }
        }
    })
}

/// The nodes of a region in source order, including those of its holes.
fn walk<'t>(
    region: &'t Region,
    base: usize,
    cancelled: &dyn Fn() -> bool,
    watch: &mut dyn FnMut(Step, &Visit<'t>),
) -> Result<(), Cancelled> {
    let mut cursor = region.tree.walk();
    // The entered nodes, and whether they were shown: some nodes around a piece are not in the file.
    let mut open: Vec<(Visit<'t>, bool)> = Vec::new();
    let mut shown = 0;
    let mut holes = region.holes.iter().peekable();
    let mut seen = 0_u32;
    loop {
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(NODES_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        let node = cursor.node();
        let mut filled = false;
        while let Some(hole) = holes.next_if(|hole| lies_before(hole, &node)) {
            walk(hole, base + shown, cancelled, watch)?;
            // A node that only fills the hole: in Python a block needs a statement.
            filled = hole.span.contains(&node.start_byte());
        }
        let entered = visit(&cursor, base + shown);
        let is_shown = region.is_whole || belongs(&node, &region.span);
        if !filled && (is_shown || touches(&node, &region.span)) {
            if is_shown {
                watch(Step::Enter, &entered);
            }
            if cursor.goto_first_child() {
                shown += usize::from(is_shown);
                open.push((entered, is_shown));
                continue;
            }
            if is_shown {
                watch(Step::Leave, &entered);
            }
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                for hole in holes {
                    walk(hole, base, cancelled, watch)?;
                }
                return Ok(());
            }
            if let Some((left, true)) = open.pop() {
                shown -= 1;
                watch(Step::Leave, &left);
            }
        }
    }
}

/// Whether the hole is before the node, or replaces it.
fn lies_before(hole: &Region, node: &Node<'_>) -> bool {
    hole.span.end <= node.start_byte()
        || (hole.span.start <= node.start_byte() && node.end_byte() <= hole.span.end)
}

/// Whether it is a node of the piece, or an error that the piece caused.
fn belongs(node: &Node<'_>, span: &Range<usize>) -> bool {
    let is_empty = node.start_byte() == node.end_byte();
    let lies_in = node.start_byte() >= span.start && node.end_byte() <= span.end;
    (lies_in && !is_empty) || ((node.is_error() || node.is_missing()) && touches(node, span))
}

fn touches(node: &Node<'_>, span: &Range<usize>) -> bool {
    node.start_byte() <= span.end && node.end_byte() >= span.start
}

/// Measures the broken part of a tree; nodes without errors are not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Damage {
    /// Bytes in the outermost errors, plus one per missing token.
    bytes: usize,
    errors: usize,
}

impl Damage {
    fn is_none(self) -> bool {
        self.errors == 0
    }
}

fn damage(tree: &Tree, cancelled: &dyn Fn() -> bool) -> Result<Damage, Cancelled> {
    let mut cursor = tree.walk();
    let mut damage = Damage {
        bytes: 0,
        errors: 0,
    };
    let mut behind = 0;
    let mut seen = 0_u32;
    loop {
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(NODES_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            damage.errors += 1;
            if node.start_byte() >= behind {
                damage.bytes += (node.end_byte() - node.start_byte()).max(1);
                behind = node.end_byte();
            }
        }
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Ok(damage);
            }
        }
    }
}

/// Depth-first traversal with a cursor and an explicit stack: no recursion at any depth, and no property of a node is
/// looked up twice.
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
