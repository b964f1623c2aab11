//! A graph as rows. Each node lists its own edges, cycles and imports, so that pages partition the graph.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::names;
use super::super::rows::{Graph as Kept, List, Rows};
use super::super::text::{counted, figure, one_line, rounded};
use super::super::whole::ROWS_PER_CHECK;
use crate::analysis::graph::{Coupling, Edge, External, Graph, Shown, ShownCycle, Unresolved};
use crate::answer::lean::Shape;
use crate::answer::page::Row;

/// Items of each kind in one row of a bounded answer; the stored result has all.
const LISTED: usize = 20;
/// Steps shown of one cycle in a bounded answer: longer paths are unreadable.
const CYCLE_LISTED: usize = 100;
/// Names on one line of text.
const NAMED: usize = 8;

pub(super) struct View<'g> {
    pub(super) graph: &'g Graph,
    pub(super) shape: Shape,
    /// Largest first.
    pub(super) cycles: &'g [ShownCycle],
    /// The argument `cycles`.
    cycles_by: &'static str,
    /// Nodes, the worst first: those in cycles, then those with unresolved imports, then by their number of edges.
    pub(super) order: Vec<usize>,
    coupling: &'g [Coupling],
    /// By node: the outgoing edges, cycles, externals and unresolved imports in its row.
    edges: Vec<Vec<usize>>,
    cycles_at: HashMap<usize, Vec<usize>>,
    external_at: HashMap<usize, Vec<usize>>,
    unresolved_at: HashMap<usize, Vec<usize>>,
    /// By node: the cycle that contains it.
    in_cycle: Vec<Option<usize>>,
}

impl<'g> View<'g> {
    pub(super) fn new(shown: &'g Shown, cycles_by: &'static str, shape: Shape) -> Self {
        let Shown {
            graph,
            coupling,
            cycles,
        } = shown;
        let nodes = graph.nodes.len();
        let mut in_cycle = vec![None; nodes];
        for (at, cycle) in cycles.iter().enumerate() {
            for &node in &cycle.nodes {
                in_cycle[node as usize].get_or_insert(at);
            }
        }
        let connected = |node: usize| coupling[node].fan_in + coupling[node].fan_out;
        let unresolved_at = unresolved_at(graph);
        let mut order: Vec<usize> = (0..nodes).collect();
        order.sort_by(|&a, &b| {
            let cycle = |node: usize| in_cycle[node].unwrap_or(usize::MAX);
            let outside = |node: usize| graph.nodes[node].outside;
            (outside(a).cmp(&outside(b)))
                .then(cycle(a).cmp(&cycle(b)))
                .then(
                    unresolved_at
                        .contains_key(&b)
                        .cmp(&unresolved_at.contains_key(&a)),
                )
                .then(connected(b).cmp(&connected(a)))
                .then_with(|| graph.nodes[a].id.cmp(&graph.nodes[b].id))
        });
        let mut view = Self {
            graph,
            shape,
            cycles,
            cycles_by,
            coupling,
            edges: vec![Vec::new(); nodes],
            cycles_at: HashMap::new(),
            external_at: HashMap::new(),
            unresolved_at,
            in_cycle,
            order,
        };
        view.hand_out();
        view
    }

    /// Assigns every edge, cycle, package and unresolved import to exactly one row.
    fn hand_out(&mut self) {
        let graph = self.graph;
        for (at, edge) in graph.edges.iter().enumerate() {
            self.edges[edge.from as usize].push(at);
        }
        let mut place = vec![0; graph.nodes.len()];
        for (at, &node) in self.order.iter().enumerate() {
            place[node] = at;
        }
        let first = |nodes: &[u32]| {
            let nodes = nodes.iter().map(|&node| node as usize);
            nodes.min_by_key(|&node| place[node])
        };
        for (at, cycle) in self.cycles.iter().enumerate() {
            if let Some(node) = first(&cycle.nodes) {
                self.cycles_at.entry(node).or_default().push(at);
            }
        }
        for (at, external) in graph.external.iter().enumerate() {
            if let Some(node) = first(&external.importers) {
                self.external_at.entry(node).or_default().push(at);
            }
        }
    }

    pub(super) fn row(&self, node: usize, bounded: bool) -> Row {
        let mut row = self.told(node);
        let mut add = |key, value| row.add(key, self.shape.part(key, value));
        let of = |map: &HashMap<usize, Vec<usize>>| map.get(&node).cloned().unwrap_or_default();
        for at in of(&self.cycles_at) {
            add("cycles", self.cycle(&self.cycles[at], bounded));
        }
        for &at in &self.edges[node] {
            add("edges", self.edge(&self.graph.edges[at], bounded));
        }
        for at in of(&self.unresolved_at) {
            add("unresolved", unresolved(&self.graph.unresolved[at]));
        }
        for at in of(&self.external_at) {
            add("external", self.external(&self.graph.external[at], bounded));
        }
        row
    }

    pub(super) fn node(&self, node: usize) -> Value {
        let facts = &self.graph.nodes[node];
        let coupling = &self.coupling[node];
        let mut value = json!({
            "id": facts.id,
            "path": facts.path,
            "language": facts.language.map(crate::analysis::Language::name),
            "files": facts.files,
            "external": false,
            "fan_in": coupling.fan_in,
            "fan_out": coupling.fan_out,
            "instability": rounded(coupling.instability),
        });
        if facts.outside {
            value["outside"] = json!(true);
        }
        if let Some(reason) = facts.left_out {
            value["left_out"] = json!(reason);
        }
        if coupling.instability.is_none() {
            value["not_computed"] =
                json!({"instability": "nothing is imported here and nothing imports it"});
        }
        value
    }

    pub(super) fn edge(&self, edge: &Edge, bounded: bool) -> Value {
        let listed = if bounded { LISTED } else { usize::MAX };
        json!({
            "from": self.id(edge.from),
            "to": self.id(edge.to),
            "kind": names::import_kind(edge.kind),
            "lines": edge.lines.iter().take(listed).collect::<Vec<_>>(),
            "specifiers": edge.specifiers.iter().take(listed).collect::<Vec<_>>(),
            "type_only": edge.type_only,
        })
    }

    pub(super) fn cycle(&self, cycle: &ShownCycle, bounded: bool) -> Value {
        let mut path: Vec<&str> = cycle.path.iter().map(|step| step.id.as_str()).collect();
        if bounded && path.len() > CYCLE_LISTED {
            path.truncate(CYCLE_LISTED);
            return json!({"size": cycle.size, "path": path, "cut": true});
        }
        path.extend(path.first().copied());
        let lines = cycle.path.iter().map(|step| &step.lines);
        let lines: Vec<Vec<u32>> = lines
            .map(|lines| lines.iter().copied().take(LISTED).collect())
            .collect();
        let mut value = json!({"size": cycle.size, "path": path, "lines": lines});
        if more(cycle) > 0 {
            value["more"] = json!(more(cycle));
        }
        if !bounded || !self.shape.is_lean() {
            let listed = if bounded { CYCLE_LISTED } else { usize::MAX };
            value["members"] = cycle.members.iter().take(listed).cloned().collect();
        }
        value
    }

    pub(super) fn external(&self, external: &External, bounded: bool) -> Value {
        let listed = if bounded { LISTED } else { usize::MAX };
        let importers: Vec<_> = (external.importers.iter().take(listed))
            .map(|&node| self.id(node))
            .collect();
        json!({
            "name": external.name,
            "standard_library": external.standard_library,
            "importers": importers,
            "importers_total": external.importers.len(),
        })
    }

    /// All of it in the compact form: each edge and package lists no more than in an answer. `None`: told to stop.
    pub(super) fn compact(&self, stop: &dyn Fn() -> bool) -> Option<Rows> {
        let graph = self.graph;
        let nodes = (0..graph.nodes.len()).map(|node| (List::Nodes, self.node(node)));
        let edges = (graph.edges.iter()).map(|edge| (List::Edges, self.edge(edge, true)));
        let cycles = (self.cycles.iter()).map(|cycle| (List::Cycles, self.cycle(cycle, false)));
        let external =
            (graph.external.iter()).map(|external| (List::External, self.external(external, true)));
        let unresolved = (graph.unresolved.iter())
            .map(|unresolved| (List::Unresolved, self::unresolved(unresolved)));
        let all = (nodes.chain(edges).chain(cycles)).chain(external.chain(unresolved));
        let mut kept = Kept::default();
        for (at, (list, row)) in all.enumerate() {
            if at % ROWS_PER_CHECK == 0 && stop() {
                return None;
            }
            kept.push(list, &row);
        }
        Some(Rows::Graph(kept))
    }

    pub(super) fn totals(&self) -> Value {
        let graph = self.graph;
        json!({
            "cycles_by": self.cycles_by,
            "nodes": graph.nodes.len(),
            "edges": graph.edges.len(),
            "cycles": self.cycles.len(),
            "largest_cycle": self.cycles.iter().map(|cycle| cycle.size).max().unwrap_or(0),
            "external": graph.external.len(),
            "unresolved": graph.unresolved.len(),
        })
    }

    /// The headings of a node's figures.
    pub(super) fn columns(&self) -> &'static str {
        match self.shape.is_lean() {
            true => "in out",
            false => "in out instability",
        }
    }

    /// For the text.
    pub(super) fn cycles_by(&self) -> &'static str {
        match self.cycles_by {
            "runtime" => "run-time",
            _ => "all",
        }
    }

    pub(super) fn one_line(&self) -> String {
        let graph = self.graph;
        format!(
            "{}, {}, {}, {}, {}",
            counted(graph.nodes.len() as u64, "node"),
            counted(graph.edges.len() as u64, "edge"),
            counted(self.cycles.len() as u64, "cycle"),
            counted(graph.external.len() as u64, "external package"),
            counted(graph.unresolved.len() as u64, "unresolved import"),
        )
    }

    pub(super) fn id(&self, node: u32) -> &str {
        &self.graph.nodes[node as usize].id
    }

    /// The node without its lists, and its lines of text.
    fn told(&self, node: usize) -> Row {
        let coupling = &self.coupling[node];
        let mut line = format!("{} {}", coupling.fan_in, coupling.fan_out);
        if !self.shape.is_lean() {
            line.push_str(&format!(" {}", figure(&rounded(coupling.instability))));
        }
        line.push_str(&format!("  {}", self.graph.nodes[node].id));
        let mut to: Vec<&str> = (self.edges[node].iter())
            .map(|&at| self.id(self.graph.edges[at].to))
            .collect();
        to.dedup();
        if !to.is_empty() {
            line.push_str(&format!(" -> {}", some(&to)));
        }
        if let Some(cycle) = self.in_cycle[node] {
            let length = self.cycles[cycle].size;
            line.push_str(&format!(" [in a cycle of {length}]"));
        }
        let shown = self.shape.part("nodes", self.node(node));
        let mut row = Row::new("nodes", shown, &line);
        for &at in self.cycles_at.get(&node).into_iter().flatten() {
            let cycle = &self.cycles[at];
            row = row.over(&format!("  cycle of {}: {}", cycle.size, way_round(cycle)));
        }
        for &at in self
            .unresolved_at
            .get(&node)
            .into_iter()
            .flatten()
            .take(NAMED)
        {
            let unresolved = &self.graph.unresolved[at];
            row = row.over(&format!(
                "  unresolved {}:{} {}: {}",
                unresolved.path,
                unresolved.line,
                one_line(&unresolved.specifier),
                one_line(&unresolved.reason),
            ));
        }
        let external: Vec<&str> = (self.external_at.get(&node).into_iter().flatten())
            .map(|&at| self.graph.external[at].name.as_str())
            .collect();
        if !external.is_empty() && self.shape.has("external") {
            row = row.over(&format!("  external: {}", some(&external)));
        }
        row
    }
}

/// The path of a cycle, with the line of each import: `a.py:3 -> b.py:1 -> a.py and 4 more in this cycle`.
fn way_round(cycle: &ShownCycle) -> String {
    let mut way = String::new();
    for step in cycle.path.iter().take(NAMED) {
        way.push_str(&step.id);
        if let Some(line) = step.lines.first() {
            way.push_str(&format!(":{line}"));
        }
        way.push_str(" -> ");
    }
    if cycle.path.len() > NAMED {
        way.push_str("… -> ");
    }
    way.push_str(cycle.path.first().map_or("", |step| &step.id));
    match more(cycle) {
        0 => way,
        more => format!("{way} and {more} more in this cycle"),
    }
}

/// The number of nodes of the cycle that are not on its path.
fn more(cycle: &ShownCycle) -> usize {
    cycle.size.saturating_sub(cycle.path.len())
}

/// By node: its unresolved imports. If the graph is folded, the node is the nearest folder around the file. Imports
/// without such a node go to the first node.
fn unresolved_at(graph: &Graph) -> HashMap<usize, Vec<usize>> {
    let by_path: HashMap<&str, usize> = (graph.nodes.iter().enumerate())
        .map(|(at, node)| (node.path.as_str(), at))
        .collect();
    let mut found: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, unresolved) in graph.unresolved.iter().enumerate() {
        let mut path = unresolved.path.as_str();
        let node = loop {
            if let Some(&node) = by_path.get(path) {
                break node;
            }
            match path.rsplit_once('/') {
                Some((folder, _)) => path = folder,
                None => break 0,
            }
        };
        if !graph.nodes.is_empty() {
            found.entry(node).or_default().push(at);
        }
    }
    found
}

pub(super) fn unresolved(unresolved: &Unresolved) -> Value {
    json!({
        "path": unresolved.path,
        "line": unresolved.line,
        "specifier": unresolved.specifier,
        "reason": unresolved.reason,
    })
}

/// The first few names, and the number of others.
fn some(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => shown,
        Some(_) => format!("{shown}, …"),
    }
}
