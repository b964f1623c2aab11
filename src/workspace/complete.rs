//! Completes paths: the entries of one directory that an analysis would read. Only names and types are read. The prefix
//! is resolved like any path, so nothing outside the roots is accessed.

use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{Dir, FileType};

use super::git::Sources;
use super::resolve::{self, Place, Start};
use super::rules::Rules;
use super::skip::Tally;
use super::{Workspace, listing, names, open, walk};
use crate::analysis::Language;

/// Entries checked in one directory. Larger directories are machine-made, and nobody picks a name from such a list.
const MAX_ENTRIES: usize = 10_000;
/// Entries between two checks of the deadline.
const ENTRIES_PER_CHECK: usize = 64;

/// Paths that begin with the prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// Sorted; directories end with `/`. Limited to the requested number.
    pub values: Vec<String>,
    /// How many exist; `None` if not all entries were checked.
    pub total: Option<usize>,
}

impl Completions {
    fn of(mut all: Vec<String>, is_complete: bool, limit: usize) -> Self {
        all.sort_unstable();
        let total = is_complete.then_some(all.len());
        all.truncate(limit);
        Self { values: all, total }
    }

    pub fn has_more(&self) -> bool {
        self.total.is_none_or(|total| total > self.values.len())
    }
}

impl Workspace {
    /// Completions of `beginning`: folders, and files in analysed languages, as a scan of their folder would find them.
    /// Empty if the path does not exist or leaves the roots.
    pub fn complete(&self, beginning: &str, limit: usize, until: Instant) -> Completions {
        let (folder, begun) = match beginning.rfind('/') {
            Some(slash) => beginning.split_at(slash + 1),
            None => ("", beginning),
        };
        let place = match resolve::resolve(&self.roots, folder) {
            Ok(Start::One(place)) => place,
            Ok(Start::All) => return self.complete_root(folder, begun, limit),
            Err(_) => return Completions::of(Vec::new(), true, limit),
        };
        let sources = Sources {
            git: &self.git,
            roots: &self.roots,
        };
        match list(&place, begun, sources, until) {
            Some((names, is_complete)) => {
                let written = names.into_iter().map(|name| format!("{folder}{name}"));
                Completions::of(written.collect(), is_complete, limit)
            }
            None => Completions::of(Vec::new(), true, limit),
        }
    }

    fn complete_root(&self, folder: &str, begun: &str, limit: usize) -> Completions {
        let names = self.roots.iter().map(|root| &root.name);
        let names = names.filter(|name| name.starts_with(begun));
        Completions::of(
            names.map(|name| format!("{folder}{name}/")).collect(),
            true,
            limit,
        )
    }
}

/// Matching names in one directory, and whether all entries were checked. `None`: no directory, or unreadable.
fn list(
    place: &Place,
    begun: &str,
    sources: Sources<'_>,
    until: Instant,
) -> Option<(Vec<String>, bool)> {
    let mut tally = Tally::default();
    let root = &sources.roots[place.root];
    let absolute = walk::below(&root.path, &place.inside);
    let opened = open::open_directory(&absolute).ok()?;
    let above = Rules::above(root, place, sources, &mut tally);
    let rules = Rules::enter(
        above,
        &opened,
        &absolute,
        &place.inside,
        sources,
        &mut tally,
    );
    let mut entries = Dir::new(opened).ok()?;
    let here = Here {
        inside: &place.inside,
        absolute: &absolute,
        rules,
    };
    let mut found = Vec::new();
    let mut seen = 0;
    while let Some(entry) = entries.read() {
        seen += 1;
        let is_late = seen % ENTRIES_PER_CHECK == 0 && Instant::now() >= until;
        let Some(entry) = entry.ok().filter(|_| seen <= MAX_ENTRIES && !is_late) else {
            return Some((found, false));
        };
        let name = entry.file_name().to_str().unwrap_or_default();
        if name.starts_with(begun) && !name.is_empty() {
            found.extend(here.wanted(&entries, entry.file_name(), name, entry.file_type()));
        }
    }
    Some((found, true))
}

/// The directory being listed.
struct Here<'a> {
    inside: &'a str,
    absolute: &'a Path,
    rules: Option<Arc<Rules>>,
}

impl Here<'_> {
    /// The name, if a scan would enter the directory or read the file.
    fn wanted(&self, entries: &Dir, raw: &CStr, name: &str, listed: FileType) -> Option<String> {
        let mut kind = listed;
        if kind == FileType::Unknown {
            kind = open::stat_at(entries.fd().ok()?, raw).ok()?.kind;
        }
        let is_directory = kind == FileType::Directory;
        let is_file = kind == FileType::RegularFile;
        if names::is_hidden(name) || !(is_directory || is_file) || self.ignores(name, is_directory)
        {
            return None;
        }
        if is_directory {
            let is_left_out = names::is_vendored_directory(name) || self.is_built(entries, name);
            return (!is_left_out).then(|| format!("{name}/"));
        }
        let is_source = Language::of_path(name).is_some()
            && !names::is_minified(name)
            && !names::is_generated(name);
        is_source.then(|| name.to_owned())
    }

    fn ignores(&self, name: &str, is_directory: bool) -> bool {
        let inside = match self.inside {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        let rules = self.rules.as_ref();
        rules.is_some_and(|rules| rules.ignores(&inside, is_directory))
    }

    fn is_built(&self, entries: &Dir, name: &str) -> bool {
        listing::looks_built(entries, name)
            && open::open_directory(&self.absolute.join(name))
                .is_ok_and(|directory| !listing::is_source(&directory))
    }
}

#[cfg(test)]
mod tests;
