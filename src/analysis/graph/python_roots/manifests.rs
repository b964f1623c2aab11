//! Source folders and dependencies in pyproject.toml, setup.cfg and setup.py.

use toml::{Table, Value};

use super::name;

/// Normalises a name as an index does.
pub(super) fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// Names of all dependencies of a project: required, optional, and in groups.
pub(super) fn requirements(table: &Table) -> Vec<String> {
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

/// Folders of packages, as configured for the build back end, the test runner or a type checker.
pub(super) fn pyproject(table: &Table) -> Vec<String> {
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
                // Hatch: `{"src" = ""}` maps a folder to its new path.
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

/// The folder around a package of that dotted name in `folder`.
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
pub(super) fn setup_cfg(text: &str) -> Vec<String> {
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
pub(super) fn setup_py(text: &str) -> Vec<String> {
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
