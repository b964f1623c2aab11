//! tsconfig.json and jsconfig.json: which of them applies to a file, and its `baseUrl`, `paths`, `rootDirs` and
//! `moduleSuffixes`, with the configurations that it extends.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::files::{Files, ancestors, filled, is_below, join, name, parent};
use super::npm::Npm;
use super::patterns;
use crate::analysis::Cancelled;

mod extended;
mod read;
pub(super) use extended::Extended;
use read::Reader;

pub(super) struct Tsconfigs {
    configs: Vec<Config>,
    /// Number of each configuration by path, including extended ones.
    by_path: HashMap<String, usize>,
    /// By folder, `tsconfig.json` first, then `jsconfig.json`.
    by_folder: HashMap<String, Vec<usize>>,
}

/// A configuration, with the ones that it extends folded in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    /// Its folder: the value of `${configDir}`.
    folder: String,
    /// The folder in which plain specifiers are searched.
    base: Option<String>,
    /// Pattern to replacements, relative to the top once everything is read.
    paths: Option<Vec<(String, Vec<String>)>>,
    /// The folder of the file that sets `paths`.
    paths_from: String,
    /// Folders that are treated as one.
    root_dirs: Vec<String>,
    /// Inserted before the extension of a file name.
    pub(super) suffixes: Vec<String>,
    out_dir: Option<String>,
    /// Relative to the top; `None` if not set.
    files: Option<HashSet<String>>,
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    /// Paths of other configurations.
    references: Vec<String>,
}

/// Configurations that extend or reference each other.
const CHAIN_LIMIT: usize = 32;

impl Tsconfigs {
    pub(super) fn new(
        files: &Files<'_>,
        npm: &Npm,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let mut found = Self {
            configs: vec![],
            by_path: HashMap::new(),
            by_folder: HashMap::new(),
        };
        let mut reader = Reader::new(files, npm);
        let mut all = files.manifests_named(is_config);
        let rank = |path: &str| (name(path) != "tsconfig.json", name(path) != "jsconfig.json");
        all.sort_by(|a, b| (a.0, rank(a.1), a.1).cmp(&(b.0, rank(b.1), b.1)));
        for (folder, path, _) in all {
            if cancelled() {
                return Err(Cancelled);
            }
            let number = found.configs.len();
            found.configs.push(reader.config(path));
            found.by_path.insert(path.to_owned(), number);
            let here = found.by_folder.entry(folder.to_owned()).or_default();
            here.push(number);
        }
        Ok(found)
    }

    /// The configuration that applies to a file: the nearest that includes it, or one that the nearest references or
    /// that is in the same folder; if none does, the nearest.
    pub(super) fn of(&self, file: &str) -> Option<usize> {
        let mut nearest = None;
        let mut steps = patterns::STEPS;
        for folder in ancestors(parent(file)) {
            let Some(here) = self.by_folder.get(folder) else {
                continue;
            };
            let mut seen = BTreeSet::new();
            let mut open: Vec<usize> = here.iter().rev().copied().collect();
            while let Some(number) = open.pop() {
                if seen.len() == CHAIN_LIMIT || !seen.insert(number) {
                    continue;
                }
                let config = &self.configs[number];
                if config.includes(file, &mut steps) {
                    return Some(number);
                }
                let references = config.references.iter().rev();
                open.extend(references.filter_map(|path| self.by_path.get(path)));
            }
            nearest = nearest.or(here.first().copied());
        }
        nearest
    }

    pub(super) fn get(&self, number: usize) -> Option<&Config> {
        self.configs.get(number)
    }
}

fn is_config(name: &str) -> bool {
    (name.starts_with("tsconfig") && name.ends_with(".json")) || name == "jsconfig.json"
}

impl Config {
    /// Whether the file is one of the project's own.
    fn includes(&self, file: &str, steps: &mut u32) -> bool {
        let lists = |files: &HashSet<String>| files.contains(file);
        if self.files.as_ref().is_some_and(lists) {
            return true;
        }
        let mut matches = |pattern: &String| {
            let last = name(pattern);
            // A folder includes all its files.
            let is_folder = !last.contains(['*', '?', '.']);
            patterns::matches(pattern, file, steps)
                || (is_folder && patterns::matches(&format!("{pattern}/**"), file, steps))
        };
        let included = match &self.include {
            Some(include) => include.iter().any(&mut matches),
            None => self.files.is_none() && is_below(file, &self.folder),
        };
        let is_output = |out: &String| out != &self.folder && is_below(file, out);
        let excluded = match &self.exclude {
            Some(exclude) => exclude.iter().any(matches),
            None => self.out_dir.as_ref().is_some_and(is_output),
        };
        included && !excluded
    }

    /// Candidate paths of a specifier, without extensions: those of the best pattern of `paths`, then under the base.
    pub(super) fn candidates(&self, specifier: &str) -> Vec<String> {
        let mut found = vec![];
        if let Some((star, targets)) = self.best(specifier) {
            found.extend(targets.iter().filter_map(|target| filled(target, star)));
        }
        found.extend(self.base.as_deref().and_then(|base| join(base, specifier)));
        found
    }

    /// Whether `paths` maps the specifier, other than by a pattern for everything.
    pub(super) fn maps(&self, specifier: &str) -> bool {
        let paths = self.paths.iter().flatten();
        let mut speaking = paths.filter(|(pattern, _)| pattern != "*");
        speaking.any(|(pattern, _)| star(pattern, specifier).is_some())
    }

    /// A relative import in one of the root folders, resolved from the others.
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

    /// The best pattern of `paths`: an exact one, else the one with the longest text before its `*`.
    fn best<'s>(&self, specifier: &'s str) -> Option<(&'s str, &[String])> {
        let mut best: Option<(usize, &str, &[String])> = None;
        for (pattern, targets) in self.paths.iter().flatten() {
            let Some((before, after)) = pattern.split_once('*') else {
                if pattern == specifier {
                    return Some(("", targets));
                }
                continue;
            };
            // The compiler ignores patterns with two.
            if after.contains('*') {
                continue;
            }
            if let Some(star) = star(pattern, specifier)
                && best.is_none_or(|(known, ..)| before.len() > known)
            {
                best = Some((before.len(), star, targets));
            }
        }
        best.map(|(_, star, targets)| (star, targets))
    }
}

/// The text that the `*` of a pattern matches; empty if it has none and equals the specifier.
fn star<'s>(pattern: &str, specifier: &'s str) -> Option<&'s str> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == specifier).then_some("");
    };
    if specifier.len() < before.len() + after.len() {
        return None;
    }
    specifier.strip_prefix(before)?.strip_suffix(after)
}
