//! Python: modules and packages (also namespace packages) in the folders that would be on its path.
//!
//! `from p import m` leads to the module `p.m` if there is one, else to `p`.

use std::collections::BTreeMap;

use super::files::{Files, join, name, parent, shared_depth, stem};
use super::python_roots::{Roots, is_package};
use super::{Resolver, Target, stdlib};
use crate::analysis::{Cancelled, Import, ImportKind, Language};

pub(super) struct Python<'a> {
    files: &'a Files<'a>,
    roots: Roots,
    /// The name of the top folder if it is a package itself, inferred from its own imports.
    top: Option<&'a str>,
}

/// Share of the imports with a first name that must lead to modules below the top, for it to be the top's name.
const TOP_SHARE: f64 = 0.95;
/// Fewer imports could match by chance.
const TOP_IMPORTS: usize = 3;

/// Modules that are in one folder only in the standard library.
const LIBRARY_MARKS: [&str; 3] = ["os.py", "abc.py", "io.py"];
/// Files named in the message if several match.
const CANDIDATES: usize = 4;

/// The result of a dotted name.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    /// A module, or the `__init__` of a package, with its folder.
    Module(u32, Option<String>),
    /// A folder without `__init__`.
    Namespace(String),
}

impl<'a> Python<'a> {
    pub(super) fn new(
        files: &'a Files<'a>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let mut python = Self {
            files,
            roots: Roots::new(files, cancelled)?,
            top: None,
        };
        python.top = python.name_of_top();
        Ok(python)
    }

    /// The analysed folder may itself be a package whose name is not visible: `django.utils` inside of `django/`. It is
    /// the one name whose modules are all there.
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
                || Target::unresolved("no_such_module: the top folder is not a package"),
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

    /// `Err`: how many parts were found.
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
        let parts: Vec<&str> = import.specifier.split('.').collect();
        let first = parts.first().copied().unwrap_or_default();
        let mut search = Search {
            python: self,
            import,
            stub: path.ends_with(".pyi"),
            parts: &parts,
            portions: vec![],
            broken: None,
        };
        if self.top == Some(first) {
            return self.below_top(&parts[1..], import, search.stub);
        }
        let own = self.roots.own(folder);
        let is_standard = stdlib::is_python(first);
        // Only the script's own folder comes before the standard library, and the sources of the library itself.
        if is_standard && own != folder && !self.is_library(own) {
            return Target::standard(first);
        }
        if let Some(found) = search.look(own) {
            return found;
        }
        if is_standard {
            return Target::standard(first);
        }
        for root in self.roots.around(folder) {
            if let Some(found) = search.look(root) {
                return found;
            }
        }
        if let Some(found) = search.elsewhere(&self.roots.elsewhere(folder, first), path) {
            return found;
        }
        if let Some(found) = search.in_portions() {
            return found;
        }
        if let Some(at) = search.broken {
            return Target::unresolved(format!(
                "no_such_module: `{}` has no module `{}` here (compiled, generated or excluded?)",
                parts[..at].join("."),
                parts.get(at).copied().unwrap_or_default(),
            ));
        }
        let holders: Vec<&str> = self.roots.holders(first).collect();
        if let Some(found) = search.elsewhere(&holders, path) {
            return found;
        }
        if let Some(found) = self.beside(file, folder, &search) {
            return found;
        }
        Target::external(first)
    }

    /// The sources of the standard library.
    fn is_library(&self, root: &str) -> bool {
        let has = |name: &str| join(root, name).is_some_and(|path| self.files.at(&path).is_some());
        LIBRARY_MARKS.iter().all(|name| has(name))
    }

    /// A module in the folder of a script, even if that folder is a package. Not if the module itself imports the name
    /// from elsewhere (`celery.py` that imports celery), or the project depends on a distribution of that name.
    fn beside(&self, file: u32, folder: &str, search: &Search<'_, 'a>) -> Option<Target> {
        let first = search.parts.first()?;
        let module = match self.module(folder, first, search.stub)? {
            Found::Module(module, _) => module,
            Found::Namespace(_) => return None,
        };
        let takes_it = |import: &Import| import.specifier.split('.').next() == Some(first);
        let imports = &self.files.analysis(module).imports;
        if module == file || imports.iter().any(takes_it) || self.roots.depends_on(folder, first) {
            return None;
        }
        let found = self.walk(folder, search.parts, search.stub).ok()?;
        Some(self.target(found, search.import, search.stub))
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

    /// The names that are modules decide which files are imported.
    fn target(&self, found: Found, import: &Import, stub: bool) -> Target {
        let (module, folder) = match &found {
            Found::Module(module, folder) => (Some(*module), folder.as_deref()),
            Found::Namespace(folder) => (None, Some(folder.as_str())),
        };
        if import.kind != ImportKind::From {
            return match module {
                Some(module) => Target::Files(vec![module]),
                // A folder without `__init__` has no code, and nothing is missing.
                None => Target::Within,
            };
        }
        let mut files = vec![];
        let mut missing = None;
        for name in &import.names {
            let inner = folder.and_then(|folder| self.module(folder, name, stub));
            match (inner, module) {
                (Some(Found::Module(file, _)), _) => files.push(file),
                (_, Some(module)) => files.push(module),
                (Some(Found::Namespace(_)), None) => {}
                (None, None) => missing = Some(name.as_str()),
            }
        }
        files.sort_unstable();
        files.dedup();
        match (files.is_empty(), missing, module) {
            (false, _, _) => Target::Files(files),
            (true, None, Some(module)) => Target::Files(vec![module]),
            (true, None, None) => Target::Within,
            (true, missing, _) => Target::unresolved(format!(
                "no_such_module: no module `{}` in the namespace package",
                missing.unwrap_or_default()
            )),
        }
    }
}

/// The search for one import, folder by folder.
struct Search<'s, 'a> {
    python: &'s Python<'a>,
    import: &'s Import,
    stub: bool,
    parts: &'s [&'s str],
    /// Folders without `__init__` that the whole name leads to: parts of one namespace package.
    portions: Vec<String>,
    /// How many parts were found in the first folder that has a package of the name.
    broken: Option<usize>,
}

impl Search<'_, '_> {
    fn look(&mut self, root: &str) -> Option<Target> {
        let first = self.parts.first()?;
        let is_package = match self.python.module(root, first, self.stub)? {
            Found::Module(..) => true,
            Found::Namespace(_) => false,
        };
        match self.python.walk(root, self.parts, self.stub) {
            Ok(Found::Namespace(folder)) => {
                if !self.portions.contains(&folder) {
                    self.portions.push(folder);
                }
                None
            }
            Ok(found) => Some(self.python.target(found, self.import, self.stub)),
            Err(at) => {
                if is_package && self.broken.is_none() {
                    self.broken = Some(at);
                }
                None
            }
        }
    }

    /// Searches folders of other projects: the nearest that has it, or none if several are equally near.
    fn elsewhere(&mut self, roots: &[&str], path: &str) -> Option<Target> {
        // If a package is here without the module, no other package of that name is searched.
        if self.broken.is_some() {
            return None;
        }
        let mut found: Vec<(usize, Vec<u32>)> = vec![];
        for root in roots {
            if let Some(Target::Files(files)) = self.look(root)
                && found.iter().all(|(_, known)| *known != files)
            {
                found.push((shared_depth(path, &format!("{root}/x")), files));
            }
        }
        let best = found.iter().map(|(shared, _)| *shared).max()?;
        self.broken = None;
        let mut nearest = found.iter().filter(|(shared, _)| *shared == best);
        let (_, first) = nearest.next()?;
        if nearest.next().is_none() {
            return Some(Target::Files(first.clone()));
        }
        let first_of =
            |(_, files): &(usize, Vec<u32>)| Some(self.python.files.path(*files.first()?));
        let candidates: Vec<&str> = found.iter().filter_map(first_of).take(CANDIDATES).collect();
        Some(Target::unresolved(format!(
            "ambiguous: several projects of the tree have it, {}",
            candidates.join(", ")
        )))
    }

    /// All parts of a namespace package: each name may be in another part.
    fn in_portions(&self) -> Option<Target> {
        if self.portions.is_empty() {
            return None;
        }
        if self.import.kind != ImportKind::From {
            return Some(Target::Within);
        }
        let mut files = vec![];
        let mut is_here = false;
        for name in &self.import.names {
            let mut found = self.portions.iter();
            let found = found.find_map(|folder| self.python.module(folder, name, self.stub));
            is_here |= found.is_some() || name == "*";
            if let Some(Found::Module(file, _)) = found {
                files.push(file);
            }
        }
        files.sort_unstable();
        files.dedup();
        match (files.is_empty(), is_here) {
            (false, _) => Some(Target::Files(files)),
            (true, true) => Some(Target::Within),
            // Another distribution has a part of the namespace.
            (true, false) => None,
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

    /// The package of a module; a module outside of packages is its own.
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
