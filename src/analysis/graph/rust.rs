//! Rust: the targets of `use` paths. An edge goes to the file with the longest module prefix of the path. Re-exported
//! modules are followed to their file, but never out of the package that Cargo.toml names: a facade owns its
//! re-exports.

use std::cell::Cell;

use super::build::folder_name;
use super::cargo::Dependency;
use super::files::{Files, is_below, join, parent};
use super::rust_tree::{Tree, candidates, orphan_bases};
use super::{Resolver, Target};
use crate::analysis::{Cancelled, Import, ImportKind};

mod step;

/// Crates that come with the compiler.
const STANDARD: &[&str] = &["std", "core", "alloc", "proc_macro", "test"];
/// Look-ups for one import, in chains of re-exports and globs. Real chains need a handful.
const STEPS: u32 = 400;
/// Longest chain of re-exports.
const DEPTH: u32 = 12;
/// Crates that include the same file, each of which is searched.
const INSTANCES: usize = 8;

pub(super) struct Rust<'a> {
    files: &'a Files<'a>,
    tree: Tree,
}

/// The target of a path so far.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Module(u32),
    /// Something in the file of this module.
    Item(u32),
    External(String, bool),
    Unknown(String),
}

impl<'a> Rust<'a> {
    pub(super) fn new(
        files: &'a Files<'a>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        Ok(Self {
            files,
            tree: Tree::new(files, cancelled)?,
        })
    }

    fn module(&self, file: u32, at: usize, import: &Import) -> Target {
        let at = super::files::index(at);
        if let Some(found) = self.tree.declared.get(&(file, at)) {
            return Target::Files(found.clone());
        }
        let path = self.files.path(file);
        let looked = candidates(path, import, &orphan_bases(path));
        let looked = looked.concat().join(", ");
        Target::unresolved(format!("no_such_file: no module file at {looked}"))
    }

    fn include(&self, file: u32, import: &Import) -> Target {
        let path = join(parent(self.files.path(file)), &import.specifier);
        match path.as_deref().and_then(|path| self.files.at(path)) {
            Some(found) => Target::Files(vec![found]),
            None => {
                Target::unresolved("no_such_file: the included file is not among the analysed ones")
            }
        }
    }

    fn path(&self, file: u32, import: &Import) -> Target {
        let key = (file, import.scope.clone());
        let modules = self.tree.places.get(&key).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<u32> = vec![];
        let mut other = None;
        for module in modules.iter().take(INSTANCES) {
            let walk = Walk {
                rust: self,
                home: self.tree.package_of(*module),
                steps: Cell::new(STEPS),
            };
            match walk.import(*module, import, 0) {
                Place::Module(at) | Place::Item(at) => {
                    found.push(self.tree.modules[at as usize].file);
                }
                Place::External(name, standard_library) => {
                    other = Some(Target::External {
                        name,
                        standard_library,
                    });
                }
                Place::Unknown(reason) => {
                    other.get_or_insert(Target::Unresolved(reason));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.len() > 1 {
            found.retain(|target| *target != file);
        }
        match found.as_slice() {
            [] => other.unwrap_or_else(|| {
                Target::unresolved("module_not_found: its inline module was not read")
            }),
            [only] if *only == file => Target::Within,
            _ => Target::Files(found),
        }
    }
}

impl Resolver for Rust<'_> {
    fn resolve(&self, file: u32, at: usize, import: &Import) -> Target {
        match import.kind {
            ImportKind::Module => self.module(file, at, import),
            ImportKind::IncludeLocal => self.include(file, import),
            ImportKind::Import
            | ImportKind::ExternCrate
            | ImportKind::Reexport
            | ImportKind::From
            | ImportKind::Dynamic
            | ImportKind::Require
            | ImportKind::IncludeSystem
            | ImportKind::Static => self.path(file, import),
        }
    }

    fn package(&self, file: u32) -> String {
        let path = self.files.path(file);
        let of_crate = self
            .tree
            .crate_of
            .get(&file)
            .and_then(|crate_| self.tree.crates[*crate_ as usize].package);
        match of_crate.or_else(|| self.tree.nearest_package(path)) {
            Some(at) => self.tree.packages[at].name.clone(),
            None => match self.tree.crate_of.get(&file) {
                Some(crate_) => {
                    folder_name(self.files.path(self.tree.crates[*crate_ as usize].root))
                }
                None => folder_name(path),
            },
        }
    }
}

/// The resolution of one path.
struct Walk<'r> {
    rust: &'r Rust<'r>,
    /// The package of the importing file.
    home: Option<usize>,
    steps: Cell<u32>,
}

impl Walk<'_> {
    fn import(&self, module: u32, import: &Import, depth: u32) -> Place {
        let tree = &self.rust.tree;
        if import.kind == ImportKind::ExternCrate {
            if import.specifier == "self" {
                return Place::Module(self.root(module));
            }
            return self
                .external(module, &import.specifier)
                .unwrap_or_else(|| unknown_crate(&import.specifier));
        }
        let (path, is_absolute) = match import.specifier.strip_prefix("::") {
            Some(path) => (path, true),
            None => (import.specifier.as_str(), false),
        };
        if path.is_empty() {
            return Place::Module(self.root(module));
        }
        let mut segments = path.split("::");
        let first = segments.next().unwrap_or_default();
        let rest: Vec<&str> = segments.collect();
        let start = match first {
            "crate" => Place::Module(self.root(module)),
            "self" => Place::Module(module),
            "super" => match tree.modules[module as usize].parent {
                Some(parent) => Place::Module(parent),
                None => {
                    return Place::Unknown(
                        "no_parent_module: `super` at the crate root".to_owned(),
                    );
                }
            },
            first => self.first(module, first, is_absolute, rest.is_empty(), import, depth),
        };
        match start {
            Place::Module(at) => self.rest(at, &rest, depth),
            other @ (Place::Item(_) | Place::External(..) | Place::Unknown(_)) => other,
        }
    }

    /// `crate`. An undeclared file in the folder of the library is taken for a part of it: a macro may declare it.
    fn root(&self, module: u32) -> u32 {
        let tree = &self.rust.tree;
        let crate_ = self.crate_of(module);
        let library = crate_
            .package
            .and_then(|at| tree.packages[at].library.as_ref());
        if let Some((library, _)) = library.filter(|_| crate_.is_orphan) {
            let files = self.rust.files;
            let is_among = is_below(files.path(crate_.root), parent(files.path(*library)));
            if is_among && let Some(Place::Module(root)) = self.library(*library) {
                return root;
            }
        }
        let mut at = module;
        while let Some(parent) = self.rust.tree.modules[at as usize].parent {
            at = parent;
        }
        at
    }

    /// The first segment of a path without a prefix: names in scope, then crates (2018); in 2015 the crate root comes
    /// first.
    fn first(
        &self,
        module: u32,
        name: &str,
        is_absolute: bool,
        is_last: bool,
        import: &Import,
        depth: u32,
    ) -> Place {
        let is_2015 = self.is_2015(module);
        if is_2015 {
            let root = self.root(module);
            if let Some(place) = self.named(root, name, is_last, Some(import), depth) {
                return place;
            }
        } else if !is_absolute
            && let Some(place) = self.named(module, name, is_last, Some(import), depth)
        {
            return place;
        }
        if let Some(place) = self.external(module, name) {
            return place;
        }
        if let Some(place) = self.through_globs(module, name, Some(import), depth) {
            return place;
        }
        if let Some(place) = self.foreign_glob(module, Some(import), depth) {
            return place;
        }
        // A type that a macro made in this module.
        if name.starts_with(char::is_uppercase) {
            return Place::Item(module);
        }
        let package = self.crate_of(module).package;
        if package.is_some() {
            return unknown_crate(name);
        }
        Place::External(name.to_owned(), false)
    }

    fn crate_of(&self, module: u32) -> &super::rust_tree::Crate {
        let tree = &self.rust.tree;
        &tree.crates[tree.modules[module as usize].crate_ as usize]
    }

    fn is_2015(&self, module: u32) -> bool {
        let package = self.crate_of(module).package;
        package.is_some_and(|at| self.rust.tree.packages[at].is_2015)
    }

    /// A crate by its name in code.
    fn external(&self, module: u32, name: &str) -> Option<Place> {
        let tree = &self.rust.tree;
        let crate_ = self.crate_of(module);
        let name = match crate_.aliases.get(name).map(String::as_str) {
            Some("self") => return Some(Place::Module(self.root(module))),
            Some(name) => name,
            None => name,
        };
        if let Some(package) = crate_.package.map(|at| &tree.packages[at]) {
            if let Some((root, library)) = &package.library
                && library == name
                && crate_.root != *root
            {
                return self.library(*root);
            }
            match package.dependencies.get(name) {
                Some(Dependency::External(package)) => {
                    return Some(Place::External(package.clone(), false));
                }
                Some(Dependency::Internal(at)) => {
                    let dependency = &tree.packages[*at];
                    let root = dependency.library.as_ref().map(|(root, _)| *root);
                    let place = root.and_then(|root| self.library(root));
                    return place.or_else(|| Some(Place::External(dependency.name.clone(), false)));
                }
                None => {}
            }
        }
        if STANDARD.contains(&name) {
            return Some(Place::External(name.to_owned(), true));
        }
        if crate_.aliases.values().any(|known| known == name) {
            return Some(Place::External(name.to_owned(), false));
        }
        None
    }

    /// The root module of the library whose root file this is.
    fn library(&self, root: u32) -> Option<Place> {
        let places = self.rust.tree.places.get(&(root, String::new()))?;
        let is_root = |module: &&u32| self.rust.tree.modules[**module as usize].parent.is_none();
        places
            .iter()
            .find(is_root)
            .map(|module| Place::Module(*module))
    }

    fn rest(&self, start: u32, rest: &[&str], depth: u32) -> Place {
        let tree = &self.rust.tree;
        // Several modules of one name, by configuration: the path may lead through any of them.
        let mut frontier = self.alternatives(start);
        for (number, name) in rest.iter().enumerate() {
            let Some(at) = frontier.first().copied() else {
                break;
            };
            match *name {
                "self" => continue,
                "super" => match tree.modules[at as usize].parent {
                    Some(parent) => frontier = vec![parent],
                    None => return no_parent(),
                },
                name => {
                    let children = frontier
                        .iter()
                        .filter_map(|at| tree.modules[*at as usize].children.get(name));
                    let next: Vec<u32> = children.flatten().copied().collect();
                    if !next.is_empty() {
                        frontier = next;
                        continue;
                    }
                    match self.step(&frontier, name, number + 1 == rest.len(), depth) {
                        Place::Module(next) => frontier = self.alternatives(next),
                        other @ (Place::Item(_) | Place::External(..) | Place::Unknown(_)) => {
                            return other;
                        }
                    }
                }
            }
        }
        Place::Module(frontier.first().copied().unwrap_or(start))
    }
}

fn no_parent() -> Place {
    Place::Unknown("no_parent_module: `super` at the crate root".to_owned())
}

fn unknown_crate(name: &str) -> Place {
    Place::Unknown(format!(
        "unknown_crate: `{name}` is neither a module in scope nor a dependency in Cargo.toml"
    ))
}
