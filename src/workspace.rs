//! The only code that reads analysed code: roots, ignore rules, limits, stat cache, content hashes.
//!
//! Tools ask for a [`Scan`] and then [`Workspace::read`] the files that are in no cache. Between two scans only hashes
//! that `stat` confirms are kept ([`StatCache`]), so every answer describes the bytes on disk now, and a crash costs only
//! speed.
//!
//! Rules for every path:
//! - No file outside the roots is opened, except git's ignore rules: `.gitignore` of the folders above a root up to the
//!   top of its repository, and git's own settings (see the modules `rules` and `git`). A path is resolved name by name,
//!   and opened so that the system refuses a link that replaced a part of it since (see the module `open`).
//! - A walk does not follow links. A target inside the roots is found at its own place, so it counts once; a target
//!   outside is not read. A caller's path may lead through links, as long as it never leaves the roots.
//! - A hard link cannot be distinguished from its file, and a file system mounted below a root belongs to the root.
//! - Every file seen is in [`Scan::files`] or counted in [`Scan::skipped`]; a directory that was not entered is counted
//!   in [`Scan::pruned`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::analysis::Language;
use crate::analysis::graph::{self, Manifest};

mod chosen;
mod complete;
mod error;
mod git;
mod globs;
mod hash;
pub mod limits;
mod listing;
mod manifests;
mod names;
mod open;
mod resolve;
mod rules;
mod scan;
mod skip;
mod stat_cache;
mod text;
mod walk;

pub use complete::Completions;
pub use error::Error;
pub use git::Git;
pub use limits::Limits;
pub use skip::{Lift, Note, SkipReason};
pub use stat_cache::StatCache;
pub use text::Encoding;

use globs::Globs;
use open::NotRead;
use resolve::{Place, Start};
use walk::Task;

/// A directory that may be read. `path` is canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The folder's name, made unique among the roots.
    pub name: String,
    pub path: PathBuf,
}

/// Roots, limits and the stat cache. Cheap to make: it reads nothing before the first scan.
#[derive(Clone)]
pub struct Workspace {
    pub roots: Vec<Root>,
    pub limits: Limits,
    cache: Arc<StatCache>,
    git: Arc<Git>,
    is_manifest: fn(&str) -> bool,
}

/// The files that a call selects.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// As the caller wrote it: relative to the one root, `name/…` with several, or absolute inside a root. Empty: all.
    pub path: String,
    /// Several, in place of `path`.
    pub paths: Vec<String>,
    /// Globs over paths as answers show them: see the module `globs`. Beside choosing, an `include` that names a
    /// directory or file which is left out by default (`vendor/x/**`, `.github/**`, `*_pb2.py`) brings it in.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Empty: all.
    pub languages: Vec<Language>,
    /// What is left out by default and is wanted all the same.
    pub include_skipped: Vec<Lift>,
}

/// blake3 of the bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// A file that a scan chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As in answers: relative to its root, `/`, prefixed with the root's name where there are several.
    pub path: String,
    pub language: Language,
    pub bytes: u64,
    pub hash: ContentHash,
}

/// A file of the roots that lies around the selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    pub file: File,
    /// Why a scan of its place would skip it: `generated`, `minified`, … `None`: it would be analysed.
    pub left_out: Option<SkipReason>,
    /// It lies in the selected place, and no argument of the caller excludes it.
    pub in_place: bool,
}

/// A symbolic link of a walk whose target lies inside the roots. Both as paths of answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub path: String,
    pub target: String,
}

/// What a scan saw.
#[derive(Debug)]
pub struct Scan {
    /// Sorted by path.
    pub files: Vec<File>,
    /// Every other code file of the roots, for [`Workspace::scan_with_surroundings`]. Sorted by
    /// path. None of it is counted in `files_seen` because of this.
    pub surroundings: Vec<Neighbour>,
    /// Sorted; empty without surroundings.
    pub links: Vec<Link>,
    /// Files whose names `analysis::graph::is_manifest` wants, read; from the scanned path and above it up to its root.
    /// Sorted by path. `include` and `exclude` do not choose among them. They are counted as files only where their
    /// language is analysed.
    pub manifests: Vec<Manifest>,
    /// Always `files.len()` and all of `skipped` together.
    pub files_seen: u64,
    /// Files whose stat has changed since they were last read.
    pub files_read: u64,
    /// Files, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Directories that were not entered, by reason. What is in them was not seen.
    pub pruned: BTreeMap<SkipReason, u64>,
    /// Notes about how files were read, each with the number of files.
    pub notes: BTreeMap<Note, u64>,
    /// Over (path, hash) of every file and manifest, in hex: equal digests, equal inputs.
    pub digest: String,
    /// Over everything that imports are resolved in, whatever part of it is selected. `None` without surroundings.
    pub world: Option<ContentHash>,
}

/// Text, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    pub text: String,
    /// Hash of the decoded bytes; differs from the scan's if the file changed since.
    pub hash: ContentHash,
    pub encoding: Encoding,
}

impl Workspace {
    /// Canonicalises; a root that is missing, no directory or unreadable is an error that says what to do.
    /// A root inside another adds nothing and is dropped.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        if paths.is_empty() {
            return Err(Error::NoRoots);
        }
        let directories: Result<Vec<_>, _> = paths.iter().map(|path| open_root(path)).collect();
        Ok(Self::from_roots(resolve::roots_of(directories?, &[])))
    }

    /// From roots that were canonicalised before (a session's, which narrow the server's), with the stat cache of the
    /// process. A root that has become a symbolic link since is not entered.
    pub fn from_roots(roots: Vec<Root>) -> Self {
        Self {
            roots,
            limits: Limits::default(),
            cache: StatCache::shared(),
            git: Arc::new(Git::of_environment()),
            is_manifest: graph::is_manifest,
        }
    }

    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    #[must_use]
    pub fn with_cache(self, cache: Arc<StatCache>) -> Self {
        Self { cache, ..self }
    }

    /// Other settings of git than the environment's.
    #[must_use]
    pub fn with_git(self, git: Git) -> Self {
        Self {
            git: Arc::new(git),
            ..self
        }
    }

    /// Other manifests than [`graph::is_manifest`] wants: given a file's name, whether to read it.
    #[must_use]
    pub fn with_manifests(self, is_manifest: fn(&str) -> bool) -> Self {
        Self {
            is_manifest,
            ..self
        }
    }

    /// `paths` as a client wrote them, each a directory inside a root of this workspace: the roots of a narrower one.
    /// None: the same roots.
    pub fn narrow(&self, paths: &[String]) -> Result<Vec<Root>, Error> {
        if paths.is_empty() {
            return Ok(self.roots.clone());
        }
        let mut directories = Vec::new();
        for path in paths {
            match resolve::resolve(&self.roots, path)? {
                Start::All => directories.extend(self.roots.iter().map(|root| root.path.clone())),
                Start::One(place) => directories.push(self.directory(path, &place)?),
            }
        }
        Ok(resolve::roots_of(directories, &self.roots))
    }

    /// Directories as an operator names them, each inside a root of this workspace: the roots of a narrower one.
    ///
    /// # Errors
    /// One that is missing, unreadable or no directory, or lies outside.
    pub fn narrow_to(&self, paths: &[PathBuf]) -> Result<Vec<Root>, Error> {
        let mut directories = Vec::new();
        for path in paths {
            let directory = open_root(path)?;
            if !self
                .roots
                .iter()
                .any(|root| directory.starts_with(&root.path))
            {
                return Err(Error::RootOutsideRoots { path: path.clone() });
            }
            directories.push(directory);
        }
        Ok(resolve::roots_of(directories, &self.roots))
    }

    fn directory(&self, path: &str, place: &Place) -> Result<PathBuf, Error> {
        let directory = walk::below(&self.roots[place.root].path, &place.inside);
        if let Err(error) = open::open_directory(&directory) {
            let path = error::shown(path);
            return Err(match error {
                rustix::io::Errno::NOTDIR => Error::InvalidPath {
                    path,
                    why: "it is a file; give the directory that holds it".to_owned(),
                },
                other => Error::NotReadable {
                    path,
                    why: other.to_string(),
                },
            });
        }
        Ok(directory)
    }

    /// Walks, in parallel; hashes what is not known by its stat. `progress` is told how many files were seen so far,
    /// never fewer than before, from any thread; `stop` is asked often enough to end within 50 ms.
    ///
    /// A path that is one file is analysed even where rules or its name would leave it out: it was asked for by name.
    /// A directory likewise; in it, the rules that speak of what it holds count again.
    pub fn scan(
        &self,
        selection: &Selection,
        progress: &(dyn Fn(u64) + Sync),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Scan, Error> {
        self.scan_as(selection, false, progress, stop)
    }

    /// As [`Workspace::scan`], and in the same walk everything else that the roots hold: what imports of the selection
    /// may lead to. Surroundings beyond [`Limits::max_files`] are left out whole, with [`Note::SurroundingsTooLarge`].
    pub fn scan_with_surroundings(
        &self,
        selection: &Selection,
        progress: &(dyn Fn(u64) + Sync),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Scan, Error> {
        self.scan_as(selection, true, progress, stop)
    }

    fn scan_as(
        &self,
        selection: &Selection,
        surroundings: bool,
        progress: &(dyn Fn(u64) + Sync),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Scan, Error> {
        let globs = Globs::new(&selection.include, &selection.exclude, &self.roots)?;
        let task = Task {
            roots: &self.roots,
            limits: &self.limits,
            cache: &self.cache,
            git: &self.git,
            globs: &globs,
            languages: &selection.languages,
            lifts: &selection.include_skipped,
            is_manifest: self.is_manifest,
            surroundings,
            progress,
            stop,
        };
        match selection.paths.as_slice() {
            [] => scan::scan(&task, std::slice::from_ref(&selection.path)),
            paths => scan::scan(&task, paths),
        }
    }

    /// A path as a caller writes it, as answers show it; `None` where it leads nowhere inside the roots.
    pub fn resolved(&self, path: &str) -> Option<String> {
        match resolve::resolve(&self.roots, path).ok()? {
            Start::All => Some(String::new()),
            Start::One(place) => Some(resolve::in_answers(&self.roots, &place)),
        }
    }

    /// Reads one file of a scan, checking again that it lies inside its root and is a plain file.
    pub fn read(&self, file: &File) -> Result<SourceText, SkipReason> {
        let path = resolve::locate(&self.roots, &file.path).ok_or(SkipReason::Vanished)?;
        let mut bytes = Vec::new();
        open::read_file(&path, self.limits.max_file_bytes, &mut bytes, &|| false).map_err(
            |not_read| match not_read {
                NotRead::Skip(reason) => reason,
                NotRead::Stopped => SkipReason::NotReadable,
            },
        )?;
        let hash = ContentHash::of(&bytes);
        let (text, encoding) = text::decode(bytes).ok_or(SkipReason::Binary)?;
        Ok(SourceText {
            text,
            hash,
            encoding,
        })
    }
}

fn open_root(path: &Path) -> Result<PathBuf, Error> {
    let owned = path.to_owned();
    let canonical = match fs::canonicalize(path) {
        Ok(canonical) => canonical,
        Err(source) => {
            return Err(Error::RootNotFound {
                path: owned,
                source,
            });
        }
    };
    if !canonical.is_dir() {
        return Err(Error::RootNotADirectory { path: owned });
    }
    match open::open_directory(&canonical) {
        Ok(_) => Ok(canonical),
        Err(error) => Err(Error::RootNotReadable {
            path: owned,
            source: error.into(),
        }),
    }
}

#[cfg(test)]
mod tests;
