//! Asks the resolvers and folds their answers into nodes and edges.

use std::collections::{BTreeMap, HashMap};

use super::files::{Files, MAX_PATH_BYTES, index, parent};
use super::{
    Edge, External, Graph, Node, Project, Resolver, SourceFile, Target, Unresolved, c, go, java,
    javascript, narrow, python, rust,
};
use crate::analysis::{Cancelled, Import, ImportKind, Language};

/// Files or imports between two checks of `cancelled`: some milliseconds of work, even if each import is searched in
/// thousands of places.
const STEPS_PER_CHECK: usize = 16;

pub(super) fn build(
    project: Project<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Graph, Cancelled> {
    let files = project.files;
    let known = Files::new(project);
    let resolvers = Resolvers::new(&known, cancelled)?;
    let mut answers = Answers::default();
    let mut nodes = Vec::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        if at.is_multiple_of(STEPS_PER_CHECK) && cancelled() {
            return Err(Cancelled);
        }
        let resolver = resolvers.of(file.analysis.language);
        nodes.push(Node {
            id: file.path.to_owned(),
            path: file.path.to_owned(),
            language: Some(file.analysis.language),
            files: 1,
            package: resolver.map_or_else(String::new, |resolver| resolver.package(index(at))),
            outside: false,
            left_out: file.left_out,
        });
        let Some(resolver) = resolver else { continue };
        for (number, import) in file.analysis.imports.iter().enumerate() {
            if (number + 1).is_multiple_of(STEPS_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            let target = match import.specifier.len() > MAX_PATH_BYTES {
                true => Target::unresolved("too_long: the path is longer than any file's"),
                false => resolver.resolve(index(at), number, import),
            };
            answers.add(index(at), file.path, import, target);
        }
    }
    Ok(narrow::without_strays(answers.into_graph(nodes)))
}

/// One per ecosystem that has a file here.
struct Resolvers<'a> {
    c: Option<c::C<'a>>,
    go: Option<go::Go<'a>>,
    java: Option<java::Java<'a>>,
    javascript: Option<javascript::JavaScript<'a>>,
    python: Option<python::Python<'a>>,
    rust: Option<rust::Rust<'a>>,
}

impl<'a> Resolvers<'a> {
    fn new(files: &'a Files<'a>, cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let has = |wanted: &[Language]| {
            let is_wanted = |file: &SourceFile<'_>| wanted.contains(&file.analysis.language);
            match cancelled() {
                true => Err(Cancelled),
                false => Ok(files.all.iter().any(is_wanted)),
            }
        };
        let scripts = [Language::JavaScript, Language::TypeScript, Language::Tsx];
        let javascript = || javascript::JavaScript::new(files, cancelled);
        Ok(Self {
            c: (has(&[Language::C])?.then(|| c::C::new(files, cancelled))).transpose()?,
            go: has(&[Language::Go])?.then(|| go::Go::new(files)),
            java: has(&[Language::Java])?.then(|| java::Java::new(files)),
            javascript: has(&scripts)?.then(javascript).transpose()?,
            python: (has(&[Language::Python])?.then(|| python::Python::new(files, cancelled)))
                .transpose()?,
            rust: (has(&[Language::Rust])?.then(|| rust::Rust::new(files, cancelled)))
                .transpose()?,
        })
    }

    fn of(&self, language: Language) -> Option<&dyn Resolver> {
        fn some<R: Resolver>(resolver: Option<&R>) -> Option<&dyn Resolver> {
            resolver.map(|resolver| resolver as &dyn Resolver)
        }
        match language {
            Language::C => some(self.c.as_ref()),
            Language::Go => some(self.go.as_ref()),
            Language::Java => some(self.java.as_ref()),
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                some(self.javascript.as_ref())
            }
            Language::Python => some(self.python.as_ref()),
            Language::Rust => some(self.rust.as_ref()),
        }
    }
}

#[derive(Default)]
struct Answers {
    edges: HashMap<(u32, u32, ImportKind), Edge>,
    externals: BTreeMap<String, External>,
    unresolved: Vec<Unresolved>,
    within_file: u32,
}

impl Answers {
    fn add(&mut self, from: u32, path: &str, import: &Import, target: Target) {
        match target {
            // A file that imports its own declarations is not a dependency, and not a cycle.
            Target::Files(files) if files.iter().all(|to| *to == from) => {
                self.within_file = self.within_file.saturating_add(1);
            }
            Target::Files(files) => {
                for to in files.into_iter().filter(|to| *to != from) {
                    self.edge(from, to, import);
                }
            }
            Target::Within => self.within_file = self.within_file.saturating_add(1),
            Target::External {
                name,
                standard_library,
            } => {
                let external = self
                    .externals
                    .entry(name.clone())
                    .or_insert_with(|| External {
                        name,
                        standard_library,
                        importers: vec![],
                    });
                if external.importers.last() != Some(&from) {
                    external.importers.push(from);
                }
            }
            Target::Unresolved(reason) => self.unresolved.push(Unresolved {
                from,
                path: path.to_owned(),
                line: import.line,
                specifier: import.specifier.clone(),
                reason,
            }),
        }
    }

    fn edge(&mut self, from: u32, to: u32, import: &Import) {
        let edge = self
            .edges
            .entry((from, to, import.kind))
            .or_insert_with(|| Edge {
                from,
                to,
                kind: import.kind,
                lines: vec![],
                specifiers: vec![],
                type_only: true,
            });
        edge.lines.push(import.line);
        if edge.specifiers.last() != Some(&import.specifier) {
            edge.specifiers.push(import.specifier.clone());
        }
        edge.type_only &= import.type_only;
    }

    fn into_graph(self, nodes: Vec<Node>) -> Graph {
        let mut edges: Vec<Edge> = self.edges.into_values().collect();
        for edge in &mut edges {
            edge.lines.sort_unstable();
            edge.lines.dedup();
            edge.specifiers.sort_unstable();
            edge.specifiers.dedup();
        }
        edges.sort_unstable_by_key(|edge| (edge.from, edge.to, edge.kind));
        Graph {
            nodes,
            edges,
            external: self.externals.into_values().collect(),
            unresolved: self.unresolved,
            within_file: self.within_file,
        }
    }
}

/// The folder of a file, `.` at the top: the package of a file that no manifest assigns to one.
pub(super) fn folder_name(path: &str) -> String {
    match parent(path) {
        "" => ".".to_owned(),
        folder => folder.to_owned(),
    }
}
