//! The folders that Python would have on its path: where absolute imports are looked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use toml::{Table, Value};

use super::files::{Files, ancestors, join, name, parent};
use crate::analysis::Language;

pub(super) struct Roots {
    /// Folders that a manifest names or that hold one, with their `src`.
    declared: BTreeSet<String>,
    /// For each folder with Python files, the first one above that is no package.
    climbed: HashMap<String, String>,
    /// Packages (folders with `__init__`) by name, with the folders that hold one of that name.
    packages: BTreeMap<String, BTreeSet<String>>,
}

impl Roots {
    pub(super) fn new(files: &Files<'_>) -> Self {
        let mut roots = Self {
            declared: declared(files),
            climbed: HashMap::new(),
            packages: BTreeMap::new(),
        };
        for file in files.of(Language::Python) {
            let folder = parent(files.path(file));
            if roots.climbed.contains_key(folder) {
                continue;
            }
            let root = climb(files, folder);
            if root != folder {
                let inner =
                    ancestors(folder).find(|above| parent(above) == root && !above.is_empty());
                if let Some(package) = inner {
                    let holders = roots.packages.entry(name(package).to_owned()).or_default();
                    holders.insert(root.to_owned());
                }
            }
            roots.climbed.insert(folder.to_owned(), root.to_owned());
        }
        roots
    }

    /// The root of the package that the folder belongs to; the folder itself where it is none.
    pub(super) fn own<'r>(&'r self, folder: &'r str) -> &'r str {
        self.climbed.get(folder).map_or(folder, String::as_str)
    }

    /// Where modules of a file in `folder` are looked for, most certain first: its own root, the declared and plain
    /// folders above, every declared root.
    pub(super) fn certain<'r>(&'r self, folder: &'r str) -> impl Iterator<Item = &'r str> {
        let own = self.own(folder);
        let above = ancestors(own).skip(1);
        std::iter::once(own)
            .chain(above)
            .chain(self.declared.iter().map(String::as_str))
    }

    /// The folder that holds the one package of this name in the whole tree.
    pub(super) fn only_holder(&self, package: &str) -> Option<&str> {
        let holders = self.packages.get(package)?;
        let mut all = holders.iter();
        match (all.next(), all.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// The name of a folder as a package: from the declared root around its own, so that namespace packages keep theirs.
    pub(super) fn dotted(&self, folder: &str) -> String {
        let own = self.own(folder);
        let declared = ancestors(own)
            .find(|above| !above.is_empty() && self.declared.contains(*above))
            .unwrap_or(own);
        let rest = folder.strip_prefix(declared).unwrap_or(folder);
        rest.trim_matches('/').replace('/', ".")
    }
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

fn declared(files: &Files<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::from([String::new()]);
    let is_manifest = |name: &str| matches!(name, "pyproject.toml" | "setup.cfg" | "setup.py");
    for (folder, path, text) in files.manifests_named(is_manifest) {
        let mut folders = vec![".".to_owned(), "src".to_owned()];
        match name(path) {
            "pyproject.toml" => folders.extend(text.parse::<Table>().iter().flat_map(pyproject)),
            "setup.cfg" => folders.extend(setup_cfg(text)),
            _ => folders.extend(setup_py(text)),
        }
        let folders = folders.iter().filter_map(|relative| join(folder, relative));
        found.extend(folders.filter(|folder| files.holds_python(folder)));
    }
    for file in files.of(Language::Python) {
        let folder = parent(files.path(file));
        if name(files.path(file)) == "setup.py" {
            found.insert(folder.to_owned());
            found.extend(join(folder, "src").filter(|src| files.holds_python(src)));
        }
    }
    if files.holds_python("src") {
        found.insert("src".to_owned());
    }
    found.retain(|folder| folder.is_empty() || !is_package(files, folder));
    found
}

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
    found.extend(tool(&["pytest", "ini_options", "pythonpath"]));
    found.extend(tool(&["maturin", "python-source"]));
    found.extend(tool(&["pdm", "build", "package-dir"]));
    let mut folders: Vec<String> = found.into_iter().flat_map(strings).collect();
    let package_dir = tool(&["setuptools", "package-dir"]).and_then(|dirs| dirs.get(""));
    folders.extend(package_dir.into_iter().flat_map(strings));
    let poetry = tool(&["poetry", "packages"]).and_then(Value::as_array);
    for package in poetry.into_iter().flatten() {
        folders.extend(package.get("from").into_iter().flat_map(strings));
    }
    folders
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

/// `package_dir={"": "lib"}`: the one form that a text search reads without running the script.
fn setup_py(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("package_dir") else {
        return vec![];
    };
    let inner = rest.split('}').next().unwrap_or_default();
    let mut words = inner.split(['"', '\'']).skip(1).step_by(2);
    while let Some(key) = words.next() {
        match words.next() {
            Some(folder) if key.is_empty() => return vec![folder.to_owned()],
            Some(_) => {}
            None => break,
        }
    }
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_name_source_folders() {
        let table = "[tool.setuptools]\npackage-dir = {\"\" = \"lib\"}\n[tool.setuptools.packages.find]\nwhere = [\"a\"]\n[tool.poetry]\npackages = [{include = \"x\", from = \"py\"}]\n";
        let table = table.parse::<Table>().expect("it is TOML");
        assert_eq!(pyproject(&table), ["a", "lib", "py"]);
        assert_eq!(
            setup_cfg(
                "[options]\npackage_dir =\n    = src\n[options.packages.find]\nwhere = lib\n"
            ),
            ["src", "lib"]
        );
        assert_eq!(setup_py("setup(package_dir={'': 'lib'})"), ["lib"]);
        assert!(setup_py("setup(package_dir={'x'").is_empty());
    }
}
