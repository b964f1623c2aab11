//! The module trees of Rust crates: the file of each module, followed from the crate roots through `mod`.

use std::collections::{HashMap, HashSet};

use super::cargo::{self, Package};
use super::files::{self, Files, index, parent, stem};
use crate::analysis::{Cancelled, Import, ImportKind, Language, SymbolKind};

/// Modules of all crates together; a file that two crates include counts twice. Far more than real trees have.
const MODULES_LIMIT: usize = 4_000_000;

pub(super) struct Tree {
    pub(super) packages: Vec<Package>,
    pub(super) crates: Vec<Crate>,
    pub(super) modules: Vec<Module>,
    /// The modules of a part of a file, by file and inline path.
    pub(super) places: HashMap<(u32, String), Vec<u32>>,
    /// The target of each `mod x;`, by file and number of the import.
    pub(super) declared: HashMap<(u32, u32), Vec<u32>>,
    pub(super) crate_of: HashMap<u32, u32>,
}

pub(super) struct Crate {
    pub(super) root: u32,
    pub(super) package: Option<usize>,
    /// `extern crate a as b;` in any of its modules.
    pub(super) aliases: HashMap<String, String>,
    /// A file that no manifest names and no module declares.
    pub(super) is_orphan: bool,
}

pub(super) struct Module {
    pub(super) file: u32,
    pub(super) crate_: u32,
    pub(super) parent: Option<u32>,
    /// Several per name if the configuration chooses.
    pub(super) children: HashMap<String, Vec<u32>>,
    /// Items by name.
    pub(super) items: HashSet<String>,
    /// Numbers of the file's imports that bind a name here, by name.
    pub(super) bound: HashMap<String, Vec<u32>>,
    pub(super) globs: Vec<u32>,
}

/// A file to read into a crate.
struct Reading {
    file: u32,
    module: u32,
    /// Folders in which its `mod x;` are searched; the first match wins.
    bases: Vec<String>,
}

impl Tree {
    /// The package of the crate that a module belongs to.
    pub(super) fn package_of(&self, module: u32) -> Option<usize> {
        let module = &self.modules[module as usize];
        self.crates[module.crate_ as usize].package
    }

    pub(super) fn new(files: &Files<'_>, cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let packages = cargo::packages(files, cancelled)?;
        let mut tree = Self {
            packages,
            crates: vec![],
            modules: vec![],
            places: HashMap::new(),
            declared: HashMap::new(),
            crate_of: HashMap::new(),
        };
        let roots: Vec<(u32, usize)> = tree
            .packages
            .iter()
            .enumerate()
            .flat_map(|(at, package)| {
                let library = package.library.as_ref().map(|(root, _)| *root);
                let all = library.into_iter().chain(package.others.iter().copied());
                all.map(move |root| (root, at))
            })
            .collect();
        for (root, package) in roots {
            if cancelled() {
                return Err(Cancelled);
            }
            tree.read_crate(files, root, Some(package));
        }
        for root in tree.orphans(files) {
            if cancelled() {
                return Err(Cancelled);
            }
            if !tree.crate_of.contains_key(&root) {
                let package = tree.nearest_package(files.path(root));
                tree.read_crate(files, root, package);
            }
        }
        Ok(tree)
    }

    /// The package whose folder is the nearest above.
    pub(super) fn nearest_package(&self, path: &str) -> Option<usize> {
        self.packages
            .iter()
            .enumerate()
            .filter(|(_, package)| files::is_below(path, &package.folder))
            .max_by_key(|(_, package)| package.folder.len())
            .map(|(at, _)| at)
    }

    /// Files that no manifest's crate reached; first those that no other of them declares.
    fn orphans(&self, files: &Files<'_>) -> Vec<u32> {
        let left: Vec<u32> = files
            .of(Language::Rust)
            .filter(|file| !self.crate_of.contains_key(file))
            .collect();
        let mut declared = HashSet::new();
        for file in &left {
            let bases = orphan_bases(files.path(*file));
            for import in module_imports(files, *file).map(|(_, import)| import) {
                let found = module_files(files, *file, import, &bases);
                declared.extend(found.into_iter().filter(|found| found != file));
            }
        }
        let is_root = |file: &u32| matches!(stem(files.path(*file)), "lib" | "main");
        let mut roots: Vec<u32> = left.iter().copied().filter(is_root).collect();
        roots.extend(left.iter().filter(|file| !declared.contains(*file)));
        roots.extend(left);
        roots
    }

    fn read_crate(&mut self, files: &Files<'_>, root: u32, package: Option<usize>) {
        let crate_ = index(self.crates.len());
        let path = files.path(root);
        let is_listed = package.is_some_and(|at| {
            let package = &self.packages[at];
            package.others.contains(&root)
                || package
                    .library
                    .as_ref()
                    .is_some_and(|(library, _)| *library == root)
        });
        self.crates.push(Crate {
            root,
            package,
            aliases: HashMap::new(),
            is_orphan: !is_listed,
        });
        let bases = if is_listed {
            vec![parent(path).to_owned()]
        } else {
            orphan_bases(path)
        };
        let module = self.add(root, crate_, None);
        let mut queue = vec![Reading {
            file: root,
            module,
            bases,
        }];
        let mut seen = HashSet::from([root]);
        while let Some(reading) = queue.pop() {
            if self.modules.len() > MODULES_LIMIT {
                return;
            }
            self.read_file(files, &reading, &mut seen, &mut queue);
        }
    }

    fn add(&mut self, file: u32, crate_: u32, parent: Option<u32>) -> u32 {
        self.modules.push(Module {
            file,
            crate_,
            parent,
            children: HashMap::new(),
            items: HashSet::new(),
            bound: HashMap::new(),
            globs: vec![],
        });
        index(self.modules.len() - 1)
    }

    fn read_file(
        &mut self,
        files: &Files<'_>,
        reading: &Reading,
        seen: &mut HashSet<u32>,
        queue: &mut Vec<Reading>,
    ) {
        let Reading { file, module, .. } = *reading;
        let crate_ = self.modules[module as usize].crate_;
        self.crate_of.entry(file).or_insert(crate_);
        let mut scopes = HashMap::from([(String::new(), module)]);
        self.read_items(files, file, &mut scopes);
        for (at, import) in files.analysis(file).imports.iter().enumerate() {
            let at = index(at);
            let scope = self.scope(&mut scopes, file, &import.scope);
            match import.kind {
                ImportKind::Module => {
                    for target in module_files(files, file, import, &reading.bases) {
                        let known = self.declared.entry((file, at)).or_default();
                        if !known.contains(&target) {
                            known.push(target);
                        }
                        if !seen.insert(target) {
                            continue;
                        }
                        let child = self.add(target, crate_, Some(scope));
                        let name = import.names.first().cloned().unwrap_or_default();
                        let children = &mut self.modules[scope as usize].children;
                        children.entry(name).or_default().push(child);
                        queue.push(Reading {
                            file: target,
                            module: child,
                            bases: vec![child_base(files.path(target), import)],
                        });
                    }
                }
                ImportKind::ExternCrate => {
                    let alias = import.names.first().cloned().unwrap_or_default();
                    let aliases = &mut self.crates[crate_ as usize].aliases;
                    aliases.insert(alias.clone(), import.specifier.clone());
                    let module = &mut self.modules[scope as usize];
                    module.bound.entry(alias).or_default().push(at);
                }
                ImportKind::Import | ImportKind::Reexport => {
                    let module = &mut self.modules[scope as usize];
                    match import.names.first().map(String::as_str) {
                        Some("*") => module.globs.push(at),
                        Some(name) => module.bound.entry(name.to_owned()).or_default().push(at),
                        None => {}
                    }
                }
                ImportKind::From
                | ImportKind::Dynamic
                | ImportKind::Require
                | ImportKind::IncludeLocal
                | ImportKind::IncludeSystem
                | ImportKind::Static => {}
            }
        }
        for (scope, module) in scopes {
            self.places.entry((file, scope)).or_default().push(module);
        }
    }

    /// Inline modules and the names of items, from the outline.
    fn read_items(&mut self, files: &Files<'_>, file: u32, scopes: &mut HashMap<String, u32>) {
        let analysis = files.analysis(file);
        let declared: HashSet<(&str, u32)> = module_imports(files, file)
            .map(|(_, import)| (import.names.first().map_or("", String::as_str), import.line))
            .collect();
        for symbol in &analysis.symbols {
            let around = match symbol.parent {
                None => "",
                Some(at) => match analysis.symbols.get(at as usize) {
                    Some(outer) if outer.kind == SymbolKind::Module => &outer.qualified_name,
                    _ => continue,
                },
            };
            let is_inline = symbol.kind == SymbolKind::Module
                && !(symbol.start_line..=symbol.end_line)
                    .take(2)
                    .any(|line| declared.contains(&(symbol.name.as_str(), line)));
            if is_inline {
                self.scope(scopes, file, &symbol.qualified_name);
            } else if symbol.kind != SymbolKind::Module && symbol.kind != SymbolKind::Impl {
                let scope = self.scope(scopes, file, around);
                self.modules[scope as usize]
                    .items
                    .insert(symbol.name.clone());
            }
        }
    }

    /// The module of an inline path; creates it and its parents if needed.
    fn scope(&mut self, scopes: &mut HashMap<String, u32>, file: u32, path: &str) -> u32 {
        if let Some(module) = scopes.get(path) {
            return *module;
        }
        let mut at = scopes.get("").copied().unwrap_or_default();
        let mut reached = String::new();
        for name in path.split("::") {
            if !reached.is_empty() {
                reached.push_str("::");
            }
            reached.push_str(name);
            at = match scopes.get(&reached) {
                Some(module) => *module,
                None => {
                    let crate_ = self.modules[at as usize].crate_;
                    let module = self.add(file, crate_, Some(at));
                    self.modules[at as usize]
                        .children
                        .entry(name.to_owned())
                        .or_default()
                        .push(module);
                    scopes.insert(reached.clone(), module);
                    module
                }
            };
        }
        at
    }
}

fn module_imports<'a>(
    files: &Files<'a>,
    file: u32,
) -> impl Iterator<Item = (u32, &'a Import)> + use<'a> {
    let imports = files.analysis(file).imports.iter().enumerate();
    imports
        .filter(|(_, import)| import.kind == ImportKind::Module)
        .map(|(at, import)| (index(at), import))
}

/// The files of a `mod x;`, one per configuration. `bases` are the module folders of the surrounding file.
fn module_files(files: &Files<'_>, file: u32, import: &Import, bases: &[String]) -> Vec<u32> {
    let mut found: Vec<u32> = candidates(files.path(file), import, bases)
        .iter()
        .filter_map(|paths| paths.iter().find_map(|path| files.at(path)))
        .collect();
    found.dedup();
    found
}

/// Where the compiler would search, one list per configuration.
pub(super) fn candidates(path: &str, import: &Import, bases: &[String]) -> Vec<Vec<String>> {
    let name = import.names.first().map_or("", String::as_str);
    let scope = import.scope.replace("::", "/");
    // In the file's folder; inside an inline module, in that module's folder.
    let folders: Vec<&str> = if scope.is_empty() {
        vec![parent(path)]
    } else {
        bases.iter().map(String::as_str).collect()
    };
    let named = import.names.iter().skip(1).map(|path| {
        let join = |folder: &&str| files::join(&files::join(folder, &scope)?, path);
        folders.iter().filter_map(join).collect()
    });
    let mut found: Vec<Vec<String>> = named.collect();
    if !has_path(import) {
        let plain = bases.iter().filter_map(|base| files::join(base, &scope));
        let plain = plain.flat_map(|folder| {
            let slash = if folder.is_empty() { "" } else { "/" };
            [
                format!("{folder}{slash}{name}.rs"),
                format!("{folder}{slash}{name}/mod.rs"),
            ]
        });
        found.push(plain.collect());
    }
    found
}

/// Whether it has a `#[path]` in every configuration.
fn has_path(import: &Import) -> bool {
    import
        .names
        .iter()
        .skip(1)
        .any(|path| *path == import.specifier)
}

/// The folder for the modules of a file that `import` declared: its own if the file is `mod.rs` or was named by
/// `#[path]`, else the folder with its name.
fn child_base(path: &str, import: &Import) -> String {
    let by_path = import
        .names
        .iter()
        .skip(1)
        .any(|given| path.ends_with(given.trim_start_matches("./")));
    if stem(path) == "mod" || has_path(import) || by_path {
        return parent(path).to_owned();
    }
    named_base(path)
}

fn named_base(path: &str) -> String {
    path.strip_suffix(".rs").unwrap_or(path).to_owned()
}

/// A file that no module declares may be a root or in the middle of a tree.
pub(super) fn orphan_bases(path: &str) -> Vec<String> {
    match stem(path) {
        "lib" | "main" | "mod" => vec![parent(path).to_owned()],
        _ => vec![named_base(path), parent(path).to_owned()],
    }
}
