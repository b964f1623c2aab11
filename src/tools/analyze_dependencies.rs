//! `analyze_dependencies`: the import graph, its cycles and coupling, external packages, and unresolved imports.

use actors::tool::{Tool, ToolContext, ToolError, ToolOutput};
use serde_json::{Map, Value, json};

use self::diagram::Format;
use self::view::View;
use self::world::{Form, World};
use super::analyzed::{Analyzed, Phase};
use super::argument::{Argument, integer, one_of, text};
use super::output::{Outcome, output, page_of};
use super::read_access::ReadAccess;
use super::shared::{Shared, with_shared};
use super::whole::{Made, Whole};
use super::{Example, Kind, Spec};
use crate::answer::Failure;
use crate::answer::page::{Frame, fit};

mod diagram;
mod schema;
mod shown;
mod view;
mod world;

const NAME: &str = "analyze_dependencies";
/// Deeper graphs are unreadable. This also bounds the walk.
const MAX_DEPTH: u64 = 100;
/// By default a focus shows only its direct neighbours.
const DEFAULT_DEPTH: u64 = 1;

/// The least size of an edge as JSON: the names of its fields.
const EDGE_BYTES: usize = 80;

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Analyze dependencies",
        description: "Import graph: edges, cycles, fan-in/out, instability, external and unresolved imports; or a diagram.",
        category: "analysis",
        tags: &[
            "dependencies",
            "imports",
            "graph",
            "cycles",
            "architecture",
            "coupling",
        ],
        words: &[
            "import",
            "include",
            "require",
            "use",
            "module",
            "package",
            "circular",
            "cycle",
            "loop",
            "depends",
            "uses",
            "used",
            "who",
            "impact",
            "affected",
            "callers",
            "coupling",
            "instability",
            "fan",
            "layer",
            "library",
            "external",
            "third",
            "party",
            "missing",
            "unresolved",
            "broken",
            "diagram",
            "mermaid",
            "dot",
            "graphviz",
            "draw",
            "picture",
            "visualize",
        ],
        kind: Kind::Analysis,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "medium",
        arguments: with_shared(vec![
            Argument::new(
                "granularity",
                one_of(&["file", "directory", "package"], "file"),
                "what a node is",
                "What a node is: a file, its folder, or its package.",
            ),
            Argument::new(
                "focus",
                text(),
                "node id or folder",
                "Only what lies around this node or below this folder: an id as in `nodes`, or a path as in `path`.",
            ),
            Argument::new(
                "direction",
                one_of(&["out", "in", "both"], "both"),
                "in: dependents of focus",
                "From the focus: what it depends on (`out`), what depends on it (`in`), or both.",
            ),
            Argument::new(
                "depth",
                depth(),
                "steps from focus",
                "How many steps from the focus. In one direction, only the edges of these steps are listed.",
            ),
            Argument::new(
                "cycles",
                one_of(&["runtime", "all"], "runtime"),
                "all: type-only too",
                "`all`: imports that are erased when compiled (`import type`, `TYPE_CHECKING`) make cycles too.",
            ),
            Argument::new(
                "format",
                one_of(&["json", "mermaid", "dot"], "json"),
                "rows or a diagram",
                "`mermaid` and `dot` give a diagram of the most connected nodes, as many as fit.",
            ),
        ]),
        data: schema::data(),
        lean: schema::LEAN,
        grouped: false,
        returns: "One page of `nodes`, those in cycles first, then those with unresolved imports, then the most \
                  connected; with each node the `edges` that \
                  leave it, the `cycles` it is the first of (each as a shortest closed path, with the `size` of the whole cycle; `cut`: only its first 100 steps, not closed), its `unresolved` imports and the `external` packages it is \
                  the first to use. All pages together hold everything exactly once; `totals` counts it all. With \
                  `direction: \"in\"`, `external` and the `lines` of cycles are in full answers only. As a \
                  diagram: `diagram`, and how much of the graph it shows.",
        examples: vec![
            Example::new("Cycles and the most connected files", json!({"path": "."})),
            Example::new(
                "What breaks if this file changes",
                json!({"path": ".", "focus": "python/shop/cart.py", "direction": "in", "depth": 3}),
            ),
            Example::new(
                "A diagram of the folders",
                json!({"path": ".", "granularity": "directory", "format": "mermaid"}),
            ),
        ],
        reasons: &[
            "path_not_found",
            "path_outside_roots",
            "unknown_node",
            "cursor_stale",
            "cursor_mismatch",
        ],
    }
}

fn depth() -> Value {
    let mut schema = integer(1, MAX_DEPTH);
    schema["default"] = json!(DEFAULT_DEPTH);
    schema
}

/// Creates the tool. It reads only the roots that the operator allows.
pub(super) struct AnalyzeDependencies(pub(super) ReadAccess);

impl Tool for AnalyzeDependencies {
    fn name(&self) -> &'static str {
        NAME
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        let shared = Shared::read(NAME, arguments)?;
        let form = Form::of(arguments);
        let mut kept = None;
        let analyzed =
            Analyzed::with_surroundings(ctx, &self.0, &shared.selection, &mut |scanned| {
                kept = World::kept(ctx, scanned, form);
                kept.is_some()
            })?;
        Phase::Resolve.begins(&ctx.progress, "resolving imports");
        let world = match kept.filter(|_| analyzed.surroundings.is_none()) {
            Some(world) => world,
            None => World::of(ctx, &analyzed, form)?,
        };
        let shown = shown::shown(ctx, &self.0, &world, &analyzed, arguments)?;
        Phase::Answer.begins(&ctx.progress, "writing the answer");
        let shape = shared.paging.shape(schema::fields(arguments));
        let view = View::new(&shown, form.cycles_by(), shape);
        if let Some(stop) = ctx.stop_reason() {
            return Err(stop);
        }
        let whole = whole(ctx, &view, &analyzed);
        let outcome = match Format::read(&arguments["format"]) {
            None => listed(&view, &shared, &analyzed)?,
            Some(format) => diagram::outcome(&view, format, &shared, &analyzed.coverage),
        };
        let outcome = Outcome { whole, ..outcome };
        Ok(output(analyzed, &shared.selection, outcome))
    }
}

fn listed(view: &View<'_>, shared: &Shared, analyzed: &Analyzed) -> Result<Outcome, Failure> {
    let from = shared.paging.offset(&analyzed.digest)?;
    let unlimited = shared.paging.budget.is_unlimited();
    let frame = Frame {
        data: base(view, true),
        shape: view.shape,
        grouped: false,
        droppable: &["external", "unresolved", "cycles", "totals"],
        heading: format!(
            "{}; nodes in cycles (of {} imports) first, then with unresolved imports, then the most connected\n{}  node -> what it imports\n",
            view.one_line(),
            view.cycles_by(),
            view.columns(),
        ),
    };
    let total = view.order.len();
    let budget = shared.paging.budget_beside(&analyzed.coverage);
    let fitted = fit(frame, budget, from, total, |at| {
        view.row(view.order[at], !unlimited)
    });
    Ok(Outcome {
        page: Some(page_of(
            &shared.paging,
            &analyzed.digest,
            from,
            &fitted,
            total,
        )),
        fitted,
        row: "node",
        rows: total,
        whole: Made::default(),
        summary: view.one_line(),
    })
}

fn base(view: &View<'_>, with_lists: bool) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("totals".into(), view.totals());
    if with_lists {
        for key in ["nodes", "edges", "cycles", "external", "unresolved"] {
            data.insert(key.into(), json!([]));
        }
    }
    data
}

/// The requested graph, without pages.
fn whole(ctx: &ToolContext, view: &View<'_>, analyzed: &Analyzed) -> Made {
    let graph = view.graph;
    let mut whole = Whole::new(ctx, base(view, false));
    whole.add(
        "nodes",
        0,
        (0..graph.nodes.len()).map(|node| view.node(node)),
    );
    whole.add(
        "edges",
        graph.edges.len() * EDGE_BYTES,
        graph.edges.iter().map(|edge| view.edge(edge, false)),
    );
    whole.add(
        "cycles",
        0,
        view.cycles.iter().map(|cycle| view.cycle(cycle, false)),
    );
    whole.add(
        "external",
        0,
        graph
            .external
            .iter()
            .map(|external| view.external(external, false)),
    );
    whole.add(
        "unresolved",
        0,
        graph.unresolved.iter().map(view::unresolved),
    );
    whole.finish(analyzed, |stop| view.compact(stop))
}
