//! Selects the shown part of the world: the selection, and what the focus reaches.

use std::collections::HashSet;

use actors::tool::{ToolContext, ToolError};
use serde_json::Value;

use super::super::analyzed::Analyzed;
use super::super::read_access::ReadAccess;
use super::DEFAULT_DEPTH;
use super::world::World;
use crate::analysis::graph::{Direction, Graph, Node, Shown};
use crate::answer::{Failure, nearest};

/// Files around the selection count like selected ones; only their rows differ.
pub(super) fn shown(
    ctx: &ToolContext,
    reach: &ReadAccess,
    world: &World,
    analyzed: &Analyzed,
    arguments: &Value,
) -> Result<Shown, ToolError> {
    let measured = &world.measured;
    let outside = world.outside(analyzed);
    let Some(focus) = arguments["focus"].as_str() else {
        return Ok(measured.narrow(&outside, None));
    };
    let name = named(ctx, reach, &measured.graph, focus)?;
    let is_focus = |node: &Node| is_named(node, &name);
    let direction = direction(arguments);
    let depth = arguments["depth"].as_u64().unwrap_or(DEFAULT_DEPTH);
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    let reached = measured.graph.reached(&is_focus, direction, depth);
    let mut shown = measured.narrow(&outside, Some(&reached));
    let nearer = (measured.graph).reached(&is_focus, direction, depth.saturating_sub(1));
    let nearer = measured.graph.nodes.iter().zip(nearer);
    let nearer: HashSet<&str> = nearer
        .filter_map(|(node, is_nearer)| is_nearer.then_some(node.id.as_str()))
        .collect();
    keep_steps(&mut shown.graph, &nearer, direction);
    Ok(shown)
}

/// In one direction, drops the edges that are no part of a step, such as imports between two nodes of the last step.
/// `nearer`: the nodes of all earlier steps.
fn keep_steps(graph: &mut Graph, nearer: &HashSet<&str>, direction: Direction) {
    let Graph { nodes, edges, .. } = graph;
    let is_nearer = |node: u32| nearer.contains(nodes[node as usize].id.as_str());
    edges.retain(|edge| match direction {
        Direction::In => is_nearer(edge.to),
        Direction::Out => is_nearer(edge.from),
        Direction::Both => true,
    });
}

fn direction(arguments: &Value) -> Direction {
    match arguments["direction"].as_str() {
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        Some(_) | None => Direction::Both,
    }
}

/// Converts the focus to the id of a node.
fn named(
    ctx: &ToolContext,
    reach: &ReadAccess,
    graph: &Graph,
    focus: &str,
) -> Result<String, ToolError> {
    // Like `path`, it may be absolute, or contain a link. A package has only its id.
    let resolved = reach.open(ctx)?.resolved(focus);
    let names = [
        Some(focus.trim_start_matches("./").trim_end_matches('/')),
        resolved.as_deref(),
    ];
    let found = names.into_iter().flatten().find(|name| {
        let is_focus = |node: &Node| is_named(node, name);
        graph.nodes.iter().any(is_focus)
    });
    match found {
        Some(name) => Ok(name.to_owned()),
        None => Err(unknown_node(graph, names[1].unwrap_or(focus)).into()),
    }
}

/// Whether the focus is the node or a folder around it; the root is around all nodes.
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
        format!("no node has the id {focus:?} or is below it{hint}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ImportKind;
    use crate::analysis::graph::Edge;

    #[test]
    fn one_direction_has_only_the_edges_of_its_steps() {
        let node = |id: &str| Node {
            id: id.to_owned(),
            path: id.to_owned(),
            language: None,
            files: 1,
            package: String::new(),
            outside: false,
            left_out: None,
        };
        let edge = |from, to| Edge {
            from,
            to,
            kind: ImportKind::Import,
            lines: Vec::new(),
            specifiers: Vec::new(),
            type_only: false,
        };
        // `used` and `user` import each other, and `other` imports both.
        let graph = Graph {
            nodes: ["used", "user", "other"].map(node).into(),
            edges: vec![edge(0, 1), edge(1, 0), edge(2, 0), edge(2, 1)],
            ..Graph::default()
        };
        let left = |direction, nearer: &[&'static str]| {
            let mut graph = graph.clone();
            let nearer = nearer.iter().copied().collect();
            keep_steps(&mut graph, &nearer, direction);
            let edges = graph.edges.iter().map(|edge| (edge.from, edge.to));
            edges.collect::<Vec<_>>()
        };
        assert_eq!(left(Direction::In, &["used"]), [(1, 0), (2, 0)]);
        assert_eq!(left(Direction::In, &["used", "user", "other"]).len(), 4);
        assert_eq!(left(Direction::Out, &["used"]), [(0, 1)]);
        assert_eq!(left(Direction::Both, &["used"]).len(), 4);
    }
}
