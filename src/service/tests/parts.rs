//! An answer about a part of a project agrees with the answer about the whole project.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The content of one answer, by kind.
struct Told {
    edges: BTreeSet<String>,
    unresolved: BTreeSet<String>,
    nodes: BTreeMap<String, Value>,
    cycles: BTreeSet<String>,
}

impl Told {
    fn of(answer: &Value) -> Self {
        let rows = |list: &str| answer["data"][list].as_array().cloned().unwrap_or_default();
        let text = |row: &Value| row.to_string();
        let nodes = rows("nodes").into_iter();
        Self {
            edges: rows("edges").iter().map(text).collect(),
            unresolved: rows("unresolved").iter().map(text).collect(),
            cycles: rows("cycles").iter().map(text).collect(),
            nodes: nodes
                .map(|node| (node["id"].as_str().unwrap().to_owned(), node))
                .collect(),
        }
    }
}

fn is_in(path: &str, selected: &str) -> bool {
    let rest = path.strip_prefix(selected);
    selected.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Here {
    async fn told(&self, arguments: Value) -> Told {
        let mut arguments = arguments;
        arguments["limit"] = json!(1000);
        arguments["max_bytes"] = json!(300_000);
        Told::of(&self.good("analyze_dependencies", arguments).await)
    }

    /// Every folder and file below the root.
    async fn agree(&self) {
        let whole = self.told(json!({})).await;
        assert!(!whole.edges.is_empty());
        let ids: Vec<String> = whole.nodes.keys().cloned().collect();
        let folders = ids.iter().flat_map(|id| {
            let parents = id.match_indices('/').map(|(at, _)| id[..at].to_owned());
            parents.collect::<Vec<_>>()
        });
        // A file that is normally left out is analysed if it is selected by name.
        let is_measured = |id: &&String| whole.nodes[*id].get("left_out").is_none();
        let files = ids.iter().filter(is_measured).cloned();
        let parts: BTreeSet<String> = folders.chain(files).collect();
        for part in parts {
            let told = self.told(json!({"path": part})).await;
            let by = |row: &String, key: &str| {
                let row: Value = serde_json::from_str(row).unwrap();
                is_in(row[key].as_str().unwrap(), &part)
            };
            let edges = whole.edges.iter().filter(|row| by(row, "from"));
            assert_eq!(told.edges, edges.cloned().collect(), "edges of {part}");
            let unresolved = whole.unresolved.iter().filter(|row| by(row, "path"));
            assert_eq!(told.unresolved, unresolved.cloned().collect(), "of {part}");
            assert!(told.cycles.is_subset(&whole.cycles), "cycles of {part}");
            for (id, node) in &told.nodes {
                let mut node = node.clone();
                let outside = node.as_object_mut().unwrap().remove("outside");
                assert_eq!(outside.is_some(), !is_in(id, &part), "{id} in {part}");
                assert_eq!(Some(&node), whole.nodes.get(id), "{id} in {part}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_agrees_with_its_parts() {
    let here = Here::new().await;
    here.agree().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_change_what_is_shown_and_not_the_graph() {
    let here = Here::new().await;
    let whole = here.told(json!({})).await;
    for arguments in [
        json!({"include": ["python/shop/cart.py"]}),
        json!({"exclude": ["python/shop/[d-z]*", "rust/**", "typescript", "go", "java", "c", "javascript", "**/__init__.py"]}),
        json!({"languages": ["python"], "path": "python/shop/cart.py"}),
    ] {
        let told = here.told(arguments.clone()).await;
        assert!(told.edges.is_subset(&whole.edges), "{arguments}");
        let cart = |told: &Told| told.nodes["python/shop/cart.py"].clone();
        assert_eq!(cart(&told), cart(&whole), "{arguments}");
        assert_eq!(told.cycles.len(), 1, "{arguments}");
    }
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_left_out_is_a_node_if_it_is_imported() {
    let here = Here::new().await;
    let write = |path: &str, text: &str| {
        let path = here.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "lib/index.ts",
        "// Auto-generated exports. Do not edit manually.\nexport * from './a';\nexport * from './gone';\n",
    );
    write("lib/a.ts", "export const a = 1;\n");
    write("lib/use.ts", "import { a } from '.';\n");
    write("lib/alone.min.js", "import './a';");
    let told = here.told(json!({"path": "lib"})).await;
    let ids: Vec<&str> = told.nodes.keys().map(String::as_str).collect();
    assert_eq!(ids, ["lib/a.ts", "lib/index.ts", "lib/use.ts"]);
    assert_eq!(told.nodes["lib/index.ts"]["left_out"], "generated");
    assert_eq!(told.nodes["lib/a.ts"]["fan_in"], 1);
    assert_eq!(told.edges.len(), 2);
    assert!(told.unresolved.is_empty(), "{:?}", told.unresolved);
    here.agree().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_focus_may_be_an_absolute_path() {
    let here = Here::new().await;
    let root = here.folder.path().canonicalize().unwrap();
    let absolute = root.join("python/shop/cart.py");
    let relative = here.told(json!({"focus": "python/shop/cart.py"})).await;
    let told = here
        .told(json!({"focus": absolute.to_string_lossy()}))
        .await;
    assert_eq!(told.edges, relative.edges);
    assert!(!told.edges.is_empty());
    for unknown in ["shop/cart.py", "/nowhere/cart.py", "cart.p"] {
        let answer = here
            .call("analyze_dependencies", json!({"focus": unknown}))
            .await;
        let text = answer.structured["status"]["message"].to_string();
        assert!(text.contains("python/shop/cart.py"), "{unknown}: {text}");
    }
    here.end().await;
}
