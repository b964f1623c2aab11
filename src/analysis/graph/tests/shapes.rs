//! Cycles, layers and measures of any graph, whatever the language.

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
        let cycles = graph.cycles(true);
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
    fn folding_keeps_what_reaches_what(graph in graphs()) {
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
    fn focus_is_a_part_of_the_whole(graph in graphs(), start in 0_usize..16, depth in 0_u32..4) {
        let id = graph.nodes[start % graph.nodes.len()].id.clone();
        let part = graph.focus(&|node| node.id == id, Direction::Out, depth);
        let ids: BTreeSet<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
        prop_assert!(part.nodes.iter().all(|node| ids.contains(node.id.as_str())));
        let whole = graph.focus(&|node| node.id == id, Direction::Out, u32::MAX);
        let reached = reach(&graph);
        for (at, node) in graph.nodes.iter().enumerate() {
            let is_in = whole.nodes.iter().any(|kept| kept.id == node.id);
            let from = start % graph.nodes.len();
            prop_assert_eq!(is_in, at == from || reached[from][at]);
        }
        let named = |graph: &Graph| -> BTreeSet<(String, String)> {
            let id = |at: u32| graph.nodes[at as usize].id.clone();
            graph.edges.iter().map(|edge| (id(edge.from), id(edge.to))).collect()
        };
        prop_assert!(named(&part).is_subset(&named(&graph)));
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
    assert_eq!(shape(count, &ring).cycles(false)[0].len(), count as usize);
}
