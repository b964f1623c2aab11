//! Reduces the graph of a whole project to the requested part, with the figures of the whole.

use super::files::index;
use super::shape::{reach, renumbered};
use super::{
    Coupling, Cycle, CycleEdges, Edge, Graph, Measured, Node, Shown, ShownCycle, Step, Unresolved,
};

pub(super) fn measure(graph: Graph, edges: CycleEdges) -> Measured {
    let coupling = graph.coupling();
    let cycles = graph.cycles(edges);
    Measured {
        graph,
        coupling,
        cycles,
    }
}

/// Files that are left out are part of a graph only if others import them.
pub(super) fn without_strays(graph: Graph) -> Graph {
    if graph.nodes.iter().all(|node| node.left_out.is_none()) {
        return graph;
    }
    let kept = reach(&graph, |node| node.left_out.is_none(), true, u32::MAX);
    let numbers = Numbers::of(&kept);
    Graph {
        nodes: numbers.nodes(&graph),
        edges: numbers.edges(&graph, |_| true),
        external: numbers.external(&graph, |_| true),
        // The imports of generated and vendored files cannot be fixed, so they are not reported.
        unresolved: numbers.unresolved(&graph, |node| node.left_out.is_none()),
        within_file: graph.within_file,
    }
}

pub(super) fn narrow(measured: &Measured, outside: &[bool], reached: Option<&[bool]>) -> Shown {
    let graph = &measured.graph;
    let is_reached = |at: u32| reached.is_none_or(|reached| reached[at as usize]);
    let is_own: Vec<bool> = (0..)
        .zip(outside)
        .map(|(at, outside)| !outside && is_reached(at))
        .collect();
    let is_shown_edge = |edge: &Edge| is_own[edge.from as usize] && is_reached(edge.to);
    let mut kept = is_own.clone();
    for edge in graph.edges.iter().filter(|edge| is_shown_edge(edge)) {
        kept[edge.to as usize] = true;
    }
    let numbers = Numbers::of(&kept);
    let is_importer = |at: u32| is_own[at as usize];
    let mut nodes = numbers.nodes(graph);
    let outside = outside.iter().zip(&kept);
    let outside = outside.filter_map(|(outside, kept)| kept.then_some(*outside));
    for (node, outside) in nodes.iter_mut().zip(outside) {
        node.outside = outside;
    }
    let shown = Graph {
        nodes,
        edges: numbers.edges(graph, is_shown_edge),
        external: numbers.external(graph, is_importer),
        unresolved: numbers.unresolved_of(graph, is_importer),
        within_file: graph.within_file,
    };
    let coupling = measured.coupling.iter().zip(&kept);
    let coupling: Vec<Coupling> = coupling
        .filter(|(_, kept)| **kept)
        .map(|(coupling, _)| *coupling)
        .collect();
    let concerns = |cycle: &&Cycle| cycle.members.iter().any(|at| is_own[*at as usize]);
    let cycles = measured.cycles.iter().filter(concerns);
    let cycles = cycles.map(|cycle| told(graph, cycle, &numbers)).collect();
    Shown {
        graph: shown,
        coupling,
        cycles,
    }
}

fn told(graph: &Graph, cycle: &Cycle, numbers: &Numbers) -> ShownCycle {
    let id = |at: &u32| graph.nodes[*at as usize].id.clone();
    let followers = cycle.path.iter().cycle().skip(1);
    let step = |(from, to): (&u32, &u32)| {
        // Edges are sorted by their ends.
        let first = graph
            .edges
            .partition_point(|edge| (edge.from, edge.to) < (*from, *to));
        let between = graph.edges[first..]
            .iter()
            .take_while(|edge| (edge.from, edge.to) == (*from, *to));
        let mut lines: Vec<u32> = between.flat_map(|edge| edge.lines.clone()).collect();
        lines.sort_unstable();
        lines.dedup();
        Step {
            id: id(from),
            lines,
        }
    };
    ShownCycle {
        size: cycle.members.len(),
        nodes: (cycle.members.iter())
            .filter_map(|at| numbers.kept(*at))
            .collect(),
        members: cycle.members.iter().map(id).collect(),
        path: cycle.path.iter().zip(followers).map(step).collect(),
    }
}

/// New indexes of the kept nodes.
struct Numbers(Vec<Option<u32>>);

impl Numbers {
    fn of(kept: &[bool]) -> Self {
        let mut count = 0;
        let number = |kept: &bool| {
            kept.then(|| {
                count += 1;
                index(count - 1)
            })
        };
        Self(kept.iter().map(number).collect())
    }

    fn kept(&self, old: u32) -> Option<u32> {
        self.0.get(old as usize).copied().flatten()
    }

    fn nodes(&self, graph: &Graph) -> Vec<Node> {
        let nodes = graph.nodes.iter().zip(&self.0);
        nodes
            .filter(|(_, number)| number.is_some())
            .map(|(node, _)| node.clone())
            .collect()
    }

    fn edges(&self, graph: &Graph, is_kept: impl Fn(&Edge) -> bool) -> Vec<Edge> {
        let kept = graph.edges.iter().filter(|edge| is_kept(edge));
        kept.filter_map(|edge| {
            Some(Edge {
                from: self.kept(edge.from)?,
                to: self.kept(edge.to)?,
                ..edge.clone()
            })
        })
        .collect()
    }

    fn external(&self, graph: &Graph, is_importer: impl Fn(u32) -> bool) -> Vec<super::External> {
        let number = |old: u32| self.kept(old).filter(|_| is_importer(old));
        let all = graph.external.iter();
        all.map(|external| renumbered(external, number))
            .filter(|external| !external.importers.is_empty())
            .collect()
    }

    fn unresolved(&self, graph: &Graph, is_kept: impl Fn(&Node) -> bool) -> Vec<Unresolved> {
        self.unresolved_of(graph, |at| is_kept(&graph.nodes[at as usize]))
    }

    fn unresolved_of(&self, graph: &Graph, is_kept: impl Fn(u32) -> bool) -> Vec<Unresolved> {
        let kept = graph.unresolved.iter().filter(|one| is_kept(one.from));
        kept.filter_map(|unresolved| {
            Some(Unresolved {
                from: self.kept(unresolved.from)?,
                ..unresolved.clone()
            })
        })
        .collect()
    }
}
