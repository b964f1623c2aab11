//! From the arguments to the part of the graph that is shown: everything is resolved, folded and measured first, and
//! narrowed to the selection and the focus last.

use actors::tool::{ToolContext, ToolError};
use serde_json::Value;

use super::super::analyzed::Analyzed;
use super::super::read_access::ReadAccess;
use super::DEFAULT_DEPTH;
use crate::analysis::graph::{
    self, CycleEdges, Direction, Granularity, Graph, Measured, Node, Project, Shown, SourceFile,
};
use crate::answer::{Failure, nearest};

/// The files around the selection count as much as those in it; only what is told of them differs.
pub(super) fn shown(
    ctx: &ToolContext,
    reach: &ReadAccess,
    analyzed: &Analyzed,
    arguments: &Value,
) -> Result<Shown, ToolError> {
    let graph = build(ctx, analyzed)?;
    let graph = match arguments["granularity"].as_str() {
        Some("directory") => graph.fold(Granularity::Directory),
        Some("package") => graph.fold(Granularity::Package),
        Some(_) | None => graph,
    };
    let edges = match cycles_by(arguments) {
        ALL => CycleEdges::All,
        _ => CycleEdges::Runtime,
    };
    let measured = graph.measure(edges);
    let reached = match arguments["focus"].as_str() {
        Some(focus) => Some(reached(ctx, reach, &measured, focus, arguments)?),
        None => None,
    };
    Ok(measured.narrow(reached.as_deref()))
}

/// The argument `cycles`.
const ALL: &str = "all";

/// Which imports make cycles, as the argument says it.
pub(super) fn cycles_by(arguments: &Value) -> &'static str {
    match arguments["cycles"].as_str() {
        Some(ALL) => ALL,
        Some(_) | None => "runtime",
    }
}

fn build(ctx: &ToolContext, analyzed: &Analyzed) -> Result<Graph, ToolError> {
    let selected = (analyzed.files.iter()).map(|file| SourceFile::new(&file.path, &file.analysis));
    let around = analyzed.surroundings.iter().map(|file| SourceFile {
        path: &file.path,
        analysis: &file.analysis,
        outside: !file.in_place,
        left_out: file.left_out.map(crate::workspace::SkipReason::name),
    });
    let mut files: Vec<SourceFile<'_>> = selected.chain(around).collect();
    // In one order, whatever was selected, so that every answer folds and breaks ties alike.
    files.sort_unstable_by(|a, b| a.path.cmp(b.path));
    let links: Vec<(String, String)> = (analyzed.links.iter())
        .map(|link| (link.path.clone(), link.target.clone()))
        .collect();
    let project = Project {
        files: &files,
        manifests: &analyzed.manifests,
        links: &links,
    };
    let cancelled = || ctx.stop_reason().is_some();
    graph::build(project, &cancelled)
        .map_err(|_| ctx.stop_reason().unwrap_or_else(ToolError::cancelled))
}

/// Which nodes the focus reaches.
fn reached(
    ctx: &ToolContext,
    reach: &ReadAccess,
    measured: &Measured,
    focus: &str,
    arguments: &Value,
) -> Result<Vec<bool>, ToolError> {
    let graph = &measured.graph;
    // As `path`, it may be absolute, or lead through a link. A package is named by its id alone.
    let resolved = reach.open(ctx)?.resolved(focus);
    let names = [
        Some(focus.trim_start_matches("./").trim_end_matches('/')),
        resolved.as_deref(),
    ];
    let found = names.into_iter().flatten().find(|name| {
        let is_focus = |node: &Node| is_named(node, name);
        graph.nodes.iter().any(is_focus)
    });
    let Some(name) = found else {
        return Err(unknown_node(graph, names[1].unwrap_or(focus)).into());
    };
    let direction = match arguments["direction"].as_str() {
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        Some(_) | None => Direction::Both,
    };
    let depth = arguments["depth"].as_u64().unwrap_or(DEFAULT_DEPTH);
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    Ok(graph.reached(&|node| is_named(node, name), direction, depth))
}

/// It is the node, or a folder around it; the root is around all of them.
fn is_named(node: &Node, focus: &str) -> bool {
    node.id == focus
        || node.path == focus
        || matches!(focus, "" | ".")
        || node
            .path
            .strip_prefix(focus)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn unknown_node(graph: &Graph, focus: &str) -> Failure {
    let focus = focus.trim_end_matches('/');
    let name = focus.rsplit('/').next().unwrap_or(focus);
    let ids = || graph.nodes.iter().map(|node| node.id.as_str());
    let ends_so = |end: &str| ids().find(|id| !end.is_empty() && id.ends_with(end));
    let hint = ends_so(focus)
        .or_else(|| ends_so(&format!("/{name}")))
        .or_else(|| nearest(focus, ids()))
        .or_else(|| {
            let names = ids().map(|id| id.rsplit('/').next().unwrap_or(id));
            let name = nearest(name, names)?;
            ends_so(&format!("/{name}"))
        })
        .map_or_else(String::new, |id| format!("; did you mean {id:?}?"));
    Failure::new(
        "unknown_node",
        format!("no node has the id or lies below {focus:?}{hint}"),
    )
}
