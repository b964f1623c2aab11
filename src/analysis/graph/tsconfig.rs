//! tsconfig.json and jsconfig.json: `baseUrl`, `paths`, `rootDirs`, with what they extend.

use std::collections::HashMap;

use serde_json::Value;

use super::files::{Files, ancestors, join, name, parent};
use super::jsonc;

pub(super) struct Tsconfigs {
    /// By folder: those that map anything; `tsconfig.json` first.
    by_folder: HashMap<String, Vec<Config>>,
}

/// What a configuration says once what it extends is folded in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    /// Folder that plain specifiers are looked for in.
    base: Option<String>,
    /// Folder that `paths` start from, where there is no base.
    paths_from: String,
    /// Pattern to replacements, as written.
    paths: Vec<(String, Vec<String>)>,
    /// Folders that count as one.
    root_dirs: Vec<String>,
}

/// Configurations that extend each other.
const CHAIN_LIMIT: usize = 32;

impl Tsconfigs {
    pub(super) fn new(files: &Files<'_>) -> Self {
        let is_config = |name: &str| name.starts_with("tsconfig") || name == "jsconfig.json";
        let mut by_folder: HashMap<String, Vec<Config>> = HashMap::new();
        let mut all = files.manifests_named(is_config);
        let rank = |path: &str| (name(path) != "tsconfig.json", name(path) != "jsconfig.json");
        all.sort_by(|a, b| (a.0, rank(a.1), a.1).cmp(&(b.0, rank(b.1), b.1)));
        for (folder, path, _) in all {
            let config = read(files, path);
            if config.maps() {
                by_folder.entry(folder.to_owned()).or_default().push(config);
            }
        }
        Self { by_folder }
    }

    /// Those that may speak for a file in `folder`, nearest first.
    pub(super) fn of<'c>(&'c self, folder: &'c str) -> impl Iterator<Item = &'c Config> {
        ancestors(folder)
            .filter_map(|above| self.by_folder.get(above))
            .flatten()
    }
}

/// The file with everything that it extends below it.
fn read(files: &Files<'_>, path: &str) -> Config {
    let mut config = Config::default();
    let mut queue = vec![path.to_owned()];
    let mut seen = 0;
    while let Some(path) = queue.pop() {
        seen += 1;
        let Some(value) = files.manifest(&path).and_then(jsonc::parse) else {
            continue;
        };
        config.take(parent(&path), &value);
        if seen == CHAIN_LIMIT {
            break;
        }
        // Of several, the last wins: it is taken first, and what is set stays.
        queue.extend(extended(files, parent(&path), &value));
    }
    config
}

/// Relative ones; a package's configuration is not at hand.
fn extended(files: &Files<'_>, folder: &str, value: &Value) -> Vec<String> {
    let extends = match value.get("extends") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let found = extends
        .into_iter()
        .filter(|path| path.starts_with('.'))
        .filter_map(|path| {
            let path = join(folder, path)?;
            let candidates = [
                path.clone(),
                format!("{path}.json"),
                format!("{path}/tsconfig.json"),
            ];
            candidates
                .into_iter()
                .find(|path| files.manifest(path).is_some())
        });
    found.collect()
}

impl Config {
    fn maps(&self) -> bool {
        self.base.is_some() || !self.paths.is_empty() || !self.root_dirs.is_empty()
    }

    /// What is set already stays: the extending file is read first.
    fn take(&mut self, folder: &str, value: &Value) {
        let Some(options) = value.get("compilerOptions") else {
            return;
        };
        let folder = |relative: &str| join(folder, &relative.replace("${configDir}", "."));
        if self.base.is_none() {
            let base = options.get("baseUrl").and_then(Value::as_str);
            self.base = base.and_then(folder);
        }
        if self.paths.is_empty()
            && let Some(paths) = options.get("paths").and_then(Value::as_object)
        {
            self.paths_from = folder(".").unwrap_or_default();
            self.paths = paths
                .iter()
                .map(|(pattern, targets)| (pattern.clone(), strings(targets)))
                .collect();
        }
        if self.root_dirs.is_empty() {
            let dirs = options.get("rootDirs").map(strings).unwrap_or_default();
            self.root_dirs = dirs.iter().filter_map(|dir| folder(dir)).collect();
        }
    }

    /// Paths that a specifier may stand for, without endings: those of the best pattern of `paths`, then under the base.
    pub(super) fn candidates(&self, specifier: &str) -> Vec<String> {
        let mut found = vec![];
        if let Some((star, targets)) = self.best(specifier) {
            let from = self.base.as_deref().unwrap_or(&self.paths_from);
            let filled = targets
                .iter()
                .map(|target| target.replace("${configDir}", ".").replace('*', star));
            found.extend(filled.filter_map(|target| join(from, &target)));
        }
        found.extend(self.base.as_deref().and_then(|base| join(base, specifier)));
        found
    }

    /// A relative import in one of the root folders, seen from the others.
    pub(super) fn through_root_dirs(&self, folder: &str, specifier: &str) -> Vec<String> {
        let Some(inner) = self
            .root_dirs
            .iter()
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
        for (pattern, targets) in &self.paths {
            let Some((before, after)) = pattern.split_once('*') else {
                if pattern == specifier {
                    return Some(("", targets));
                }
                continue;
            };
            let fits = specifier.len() >= before.len() + after.len();
            let star = specifier
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after));
            if let Some(star) = star.filter(|_| fits)
                && best.is_none_or(|(known, ..)| before.len() > known)
            {
                best = Some((before.len(), star, targets));
            }
        }
        best.map(|(_, star, targets)| (star, targets))
    }
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|one| Some(one.as_str()?.to_owned()))
        .collect()
}
