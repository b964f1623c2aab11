//! The resolved imports of one file, as lines: `-> file`, `package x`, `std x`, `? specifier reason`.

use super::*;

/// Files, manifests and symbolic links (`link -> target`) of a project, and the expected lines for some files.
#[track_caller]
pub(super) fn told(files: &[(&str, &str)], expected: &[(&str, &[&str])]) {
    let graph = graph(files);
    for (path, lines) in expected {
        let at = graph.nodes.iter().position(|node| node.id == *path);
        let at = files::index(at.unwrap_or_else(|| panic!("{path} is no node")));
        let id = |at: u32| graph.nodes[at as usize].id.as_str();
        let mut told: Vec<String> = vec![];
        for edge in graph.edges.iter().filter(|edge| edge.from == at) {
            told.push(format!("-> {}", id(edge.to)));
        }
        told.sort();
        for external in graph
            .external
            .iter()
            .filter(|it| it.importers.contains(&at))
        {
            let kind = if external.standard_library {
                "std"
            } else {
                "package"
            };
            told.push(format!("{kind} {}", external.name));
        }
        for unresolved in graph.unresolved.iter().filter(|it| it.from == at) {
            let reason = unresolved.reason.split(':').next().unwrap_or_default();
            told.push(format!("? {} {reason}", unresolved.specifier));
        }
        told.dedup();
        assert_eq!(told, *lines, "of {path}");
    }
}
