//! Import resolution and the dependency graph, pure over analyses and manifests.
//!
//! Each language has a resolver below this module. [`build()`] asks it for every import and folds the answers into
//! nodes and edges. An edge is never invented: if the rules of a language leave a choice, the import is unresolved,
//! with the reason.
//!
//! A whole [`Project`] is always resolved. [`Graph::measure`] computes its figures, and only then [`Measured::narrow`]
//! selects the requested part. So an answer about a folder agrees with one about the whole project.
//!
//! Some imports name no file. A Go import leads to the files that declare the names used from the package. It leads to
//! every non-test file of the package if it is imported for its effects (`_`), into the file's own names (`.`), or
//! under a name that does not follow from its path. A Java `import p.*` leads to the files of `p` whose classes the
//! file names.

use super::{Cancelled, FileAnalysis, ImportKind, Language};

mod build;
mod c;
mod cargo;
mod compile_commands;
mod deno;
mod files;
mod go;
mod java;
mod javascript;
mod jsonc;
mod narrow;
mod npm;
mod patterns;
mod python;
mod python_roots;
mod rust;
mod rust_tree;
mod shape;
mod shortest;
mod stdlib;
mod tsconfig;

/// A file of the graph. `path` is relative to its root, with `/` (prefixed with the root's name where there are
/// several): the same string everywhere.
#[derive(Clone, Copy)]
pub struct SourceFile<'a> {
    pub path: &'a str,
    pub analysis: &'a FileAnalysis,
    /// See [`Node::left_out`].
    pub left_out: Option<&'static str>,
}

impl<'a> SourceFile<'a> {
    pub fn new(path: &'a str, analysis: &'a FileAnalysis) -> Self {
        Self {
            path,
            analysis,
            left_out: None,
        }
    }
}

/// The whole project in which imports are resolved. It does not depend on the caller's selection.
#[derive(Clone, Copy, Default)]
pub struct Project<'a> {
    pub files: &'a [SourceFile<'a>],
    pub manifests: &'a [Manifest],
    /// Symbolic links and their targets.
    pub links: &'a [(String, String)],
}

/// A file that configures imports: see [`is_manifest`].
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub path: String,
    pub text: String,
}

/// True for the names of files that [`build`] wants as manifests: go.mod, package.json, tsconfig*.json, Cargo.toml,
/// pyproject.toml, compile_commands.json …
pub fn is_manifest(file_name: &str) -> bool {
    const NAMES: &[&str] = &[
        "Cargo.toml",
        "compile_commands.json",
        "deno.json",
        "deno.jsonc",
        "go.mod",
        "go.work",
        "import_map.json",
        "jsconfig.json",
        "lerna.json",
        "package.json",
        "pnpm-workspace.yaml",
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
    ];
    NAMES.contains(&file_name)
        || (file_name.starts_with("tsconfig") && file_name.ends_with(".json"))
}

/// Finds the files that manifests refer to and that [`is_manifest`] does not know by name: the files that a
/// tsconfig.json extends, in the tree or in `node_modules`. The caller reads those that exist, adds them, and asks
/// again.
#[derive(Default)]
pub struct Leaning {
    extended: tsconfig::Extended,
    /// Number of manifests read so far.
    seen: usize,
}

impl Leaning {
    /// The paths named by the manifests that were added since the last call. Incomplete if `cancelled` returns true.
    pub fn named_by(
        &mut self,
        manifests: &[&Manifest],
        cancelled: &dyn Fn() -> bool,
    ) -> Vec<String> {
        let new = &manifests[self.seen.min(manifests.len())..];
        let mut found = self.extended.named_by(manifests, self.seen, cancelled);
        found.extend(deno::named_by(new));
        found.extend(compile_commands::usual_places(new));
        self.seen = manifests.len();
        found
    }
}

/// Every import of every file ends in exactly one of `edges`, `external`, `unresolved`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// In the order of the given files, then the nodes that folding made.
    pub nodes: Vec<Node>,
    /// Sorted by (from, to, kind), one per pair and kind. The ends are indexes into `nodes`.
    pub edges: Vec<Edge>,
    /// Sorted by name.
    pub external: Vec<External>,
    /// In the order of the files, then by line.
    pub unresolved: Vec<Unresolved>,
    /// Imports that lead to the importing file, which is no dependency (Rust `use super::*` in an inline module, a Java
    /// class that imports its own nested ones), or to no file (a Python namespace package, a Java `p.*` of which
    /// nothing is used).
    pub within_file: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The path of a file or directory, or the name of a package; unique.
    pub id: String,
    pub path: String,
    /// `None` for a directory or package with several languages.
    pub language: Option<Language>,
    /// Number of its files.
    pub files: u32,
    /// What [`Granularity::Package`] folds it into: the Rust package, the dotted Python package, the npm package, the
    /// import path of the Go package (`….test` for its test files, which others never see), the Java package, the C
    /// directory.
    pub package: String,
    /// Not in the selection; set by [`Measured::narrow`]. For a folder or package: none of its files is.
    pub outside: bool,
    /// Why its files are not measured (`generated`, `minified`, …): they are nodes because something imports them.
    pub left_out: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    pub from: u32,
    pub to: u32,
    pub kind: ImportKind,
    /// Lines in `from` (in its first file, when folded).
    pub lines: Vec<u32>,
    pub specifiers: Vec<String>,
    /// All its imports are erased when compiled.
    pub type_only: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct External {
    /// Package or standard-library module, as its ecosystem names it.
    pub name: String,
    pub standard_library: bool,
    /// Indexes of the nodes that import it.
    pub importers: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Unresolved {
    /// Index of the importing node.
    pub from: u32,
    /// Path of the importing file, also if the node has several files.
    pub path: String,
    pub line: u32,
    pub specifier: String,
    /// A message for people that starts with a stable snake_case word: `no_such_file: …`.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    File,
    Directory,
    Package,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The nodes that `focus` depends on.
    Out,
    /// The nodes that depend on `focus`.
    In,
    Both,
}

/// Coupling of one node (Martin 1994): distinct neighbours, without self-loops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coupling {
    pub fan_in: u32,
    pub fan_out: u32,
    /// fan_out / (fan_in + fan_out); `None` if both are 0.
    pub instability: Option<f64>,
}

/// Strongly connected nodes, and a cycle through some of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// Indexes of nodes, sorted.
    pub members: Vec<u32>,
    /// A cycle among the members: each imports the next, and the last imports the first, which is not repeated. It is a
    /// shortest one, unless the component has too many edges to try every member as a start (see the module
    /// `shortest`).
    pub path: Vec<u32>,
}

/// Which edges make a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleEdges {
    /// Edges that exist at run time: neither `type_only` nor a Rust `mod` declaration. A parent that declares its child
    /// and a child that uses its parent are one module tree, not a design problem.
    Runtime,
    /// Also edges that are erased when compiled.
    All,
}

/// A whole graph with its figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub graph: Graph,
    /// In the order of `graph.nodes`.
    pub coupling: Vec<Coupling>,
    pub cycles: Vec<Cycle>,
}

/// A part of a graph, with the figures of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub graph: Graph,
    /// In the order of `graph.nodes`.
    pub coupling: Vec<Coupling>,
    /// The cycles with a shown node of the selection.
    pub cycles: Vec<ShownCycle>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ShownCycle {
    /// Number of its nodes, shown or not.
    pub size: usize,
    /// Indexes of the shown nodes, sorted.
    pub nodes: Vec<u32>,
    /// Ids of all its nodes, in the order of the whole graph.
    pub members: Vec<String>,
    /// See [`Cycle::path`]; closed: the last step leads to the first id again.
    pub path: Vec<Step>,
}

/// One edge of a cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub id: String,
    /// Lines of the imports of the next node, in this node's first file.
    pub lines: Vec<u32>,
}

/// Resolves every import. A file that is left out becomes a node only if other files import it.
pub fn build(project: Project<'_>, cancelled: &dyn Fn() -> bool) -> Result<Graph, Cancelled> {
    build::build(project, cancelled)
}

impl Graph {
    /// Merges nodes into directories or packages; edges inside one of them are dropped. If another ecosystem has a
    /// directory or package of the same name, the id includes the language: `core (python)`.
    pub fn fold(&self, granularity: Granularity) -> Graph {
        shape::fold(self, granularity)
    }

    /// For each node, its node in the folded graph.
    pub fn folded_into(&self, granularity: Granularity) -> Vec<u32> {
        shape::folded_into(self, granularity)
    }

    /// For each node, whether it is reached from those that `is_focus` names, within `depth` steps.
    pub fn reached(
        &self,
        is_focus: &dyn Fn(&Node) -> bool,
        direction: Direction,
        depth: u32,
    ) -> Vec<bool> {
        shape::reached(self, is_focus, direction, depth)
    }

    /// Strongly connected components of two or more nodes, and self-loops; largest first. Iterative.
    pub fn cycles(&self, edges: CycleEdges) -> Vec<Cycle> {
        shape::cycles(self, edges)
    }

    /// Computes the figures of the whole graph.
    pub fn measure(self, edges: CycleEdges) -> Measured {
        narrow::measure(self, edges)
    }

    /// In the order of `nodes`.
    pub fn coupling(&self) -> Vec<Coupling> {
        shape::coupling(self)
    }
}

impl Measured {
    /// Keeps the nodes of the selection (of these only the reached ones, if `reached` is given), every edge that leaves
    /// one of them, and the ends of these edges. The figures stay those of the whole graph; indexes are renumbered.
    /// External packages and unresolved imports are kept if an importer is.
    ///
    /// `outside` says for each node whether it is outside the selection.
    pub fn narrow(&self, outside: &[bool], reached: Option<&[bool]>) -> Shown {
        narrow::narrow(self, outside, reached)
    }
}

/// The target of one import.
#[derive(Debug, Clone, PartialEq)]
enum Target {
    /// Indexes of files; at least one.
    Files(Vec<u32>),
    /// The importing file itself, or nothing that is in a file.
    Within,
    External {
        name: String,
        standard_library: bool,
    },
    /// The reason.
    Unresolved(String),
}

impl Target {
    fn external(name: impl Into<String>) -> Self {
        Self::External {
            name: name.into(),
            standard_library: false,
        }
    }

    fn standard(name: impl Into<String>) -> Self {
        Self::External {
            name: name.into(),
            standard_library: true,
        }
    }

    fn unresolved(reason: impl Into<String>) -> Self {
        Self::Unresolved(reason.into())
    }
}

/// The knowledge of a language about all its files. Built once per graph.
trait Resolver {
    /// `import` is the file's import number `at`.
    fn resolve(&self, file: u32, at: usize, import: &super::Import) -> Target;
    /// See [`Node::package`].
    fn package(&self, file: u32) -> String;
}

#[cfg(test)]
mod tests;
