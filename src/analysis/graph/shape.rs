//! Queries on a finished graph: folding, focus, cycles, coupling.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::build::folder_name;
use super::files::index;
use super::shortest::Shortest;
use super::{
    Coupling, Cycle, CycleEdges, Direction, Edge, External, Granularity, Graph, Node, Unresolved,
};
use crate::analysis::{ImportKind, Language};

pub(super) fn fold(graph: &Graph, granularity: Granularity) -> Graph {
    if granularity == Granularity::File {
        return graph.clone();
    }
    let (nodes, group) = groups(graph, granularity);
    let mut edges: BTreeMap<(u32, u32, ImportKind), (u32, Edge)> = BTreeMap::new();
    for edge in &graph.edges {
        let (from, to) = (group[edge.from as usize], group[edge.to as usize]);
        if from == to {
            continue;
        }
        let (first, folded) = edges.entry((from, to, edge.kind)).or_insert_with(|| {
            let mut folded = edge.clone();
            (folded.from, folded.to) = (from, to);
            folded.lines.clear();
            folded.specifiers.clear();
            (edge.from, folded)
        });
        // Lines of several files in one list would be useless: only those of the first are kept.
        if *first == edge.from {
            folded.lines.extend(&edge.lines);
        }
        folded.specifiers.extend(edge.specifiers.iter().cloned());
        folded.type_only &= edge.type_only;
    }
    let mut edges: Vec<Edge> = edges.into_values().map(|(_, edge)| edge).collect();
    for edge in &mut edges {
        edge.lines.sort_unstable();
        edge.lines.dedup();
        edge.specifiers.sort_unstable();
        edge.specifiers.dedup();
    }
    Graph {
        nodes,
        edges,
        external: graph
            .external
            .iter()
            .map(|external| renumbered(external, |importer| Some(group[importer as usize])))
            .collect(),
        unresolved: graph
            .unresolved
            .iter()
            .map(|unresolved| Unresolved {
                from: group[unresolved.from as usize],
                ..unresolved.clone()
            })
            .collect(),
        within_file: graph.within_file,
    }
}

pub(super) fn folded_into(graph: &Graph, granularity: Granularity) -> Vec<u32> {
    match granularity {
        Granularity::File => (0..index(graph.nodes.len())).collect(),
        Granularity::Directory | Granularity::Package => groups(graph, granularity).1,
    }
}

/// The folded nodes by first appearance, and the new node of each old one.
fn groups(graph: &Graph, granularity: Granularity) -> (Vec<Node>, Vec<u32>) {
    let mut by_key: HashMap<(Option<&str>, String), u32> = HashMap::new();
    let mut taken: HashMap<String, &str> = HashMap::new();
    let mut nodes: Vec<Node> = vec![];
    let mut group = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let (ecosystem, name) = match granularity {
            Granularity::Package => (Some(ecosystem(node.language)), node.package.clone()),
            Granularity::File | Granularity::Directory => (None, folder_name(&node.path)),
        };
        let at = *by_key.entry((ecosystem, name.clone())).or_insert_with(|| {
            let owner = ecosystem.unwrap_or_default();
            let id = match taken.get(&name) {
                Some(other) if *other != owner => format!("{name} ({owner})"),
                _ => name.clone(),
            };
            taken.insert(id.clone(), owner);
            nodes.push(Node {
                id,
                path: folder_name(&node.path),
                language: node.language,
                files: 0,
                package: name,
                outside: false,
                left_out: node.left_out,
            });
            index(nodes.len() - 1)
        });
        let folded = &mut nodes[at as usize];
        folded.files = folded.files.saturating_add(node.files);
        folded.left_out = folded.left_out.and(node.left_out);
        if folded.language != node.language {
            folded.language = None;
        }
        shorten(&mut folded.path, &folder_name(&node.path));
        group.push(at);
    }
    (nodes, group)
}

fn ecosystem(language: Option<Language>) -> &'static str {
    match language {
        Some(Language::TypeScript | Language::Tsx | Language::JavaScript) => "javascript",
        Some(language) => language.name(),
        None => "",
    }
}

/// Returns the common folder.
fn shorten(path: &mut String, other: &str) {
    let shared: Vec<&str> = path
        .split('/')
        .zip(other.split('/'))
        .take_while(|(a, b)| a == b)
        .map(|(part, _)| part)
        .collect();
    *path = match shared.join("/") {
        empty if empty.is_empty() => ".".to_owned(),
        shared => shared,
    };
}

pub(super) fn renumbered(external: &External, number: impl Fn(u32) -> Option<u32>) -> External {
    let mut importers: Vec<u32> = external
        .importers
        .iter()
        .filter_map(|importer| number(*importer))
        .collect();
    importers.sort_unstable();
    importers.dedup();
    External {
        importers,
        ..external.clone()
    }
}

pub(super) fn reached(
    graph: &Graph,
    is_focus: &dyn Fn(&Node) -> bool,
    direction: Direction,
    depth: u32,
) -> Vec<bool> {
    let starts = |node: &Node| is_focus(node);
    let mut kept = vec![false; graph.nodes.len()];
    let directions: &[bool] = match direction {
        Direction::Out => &[true],
        Direction::In => &[false],
        Direction::Both => &[true, false],
    };
    for forward in directions {
        let reached = reach(graph, starts, *forward, depth);
        for (kept, reached) in kept.iter_mut().zip(reached) {
            *kept |= reached;
        }
    }
    kept
}

/// Breadth-first search along the edges, or against them.
pub(super) fn reach(
    graph: &Graph,
    starts: impl Fn(&Node) -> bool,
    forward: bool,
    depth: u32,
) -> Vec<bool> {
    let next = neighbours(graph, |edge| {
        Some(if forward {
            (edge.from, edge.to)
        } else {
            (edge.to, edge.from)
        })
    });
    let mut reached: Vec<bool> = graph.nodes.iter().map(starts).collect();
    let mut queue: VecDeque<(u32, u32)> = (0_u32..)
        .zip(&reached)
        .filter(|(_, reached)| **reached)
        .map(|(at, _)| (at, 0))
        .collect();
    while let Some((at, steps)) = queue.pop_front() {
        if steps == depth {
            continue;
        }
        for to in &next[at as usize] {
            if !std::mem::replace(&mut reached[*to as usize], true) {
                queue.push_back((*to, steps + 1));
            }
        }
    }
    reached
}

/// For each node the distinct nodes that `ends` leads to.
pub(super) fn neighbours(
    graph: &Graph,
    ends: impl Fn(&Edge) -> Option<(u32, u32)>,
) -> Vec<Vec<u32>> {
    let mut next = vec![vec![]; graph.nodes.len()];
    for (from, to) in graph.edges.iter().filter_map(ends) {
        next[from as usize].push(to);
    }
    for to in &mut next {
        to.sort_unstable();
        to.dedup();
    }
    next
}

/// Tarjan (1972) with an explicit stack.
pub(super) fn cycles(graph: &Graph, edges: CycleEdges) -> Vec<Cycle> {
    let counts = |edge: &Edge| match edges {
        CycleEdges::Runtime => !edge.type_only && edge.kind != ImportKind::Module,
        CycleEdges::All => edge.kind != ImportKind::Module,
    };
    let next = neighbours(graph, |edge| counts(edge).then_some((edge.from, edge.to)));
    let mut found: Vec<Vec<u32>> = components(&next)
        .into_iter()
        .filter(|component| match component.as_slice() {
            [alone] => next[*alone as usize].contains(alone),
            _ => true,
        })
        .collect();
    for component in &mut found {
        component.sort_unstable();
    }
    found.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut shortest = Shortest::new(&next);
    let cycle = |members: Vec<u32>| Cycle {
        path: shortest.through(&members),
        members,
    };
    found.into_iter().map(cycle).collect()
}

const UNSEEN: u32 = u32::MAX;

fn components(next: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut number = vec![UNSEEN; next.len()];
    let mut low = vec![0; next.len()];
    let mut is_open = vec![false; next.len()];
    let mut open: Vec<u32> = vec![];
    let mut found = vec![];
    let mut count = 0;
    // A node, and how many of its neighbours were visited.
    let mut calls: Vec<(u32, usize)> = vec![];
    for root in 0..index(next.len()) {
        if number[root as usize] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((node, looked)) = calls.pop() {
            let at = node as usize;
            if looked == 0 {
                number[at] = count;
                low[at] = count;
                count += 1;
                open.push(node);
                is_open[at] = true;
            }
            let child = next[at].get(looked).copied();
            if let Some(child) = child {
                calls.push((node, looked + 1));
                if number[child as usize] == UNSEEN {
                    calls.push((child, 0));
                } else if is_open[child as usize] {
                    low[at] = low[at].min(number[child as usize]);
                }
                continue;
            }
            if let Some((parent, _)) = calls.last() {
                let parent = *parent as usize;
                low[parent] = low[parent].min(low[at]);
            }
            if low[at] == number[at] {
                found.push(close(node, &mut open, &mut is_open));
            }
        }
    }
    found
}

/// All nodes opened since `root`, including it.
fn close(root: u32, open: &mut Vec<u32>, is_open: &mut [bool]) -> Vec<u32> {
    let mut component = vec![];
    while let Some(member) = open.pop() {
        is_open[member as usize] = false;
        component.push(member);
        if member == root {
            break;
        }
    }
    component
}

pub(super) fn coupling(graph: &Graph) -> Vec<Coupling> {
    let strangers = |edge: &Edge| edge.from != edge.to;
    let out = neighbours(graph, |edge| {
        strangers(edge).then_some((edge.from, edge.to))
    });
    let into = neighbours(graph, |edge| {
        strangers(edge).then_some((edge.to, edge.from))
    });
    let of = |(out, into): (&Vec<u32>, &Vec<u32>)| {
        let (fan_in, fan_out) = (index(into.len()), index(out.len()));
        let all = f64::from(fan_in) + f64::from(fan_out);
        Coupling {
            fan_in,
            fan_out,
            instability: (all > 0.0).then(|| f64::from(fan_out) / all),
        }
    };
    out.iter().zip(&into).map(of).collect()
}
