//! The graph as a diagram in Mermaid or DOT. Complete nodes are pruned, so the diagram is always valid.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::output::Outcome;
use super::super::shared::Shared;
use super::super::text::counted;
use super::super::whole::Made;
use super::view::View;
use crate::answer::page::Fitted;
use crate::answer::{Coverage, Page};

/// Bytes reserved for the rest of `data`, and for the lines above and below the diagram.
const AROUND: usize = 200;
/// Longest label that is not clipped.
const LABEL: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Mermaid,
    Dot,
}

impl Format {
    /// `None`: no diagram.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("mermaid") => Some(Self::Mermaid),
            Some("dot") => Some(Self::Dot),
            Some(_) | None => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
        }
    }
}

pub(super) fn outcome(
    view: &View<'_>,
    format: Format,
    shared: &Shared,
    coverage: &Coverage,
) -> Outcome {
    let budget = shared.paging.budget_beside(coverage);
    let bytes = budget.data.min(budget.text).saturating_sub(AROUND);
    let total = view.order.len();
    let (mut low, mut high) = (0, total.min(budget.rows));
    let mut best = draw(view, format, high);
    if best.escaped_len() > bytes {
        // Find the largest number of nodes that fits: a diagram grows with its nodes.
        while low < high {
            let middle = (low + high).div_ceil(2);
            if draw(view, format, middle).escaped_len() <= bytes {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        best = draw(view, format, low);
    }
    let mut data = Map::new();
    data.insert("totals".into(), view.totals());
    data.insert("format".into(), json!(format.name()));
    data.insert("diagram".into(), json!(best.text));
    data.insert("nodes_shown".into(), json!(best.nodes));
    data.insert("edges_shown".into(), json!(best.edges));
    let shown = format!(
        "{}; the diagram shows {} of {total} nodes and {}\n{}",
        view.one_line(),
        best.nodes,
        counted(best.edges as u64, "edge"),
        best.text,
    );
    Outcome {
        page: Some(Page {
            total,
            returned: best.nodes,
            truncated: best.nodes < total,
            // Diagrams have no pages: limit and max_bytes allow a larger one.
            next_cursor: None,
        }),
        fitted: Fitted {
            data: view.shape.data(data),
            text: shown,
            returned: best.nodes,
        },
        row: "node",
        rows: total,
        whole: Made::default(),
        summary: view.one_line(),
    }
}

struct Drawing {
    text: String,
    nodes: usize,
    edges: usize,
}

impl Drawing {
    /// Bytes as JSON, where quotes and line breaks take two.
    fn escaped_len(&self) -> usize {
        crate::answer::page::json_len(&self.text)
    }
}

/// The first `count` nodes in the view's order, and the edges between them.
fn draw(view: &View<'_>, format: Format, count: usize) -> Drawing {
    let graph = view.graph;
    let mut shown = vec![false; graph.nodes.len()];
    for &node in &view.order[..count] {
        shown[node] = true;
    }
    let mut text = String::from(match format {
        Format::Mermaid => "flowchart LR\n",
        Format::Dot => "digraph dependencies {\n  rankdir=LR;\n",
    });
    for node in (0..shown.len()).filter(|&node| shown[node]) {
        let label = label(&graph.nodes[node].id, format);
        let _ = match format {
            Format::Mermaid => writeln!(text, "  n{node}[\"{label}\"]"),
            Format::Dot => writeln!(text, "  n{node} [label=\"{label}\"];"),
        };
    }
    let mut pairs: Vec<(u32, u32, bool)> = (graph.edges.iter())
        .filter(|edge| shown[edge.from as usize] && shown[edge.to as usize])
        .map(|edge| (edge.from, edge.to, edge.type_only))
        .collect();
    // A pair with two kinds of import is one arrow: solid if one of them exists at run time.
    pairs.sort_unstable();
    pairs.dedup_by_key(|(from, to, _)| (*from, *to));
    for &(from, to, type_only) in &pairs {
        let _ = match (format, type_only) {
            (Format::Mermaid, false) => writeln!(text, "  n{from} --> n{to}"),
            (Format::Mermaid, true) => writeln!(text, "  n{from} -.-> n{to}"),
            (Format::Dot, false) => writeln!(text, "  n{from} -> n{to};"),
            (Format::Dot, true) => writeln!(text, "  n{from} -> n{to} [style=dashed];"),
        };
    }
    if format == Format::Dot {
        text.push_str("}\n");
    }
    Drawing {
        text,
        nodes: count,
        edges: pairs.len(),
    }
}

/// Escapes characters that would end a label or start markup, because paths may contain any character.
fn label(id: &str, format: Format) -> String {
    let mut id = otel::visible::line(id).into_owned();
    crate::answer::page::clip(&mut id, LABEL);
    let mut label = String::with_capacity(id.len());
    for character in id.chars() {
        match (format, character) {
            (Format::Mermaid, '"') => label.push_str("#quot;"),
            (Format::Mermaid, '#') => label.push_str("#35;"),
            (Format::Mermaid, '<') => label.push_str("#lt;"),
            (Format::Mermaid, '>') => label.push_str("#gt;"),
            (Format::Mermaid, '`') => label.push_str("#96;"),
            (Format::Dot, '"') => label.push_str("\\\""),
            (Format::Dot, '\\') => label.push_str("\\\\"),
            (Format::Mermaid | Format::Dot, character) => label.push(character),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out() {
        assert_eq!(label("a\"]; x[\"b", Format::Mermaid), "a#quot;]; x[#quot;b");
        assert_eq!(label("a\"\\\n", Format::Dot), "a\\\"\\\\\\\\n");
        assert_eq!(label("a\u{202e}\n", Format::Mermaid), "a\\u{202e}\\n");
    }
}
