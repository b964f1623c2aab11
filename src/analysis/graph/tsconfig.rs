//! tsconfig.json and jsconfig.json: which of them speaks for a file, and its `baseUrl`, `paths`, `rootDirs` and
//! `moduleSuffixes`, with what it extends.

use std::collections::{BTreeSet, HashMap};

use super::Manifest;
use super::files::{Files, ancestors, is_below, join, name, parent};
use super::jsonc::{self, Json};
use super::npm::Npm;
use super::patterns;

pub(super) struct Tsconfigs {
    /// By path; those that others extend as well.
    configs: HashMap<String, Config>,
    /// By folder, `tsconfig.json` first, then `jsconfig.json`.
    by_folder: HashMap<String, Vec<String>>,
}

/// What a configuration says once what it extends is folded in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    /// Where it lies: what `${configDir}` stands for.
    folder: String,
    /// Folder that plain specifiers are looked for in.
    base: Option<String>,
    /// Pattern to replacements; from the top, once all is read.
    paths: Option<Vec<(String, Vec<String>)>>,
    /// Where the file that says `paths` lies.
    paths_from: String,
    /// Folders that count as one.
    root_dirs: Vec<String>,
    /// Tried behind the name of a file, before its ending.
    pub(super) suffixes: Vec<String>,
    out_dir: Option<String>,
    /// Each from the top; `None` where nothing says so.
    files: Option<Vec<String>>,
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    /// Paths of other configurations.
    references: Vec<String>,
}

/// Configurations that extend or reference each other.
const CHAIN_LIMIT: usize = 32;
/// What stands for the folder of the configuration that is read, also in what it extends.
const CONFIG_DIR: &str = "${configDir}";

impl Tsconfigs {
    pub(super) fn new(files: &Files<'_>, npm: &Npm) -> Self {
        let mut found = Self {
            configs: HashMap::new(),
            by_folder: HashMap::new(),
        };
        let mut all = files.manifests_named(is_config);
        let rank = |path: &str| (name(path) != "tsconfig.json", name(path) != "jsconfig.json");
        all.sort_by(|a, b| (a.0, rank(a.1), a.1).cmp(&(b.0, rank(b.1), b.1)));
        for (folder, path, _) in all {
            let config = read(files, npm, path);
            found.configs.insert(path.to_owned(), config);
            let here = found.by_folder.entry(folder.to_owned()).or_default();
            here.push(path.to_owned());
        }
        found
    }

    /// The one that speaks for a file: the nearest that includes it, or one that the nearest references or that lies
    /// beside it; where none does, the nearest.
    pub(super) fn of(&self, file: &str) -> Option<&Config> {
        let mut nearest = None;
        for folder in ancestors(parent(file)) {
            let Some(here) = self.by_folder.get(folder) else {
                continue;
            };
            let mut seen = BTreeSet::new();
            let mut open: Vec<&str> = here.iter().rev().map(String::as_str).collect();
            while let Some(path) = open.pop() {
                if seen.len() == CHAIN_LIMIT || !seen.insert(path) {
                    continue;
                }
                let Some(config) = self.configs.get(path) else {
                    continue;
                };
                if config.includes(file) {
                    return Some(config);
                }
                open.extend(config.references.iter().rev().map(String::as_str));
            }
            nearest = nearest.or(here.first());
        }
        self.configs.get(nearest?)
    }
}

fn is_config(name: &str) -> bool {
    (name.starts_with("tsconfig") && name.ends_with(".json")) || name == "jsconfig.json"
}

/// The file with everything that it extends below it.
fn read(files: &Files<'_>, npm: &Npm, path: &str) -> Config {
    let mut config = Config {
        folder: parent(path).to_owned(),
        ..Config::default()
    };
    let mut queue = vec![path.to_owned()];
    let mut seen = 0;
    while let Some(path) = queue.pop() {
        seen += 1;
        let Some(value) = files.manifest(&path).and_then(jsonc::parse) else {
            continue;
        };
        let real = files.real(&path).unwrap_or(path);
        config.take(parent(&real), &value, seen == 1);
        if seen == CHAIN_LIMIT {
            break;
        }
        // Of several, the last wins: it is taken first, and what is set stays.
        let extended = extends(&value);
        let bases = extended.iter().filter_map(|base| {
            let package = |package: &str| npm.meant(parent(&real), package).map(str::to_owned);
            let mut candidates = candidates(parent(&real), base, package).into_iter();
            candidates.find(|path| files.manifest(path).is_some())
        });
        queue.extend(bases);
    }
    config.settle();
    config
}

fn extends(value: &Json) -> Vec<&str> {
    value.get("extends").map(Json::texts).unwrap_or_default()
}

/// Paths that `extends` may mean, in the order of the compiler: relative ones, then a package of the tree, then what
/// lies in `node_modules`.
fn candidates(folder: &str, base: &str, package: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let with_endings = |path: String| {
        let file = format!("{path}.json");
        let inside = format!("{path}/tsconfig.json");
        [path, file, inside]
    };
    if base.starts_with('.') {
        return join(folder, base)
            .into_iter()
            .flat_map(with_endings)
            .collect();
    }
    let name = super::javascript::package_name(base);
    let rest = base.strip_prefix(name).unwrap_or_default();
    let in_tree = package(name).map(|at| format!("{at}{rest}"));
    let installed = ancestors(folder).map(|above| {
        let slash = if above.is_empty() { "" } else { "/" };
        format!("{above}{slash}node_modules/{base}")
    });
    in_tree
        .into_iter()
        .chain(installed)
        .flat_map(with_endings)
        .collect()
}

/// Files that configurations extend and that no name gives away: each is one of the candidates, if there is one.
pub(super) fn named_by(manifests: &[Manifest]) -> Vec<String> {
    let mut extended: Vec<(&str, Json)> = vec![];
    for manifest in manifests {
        let name = name(&manifest.path);
        // A text search first: most files of a large tree extend nothing.
        let may_extend = name.ends_with(".json") && name != "package.json";
        if may_extend && manifest.text.contains("\"extends\"") {
            extended
                .extend(jsonc::parse(&manifest.text).map(|json| (manifest.path.as_str(), json)));
        }
    }
    let bases = || extended.iter().flat_map(|(_, json)| extends(json));
    let mut packages: HashMap<String, &str> = HashMap::new();
    if bases().any(|base| !base.starts_with('.')) {
        for manifest in manifests
            .iter()
            .filter(|it| name(&it.path) == "package.json")
        {
            let json = jsonc::parse(&manifest.text);
            let named = json.as_ref().and_then(|json| json.get("name")?.text());
            let folder = parent(&manifest.path);
            packages.extend(named.map(|named| (named.to_owned(), folder)));
        }
    }
    let package = |name: &str| packages.get(name).map(|folder| (*folder).to_owned());
    let of = |(path, json): &(&str, Json)| -> Vec<String> {
        let all = extends(json).into_iter();
        all.flat_map(|base| candidates(parent(path), base, package))
            .collect()
    };
    extended.iter().flat_map(of).collect()
}

impl Config {
    /// What is set already stays: the extending file is read first. `folder` is that of the file that says it.
    fn take(&mut self, folder: &str, value: &Json, is_first: bool) {
        let top = self.folder.clone();
        let from = |relative: &str| match relative.strip_prefix(CONFIG_DIR) {
            Some(rest) => join(&top, rest.trim_start_matches('/')),
            None => join(folder, relative),
        };
        let list = |key: &str| {
            let all = value.get(key).and_then(Json::list)?;
            Some(all.iter().filter_map(Json::text).filter_map(from).collect())
        };
        self.files = self.files.take().or_else(|| list("files"));
        self.include = self.include.take().or_else(|| list("include"));
        self.exclude = self.exclude.take().or_else(|| list("exclude"));
        if is_first {
            let references = value.get("references").and_then(Json::list);
            let paths = references.into_iter().flatten();
            let paths = paths.filter_map(|one| from(one.get("path")?.text()?));
            self.references = paths
                .map(|path| match path.ends_with(".json") {
                    true => path,
                    false => join(&path, "tsconfig.json").unwrap_or_default(),
                })
                .collect();
        }
        let Some(options) = value.get("compilerOptions") else {
            return;
        };
        let one = |key: &str| options.get(key).and_then(Json::text).and_then(from);
        self.base = self.base.take().or_else(|| one("baseUrl"));
        self.out_dir = self.out_dir.take().or_else(|| one("outDir"));
        if self.paths.is_none() {
            let paths = options.get("paths").and_then(Json::entries);
            self.paths_from = folder.to_owned();
            self.paths = paths.map(|paths| {
                let owned = |targets: &Json| {
                    let texts = targets.texts().into_iter();
                    texts.map(str::to_owned).collect()
                };
                let all = paths.iter();
                all.map(|(pattern, to)| (pattern.clone(), owned(to)))
                    .collect()
            });
        }
        let texts = |key: &str| options.get(key).map(Json::texts).unwrap_or_default();
        if self.root_dirs.is_empty() {
            self.root_dirs = texts("rootDirs").into_iter().filter_map(from).collect();
        }
        if self.suffixes.is_empty() {
            let suffixes = texts("moduleSuffixes").into_iter();
            self.suffixes = suffixes.map(str::to_owned).collect();
        }
    }

    /// Targets of `paths` are relative to `baseUrl`, also to an inherited one; without it, to the file that has `paths`.
    fn settle(&mut self) {
        let from = self.base.as_deref().unwrap_or(&self.paths_from);
        for (_, targets) in self.paths.iter_mut().flatten() {
            let settled =
                targets
                    .iter()
                    .filter_map(|target| match target.strip_prefix(CONFIG_DIR) {
                        Some(rest) => join(&self.folder, rest.trim_start_matches('/')),
                        None => join(from, target),
                    });
            *targets = settled.collect();
        }
    }

    /// Whether the file is one of the project's own.
    fn includes(&self, file: &str) -> bool {
        let lists = |files: &Vec<String>| files.iter().any(|listed| listed == file);
        if self.files.as_ref().is_some_and(lists) {
            return true;
        }
        let matches = |pattern: &String| {
            let last = name(pattern);
            // A folder stands for all that is in it.
            let is_folder = !last.contains(['*', '?', '.']);
            patterns::matches(pattern, file)
                || (is_folder && patterns::matches(&format!("{pattern}/**"), file))
        };
        let included = match &self.include {
            Some(include) => include.iter().any(matches),
            None => self.files.is_none() && is_below(file, &self.folder),
        };
        let is_output = |out: &String| out != &self.folder && is_below(file, out);
        let excluded = match &self.exclude {
            Some(exclude) => exclude.iter().any(matches),
            None => self.out_dir.as_ref().is_some_and(is_output),
        };
        included && !excluded
    }

    /// Paths that a specifier may stand for, without endings: those of the best pattern of `paths`, then under the base.
    pub(super) fn candidates(&self, specifier: &str) -> Vec<String> {
        let mut found = vec![];
        if let Some((star, targets)) = self.best(specifier) {
            found.extend(targets.iter().map(|target| target.replace('*', star)));
        }
        found.extend(self.base.as_deref().and_then(|base| join(base, specifier)));
        found
    }

    /// Whether `paths` speaks of the specifier, and not by a pattern for everything.
    pub(super) fn maps(&self, specifier: &str) -> bool {
        let paths = self.paths.iter().flatten();
        let mut speaking = paths.filter(|(pattern, _)| pattern != "*");
        speaking.any(|(pattern, _)| star(pattern, specifier).is_some())
    }

    /// A relative import in one of the root folders, seen from the others.
    pub(super) fn through_root_dirs(&self, folder: &str, specifier: &str) -> Vec<String> {
        let Some(inner) = self
            .root_dirs
            .iter()
            .filter(|dir| is_below(folder, dir))
            .find_map(|dir| folder.strip_prefix(dir.as_str()))
        else {
            return vec![];
        };
        let others = self.root_dirs.iter();
        others
            .filter_map(|dir| join(&join(dir, inner.trim_start_matches('/'))?, specifier))
            .collect()
    }

    /// Of `paths`: an exact pattern, else the one with the longest text before its `*`.
    fn best<'s>(&self, specifier: &'s str) -> Option<(&'s str, &[String])> {
        let mut best: Option<(usize, &str, &[String])> = None;
        for (pattern, targets) in self.paths.iter().flatten() {
            let Some((before, _)) = pattern.split_once('*') else {
                if pattern == specifier {
                    return Some(("", targets));
                }
                continue;
            };
            if let Some(star) = star(pattern, specifier)
                && best.is_none_or(|(known, ..)| before.len() > known)
            {
                best = Some((before.len(), star, targets));
            }
        }
        best.map(|(_, star, targets)| (star, targets))
    }
}

/// What the `*` of a pattern stands for; empty where it has none and is the specifier.
fn star<'s>(pattern: &str, specifier: &'s str) -> Option<&'s str> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == specifier).then_some("");
    };
    if specifier.len() < before.len() + after.len() {
        return None;
    }
    specifier.strip_prefix(before)?.strip_suffix(after)
}
