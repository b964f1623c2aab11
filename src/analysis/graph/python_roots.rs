//! The folders that Python would have on its path, for absolute imports.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use toml::Table;

use super::files::{Files, ancestors, is_below, join, name, parent, stem};
use crate::analysis::{Cancelled, Language};

mod manifests;
use manifests::{normal, pyproject, requirements, setup_cfg, setup_py};

pub(super) struct Roots {
    /// Source folders by project folder: those that it names or that are called `src`, then its own.
    projects: BTreeMap<String, Vec<String>>,
    /// Source folders below their project: each folder in one of them is a package, with or without `__init__`.
    sources: BTreeSet<String>,
    /// For each folder with Python files, the folder above it that would be on the path.
    own: HashMap<String, String>,
    /// Packages (folders with `__init__`) by name, with the folders that have one of that name.
    packages: BTreeMap<String, BTreeSet<String>>,
    /// By name of a module or folder: the projects, with their source folders, that have it at the top.
    held: HashMap<String, Vec<(String, String)>>,
    /// The distributions that the project of a folder depends on.
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

/// Dotted names between two checks of `cancelled`: each is searched in every project that has its first part.
const NAMES_PER_CHECK: usize = 16;

impl Roots {
    pub(super) fn new(files: &Files<'_>, cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let mut roots = Self {
            projects: BTreeMap::new(),
            sources: BTreeSet::new(),
            own: HashMap::new(),
            packages: BTreeMap::new(),
            held: HashMap::new(),
            dependencies: BTreeMap::new(),
        };
        roots.declare(files, cancelled)?;
        roots.hold(files);
        let namespaces = roots.namespaces(files, cancelled)?;
        for file in files.of(Language::Python) {
            let folder = parent(files.path(file));
            if roots.own.contains_key(folder) {
                continue;
            }
            let climbed = climb(files, folder);
            let own = roots.root_of(files, climbed, &namespaces).to_owned();
            // The parts of a namespace package do not own its top folder.
            if climbed != folder && climbed == own {
                let inner =
                    ancestors(folder).find(|above| parent(above) == climbed && !above.is_empty());
                if let Some(package) = inner {
                    let holders = roots.packages.entry(name(package).to_owned()).or_default();
                    holders.insert(climbed.to_owned());
                }
            }
            roots.own.insert(folder.to_owned(), own);
        }
        Ok(roots)
    }

    fn declare(
        &mut self,
        files: &Files<'_>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Cancelled> {
        let is_manifest = |name: &str| matches!(name, "pyproject.toml" | "setup.cfg" | "setup.py");
        for (folder, path, text) in files.manifests_named(is_manifest) {
            if cancelled() {
                return Err(Cancelled);
            }
            let named = match name(path) {
                "pyproject.toml" => match text.parse::<Table>() {
                    Ok(table) => {
                        let known = self.dependencies.entry(folder.to_owned()).or_default();
                        known.extend(requirements(&table));
                        pyproject(&table)
                    }
                    Err(_) => vec![],
                },
                "setup.cfg" => setup_cfg(text),
                _ => setup_py(text),
            };
            self.project(files, folder, named);
        }
        for file in files.of(Language::Python) {
            if name(files.path(file)) == "setup.py" {
                self.project(files, parent(files.path(file)), vec![]);
            }
        }
        self.project(files, "", vec![]);
        Ok(())
    }

    fn project(&mut self, files: &Files<'_>, folder: &str, named: Vec<String>) {
        let usual = ["src", "."].map(str::to_owned);
        let known = self.projects.entry(folder.to_owned()).or_default();
        for relative in named.into_iter().chain(usual) {
            let Some(source) = join(folder, &relative) else {
                continue;
            };
            let is_package = !source.is_empty() && is_package(files, &source);
            if known.contains(&source) || is_package || !files.holds_python(&source) {
                continue;
            }
            if source != folder {
                self.sources.insert(source.clone());
            }
            known.push(source);
        }
        // The project's own folder comes last, even if a manifest names it first.
        known.sort_by_key(|source| source == folder);
    }

    fn hold(&mut self, files: &Files<'_>) {
        let mut children: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for file in files.of(Language::Python) {
            let path = files.path(file);
            children.entry(parent(path)).or_default().insert(stem(path));
            for folder in ancestors(parent(path)).filter(|folder| !folder.is_empty()) {
                let above = children.entry(parent(folder)).or_default();
                if !above.insert(name(folder)) {
                    break;
                }
            }
        }
        for (project, sources) in &self.projects {
            for source in sources {
                for child in children.get(source.as_str()).into_iter().flatten() {
                    let held = self.held.entry((*child).to_owned()).or_default();
                    held.push((project.clone(), source.clone()));
                }
            }
        }
    }

    /// Folders without `__init__` that are imported as packages: `acme/web` in `import acme.web`.
    fn namespaces(
        &self,
        files: &Files<'_>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<HashSet<String>, Cancelled> {
        let mut found = HashSet::new();
        let mut asked = HashSet::new();
        for file in files.of(Language::Python) {
            for import in &files.analysis(file).imports {
                let dotted = import.specifier.as_str();
                if dotted.starts_with('.') || !dotted.contains('.') || !asked.insert(dotted) {
                    continue;
                }
                if asked.len().is_multiple_of(NAMES_PER_CHECK) && cancelled() {
                    return Err(Cancelled);
                }
                let first = dotted.split('.').next().unwrap_or_default();
                for (_, root) in self.held.get(first).into_iter().flatten() {
                    let mut folder = root.clone();
                    for part in dotted.split('.') {
                        let Some(next) = join(&folder, part) else {
                            break;
                        };
                        if is_package(files, &next) {
                            break;
                        }
                        let is_module = files.at(&format!("{next}.py")).is_some();
                        if is_module || !files.holds_python(&next) {
                            break;
                        }
                        found.insert(next.clone());
                        folder = next;
                    }
                }
            }
        }
        Ok(found)
    }

    /// Starts at the first folder above that is not a package, and goes up to the source folder around it, or through
    /// folders that are used as namespace packages.
    fn root_of<'p>(
        &self,
        files: &Files<'_>,
        climbed: &'p str,
        namespaces: &HashSet<String>,
    ) -> &'p str {
        let source = ancestors(climbed).find(|above| self.sources.contains(*above));
        if let Some(source) = source {
            return source;
        }
        let mut root = climbed;
        while namespaces.contains(root) && !root.is_empty() {
            root = climb(files, parent(root));
        }
        root
    }

    /// The folder on the path from which a file in `folder` is imported.
    pub(super) fn own<'r>(&'r self, folder: &'r str) -> &'r str {
        self.own.get(folder).map_or(folder, String::as_str)
    }

    /// The projects around a file in `folder`, nearest first, and the plain folders above it, without its own.
    pub(super) fn around<'r>(&'r self, folder: &'r str) -> impl Iterator<Item = &'r str> {
        let own = self.own(folder);
        let mut seen = HashSet::from([own]);
        let found = ancestors(folder).flat_map(move |above| {
            let of_project = self.projects.get(above).into_iter().flatten();
            // The program may be started in a plain folder above.
            let plain = is_below(own, above).then_some(above);
            of_project.map(String::as_str).chain(plain)
        });
        found.filter(move |root| seen.insert(root))
    }

    /// Other projects of the tree that have `first` at their top, nearest first.
    pub(super) fn elsewhere<'r>(&'r self, folder: &str, first: &str) -> Vec<&'r str> {
        let mut found: Vec<(Reverse<usize>, &str, &str)> = vec![];
        for (project, source) in self.held.get(first).into_iter().flatten() {
            if is_below(folder, project) {
                continue;
            }
            let shared = ancestors(folder)
                .find(|above| is_below(project, above))
                .map_or(0, str::len);
            found.push((Reverse(shared), project, source));
        }
        found.sort_unstable();
        found.into_iter().map(|(.., source)| source).collect()
    }

    /// The folders that have a package of this name.
    pub(super) fn holders(&self, package: &str) -> impl Iterator<Item = &str> {
        let holders = self.packages.get(package);
        holders.into_iter().flatten().map(String::as_str)
    }

    /// Whether a project around the folder depends on a distribution of that name.
    pub(super) fn depends_on(&self, folder: &str, module: &str) -> bool {
        let normal = normal(module);
        ancestors(folder).any(|above| {
            let known = self.dependencies.get(above);
            known.is_some_and(|known| known.contains(&normal))
        })
    }

    /// The name of a folder as a package: from the source folder around its own, so that namespace packages keep theirs.
    pub(super) fn dotted(&self, folder: &str) -> String {
        let own = self.own(folder);
        let declared = ancestors(own)
            .find(|above| !above.is_empty() && self.is_declared(above))
            .unwrap_or(own);
        let rest = folder.strip_prefix(declared).unwrap_or(folder);
        rest.trim_matches('/').replace('/', ".")
    }

    fn is_declared(&self, folder: &str) -> bool {
        self.projects.contains_key(folder) || self.sources.contains(folder)
    }
}

/// Goes up while there is an `__init__`.
fn climb<'p>(files: &Files<'_>, folder: &'p str) -> &'p str {
    ancestors(folder)
        .find(|above| above.is_empty() || !is_package(files, above))
        .unwrap_or_default()
}

pub(super) fn is_package(files: &Files<'_>, folder: &str) -> bool {
    ["__init__.py", "__init__.pyi"]
        .iter()
        .any(|init| files.at(&format!("{folder}/{init}")).is_some())
}
