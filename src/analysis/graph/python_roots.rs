//! The folders that Python would have on its path: where absolute imports are looked for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use toml::{Table, Value};

use super::files::{Files, ancestors, is_below, join, name, parent, stem};
use crate::analysis::Language;

pub(super) struct Roots {
    /// Source folders by the folder of the project that has them: those that it names or that are called `src`, then
    /// its own.
    projects: BTreeMap<String, Vec<String>>,
    /// Source folders below their project: what is in one of them is a package, with or without `__init__`.
    sources: BTreeSet<String>,
    /// For each folder with Python files, the folder above it that would be on the path.
    own: HashMap<String, String>,
    /// Packages (folders with `__init__`) by name, with the folders that hold one of that name.
    packages: BTreeMap<String, BTreeSet<String>>,
    /// By the name of a module or folder, the projects and their source folders that have it at the top.
    held: HashMap<String, Vec<(String, String)>>,
    /// What the project of a folder takes from an index, by the names of its distributions.
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

/// Folders to look in, the most certain first.
pub(super) struct Places<'r> {
    pub(super) own: &'r str,
    /// Of the projects around the file, the nearest first, and the plain folders above it.
    pub(super) around: Vec<&'r str>,
    /// Of projects elsewhere in the tree, the nearest first.
    pub(super) elsewhere: Vec<&'r str>,
}

impl Roots {
    pub(super) fn new(files: &Files<'_>) -> Self {
        let mut roots = Self {
            projects: BTreeMap::new(),
            sources: BTreeSet::new(),
            own: HashMap::new(),
            packages: BTreeMap::new(),
            held: HashMap::new(),
            dependencies: BTreeMap::new(),
        };
        roots.declare(files);
        roots.hold(files);
        let namespaces = roots.namespaces(files);
        for file in files.of(Language::Python) {
            let folder = parent(files.path(file));
            if roots.own.contains_key(folder) {
                continue;
            }
            let climbed = climb(files, folder);
            let own = roots.root_of(files, climbed, &namespaces).to_owned();
            // A part of a namespace package is nobody's at the top.
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
        roots
    }

    fn declare(&mut self, files: &Files<'_>) {
        let is_manifest = |name: &str| matches!(name, "pyproject.toml" | "setup.cfg" | "setup.py");
        for (folder, path, text) in files.manifests_named(is_manifest) {
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
        // The project's own folder comes last, whoever named it first.
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

    /// Folders without `__init__` that imports name as packages: `import acme.web` where `acme/web` is one.
    fn namespaces(&self, files: &Files<'_>) -> HashSet<String> {
        let mut found = HashSet::new();
        let mut asked = HashSet::new();
        for file in files.of(Language::Python) {
            for import in &files.analysis(file).imports {
                let dotted = import.specifier.as_str();
                if dotted.starts_with('.') || !dotted.contains('.') || !asked.insert(dotted) {
                    continue;
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
        found
    }

    /// From the first folder above that is no package: up to the source folder around it, or through what is used as a
    /// namespace package.
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

    /// The folder on the path that a file in `folder` is found from.
    pub(super) fn own<'r>(&'r self, folder: &'r str) -> &'r str {
        self.own.get(folder).map_or(folder, String::as_str)
    }

    /// For a file in `folder` that imports `first`.
    pub(super) fn places<'r>(&'r self, folder: &'r str, first: &str) -> Places<'r> {
        let own = self.own(folder);
        let mut around: Vec<&str> = vec![];
        for above in ancestors(folder) {
            let of_project = self.projects.get(above).into_iter().flatten();
            around.extend(of_project.map(String::as_str));
            // A plain folder above may be where the program is started.
            if is_below(own, above) {
                around.push(above);
            }
        }
        let mut elsewhere: Vec<(std::cmp::Reverse<usize>, &str, &str)> = vec![];
        for (project, source) in self.held.get(first).into_iter().flatten() {
            if is_below(folder, project) {
                continue;
            }
            let shared = ancestors(folder)
                .find(|above| is_below(project, above))
                .map_or(0, str::len);
            elsewhere.push((std::cmp::Reverse(shared), project, source));
        }
        elsewhere.sort();
        let mut seen = HashSet::from([own]);
        around.retain(|root| seen.insert(root));
        Places {
            own,
            around,
            elsewhere: elsewhere.into_iter().map(|(.., source)| source).collect(),
        }
    }

    /// The folders that hold a package of this name.
    pub(super) fn holders(&self, package: &str) -> impl Iterator<Item = &str> {
        let holders = self.packages.get(package);
        holders.into_iter().flatten().map(String::as_str)
    }

    /// Whether a project around the folder takes a distribution of that name.
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

/// As an index compares names.
fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// Names of what a project asks for, whatever for.
fn requirements(table: &Table) -> Vec<String> {
    let project = table.get("project");
    let list = |section: Option<&Value>| -> Vec<String> {
        let all = section.and_then(Value::as_array);
        let all = all.into_iter().flatten().filter_map(Value::as_str);
        all.map(str::to_owned).collect()
    };
    let mut found = list(project.and_then(|project| project.get("dependencies")));
    let optional = project.and_then(|project| project.get("optional-dependencies"));
    let groups = [optional, table.get("dependency-groups")];
    for group in groups.into_iter().flatten().filter_map(Value::as_table) {
        found.extend(group.values().flat_map(|group| list(Some(group))));
    }
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let sections = ["dependencies", "dev-dependencies"];
    for section in sections {
        let section = poetry.and_then(|poetry| poetry.get(section)?.as_table());
        found.extend(section.into_iter().flat_map(|it| it.keys().cloned()));
    }
    let ends = |text: &str| {
        text.find(|letter: char| !(letter.is_alphanumeric() || "-_.".contains(letter)))
    };
    found
        .iter()
        .map(|text| {
            normal(
                text.get(..ends(text).unwrap_or(text.len()))
                    .unwrap_or_default(),
            )
        })
        .collect()
}

/// Up while there is an `__init__`.
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

/// Folders that hold packages, as the build back end, the test runner or a type checker is told.
fn pyproject(table: &Table) -> Vec<String> {
    let tool = |path: &[&str]| {
        let mut at = table.get("tool")?;
        for key in path {
            at = at.get(*key)?;
        }
        Some(at)
    };
    let mut found: Vec<&Value> = vec![];
    found.extend(tool(&["setuptools", "packages", "find", "where"]));
    found.extend(tool(&["maturin", "python-source"]));
    found.extend(tool(&["pdm", "build", "package-dir"]));
    found.extend(tool(&["uv", "build-backend", "module-root"]));
    found.extend(tool(&["hatch", "build", "sources"]));
    found.extend(tool(&["hatch", "build", "targets", "wheel", "sources"]));
    found.extend(tool(&["hatch", "build", "dev-mode-dirs"]));
    found.extend(tool(&["pytest", "ini_options", "pythonpath"]));
    found.extend(tool(&["mypy", "mypy_path"]));
    found.extend(tool(&["pyright", "extraPaths"]));
    let mut folders: Vec<String> = found.into_iter().flat_map(strings).collect();
    // `{"" = "lib"}` names the folder of all packages, `{acme = "lib/acme"}` that of one.
    let tables = [
        tool(&["setuptools", "package-dir"]),
        tool(&["hatch", "build", "sources"]),
        tool(&["hatch", "build", "targets", "wheel", "sources"]),
    ];
    for table in tables.into_iter().flatten().filter_map(Value::as_table) {
        for (key, value) in table {
            let (package, folder) = match value.as_str() {
                // Of hatch: `{"src" = ""}`, the folder and what becomes of it.
                Some("") => ("", key.as_str()),
                Some(folder) => (key.as_str(), folder),
                None => continue,
            };
            folders.extend(holder(folder, package));
        }
    }
    // Packages by their paths: each lies in a folder of the path.
    for path in [
        tool(&["hatch", "build", "targets", "wheel", "packages"]),
        tool(&["hatch", "build", "packages"]),
        tool(&["scikit-build", "wheel", "packages"]),
    ] {
        let packages = path.into_iter().flat_map(strings);
        folders.extend(packages.filter_map(|package| holder(&package, name(&package))));
    }
    for package in tool(&["poetry", "packages"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        folders.extend(package.get("from").into_iter().flat_map(strings));
    }
    folders
}

/// The folder around a package of that dotted name that lies in `folder`.
fn holder(folder: &str, package: &str) -> Option<String> {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    if package.is_empty() {
        return Some(folder.to_owned());
    }
    let rest = folder.strip_suffix(&package.replace('.', "/"))?;
    let rest = rest.trim_end_matches('/');
    Some(if rest.is_empty() { "." } else { rest }.to_owned())
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all
            .iter()
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect(),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Table(_) => vec![],
    }
}

/// `package_dir = = src` and `where = src`.
fn setup_cfg(text: &str) -> Vec<String> {
    let mut found = vec![];
    let mut is_in_package_dir = false;
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some((key, value)) = line.split_once('=') {
            let key = key.trim();
            if key == "where" || (key.is_empty() && is_in_package_dir) {
                found.push(value.trim().to_owned());
            }
            if !indented {
                is_in_package_dir = key == "package_dir";
            }
            let inline = value
                .trim()
                .strip_prefix('=')
                .filter(|_| key == "package_dir");
            found.extend(inline.map(|folder| folder.trim().to_owned()));
        }
    }
    found
}

/// `package_dir={"": "lib"}` and `find_packages("lib")`: the forms that a text search reads without running the script.
fn setup_py(text: &str) -> Vec<String> {
    let mut found = vec![];
    for finder in ["find_packages(", "find_namespace_packages("] {
        let calls = text.match_indices(finder);
        for (at, _) in calls {
            let inner = &text[at + finder.len()..];
            let inner = inner.split(')').next().unwrap_or_default().trim_start();
            let first = inner.strip_prefix("where").map_or(inner, |rest| {
                rest.trim_start().trim_start_matches('=').trim_start()
            });
            let quoted = first.strip_prefix(['"', '\'']);
            let folder = quoted.and_then(|rest| rest.split(['"', '\'']).next());
            found.extend(folder.map(str::to_owned));
        }
    }
    let Some((_, rest)) = text.split_once("package_dir") else {
        return found;
    };
    let inner = rest.split('}').next().unwrap_or_default();
    let mut words = inner.split(['"', '\'']).skip(1).step_by(2);
    while let Some(key) = words.next() {
        let Some(folder) = words.next() else { break };
        found.extend(holder(folder, key));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_name_source_folders() {
        let table = "[tool.setuptools]\npackage-dir = {\"\" = \"lib\"}\n[tool.setuptools.packages.find]\nwhere = [\"a\"]\n[tool.poetry]\npackages = [{include = \"x\", from = \"py\"}]\n";
        let table = table.parse::<Table>().expect("it is TOML");
        assert_eq!(pyproject(&table), ["a", "lib", "py"]);
        for (text, expected) in [
            (
                "[tool.uv.build-backend]\nmodule-root = \"python\"",
                &["python"][..],
            ),
            (
                "[tool.hatch.build.targets.wheel]\npackages = [\"python/acme\", \"b\"]",
                &["python", "."],
            ),
            (
                "[tool.hatch.build.targets.wheel.sources]\n\"lib\" = \"\"",
                &["lib"],
            ),
            (
                "[tool.setuptools.package-dir]\n\"acme.web\" = \"py/acme/web\"",
                &["py"],
            ),
            (
                "[tool.scikit-build]\nwheel.packages = [\"python/x\"]",
                &["python"],
            ),
            ("[tool]\nuv = 3\nhatch = []", &[]),
        ] {
            let table = text.parse::<Table>().expect("it is TOML");
            assert_eq!(pyproject(&table), expected, "{text}");
        }
        let table = "[project]\ndependencies = [\"Foo_Bar[x]>=1; python_version<'4'\", \"baz\"]\n[dependency-groups]\ndev = [\"q ~=1\", {include-group = \"t\"}]\n[tool.poetry.dependencies]\npython = \"*\"";
        let table = table.parse::<Table>().expect("it is TOML");
        assert_eq!(requirements(&table), ["foo-bar", "baz", "q", "python"]);
        assert_eq!(
            setup_cfg(
                "[options]\npackage_dir =\n    = src\n[options.packages.find]\nwhere = lib\n"
            ),
            ["src", "lib"]
        );
        assert_eq!(setup_py("setup(package_dir={'': 'lib'})"), ["lib"]);
        assert_eq!(setup_py("setup(packages=find_packages(where='a'))"), ["a"]);
        assert_eq!(
            setup_py("setup(packages=find_packages('a', exclude=['b']))"),
            ["a"]
        );
        assert!(setup_py("setup(packages=find_packages(exclude=['b']))").is_empty());
        assert!(setup_py("setup(package_dir={'x'").is_empty());
    }
}
