//! package.json: packages of the tree by name, the files that can import them, and the targets of their entries.

use std::collections::HashMap;

use super::files::{Files, ancestors, is_below, join, name};
use super::jsonc::{self, Json};
use super::patterns;
use crate::analysis::Cancelled;

mod exports;
pub(super) use exports::{Asker, Offered};

pub(super) struct Npm {
    /// By folder.
    packages: HashMap<String, Package>,
    /// Folders by package name.
    by_name: HashMap<String, Vec<String>>,
    /// Folders of workspaces, with the globs of their members.
    workspaces: HashMap<String, Vec<String>>,
}

#[derive(Default)]
pub(super) struct Package {
    pub(super) name: Option<String>,
    pub(super) exports: Option<Json>,
    pub(super) imports: Option<Json>,
    /// `source`, `types`, `module`, `main` …, if given.
    mains: Vec<(&'static str, String)>,
    /// The dependencies of all sections, with their version ranges; the first of equal names.
    dependencies: HashMap<String, String>,
}

/// Fields that may name the entry of a package; sources before build outputs.
const MAINS: [&str; 7] = [
    "source",
    "types",
    "typings",
    "module",
    "main",
    "browser",
    "jsnext:main",
];
const DEPENDENCIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "peerDependencies",
    "optionalDependencies",
];
/// Prefixes of dependencies that are taken from the tree, never from the registry.
const LOCAL: [&str; 5] = ["workspace:", "file:", "link:", "portal:", "./"];
/// Folders whose packages are test data or examples.
const TEST_DATA: [&str; 8] = [
    "test",
    "tests",
    "__tests__",
    "fixtures",
    "__fixtures__",
    "examples",
    "e2e",
    "spec",
];
impl Npm {
    pub(super) fn new(files: &Files<'_>, cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let mut npm = Self {
            packages: HashMap::new(),
            by_name: HashMap::new(),
            workspaces: HashMap::new(),
        };
        for (folder, path, text) in files.manifests_named(is_manifest) {
            if cancelled() {
                return Err(Cancelled);
            }
            if name(path).ends_with(".yaml") {
                npm.members(folder, pnpm(text));
                continue;
            }
            let Some(manifest) = jsonc::parse(text) else {
                continue;
            };
            let is_deno = name(path).starts_with("deno");
            if is_deno {
                let members = manifest.get("workspace");
                let members = members.and_then(|it| it.get("members").or(Some(it)));
                let globs = members.map(Json::texts).unwrap_or_default();
                npm.members(folder, globs.into_iter().map(str::to_owned));
                if manifest.get("name").is_none() {
                    continue;
                }
            } else if name(path) != "package.json" {
                let globs = manifest.get("packages").map(Json::texts);
                npm.members(folder, globs.into_iter().flatten().map(str::to_owned));
                continue;
            }
            let workspaces = manifest.get("workspaces");
            let globs = workspaces.and_then(|globs| globs.get("packages").or(Some(globs)));
            let globs = globs.map(Json::texts).unwrap_or_default();
            npm.members(folder, globs.into_iter().map(str::to_owned));
            if manifest.entries().is_none() {
                continue;
            }
            let mut package = read(&manifest);
            if is_deno {
                // The module `deno` maps these.
                package.imports = None;
            }
            if let Some(name) = &package.name {
                let folders = npm.by_name.entry(name.clone()).or_default();
                folders.push(folder.to_owned());
            }
            npm.packages.insert(folder.to_owned(), package);
        }
        for folders in npm.by_name.values_mut() {
            // A folder may hold both a deno.json and a package.json.
            folders.dedup();
        }
        Ok(npm)
    }

    fn members(&mut self, folder: &str, globs: impl IntoIterator<Item = String>) {
        let mut globs = globs.into_iter().peekable();
        if globs.peek().is_some() {
            let all = self.workspaces.entry(folder.to_owned()).or_default();
            all.extend(globs);
        }
    }

    pub(super) fn at(&self, folder: &str) -> Option<&Package> {
        self.packages.get(folder)
    }

    /// The package that a folder belongs to.
    pub(super) fn of<'p>(&self, folder: &'p str) -> Option<(&'p str, &Package)> {
        ancestors(folder).find_map(|above| Some((above, self.packages.get(above)?)))
    }

    /// The nearest package above with a name.
    pub(super) fn named<'p>(&self, folder: &'p str) -> Option<(&'p str, &str)> {
        ancestors(folder).find_map(|above| {
            let package = self.packages.get(above)?;
            Some((above, package.name.as_deref()?))
        })
    }

    /// The folder of the package `name` for a file in `folder`: its own package, one that a dependency points to, a
    /// member of the surrounding workspace or, if no manifest mentions it, the only package of that name.
    pub(super) fn meant<'p>(&'p self, folder: &'p str, name: &str) -> Option<&'p str> {
        if let Some((own, known)) = self.named(folder)
            && known == name
        {
            return Some(own);
        }
        let named: &[String] = self.by_name.get(name).map_or(&[], Vec::as_slice);
        let asked = ancestors(folder).find_map(|above| {
            let package = self.packages.get(above)?;
            Some((above, package.dependencies.get(name)?.as_str()))
        });
        if let Some((above, spec)) = asked {
            let pointed = ["file:", "link:", "portal:"]
                .iter()
                .find_map(|prefix| spec.strip_prefix(prefix))
                .or_else(|| spec.starts_with('.').then_some(spec))
                .and_then(|path| join(above, path));
            if let Some((known, _)) = pointed.and_then(|path| self.packages.get_key_value(&path)) {
                return Some(known);
            }
        }
        let mut steps = patterns::STEPS;
        if let Some((root, globs)) = self.workspace(folder) {
            let mut members = named
                .iter()
                .filter(|at| is_member(root, globs, at, &mut steps));
            let (first, second) = (members.next(), members.next());
            if steps == 0 {
                // Another may be a member too.
                return None;
            }
            if first.is_some() {
                return first.filter(|_| second.is_none()).map(String::as_str);
            }
        }
        let is_local = asked.is_none_or(|(_, spec)| LOCAL.iter().any(|it| spec.starts_with(it)));
        match named {
            [only] if is_local && self.is_beside(folder, only, &mut steps) => Some(only),
            _ => None,
        }
    }

    /// Whether neither is inside a workspace that the other is not a member of: only its test uses a package of test
    /// data.
    fn is_beside(&self, folder: &str, package: &str, steps: &mut u32) -> bool {
        let data = ancestors(package)
            .filter(|above| TEST_DATA.contains(&name(above)))
            .last();
        if data.is_some_and(|data| !is_below(folder, data)) {
            return false;
        }
        match (self.workspace(folder), self.workspace(package)) {
            (None, None) => true,
            (Some((a, _)), Some((b, globs))) => a == b && is_member(b, globs, package, steps),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// The nearest surrounding workspace.
    fn workspace<'p>(&'p self, folder: &'p str) -> Option<(&'p str, &'p [String])> {
        ancestors(folder).find_map(|above| Some((above, self.workspaces.get(above)?.as_slice())))
    }

    /// Whether a package around the folder depends on this one.
    pub(super) fn depends_on_any(&self, folder: &str, names: &[&str]) -> bool {
        let mut packages = ancestors(folder).filter_map(|above| self.packages.get(above));
        packages.any(|package| {
            let mut names = names.iter();
            names.any(|name| package.dependencies.contains_key(*name))
        })
    }
}

fn is_manifest(name: &str) -> bool {
    matches!(
        name,
        "package.json" | "pnpm-workspace.yaml" | "lerna.json" | "deno.json" | "deno.jsonc"
    )
}

/// A later glob with `!` excludes again. False if no steps are left.
fn is_member(root: &str, globs: &[String], folder: &str, steps: &mut u32) -> bool {
    if folder == root {
        return true;
    }
    let inside = folder.strip_prefix(root).unwrap_or(folder);
    let inside = inside.trim_start_matches('/');
    let mut is_member = false;
    for glob in globs {
        match glob.strip_prefix('!') {
            Some(glob) => is_member &= !patterns::matches(glob, inside, steps),
            None => is_member |= patterns::matches(glob, inside, steps),
        }
    }
    is_member && *steps > 0
}

/// The list under `packages:`, in either YAML syntax.
fn pnpm(text: &str) -> Vec<String> {
    let plain = |item: &str| {
        let item = item.split(" #").next().unwrap_or_default().trim();
        let item = item.trim_matches(['"', '\'']);
        (!item.is_empty()).then(|| item.to_owned())
    };
    let mut found = vec![];
    let mut inside = false;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("packages:") {
            let inline = rest.trim().trim_start_matches('[').trim_end_matches(']');
            found.extend(inline.split(',').filter_map(plain));
            inside = true;
        } else if let Some(item) = line.trim_start().strip_prefix("- ").filter(|_| inside) {
            found.extend(plain(item));
        } else if !line.starts_with([' ', '\t', '#']) && !line.trim().is_empty() {
            inside = false;
        }
    }
    found
}

fn read(package: &Json) -> Package {
    let text = |key: &str| package.get(key).and_then(Json::text).map(str::to_owned);
    let sections = DEPENDENCIES
        .iter()
        .filter_map(|section| package.get(section));
    let mut dependencies = HashMap::new();
    for (name, spec) in sections.filter_map(Json::entries).flatten() {
        let spec = || spec.text().unwrap_or_default().to_owned();
        dependencies.entry(name.clone()).or_insert_with(spec);
    }
    Package {
        name: text("name").filter(|name| !name.is_empty()),
        exports: package.get("exports").cloned(),
        imports: package.get("imports").cloned(),
        mains: (MAINS.into_iter())
            .filter_map(|key| Some((key, text(key)?)))
            .collect(),
        dependencies,
    }
}

impl Package {
    /// Paths of the entry, the most certain first: declarations come last for packages without types.
    pub(super) fn mains(&self, asker: Asker) -> Vec<&str> {
        let is_last = |key: &str| !asker.typescript && matches!(key, "types" | "typings");
        let mut mains: Vec<_> = self.mains.iter().collect();
        mains.sort_by_key(|(key, _)| is_last(key));
        mains.into_iter().map(|(_, path)| path.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_of_pnpm_are_read() {
        let text = "packages:\n  # all\n  - 'packages/*'\n  - \"!**/test/**\" # not these\n- apps/*\ncatalog:\n  - x\n";
        assert_eq!(pnpm(text), ["packages/*", "!**/test/**", "apps/*"]);
        assert_eq!(pnpm("packages: ['a', \"b\"]\n"), ["a", "b"]);
        assert!(pnpm("other:\n  - a\n").is_empty());
        let globs: Vec<String> = ["packages/*", "!packages/x"].map(str::to_owned).into();
        let member = |root, folder| is_member(root, &globs, folder, &mut patterns::STEPS.clone());
        assert!(member("", "packages/a") && !member("", "packages/x"));
        assert!(member("r", "r/packages/a") && !member("r", "r/test/a"));
        assert!(!is_member("", &globs, "packages/a", &mut 0));
    }
}
