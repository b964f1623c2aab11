//! Import resolution and the dependency graph, pure over analyses and manifests.
//!
//! Each language has a resolver below this module; [`build()`] asks it for every import and folds the answers into nodes
//! and edges. An edge is never invented: where the rules of a language leave a choice, the import is unresolved and says
//! why.
//!
//! What an edge means where an import names no file: a Go import leads to the files that declare the names taken from
//! the package, and to every non-test file of it where it is imported for its effects (`_`), into the file's own names
//! (`.`), or under a name that cannot be told from its path. A Java `import p.*` leads to the files of `p` whose classes
//! the file names.

use super::{Cancelled, FileAnalysis, ImportKind, Language};

mod build;
mod c;
mod cargo;
mod files;
mod go;
mod java;
mod javascript;
mod jsonc;
mod npm;
mod python;
mod python_roots;
mod rust;
mod rust_tree;
mod shape;
mod stdlib;
mod tsconfig;

/// A file of the graph. `path` is relative to its root, with `/` (prefixed with the root's name where there are
/// several): the same string everywhere.
#[derive(Clone, Copy)]
pub struct SourceFile<'a> {
    pub path: &'a str,
    pub analysis: &'a FileAnalysis,
}

/// A file that says how imports are to be read: see [`is_manifest`].
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub path: String,
    pub text: String,
}

/// True for the names of files that [`build`] wants as manifests: go.mod, go.work, package.json, tsconfig*.json,
/// jsconfig.json, Cargo.toml, pyproject.toml, setup.cfg, setup.py.
pub fn is_manifest(file_name: &str) -> bool {
    const NAMES: &[&str] = &[
        "Cargo.toml",
        "go.mod",
        "go.work",
        "jsconfig.json",
        "package.json",
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
    ];
    NAMES.contains(&file_name)
        || (file_name.starts_with("tsconfig") && file_name.ends_with(".json"))
}

/// Every import of every file ends in exactly one of `edges`, `external`, `unresolved`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// In the order of the files given, then what folding made.
    pub nodes: Vec<Node>,
    /// Sorted by (from, to, kind); one for each pair and kind. Indexes into `nodes`.
    pub edges: Vec<Edge>,
    /// Sorted by name.
    pub external: Vec<External>,
    /// In the order of the files, then by line.
    pub unresolved: Vec<Unresolved>,
    /// Imports that lead to the file they stand in, which is no dependency: Rust `use super::*` in an inline module.
    pub within_file: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The path of a file or directory, or the name of a package; unique.
    pub id: String,
    pub path: String,
    /// `None` for a directory or package of several.
    pub language: Option<Language>,
    /// How many files it stands for.
    pub files: u32,
    /// What [`Granularity::Package`] folds it into: the Rust package, the dotted Python package, the npm package, the
    /// import path of the Go package (`….test` for its test files, which others never see), the Java package, the C
    /// directory.
    pub package: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    pub from: u32,
    pub to: u32,
    pub kind: ImportKind,
    /// Lines in `from` (in its first file, when folded).
    pub lines: Vec<u32>,
    pub specifiers: Vec<String>,
    /// Every import behind it is erased when compiled.
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
    /// Index of the node that asks.
    pub from: u32,
    /// Of the file that asks, also where the node stands for several.
    pub path: String,
    pub line: u32,
    pub specifier: String,
    /// Words for a person; starts with a stable snake_case word: `no_such_file: …`.
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
    /// What `focus` depends on.
    Out,
    /// What depends on `focus`.
    In,
    Both,
}

/// Coupling of one node (Martin 1994): distinct neighbours, self-loops left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coupling {
    pub fan_in: u32,
    pub fan_out: u32,
    /// fan_out / (fan_in + fan_out); `None` where both are 0.
    pub instability: Option<f64>,
}

/// Resolves every import.
pub fn build(
    files: &[SourceFile<'_>],
    manifests: &[Manifest],
    cancelled: &dyn Fn() -> bool,
) -> Result<Graph, Cancelled> {
    build::build(files, manifests, cancelled)
}

impl Graph {
    /// Nodes become directories or packages; edges inside one of them vanish. A directory or package that another
    /// ecosystem calls by the same name has the language behind its id: `core (python)`.
    pub fn fold(&self, granularity: Granularity) -> Graph {
        shape::fold(self, granularity)
    }

    /// Only what is reached from the nodes that `is_focus` names, within `depth` steps. Indexes are renumbered.
    /// External packages and unresolved imports stay where an importer stays.
    pub fn focus(
        &self,
        is_focus: &dyn Fn(&Node) -> bool,
        direction: Direction,
        depth: u32,
    ) -> Graph {
        shape::focus(self, is_focus, direction, depth)
    }

    /// Strongly connected components of two or more nodes, and self-loops; largest first. Iterative. Edges that are
    /// `type_only` or a Rust `mod` declaration do not count where `runtime_only`: a parent that declares its child and
    /// a child that uses its parent are one module tree, not a design to untangle.
    pub fn cycles(&self, runtime_only: bool) -> Vec<Vec<u32>> {
        shape::cycles(self, runtime_only)
    }

    /// In the order of `nodes`.
    pub fn coupling(&self) -> Vec<Coupling> {
        shape::coupling(self)
    }
}

/// Where one import ends.
#[derive(Debug, Clone, PartialEq)]
enum Target {
    /// Indexes of files; at least one.
    Files(Vec<u32>),
    /// The file itself.
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

/// What a language knows of all its files. Made once for a graph.
trait Resolver {
    /// `import` is the `at`-th of the file.
    fn resolve(&self, file: u32, at: usize, import: &super::Import) -> Target;
    /// See [`Node::package`].
    fn package(&self, file: u32) -> String;
}

#[cfg(test)]
mod tests;
