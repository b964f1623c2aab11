//! Cargo.toml: packages, their crate roots, and the crate names that each of them can use.

use std::collections::{HashMap, HashSet};

use toml::{Table, Value};

use super::files::{self, Files};
use crate::analysis::Cancelled;

/// One `[package]`.
pub(super) struct Package {
    pub(super) folder: String,
    pub(super) name: String,
    /// 2015 resolves paths from the crate root.
    pub(super) is_2015: bool,
    /// Root file and name of the library, if it has one.
    pub(super) library: Option<(u32, String)>,
    /// Root files of everything else: binaries, tests, examples, benches, the build script.
    pub(super) others: Vec<u32>,
    /// Crate names as code spells them (with `_`), and their packages.
    pub(super) dependencies: HashMap<String, Dependency>,
}

pub(super) enum Dependency {
    /// Index of a package of this tree.
    Internal(usize),
    /// Its name in the registry.
    External(String),
}

/// Every package; manifests that do not parse are left out.
pub(super) fn packages(
    files: &Files<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Package>, Cancelled> {
    let check = || match cancelled() {
        true => Err(Cancelled),
        false => Ok(()),
    };
    let mut manifests: Vec<(&str, Table)> = vec![];
    for (folder, _, text) in files.manifests_named(|name| name == "Cargo.toml") {
        check()?;
        manifests.extend(text.parse().ok().map(|table| (folder, table)));
    }
    let mut packages: Vec<Package> = vec![];
    let mut tables = vec![];
    for (folder, table) in &manifests {
        check()?;
        if let Some(package) = package(files, folder, table, &manifests) {
            packages.push(package);
            tables.push((*folder, table));
        }
    }
    let by_folder: HashMap<String, usize> = packages
        .iter()
        .enumerate()
        .map(|(at, package)| (package.folder.clone(), at))
        .collect();
    for (at, (folder, table)) in tables.into_iter().enumerate() {
        check()?;
        packages[at].dependencies = dependencies(folder, table, &manifests, &by_folder, &packages);
    }
    Ok(packages)
}

fn package(
    files: &Files<'_>,
    folder: &str,
    table: &Table,
    manifests: &[(&str, Table)],
) -> Option<Package> {
    let package = table
        .get("package")
        .or_else(|| table.get("project"))?
        .as_table()?;
    let name = package.get("name")?.as_str()?.to_owned();
    let edition = match package.get("edition") {
        Some(Value::String(edition)) => Some(edition.as_str()),
        Some(Value::Table(_)) => workspace(folder, manifests)
            .and_then(|(_, root)| root.get("package")?.get("edition")?.as_str()),
        _ => None,
    };
    let at = |relative: &str| files.at(&files::join(folder, relative)?);
    let library = library(table, &name, at);
    let mut others = others(files, folder, table, at);
    if let Some((root, _)) = &library {
        others.retain(|other| other != root);
    }
    let build = package
        .get("build")
        .and_then(Value::as_str)
        .unwrap_or("build.rs");
    others.extend(at(build));
    let mut seen = HashSet::new();
    others.retain(|root| seen.insert(*root));
    Some(Package {
        folder: folder.to_owned(),
        name,
        is_2015: edition.is_none_or(|edition| edition == "2015"),
        library,
        others,
        dependencies: HashMap::new(),
    })
}

fn library(
    table: &Table,
    package: &str,
    at: impl Fn(&str) -> Option<u32>,
) -> Option<(u32, String)> {
    let section = table.get("lib").and_then(Value::as_table);
    let text = |key| section.and_then(|lib| lib.get(key)).and_then(Value::as_str);
    let root = at(text("path").unwrap_or("src/lib.rs"))?;
    Some((root, ident(text("name").unwrap_or(package))))
}

fn others(
    files: &Files<'_>,
    folder: &str,
    table: &Table,
    at: impl Fn(&str) -> Option<u32>,
) -> Vec<u32> {
    let mut found: Vec<u32> = at("src/main.rs").into_iter().collect();
    for (section, default) in [
        ("bin", "src/bin"),
        ("test", "tests"),
        ("example", "examples"),
        ("bench", "benches"),
    ] {
        let listed = table.get(section).and_then(Value::as_array);
        for target in listed.into_iter().flatten() {
            let text = |key| target.get(key).and_then(Value::as_str);
            let name = text("name").unwrap_or_default();
            let paths = match text("path") {
                Some(path) => vec![path.to_owned()],
                None => vec![
                    format!("{default}/{name}.rs"),
                    format!("{default}/{name}/main.rs"),
                ],
            };
            found.extend(paths.iter().find_map(|path| at(path)));
        }
        found.extend(discovered(files, folder, default));
    }
    found
}

/// `tests/*.rs` and `tests/*/main.rs`.
fn discovered(files: &Files<'_>, folder: &str, default: &str) -> Vec<u32> {
    let Some(target) = files::join(folder, default) else {
        return vec![];
    };
    let is_rust = |file: &&u32| files.path(**file).ends_with(".rs");
    let mut found: Vec<u32> = files
        .in_folder(&target)
        .iter()
        .filter(is_rust)
        .copied()
        .collect();
    for (sub, _) in files
        .folders()
        .filter(|(sub, _)| files::parent(sub) == target && *sub != target)
    {
        found.extend(files.at(&format!("{sub}/main.rs")));
    }
    found.sort_unstable();
    found
}

/// The manifest with `[workspace]` in the folder or the nearest one above.
fn workspace<'m>(folder: &'m str, manifests: &'m [(&str, Table)]) -> Option<(&'m str, &'m Table)> {
    files::ancestors(folder).find_map(|above| {
        let (at, table) = manifests.iter().find(|(at, _)| *at == above)?;
        Some((*at, table.get("workspace")?.as_table()?))
    })
}

fn dependencies(
    folder: &str,
    table: &Table,
    manifests: &[(&str, Table)],
    by_folder: &HashMap<String, usize>,
    packages: &[Package],
) -> HashMap<String, Dependency> {
    let workspace = workspace(folder, manifests);
    let mut found = HashMap::new();
    for (name, value) in declared(table) {
        let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
        let shared = workspace
            .filter(|_| inherited)
            .and_then(|(at, root)| Some((at, root.get("dependencies")?.get(name)?)));
        let (base, value) = shared.unwrap_or((folder, value));
        let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
        let internal = value
            .get("path")
            .and_then(Value::as_str)
            .and_then(|path| files::join(base, path))
            .and_then(|path| by_folder.get(&path).copied())
            .or_else(|| patched(package, workspace.map(|(at, _)| at), manifests, by_folder));
        // A library may have another name than its package. A renamed dependency uses the new name.
        let is_renamed = package != name;
        let says = match internal.and_then(|at| packages[at].library.as_ref()) {
            Some((_, library)) if !is_renamed => library.clone(),
            _ => ident(name),
        };
        let dependency = match internal {
            Some(at) => Dependency::Internal(at),
            None => Dependency::External(package.to_owned()),
        };
        found.insert(says, dependency);
    }
    found
}

/// `[patch.…]` of the workspace may point into the tree.
fn patched(
    package: &str,
    root: Option<&str>,
    manifests: &[(&str, Table)],
    by_folder: &HashMap<String, usize>,
) -> Option<usize> {
    let (folder, table) = manifests.iter().find(|(at, _)| Some(*at) == root)?;
    let patch = table.get("patch")?.as_table()?;
    patch.values().find_map(|source| {
        let path = source.get(package)?.get("path")?.as_str()?;
        by_folder.get(&files::join(folder, path)?).copied()
    })
}

/// All dependency sections, including those of targets.
fn declared(table: &Table) -> impl Iterator<Item = (&str, &Value)> {
    const SECTIONS: [&str; 5] = [
        "dependencies",
        "dev-dependencies",
        "build-dependencies",
        "dev_dependencies",
        "build_dependencies",
    ];
    let targets = table.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values);
    std::iter::once(table)
        .chain(targets.filter_map(Value::as_table))
        .flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)))
        .filter_map(Value::as_table)
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

/// As code spells it.
pub(super) fn ident(name: &str) -> String {
    name.replace('-', "_")
}
