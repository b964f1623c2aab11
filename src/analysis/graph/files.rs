//! The files of a graph by path, and paths themselves: relative, with `/`.

use std::collections::{HashMap, HashSet};

use super::{Project, SourceFile};
use crate::analysis::{FileAnalysis, Language};

/// Every file by path and by folder.
pub(super) struct Files<'a> {
    pub(super) all: &'a [SourceFile<'a>],
    paths: HashMap<&'a str, u32>,
    /// Files directly in a folder, in order.
    folders: HashMap<&'a str, Vec<u32>>,
    /// Folders that have a file of a language at any depth.
    holding: HashSet<(&'a str, bool)>,
    manifests: HashMap<&'a str, &'a str>,
    links: HashMap<&'a str, &'a str>,
}

/// Chained links: as many as Linux follows in one path.
const LINKS_LIMIT: usize = 40;
/// The longest path that Linux opens.
pub(super) const MAX_PATH_BYTES: usize = 4095;

impl<'a> Files<'a> {
    pub(super) fn new(project: Project<'a>) -> Self {
        let all = project.files;
        let mut paths = HashMap::with_capacity(all.len());
        let mut folders: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut holding = HashSet::new();
        for (at, file) in all.iter().enumerate() {
            let at = index(at);
            paths.entry(file.path).or_insert(at);
            folders.entry(parent(file.path)).or_default().push(at);
            let is_python = file.analysis.language == Language::Python;
            let mut folder = parent(file.path);
            while holding.insert((folder, is_python)) && !folder.is_empty() {
                folder = parent(folder);
            }
        }
        let manifests = project
            .manifests
            .iter()
            .map(|manifest| (manifest.path.as_str(), manifest.text.as_str()))
            .collect();
        Self {
            all,
            paths,
            folders,
            holding,
            manifests,
            links: (project.links.iter())
                .map(|(path, target)| (path.as_str(), target.as_str()))
                .collect(),
        }
    }

    /// The file of that path, through symbolic links.
    pub(super) fn at(&self, path: &str) -> Option<u32> {
        match self.paths.get(path) {
            Some(file) => Some(*file),
            None if self.links.is_empty() => None,
            None => self.paths.get(self.real(path)?.as_str()).copied(),
        }
    }

    /// The path with its symbolic links resolved; `None` if it has none.
    pub(super) fn real(&self, path: &str) -> Option<String> {
        let mut real: Option<String> = None;
        for _ in 0..LINKS_LIMIT {
            let now = real.as_deref().unwrap_or(path);
            let through = ancestors(now)
                .filter(|at| !at.is_empty())
                .find_map(|at| Some((at, self.links.get(at)?)));
            let Some((at, target)) = through else {
                return real;
            };
            let rest = now.strip_prefix(at).unwrap_or_default();
            real = Some(format!("{target}{rest}"));
        }
        None
    }

    pub(super) fn path(&self, file: u32) -> &'a str {
        self.all.get(file as usize).map_or("", |file| file.path)
    }

    pub(super) fn analysis(&self, file: u32) -> &'a FileAnalysis {
        self.all[file as usize].analysis
    }

    /// Files directly in a folder.
    pub(super) fn in_folder(&self, folder: &str) -> &[u32] {
        self.folders.get(folder).map_or(&[], Vec::as_slice)
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = (&'a str, &[u32])> {
        self.folders
            .iter()
            .map(|(folder, files)| (*folder, files.as_slice()))
    }

    /// A folder with Python somewhere below it.
    pub(super) fn holds_python(&self, folder: &str) -> bool {
        self.holding.contains(&(folder, true))
    }

    pub(super) fn of(&self, language: Language) -> impl Iterator<Item = u32> {
        self.all
            .iter()
            .enumerate()
            .filter(move |(_, file)| file.analysis.language == language)
            .map(|(at, _)| index(at))
    }

    pub(super) fn manifest(&self, path: &str) -> Option<&'a str> {
        match self.manifests.get(path) {
            Some(text) => Some(text),
            None => self.manifests.get(self.real(path)?.as_str()).copied(),
        }
    }

    /// `(folder, path, text)` of each manifest whose file name matches, by path.
    pub(super) fn manifests_named(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Vec<(&'a str, &'a str, &'a str)> {
        let mut found: Vec<_> = self
            .manifests
            .iter()
            .filter(|(path, _)| is_wanted(name(path)))
            .map(|(path, text)| (parent(path), *path, *text))
            .collect();
        found.sort_unstable();
        found
    }
}

pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The folder that holds it; empty at the top.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The name without its last extension.
pub(super) fn stem(path: &str) -> &str {
    let name = name(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// `relative` resolved from `folder`, without `.` and `..`; `None` if it leaves the top.
pub(super) fn join(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `target` with `star` in place of each `*`; `None` if that is longer than any path.
pub(super) fn filled(target: &str, star: &str) -> Option<String> {
    let stars = target.bytes().filter(|byte| *byte == b'*').count();
    let length = (target.len() - stars).saturating_add(stars.saturating_mul(star.len()));
    (length <= MAX_PATH_BYTES).then(|| target.replace('*', star))
}

/// `folder` and every folder above it, nearest first, the top (empty) last.
pub(super) fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| {
        (!folder.is_empty()).then(|| parent(folder))
    })
}

/// Whether `path` is in `folder` or below.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Number of leading folders that two paths share.
pub(super) fn shared_depth(a: &str, b: &str) -> usize {
    let folders = |path| parent(path).split('/');
    folders(a)
        .zip(folders(b))
        .take_while(|(a, b)| a == b && !a.is_empty())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_leaving_the_top() {
        assert_eq!(join("a/b", "../c.rs").as_deref(), Some("a/c.rs"));
        assert_eq!(join("", "./x/./y").as_deref(), Some("x/y"));
        assert_eq!(join("a", "..").as_deref(), Some(""));
        assert_eq!(join("a", "../.."), None);
        assert_eq!(ancestors("a/b").collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert_eq!(shared_depth("a/b/c.h", "a/b/d.c"), 2);
        assert_eq!(shared_depth("c.h", "d.c"), 0);
    }

    #[test]
    fn filled_stars_are_bounded_by_the_longest_path() {
        assert_eq!(filled("a/*/b/*", "x").as_deref(), Some("a/x/b/x"));
        let longest = "x".repeat(MAX_PATH_BYTES);
        assert_eq!(filled("*", &longest), Some(longest.clone()));
        assert_eq!(filled("*/", &longest), None);
        assert_eq!(filled(&"*".repeat(1 << 20), &longest), None);
    }
}
