//! `analyze_structure`: symbols, imports and exports.

use actors::tool::{Tool, ToolContext, ToolError, ToolOutput};
use serde_json::{Map, Value, json};

use self::items::Outline;
use super::analyzed::{Analyzed, Phase};
use super::argument::{Argument, integer, text};
use super::names::{self, SYMBOL_KINDS};
use super::output::{Outcome, output, page_of};
use super::read_access::ReadAccess;
use super::shared::{Shared, strings, with_given, with_shared};
use super::text::counted;
use super::whole::{Made, Whole};
use super::{Example, Kind, Spec};
use crate::answer::lean::{Detail, Shape};
use crate::answer::page::{Frame, fit};

mod items;
mod rows;
mod schema;

const NAME: &str = "analyze_structure";
/// Real code has no deeper nesting of declarations.
const MAX_DEPTH: u64 = 100;

/// Rows of a page by default. Symbols are short, so `max_bytes` decides.
const DEFAULT_ROWS: usize = 500;
/// The values of `with`.
const LISTS: [&str; 2] = ["imports", "exports"];
/// Files whose imports and exports are listed if no file has a symbol: then usually one file was selected.
const UNLISTED_SHOWN: usize = 5;

/// The least size of a symbol as JSON: the names of its fields.
const SYMBOL_BYTES: usize = 120;

pub(super) fn spec() -> Spec {
    let kinds: Vec<_> = SYMBOL_KINDS.map(names::symbol_kind).into();
    Spec {
        name: NAME,
        title: "Analyze structure",
        description: "Outline: symbols with kind, signature, lines and visibility; on request docs, imports and exports. \
                      Finds definitions by name.",
        category: "analysis",
        tags: &["structure", "outline", "symbols", "api", "navigation"],
        words: &[
            "symbol",
            "definition",
            "define",
            "declared",
            "find",
            "where",
            "class",
            "method",
            "function",
            "struct",
            "interface",
            "trait",
            "enum",
            "type",
            "signature",
            "public",
            "private",
            "api",
            "export",
            "list",
            "overview",
            "map",
            "tree",
            "toc",
            "contents",
            "documentation",
            "docstring",
            "skeleton",
            "navigate",
            "search",
            "look",
            "read",
        ],
        kind: Kind::Analysis,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "medium",
        arguments: with_rows(with_shared(vec![
            Argument::new(
                "query",
                text(),
                "part of a name",
                "Only symbols whose (qualified) name contains this, in any case; exact matches first, then prefixes.",
            ),
            Argument::new(
                "kinds",
                json!({"type": "array", "items": {"type": "string", "enum": kinds}}),
                "only these",
                "Only symbols of these kinds.",
            ),
            Argument::new(
                "depth",
                integer(1, MAX_DEPTH),
                "1: top level only",
                "How deep symbols may lie in others: 1 for the top level only. Without it: all.",
            ),
            Argument::new(
                "with",
                json!({"type": "array", "items": {"type": "string", "enum": LISTS}}),
                "also list these",
                "Lists in addition to symbols, of the files on the page: each file once, with its first symbol.",
            ),
        ])),
        data: schema::data(),
        lean: schema::LEAN,
        grouped: true,
        returns: "One page of symbols, by path and line (with `query`: the best match first), as `files`, each with its \
                  `path` and its `symbols`; by `with` also its `imports` and `exports`. A page counts symbols. In \
                  full: `symbols`, `imports` and `exports` side by side, each row with its path; without `query` and \
                  `kinds` imports and exports need not be asked for.",
        examples: vec![
            Example::new(
                "The outline of one file",
                json!({"path": "rust/src/lib.rs"}),
            ),
            Example::new(
                "Where something is defined",
                json!({"path": ".", "query": "discount"}),
            ),
            Example::new(
                "The top level of the Java code",
                json!({"path": "java", "kinds": ["class", "interface"], "depth": 1}),
            ),
        ],
        reasons: &[
            "path_not_found",
            "path_outside_roots",
            "cursor_stale",
            "cursor_mismatch",
        ],
    }
}

/// Creates the tool. It reads only the roots that the operator allows.
pub(super) struct AnalyzeStructure(pub(super) ReadAccess);

impl Tool for AnalyzeStructure {
    fn name(&self) -> &'static str {
        NAME
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        let arguments = &with_given(arguments, "limit", DEFAULT_ROWS);
        let shared = Shared::read(NAME, arguments)?;
        let analyzed = Analyzed::of(ctx, &self.0, &shared.selection)?;
        Phase::Answer.begins(&ctx.progress, "writing the answer");
        let filter = Filter::read(arguments);
        let shape = shared.paging.shape(schema::LEAN);
        let outline = Outline::of(&analyzed, &filter);
        if let Some(stop) = ctx.stop_reason() {
            return Err(stop);
        }
        let from = shared.paging.offset(&analyzed.digest)?;
        let total = outline.items.len();
        let rows = rows::Rows {
            analyzed: &analyzed,
            outline: &outline,
            filter: &filter,
            shape,
            bounded: !shared.paging.budget.is_unlimited(),
        };
        let mut last_file = None;
        let fitted = fit(
            frame(&analyzed, &outline, &filter, shape),
            shared.paging.budget_beside(&analyzed.coverage),
            from,
            total,
            |at| {
                let item = &outline.items[at];
                let starts_file = last_file != Some(item.file);
                last_file = Some(item.file);
                rows.row(at, starts_file)
            },
        );
        let outcome = Outcome {
            page: Some(page_of(
                &shared.paging,
                &analyzed.digest,
                from,
                &fitted,
                total,
            )),
            fitted,
            row: "symbol",
            rows: total,
            whole: whole(ctx, &analyzed, &outline),
            summary: outline.one_line(),
        };
        Ok(output(analyzed, &shared.selection, outcome))
    }
}

/// The requested symbols.
struct Filter {
    query: Option<String>,
    kinds: Vec<String>,
    /// 0-based nesting from which symbols are left out.
    depth: u32,
    imports: bool,
    exports: bool,
}

impl Filter {
    fn read(arguments: &Value) -> Self {
        let query = arguments["query"].as_str().map(str::trim);
        let depth = arguments["depth"].as_u64();
        let mut filter = Self {
            query: query.filter(|query| !query.is_empty()).map(str::to_owned),
            kinds: strings(&arguments["kinds"]),
            depth: depth.map_or(u32::MAX, |depth| u32::try_from(depth).unwrap_or(u32::MAX)),
            imports: false,
            exports: false,
        };
        let with = strings(&arguments["with"]);
        let all = Detail::of(arguments) == Detail::Full && filter.takes_files();
        let [imports, exports] = LISTS.map(|list| all || with.iter().any(|name| name == list));
        (filter.imports, filter.exports) = (imports, exports);
        filter
    }

    /// Whether imports or exports are listed in addition to symbols.
    fn lists_files(&self) -> bool {
        self.imports || self.exports
    }

    /// Whether the request is about whole files, not about single symbols.
    fn takes_files(&self) -> bool {
        self.query.is_none() && self.kinds.is_empty()
    }
}

fn with_rows(mut arguments: Vec<Argument>) -> Vec<Argument> {
    let limit = arguments
        .iter_mut()
        .find(|argument| argument.name == "limit");
    if let Some(limit) = limit {
        limit.schema["default"] = json!(DEFAULT_ROWS);
    }
    arguments
}

fn frame(analyzed: &Analyzed, outline: &Outline, filter: &Filter, shape: Shape) -> Frame {
    let mut data = base(outline, true);
    for &file in outline.unlisted.iter().take(UNLISTED_SHOWN) {
        for (key, value) in rows::ins_and_outs(&analyzed.files[file], filter, true) {
            if let Some(Value::Array(listed)) = data.get_mut(key) {
                listed.push(value);
            }
        }
    }
    Frame {
        data,
        shape,
        grouped: shape.is_lean(),
        droppable: &["files", "exports", "imports", "totals"],
        heading: format!("{}\n", outline.one_line()),
    }
}

fn base(outline: &Outline, with_lists: bool) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert(
        "totals".into(),
        json!({
            "files": outline.files,
            "symbols": outline.symbols,
            "matched": outline.items.len(),
            "imports": outline.imports,
            "exports": outline.exports,
        }),
    );
    if with_lists {
        for key in ["symbols", "imports", "exports"] {
            data.insert(key.into(), json!([]));
        }
    }
    data
}

/// Every symbol, import and export, regardless of the filters.
fn whole(ctx: &ToolContext, analyzed: &Analyzed, outline: &Outline) -> Made {
    let files = || analyzed.files.iter();
    let mut whole = Whole::new(ctx, base(outline, false));
    whole.add(
        "symbols",
        outline.symbols as usize * SYMBOL_BYTES,
        files().flat_map(|file| {
            (0..file.analysis.symbols.len()).map(|at| rows::symbol(file, at, false))
        }),
    );
    whole.add(
        "imports",
        0,
        files().flat_map(|file| {
            file.analysis
                .imports
                .iter()
                .map(|i| rows::import(&file.path, i))
        }),
    );
    whole.add(
        "exports",
        0,
        files().flat_map(|file| {
            file.analysis
                .exports
                .iter()
                .map(|e| rows::export(&file.path, e))
        }),
    );
    whole.finish(analyzed, |stop| rows::compact(analyzed, stop))
}

impl Outline {
    fn one_line(&self) -> String {
        let mut line = format!(
            "{} in {}, {}, {}",
            counted(self.symbols, "symbol"),
            counted(self.files, "file"),
            counted(self.imports, "import"),
            counted(self.exports, "export"),
        );
        let matched = self.items.len() as u64;
        if matched != self.symbols {
            line.push_str(&format!("; {matched} listed"));
        }
        line
    }
}
