//! A shortest cycle through a strongly connected component: people can follow it from import to import.

use std::collections::VecDeque;

/// Edges visited per component. Below the limit every member is tried as a start, and the cycle is a shortest one. In a
/// component of thousands of files as many members are tried as the limit allows, and most have cycles of two or three
/// files nearby.
const LOOKS: usize = 5_000_000;

const UNSEEN: u32 = u32::MAX;

/// Searches in one graph, with reused buffers.
pub(super) struct Shortest<'n> {
    next: &'n [Vec<u32>],
    /// By node: its component while that is searched; else 0.
    knot: Vec<u32>,
    knots: u32,
    /// By node: its predecessor in the search from the current start.
    from: Vec<u32>,
    touched: Vec<u32>,
    is_alone: bool,
}

impl<'n> Shortest<'n> {
    /// `next`: for each node the nodes that its edges lead to, each once, sorted.
    pub(super) fn new(next: &'n [Vec<u32>]) -> Self {
        Self {
            next,
            knot: vec![0; next.len()],
            knots: 0,
            from: vec![UNSEEN; next.len()],
            touched: vec![],
            is_alone: false,
        }
    }

    /// A shortest cycle through members of a strongly connected component, as far as [`LOOKS`] allows. Of several, the
    /// one that starts first in the order of nodes. It begins with its smallest node.
    pub(super) fn through(&mut self, members: &[u32]) -> Vec<u32> {
        self.knots += 1;
        self.is_alone = members.len() == 1;
        for member in members {
            self.knot[*member as usize] = self.knots;
        }
        let mut best: Vec<u32> = vec![];
        let mut looks = LOOKS;
        for start in members {
            // No cycle is shorter than two.
            if (1..=2).contains(&best.len()) || looks == 0 {
                break;
            }
            let shorter_than = if best.is_empty() {
                usize::MAX
            } else {
                best.len()
            };
            if let Some(found) = self.from(*start, shorter_than, &mut looks) {
                best = found;
            }
        }
        let smallest = (0..best.len()).min_by_key(|at| best[*at]).unwrap_or(0);
        best.rotate_left(smallest);
        best
    }

    /// Breadth-first search from `start` back to it, within its component.
    fn from(&mut self, start: u32, shorter_than: usize, looks: &mut usize) -> Option<Vec<u32>> {
        let mut queue = VecDeque::from([(start, 1_usize)]);
        let mut last = None;
        'search: while let Some((node, length)) = queue.pop_front() {
            if length >= shorter_than {
                break;
            }
            for to in &self.next[node as usize] {
                *looks = looks.saturating_sub(1);
                // A node with an edge to itself is a cycle of one.
                if *to == start && (node != start || self.is_alone) {
                    last = Some(node);
                    break 'search;
                }
                let is_new = *to != start && self.from[*to as usize] == UNSEEN;
                if is_new && self.knot[*to as usize] == self.knots {
                    self.from[*to as usize] = node;
                    self.touched.push(*to);
                    queue.push_back((*to, length + 1));
                }
            }
        }
        let found = last.map(|last| {
            let mut path = vec![last];
            let mut at = last;
            while at != start {
                at = self.from[at as usize];
                path.push(at);
            }
            path.reverse();
            path
        });
        for node in self.touched.drain(..) {
            self.from[node as usize] = UNSEEN;
        }
        found
    }
}
