//! Cycles, layers and figures of graphs of any language.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn shape(count: u32, edges: &[(u32, u32)]) -> Graph {
    let node = |at: u32| Node {
        id: format!("d{}/f{at}", at % 4),
        path: format!("d{}/f{at}", at % 4),
        language: Some(Language::C),
        files: 1,
        package: format!("d{}", at % 4),
        outside: false,
        left_out: None,
    };
    let mut edges: Vec<(u32, u32)> = edges.iter().map(|(a, b)| (a % count, b % count)).collect();
    edges.sort_unstable();
    edges.dedup();
    Graph {
        nodes: (0..count).map(node).collect(),
        edges: edges
            .into_iter()
            .map(|(from, to)| Edge {
                from,
                to,
                kind: ImportKind::Import,
                lines: vec![1],
                specifiers: vec![],
                type_only: false,
            })
            .collect(),
        ..Graph::default()
    }
}

/// `reached[a][b]`: by one edge or more.
fn reach(graph: &Graph) -> Vec<Vec<bool>> {
    let count = graph.nodes.len();
    let mut reached = vec![vec![false; count]; count];
    for edge in &graph.edges {
        reached[edge.from as usize][edge.to as usize] = true;
    }
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                reached[from][to] |= reached[from][via] && reached[via][to];
            }
        }
    }
    reached
}

fn graphs() -> impl Strategy<Value = Graph> {
    let edges = proptest::collection::vec((0_u32..16, 0_u32..16), 0..40);
    (1_u32..16, edges).prop_map(|(count, edges)| shape(count, &edges))
}

proptest! {
    #[test]
    fn cycles_are_the_strongly_connected_components(graph in graphs()) {
        let reached = reach(&graph);
        let cycles: Vec<Vec<u32>> = graph
            .cycles(CycleEdges::Runtime)
            .into_iter()
            .map(|cycle| cycle.members)
            .collect();
        for (a, row) in reached.iter().enumerate() {
            for (b, reaches) in row.iter().enumerate() {
                let together = cycles.iter().any(|cycle| {
                    [a, b].iter().all(|node| cycle.contains(&files::index(*node)))
                });
                prop_assert_eq!(together, *reaches && reached[b][a]);
            }
        }
        prop_assert!(cycles.is_sorted_by(|a, b| a.len() >= b.len()));
    }

    #[test]
    fn folding_keeps_reachability(graph in graphs()) {
        let folded = graph.fold(Granularity::Directory);
        let files: u32 = folded.nodes.iter().map(|node| node.files).sum();
        prop_assert_eq!(files as usize, graph.nodes.len());
        let group = |at: u32| {
            let folder = files::parent(&graph.nodes[at as usize].path);
            folded.nodes.iter().position(|node| node.id == folder)
        };
        for edge in &graph.edges {
            let (from, to) = (group(edge.from), group(edge.to));
            prop_assert!(from.is_some() && to.is_some());
            let is_kept = folded.edges.iter().any(|folded| {
                Some(folded.from as usize) == from && Some(folded.to as usize) == to
            });
            prop_assert_eq!(is_kept, from != to);
        }
    }

    #[test]
    fn the_path_of_a_cycle_is_a_shortest_one(graph in graphs()) {
        let leads = |from: u32, to: u32| graph.edges.iter().any(|edge| (edge.from, edge.to) == (from, to));
        let count = graph.nodes.len();
        for cycle in graph.cycles(CycleEdges::Runtime) {
            prop_assert!(cycle.path.iter().all(|node| cycle.members.contains(node)));
            let followers = cycle.path.iter().cycle().skip(1);
            for (from, to) in cycle.path.iter().zip(followers) {
                prop_assert!(leads(*from, *to), "{:?}", cycle.path);
            }
            let distinct: BTreeSet<&u32> = cycle.path.iter().collect();
            prop_assert_eq!(distinct.len(), cycle.path.len());
            // Search in steps of equal length: the first step that leads back gives the girth.
            let mut girth = usize::MAX;
            for start in &cycle.members {
                let mut at = BTreeSet::from([*start]);
                let is_alone = cycle.members.len() == 1;
                for length in 1..=count {
                    let counts = |edge: &&Edge| at.contains(&edge.from) && (is_alone || edge.from != edge.to);
                    at = graph.edges.iter().filter(counts).map(|edge| edge.to).collect();
                    if at.contains(start) {
                        girth = girth.min(length);
                        break;
                    }
                }
            }
            prop_assert_eq!(cycle.path.len(), girth);
        }
    }

    #[test]
    fn reaching_follows_every_edge(graph in graphs(), start in 0_usize..16) {
        let from = start % graph.nodes.len();
        let id = graph.nodes[from].id.clone();
        let found = graph.reached(&|node| node.id == id, Direction::Out, u32::MAX);
        let reached = reach(&graph);
        for (at, is_in) in found.iter().enumerate() {
            prop_assert_eq!(*is_in, at == from || reached[from][at]);
        }
    }

    #[test]
    fn a_part_of_the_graph_agrees_with_the_whole(graph in graphs(), outside in proptest::collection::vec(any::<bool>(), 16)) {
        let outside = &outside[..graph.nodes.len()];
        let measured = graph.measure(CycleEdges::Runtime);
        let whole = measured.narrow(&vec![false; outside.len()], None);
        let part = measured.narrow(outside, None);
        let is_own = |shown: &Shown, at: u32| {
            let id = &shown.graph.nodes[at as usize].id;
            let mut nodes = measured.graph.nodes.iter().zip(outside);
            nodes.any(|(node, outside)| node.id == *id && !outside)
        };
        for node in &part.graph.nodes {
            let mut all = measured.graph.nodes.iter().zip(outside);
            prop_assert!(all.any(|(other, outside)| other.id == node.id && node.outside == *outside));
        }
        let named = |shown: &Shown| -> BTreeSet<(String, String)> {
            let id = |at: u32| shown.graph.nodes[at as usize].id.clone();
            let own = shown.graph.edges.iter().filter(|edge| is_own(shown, edge.from));
            own.map(|edge| (id(edge.from), id(edge.to))).collect()
        };
        prop_assert_eq!(named(&part), named(&whole));
        prop_assert_eq!(part.graph.edges.len(), named(&part).len(), "none starts outside");
        for (node, coupling) in part.graph.nodes.iter().zip(&part.coupling) {
            let at = whole.graph.nodes.iter().position(|other| other.id == node.id);
            prop_assert_eq!(Some(coupling), at.map(|at| &whole.coupling[at]));
        }
        for cycle in &part.cycles {
            let same = |other: &ShownCycle| other.members == cycle.members && other.path == cycle.path;
            prop_assert!(whole.cycles.iter().any(same));
        }
    }

    #[test]
    fn coupling_counts_neighbours(graph in graphs()) {
        for (at, coupling) in graph.coupling().iter().enumerate() {
            let at = files::index(at);
            let out = graph.edges.iter().filter(|edge| edge.from == at && edge.to != at).count();
            let into = graph.edges.iter().filter(|edge| edge.to == at && edge.from != at).count();
            prop_assert_eq!((coupling.fan_out as usize, coupling.fan_in as usize), (out, into));
            prop_assert_eq!(coupling.instability.is_none(), out + into == 0);
        }
    }
}

#[test]
fn a_long_chain_is_followed_without_recursion() {
    let count = 200_000;
    let ring: Vec<(u32, u32)> = (0..count).map(|at| (at, at + 1)).collect();
    let cycles = shape(count, &ring).cycles(CycleEdges::All);
    assert_eq!(cycles[0].members.len(), count as usize);
    assert_eq!(cycles[0].path.len(), count as usize);
}
