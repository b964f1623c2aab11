//! Diagrams. The tool draws dependencies, pruned so that they stay readable. Functions and symbols are drawn here, as a
//! tree below their files.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::arguments::Kind;

/// Functions with a higher cyclomatic complexity than the first limit are marked (McCabe 1976), and above the second
/// limit more strongly (NIST 500-235 allows up to 15 in rare cases).
const NOTABLE: u64 = 10;
const HIGH: u64 = 20;
/// Longest label: larger boxes are unreadable.
const MAX_LABEL: usize = 60;

/// A tree of boxes.
pub(super) struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    label: String,
    parent: Option<usize>,
    weight: Weight,
}

#[derive(Clone, Copy, PartialEq)]
enum Weight {
    File,
    Plain,
    Notable,
    High,
}

/// The diagram from the tool.
pub(super) fn given(envelope: &Value) -> String {
    envelope["data"]["diagram"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Files with their functions, or with their nested symbols.
pub(super) fn tree(kind: Kind, envelope: &Value) -> Tree {
    let data = &envelope["data"];
    let rows = match kind {
        Kind::Complexity => &data["functions"],
        Kind::Structure | Kind::Dependencies => &data["symbols"],
    };
    let mut tree = Tree { nodes: Vec::new() };
    let mut files = BTreeMap::new();
    let mut named = BTreeMap::new();
    for row in rows.as_array().into_iter().flatten() {
        let path = row["path"].as_str().unwrap_or_default();
        let file = *files
            .entry(path)
            .or_insert_with(|| tree.add(path, None, Weight::File));
        let parent = row["parent"]
            .as_str()
            .and_then(|parent| named.get(&(path, parent)).copied());
        let (label, weight) = describe(kind, row);
        let node = tree.add(&label, Some(parent.unwrap_or(file)), weight);
        if let Some(name) = row["qualified_name"].as_str() {
            named.insert((path, name), node);
        }
    }
    tree
}

fn describe(kind: Kind, row: &Value) -> (String, Weight) {
    let name = row["qualified_name"].as_str().unwrap_or_default();
    if kind != Kind::Complexity {
        let what = row["kind"].as_str().unwrap_or_default();
        return (format!("{what} {name}"), Weight::Plain);
    }
    let cyclomatic = row["own"]["cyclomatic"].as_u64();
    let weight = match cyclomatic {
        Some(value) if value > HIGH => Weight::High,
        Some(value) if value > NOTABLE => Weight::Notable,
        Some(_) | None => Weight::Plain,
    };
    let label = match cyclomatic {
        Some(value) => format!("{name}: {value}"),
        None => name.to_owned(),
    };
    (label, weight)
}

impl Tree {
    fn add(&mut self, label: &str, parent: Option<usize>, weight: Weight) -> usize {
        self.nodes.push(Node {
            label: shortened(&super::printable(label)),
            parent,
            weight,
        });
        self.nodes.len() - 1
    }
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= MAX_LABEL {
        return label.to_owned();
    }
    let kept: String = label.chars().take(MAX_LABEL - 1).collect();
    format!("{kept}…")
}

/// Mermaid flowchart, top to the left.
pub(super) fn mermaid(tree: &Tree) -> String {
    let mut text = String::from("flowchart LR\n");
    for (id, node) in tree.nodes.iter().enumerate() {
        let label = entities(&node.label);
        let (open, close, class) = match node.weight {
            Weight::File => ("([", "])", ""),
            Weight::Plain => ("[", "]", ""),
            Weight::Notable => ("[", "]", ":::notable"),
            Weight::High => ("[", "]", ":::high"),
        };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "  n{id}{open}\"{label}\"{close}{class}");
        if let Some(parent) = node.parent {
            let _ = writeln!(text, "  n{parent} --> n{id}");
        }
    }
    for (class, weight, style) in [
        ("notable", Weight::Notable, "fill:#ffe8b3,stroke:#b37700"),
        ("high", Weight::High, "fill:#ffc9c9,stroke:#c92a2a"),
    ] {
        if tree.nodes.iter().any(|node| node.weight == weight) {
            let _ = writeln!(text, "  classDef {class} {style}");
        }
    }
    text
}

/// Graphviz digraph, left to right.
pub(super) fn dot(tree: &Tree) -> String {
    let mut text = String::from("digraph code {\n  rankdir=LR;\n  node [shape=box];\n");
    for (id, node) in tree.nodes.iter().enumerate() {
        let label = quoted(&node.label);
        let look = match node.weight {
            Weight::File => ", shape=folder",
            Weight::Plain => "",
            Weight::Notable => ", style=filled, fillcolor=\"#ffe8b3\"",
            Weight::High => ", style=filled, fillcolor=\"#ffc9c9\"",
        };
        let _ = writeln!(text, "  n{id} [label=\"{label}\"{look}];");
        if let Some(parent) = node.parent {
            let _ = writeln!(text, "  n{parent} -> n{id};");
        }
    }
    text.push_str("}\n");
    text
}

/// Characters that would end a Mermaid label, or start markup in it, become numbered entities.
fn entities(label: &str) -> String {
    let mut safe = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_alphanumeric() || " _./:-,()…".contains(c) {
            safe.push(c);
        } else {
            let _ = write!(safe, "#{};", u32::from(c));
        }
    }
    safe
}

fn quoted(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn outline() -> Tree {
        let envelope = json!({"data": {"symbols": [
            {"path": "a.rs", "kind": "struct", "qualified_name": "A<T>"},
            {"path": "a.rs", "kind": "method", "qualified_name": "A<T>::\"f\"", "parent": "A<T>"},
            {"path": "b.rs", "kind": "function", "qualified_name": "g\\n"},
        ]}});
        tree(Kind::Structure, &envelope)
    }

    #[test]
    fn symbols_are_below_their_parents() {
        expect![[r#"
            flowchart LR
              n0(["a.rs"])
              n1["struct A#60;T#62;"]
              n0 --> n1
              n2["method A#60;T#62;::#34;f#34;"]
              n1 --> n2
              n3(["b.rs"])
              n4["function g#92;n"]
              n3 --> n4
        "#]]
        .assert_eq(&mermaid(&outline()));
    }

    #[test]
    fn dot_labels_are_quoted() {
        expect![[r#"
            digraph code {
              rankdir=LR;
              node [shape=box];
              n0 [label="a.rs", shape=folder];
              n1 [label="struct A<T>"];
              n0 -> n1;
              n2 [label="method A<T>::\"f\""];
              n1 -> n2;
              n3 [label="b.rs", shape=folder];
              n4 [label="function g\\n"];
              n3 -> n4;
            }
        "#]]
        .assert_eq(&dot(&outline()));
    }

    #[test]
    fn complex_functions_are_marked() {
        let envelope = json!({"data": {"functions": [
            {"path": "a.rs", "qualified_name": "calm", "own": {"cyclomatic": 10}},
            {"path": "a.rs", "qualified_name": "busy", "own": {"cyclomatic": 11}},
            {"path": "a.rs", "qualified_name": "wild", "own": {"cyclomatic": 21}},
        ]}});
        expect![[r#"
            flowchart LR
              n0(["a.rs"])
              n1["calm: 10"]
              n0 --> n1
              n2["busy: 11"]:::notable
              n0 --> n2
              n3["wild: 21"]:::high
              n0 --> n3
              classDef notable fill:#ffe8b3,stroke:#b37700
              classDef high fill:#ffc9c9,stroke:#c92a2a
        "#]]
        .assert_eq(&mermaid(&tree(Kind::Complexity, &envelope)));
    }
}
