//! One directory while it is listed: each entry becomes work, a candidate or a count.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Dir, FileType};

use super::limits::MAX_PATH_BYTES;
use super::open::{self, Stat};
use super::resolve::{self, Astray, Place};
use super::rules::Rules;
use super::skip::SkipReason;
use super::walk::{Candidate, Found, Job, Lifted, ManifestPath, Task, Walk, below};
use super::{Root, names};
use crate::analysis::Language;

/// Entries between two questions whether to stop: some 100 µs of work.
const ENTRIES_PER_CHECK: u64 = 64;

pub(super) fn list(walk: &Walk<'_>, job: &Job, found: &mut Found, jobs: &mut Vec<Job>) {
    if walk.halt_if_stopped() {
        return;
    }
    let roots = walk.task.roots;
    let absolute = below(&roots[job.place.root].path, &job.place.inside);
    let opened = match open::open_directory(&absolute) {
        Ok(opened) => opened,
        Err(error) => return found.tally.skip(open::directory_reason(error)),
    };
    if job.looks_built && !is_source(&opened) {
        return found.tally.skip(SkipReason::BuildOutputDirectory);
    }
    let above = job.rules.clone();
    let rules = Rules::enter(
        above,
        &opened,
        &absolute,
        &job.place.inside,
        &mut found.tally,
    );
    let Ok(mut entries) = Dir::new(opened) else {
        return found.tally.skip(SkipReason::UnreadableDirectory);
    };
    let mut here = Here {
        walk,
        prefix: resolve::prefix(roots, job.place.root),
        job,
        rules,
        absolute: &absolute,
        found,
        jobs,
    };
    here.read(&mut entries);
}

/// Whether a directory that looks built is source all the same, by what is in it.
pub(super) fn is_source(directory: &impl AsFd) -> bool {
    let has =
        |name: &str| CString::new(name).is_ok_and(|name| open::stat_at(directory, &name).is_ok());
    names::SOURCE_MARKS.iter().any(|mark| has(mark)) && !has(names::CACHE_TAG)
}

/// One directory while it is listed.
struct Here<'a, 'b> {
    walk: &'a Walk<'b>,
    prefix: String,
    job: &'a Job,
    rules: Option<Arc<Rules>>,
    absolute: &'a Path,
    found: &'a mut Found,
    jobs: &'a mut Vec<Job>,
}

impl Here<'_, '_> {
    fn read(&mut self, entries: &mut Dir) {
        let mut count = 0;
        let mut files_before = self.found.tally.files_seen;
        while let Some(entry) = entries.read() {
            let Ok(entry) = entry else {
                self.found.tally.skip(SkipReason::UnreadableDirectory);
                break;
            };
            count += 1;
            if count % ENTRIES_PER_CHECK == 0 {
                if self.walk.halt_if_stopped() {
                    return;
                }
                self.walk.report(self.found.tally.files_seen - files_before);
                files_before = self.found.tally.files_seen;
            }
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.entry(entries, name, entry.file_type());
        }
        self.walk.report(self.found.tally.files_seen - files_before);
    }

    fn entry(&mut self, entries: &Dir, name: &CStr, listed: FileType) {
        // Some file systems do not say in the listing what an entry is.
        let stat = || {
            let directory = entries.fd().map_err(open::file_reason)?;
            open::stat_at(directory, name).map_err(open::file_reason)
        };
        let mut kind = listed;
        if kind == FileType::Unknown {
            kind = match stat() {
                Ok(stat) => stat.kind,
                Err(reason) => return self.file(Err(reason)),
            };
        }
        let is_directory = kind == FileType::Directory;
        let Ok(name) = name.to_str() else {
            return match is_directory {
                true => self.found.tally.skip(SkipReason::DirectoryNameNotUtf8),
                false => self.file(Err(SkipReason::NameNotUtf8)),
            };
        };
        let is_long = self.absolute.as_os_str().len() + 1 + name.len() > MAX_PATH_BYTES;
        if is_directory {
            return match is_long {
                true => self.found.tally.skip(SkipReason::DirectoryPathTooLong),
                false => self.directory(entries, name),
            };
        }
        let candidate = match is_long {
            true => Err(SkipReason::PathTooLong),
            false => self.candidate(kind, name, stat),
        };
        self.file(candidate);
    }

    fn candidate(
        &mut self,
        kind: FileType,
        name: &str,
        stat: impl FnOnce() -> Result<Stat, SkipReason>,
    ) -> Result<Candidate, SkipReason> {
        let absolute = self.absolute.join(name);
        if kind == FileType::Symlink {
            return Err(link(self.walk.task.roots, &absolute));
        }
        if kind != FileType::RegularFile {
            return Err(SkipReason::NotARegularFile);
        }
        let inside = self.inside(name);
        let path = format!("{}{inside}", self.prefix);
        self.manifest(name, &inside, &path);
        self.choose(name, &inside, &path)?
            .with(self.walk.task, path, absolute, stat()?)
    }

    fn inside(&self, name: &str) -> String {
        if self.job.place.inside.is_empty() {
            return name.to_owned();
        }
        format!("{}/{name}", self.job.place.inside)
    }

    fn file(&mut self, candidate: Result<Candidate, SkipReason>) {
        self.found.tally.files_seen += 1;
        match candidate {
            Err(reason) => self.found.tally.skip(reason),
            Ok(candidate) => {
                self.found.candidates.push(candidate);
                self.walk.chose();
            }
        }
    }

    fn manifest(&mut self, name: &str, inside: &str, path: &str) {
        let is_wanted = (self.walk.task.is_manifest)(name)
            && !names::is_hidden(name)
            && !self.ignores(inside, false);
        if is_wanted {
            self.walk.chose_manifest();
            self.found.manifests.push(ManifestPath {
                path: path.to_owned(),
                absolute: self.absolute.join(name),
            });
        }
    }

    fn ignores(&self, inside: &str, is_directory: bool) -> bool {
        self.rules
            .as_ref()
            .is_some_and(|rules| rules.ignores(inside, is_directory))
    }

    fn choose(&self, name: &str, inside: &str, path: &str) -> Result<Chosen, SkipReason> {
        let task = self.walk.task;
        let language = asked_for(task, name, path)?;
        let by_name = task.globs.names_file(path);
        let chosen = Chosen { language, by_name };
        if by_name {
            return Ok(chosen);
        }
        if names::is_hidden(name) {
            return Err(SkipReason::Hidden);
        }
        if let Some(lifted) = &self.job.lifted
            && !task.globs.includes_by_directory(path, &lifted.directory)
        {
            return Err(lifted.reason);
        }
        if self.ignores(inside, false) {
            return Err(SkipReason::Ignored);
        }
        if names::is_minified(name) {
            return Err(SkipReason::Minified);
        }
        if names::is_generated(name) {
            return Err(SkipReason::Generated);
        }
        Ok(chosen)
    }

    fn directory(&mut self, entries: &Dir, name: &str) {
        let task = self.walk.task;
        let inside = self.inside(name);
        let depth = self.job.depth + 1;
        if depth > task.limits.max_depth {
            return self.found.tally.skip(SkipReason::TooDeep);
        }
        if task.globs.excludes(&format!("{}{inside}", self.prefix)) {
            return self.found.tally.skip(SkipReason::ExcludedDirectory);
        }
        let looks_built = looks_built(entries, name);
        let unwanted = self.unwanted(name, &inside);
        let is_named = task.globs.names_directory(name);
        let mut lifted = self.job.lifted.clone();
        if let Some((reason, in_it)) = unwanted {
            if !is_named {
                return self.found.tally.skip(reason);
            }
            let directory = name.to_owned();
            let reason = in_it;
            lifted = Some(Lifted { directory, reason });
        }
        // Rules that name what was asked for by name would leave out all that is in it.
        let rules = match unwanted {
            Some((SkipReason::IgnoredDirectory, _)) => None,
            _ => self.rules.clone(),
        };
        self.jobs.push(Job {
            place: Place {
                root: self.job.place.root,
                inside,
            },
            depth,
            rules,
            lifted,
            looks_built: looks_built && !is_named,
        });
    }

    /// Why a directory is left out by default, and what its files count as where another `include` lifts that.
    fn unwanted(&self, name: &str, inside: &str) -> Option<(SkipReason, SkipReason)> {
        if names::is_hidden(name) {
            return Some((SkipReason::HiddenDirectory, SkipReason::Hidden));
        }
        if self.ignores(inside, true) {
            return Some((SkipReason::IgnoredDirectory, SkipReason::Ignored));
        }
        names::is_vendored_directory(name)
            .then_some((SkipReason::VendoredDirectory, SkipReason::Vendored))
    }
}

/// Whether a build wrote the directory of that name, by its name and its neighbours.
pub(super) fn looks_built(entries: &Dir, name: &str) -> bool {
    let Some(marks) = names::build_output_marks(name) else {
        return false;
    };
    let Ok(directory) = entries.fd() else {
        return false;
    };
    marks
        .iter()
        .any(|mark| CString::new(*mark).is_ok_and(|mark| open::stat_at(directory, &mark).is_ok()))
}

/// A file whose name and path are wanted.
struct Chosen {
    language: Language,
    by_name: bool,
}

impl Chosen {
    fn with(
        self,
        task: &Task<'_>,
        path: String,
        absolute: PathBuf,
        stat: Stat,
    ) -> Result<Candidate, SkipReason> {
        if stat.kind != FileType::RegularFile {
            return Err(SkipReason::NotARegularFile);
        }
        if stat.size > task.limits.max_file_bytes {
            return Err(SkipReason::FileTooLarge);
        }
        Ok(Candidate {
            known: task.cache.get(&absolute, &stat).map(Ok),
            path,
            absolute,
            language: self.language,
            size: stat.size,
            by_name: self.by_name,
        })
    }
}

/// The language, where the caller wants it and the path.
fn asked_for(task: &Task<'_>, name: &str, path: &str) -> Result<Language, SkipReason> {
    let language = Language::of_path(name).ok_or(SkipReason::UnsupportedLanguage)?;
    if !task.languages.is_empty() && !task.languages.contains(&language) {
        return Err(SkipReason::LanguageFiltered);
    }
    if task.globs.excludes(path) {
        return Err(SkipReason::Excluded);
    }
    if !task.globs.includes(path) {
        return Err(SkipReason::NotIncluded);
    }
    Ok(language)
}

/// A link is never followed by a walk: inside the roots its target is met where it lies, and so counts once.
fn link(roots: &[Root], path: &Path) -> SkipReason {
    match resolve::follow(roots, path) {
        Ok(_) | Err(Astray::NotUtf8) => SkipReason::Symlink,
        Err(Astray::Outside) => SkipReason::SymlinkOutsideRoots,
        Err(Astray::Missing { .. } | Astray::Circular) => SkipReason::SymlinkBroken,
        Err(Astray::NotReadable(_)) => SkipReason::NotReadable,
    }
}

/// A scan of one place that is no directory: asked for by name, so only the caller's own filters keep it out.
pub(super) fn single(task: &Task<'_>, place: &Place) -> Found {
    let mut found = Found::default();
    found.tally.files_seen = 1;
    match asked_by_name(task, place) {
        Ok(candidate) => found.candidates.push(candidate),
        Err(reason) => found.tally.skip(reason),
    }
    found
}

fn asked_by_name(task: &Task<'_>, place: &Place) -> Result<Candidate, SkipReason> {
    let path = resolve::in_answers(task.roots, place);
    let absolute = below(&task.roots[place.root].path, &place.inside);
    let stat = open::stat(&absolute).map_err(open::file_reason)?;
    if stat.kind != FileType::RegularFile {
        return Err(SkipReason::NotARegularFile);
    }
    let name = path.rsplit('/').next().unwrap_or(&path);
    let chosen = Chosen {
        language: asked_for(task, name, &path)?,
        by_name: true,
    };
    chosen.with(task, path, absolute, stat)
}
