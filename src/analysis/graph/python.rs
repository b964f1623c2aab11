//! Python: modules and packages (namespace packages too) against the folders that would be on its path.
//!
//! `from p import m` leads to the module `p.m` where there is one, else to `p`.

use std::collections::BTreeMap;

use super::files::{Files, join, name, parent, stem};
use super::python_roots::{Roots, is_package};
use super::{Resolver, Target, stdlib};
use crate::analysis::{Import, ImportKind, Language};

pub(super) struct Python<'a> {
    files: &'a Files<'a>,
    roots: Roots,
    /// What the top folder is called where it is a package itself, as its own imports tell.
    top: Option<&'a str>,
}

/// Of the imports that start with a name, those that must lead to modules below the top for it to be the top's name.
const TOP_SHARE: f64 = 0.95;
/// Fewer could be chance.
const TOP_IMPORTS: usize = 3;

/// What a dotted name is.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    /// A module, or a package by its `__init__`; and its folder where it is a package.
    Module(u32, Option<String>),
    /// A folder without `__init__`.
    Namespace(String),
}

impl<'a> Python<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        let mut python = Self {
            files,
            roots: Roots::new(files),
            top: None,
        };
        python.top = python.name_of_top();
        python
    }

    /// The analysed folder may be a package whose name lies outside of what was read: `django.utils` inside of
    /// `django/`. It is the one name whose modules are all there.
    fn name_of_top(&self) -> Option<&'a str> {
        self.init("", false)?;
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for file in self.files.of(Language::Python) {
            for import in &self.files.analysis(file).imports {
                let Some((first, rest)) = import.specifier.split_once('.') else {
                    continue;
                };
                if first.is_empty() || stdlib::is_python(first) {
                    continue;
                }
                let parts: Vec<&str> = rest.split('.').collect();
                let (found, all) = counts.entry(first).or_default();
                *all += 1;
                *found += usize::from(matches!(
                    self.walk("", &parts, false),
                    Ok(Found::Module(..))
                ));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of imports")]
        let is_top = |(_, (found, all)): &(&&str, &(usize, usize))| {
            *found >= TOP_IMPORTS && *found as f64 >= *all as f64 * TOP_SHARE
        };
        let best = counts
            .iter()
            .filter(is_top)
            .max_by_key(|(_, (found, _))| *found)?;
        Some(*best.0)
    }

    fn below_top(&self, parts: &[&str], import: &Import, stub: bool) -> Target {
        if parts.is_empty() {
            let init = self.init("", stub);
            let found = init.map(|init| Found::Module(init, Some(String::new())));
            return found.map_or_else(
                || Target::unresolved("no_such_module: the top folder is no package"),
                |found| self.target(found, import, stub),
            );
        }
        match self.walk("", parts, stub) {
            Ok(found) => self.target(found, import, stub),
            Err(at) => Target::unresolved(format!(
                "no_such_module: no `{}` here (compiled, generated or excluded?)",
                parts[..=at.min(parts.len() - 1)].join("."),
            )),
        }
    }

    fn module(&self, folder: &str, name: &str, prefers_stub: bool) -> Option<Found> {
        let slash = if folder.is_empty() { "" } else { "/" };
        let base = format!("{folder}{slash}{name}");
        let endings = if prefers_stub {
            [".pyi", ".py"]
        } else {
            [".py", ".pyi"]
        };
        for ending in endings {
            if let Some(file) = self.files.at(&format!("{base}/__init__{ending}")) {
                return Some(Found::Module(file, Some(base)));
            }
        }
        for ending in endings {
            if let Some(file) = self.files.at(&format!("{base}{ending}")) {
                return Some(Found::Module(file, None));
            }
        }
        self.files
            .holds_python(&base)
            .then_some(Found::Namespace(base))
    }

    /// `Err` says how many of the parts were found.
    fn walk(&self, folder: &str, parts: &[&str], stub: bool) -> Result<Found, usize> {
        let mut folder = folder.to_owned();
        let mut found = None;
        for (at, part) in parts.iter().enumerate() {
            let next = self.module(&folder, part, stub).ok_or(at)?;
            folder = match &next {
                Found::Module(_, Some(folder)) | Found::Namespace(folder) => folder.clone(),
                Found::Module(_, None) if at + 1 < parts.len() => return Err(at + 1),
                Found::Module(_, None) => String::new(),
            };
            found = Some(next);
        }
        found.ok_or(0)
    }

    fn absolute(&self, file: u32, import: &Import) -> Target {
        let path = self.files.path(file);
        let folder = parent(path);
        let stub = path.ends_with(".pyi");
        let parts: Vec<&str> = import.specifier.split('.').collect();
        let first = parts.first().copied().unwrap_or_default();
        let own = self.roots.own(folder);
        let is_standard = stdlib::is_python(first);
        if self.top == Some(first) {
            return self.below_top(&parts[1..], import, stub);
        }
        let mut namespace = None;
        let mut broken = None;
        for root in self.roots.certain(folder) {
            // Nothing but the file's own folder comes before the standard library.
            if is_standard && root != own {
                break;
            }
            match self.module(root, first, stub) {
                Some(Found::Module(..)) => {}
                Some(Found::Namespace(_)) => {
                    let walked = self.walk(root, &parts, stub);
                    if let Ok(found) = walked
                        && namespace.is_none()
                        && self.is_used(&found, import)
                    {
                        namespace = Some(found);
                    }
                    continue;
                }
                None => continue,
            }
            match self.walk(root, &parts, stub) {
                Ok(found) => return self.target(found, import, stub),
                Err(at) => {
                    broken.get_or_insert((root, at));
                }
            }
        }
        if is_standard {
            return Target::standard(first);
        }
        if let Some(found) = namespace {
            return self.target(found, import, stub);
        }
        if broken.is_none()
            && let Some(root) = self.roots.only_holder(first)
        {
            match self.walk(root, &parts, stub) {
                Ok(found) => return self.target(found, import, stub),
                Err(at) => broken = Some((root, at)),
            }
        }
        match broken {
            Some((_, at)) => Target::unresolved(format!(
                "no_such_module: `{}` has no module `{}` here (compiled, generated or excluded?)",
                parts[..at].join("."),
                parts.get(at).copied().unwrap_or_default(),
            )),
            None => Target::external(first),
        }
    }

    /// A namespace counts only where the import ends in a module of it.
    fn is_used(&self, found: &Found, import: &Import) -> bool {
        match found {
            Found::Module(..) => true,
            Found::Namespace(folder) => import
                .names
                .iter()
                .any(|name| self.module(folder, name, false).is_some()),
        }
    }

    fn relative(&self, file: u32, import: &Import) -> Target {
        let path = self.files.path(file);
        let stub = path.ends_with(".pyi");
        let level = import
            .specifier
            .bytes()
            .take_while(|byte| *byte == b'.')
            .count();
        let mut folder = parent(path);
        for _ in 1..level {
            if folder.is_empty() {
                return Target::unresolved(
                    "beyond_top_level: the import climbs above the analysed folder",
                );
            }
            folder = parent(folder);
        }
        let rest = import.specifier.get(level..).unwrap_or_default();
        if rest.is_empty() {
            let found = match self.init(folder, stub) {
                Some(init) => Found::Module(init, Some(folder.to_owned())),
                None => Found::Namespace(folder.to_owned()),
            };
            return self.target(found, import, stub);
        }
        let parts: Vec<&str> = rest.split('.').collect();
        match self.walk(folder, &parts, stub) {
            Ok(found) => self.target(found, import, stub),
            Err(at) => Target::unresolved(format!(
                "no_such_module: no `{}` in {}",
                parts.get(at).copied().unwrap_or_default(),
                join(folder, &parts[..at].join("/")).unwrap_or_default(),
            )),
        }
    }

    fn init(&self, folder: &str, stub: bool) -> Option<u32> {
        let slash = if folder.is_empty() { "" } else { "/" };
        let endings = if stub {
            [".pyi", ".py"]
        } else {
            [".py", ".pyi"]
        };
        endings
            .iter()
            .find_map(|ending| self.files.at(&format!("{folder}{slash}__init__{ending}")))
    }

    /// Which of the names are modules decides which files are meant.
    fn target(&self, found: Found, import: &Import, stub: bool) -> Target {
        let (module, folder) = match &found {
            Found::Module(module, folder) => (Some(*module), folder.as_deref()),
            Found::Namespace(folder) => (None, Some(folder.as_str())),
        };
        if import.kind != ImportKind::From {
            return match module {
                Some(module) => Target::Files(vec![module]),
                None => Target::unresolved(
                    "namespace_package: the folder has no `__init__.py`, so the import names no file",
                ),
            };
        }
        let mut files = vec![];
        let mut missing = None;
        for name in &import.names {
            let inner = folder.and_then(|folder| self.module(folder, name, stub));
            match (inner, module) {
                (Some(Found::Module(file, _)), _) => files.push(file),
                (_, Some(module)) => files.push(module),
                (_, None) => missing = Some(name.as_str()),
            }
        }
        files.sort_unstable();
        files.dedup();
        match (files.is_empty(), missing, module) {
            (false, _, _) => Target::Files(files),
            (true, None, Some(module)) => Target::Files(vec![module]),
            (true, missing, _) => Target::unresolved(format!(
                "no_such_module: no module `{}` in the namespace package",
                missing.unwrap_or_default()
            )),
        }
    }
}

impl Resolver for Python<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
        if import.specifier == "__future__" {
            return Target::standard("__future__");
        }
        if import.specifier.starts_with('.') {
            return self.relative(file, import);
        }
        self.absolute(file, import)
    }

    /// The package that holds it; a module outside any is its own.
    fn package(&self, file: u32) -> String {
        let path = self.files.path(file);
        let dotted = self.roots.dotted(parent(path));
        if let Some(top) = self.top.filter(|_| self.roots.own(parent(path)).is_empty()) {
            let dot = if dotted.is_empty() { "" } else { "." };
            return format!("{top}{dot}{dotted}");
        }
        if !dotted.is_empty() || is_package(self.files, parent(path)) {
            return dotted;
        }
        match stem(path) {
            "" => name(path).to_owned(),
            stem => stem.to_owned(),
        }
    }
}
