//! One directory while it is listed: each entry becomes work, a candidate or a count.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Dir, FileType};

use super::chosen::{Chosen, asked_for};
use super::limits::MAX_PATH_BYTES;
use super::open::{self, Stat};
use super::resolve::{self, Astray, Place};
use super::rules::Rules;
use super::skip::{Lift, SkipReason};
use super::walk::{Around, Candidate, Found, Job, Lifted, ManifestPath, Walk, below};
use super::{Link, names};
use crate::analysis::Language;

/// Entries between two checks whether to stop: some 100 µs of work.
const ENTRIES_PER_CHECK: u64 = 64;

pub(super) fn list(walk: &Walk<'_>, job: &Job, found: &mut Found, jobs: &mut Vec<Job>) {
    if walk.halt_if_stopped() {
        return;
    }
    if job.selected {
        return list_one(walk, job, found, jobs);
    }
    if walk.has_too_many_around() {
        return;
    }
    // Outside the selection only the files are reported, not counts.
    let mut aside = Found::default();
    list_one(walk, job, &mut aside, jobs);
    found.around.append(&mut aside.around);
    found.links.append(&mut aside.links);
    found.manifests_around.append(&mut aside.manifests);
}

fn list_one(walk: &Walk<'_>, job: &Job, found: &mut Found, jobs: &mut Vec<Job>) {
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
        walk.task.sources(),
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

/// Whether a directory that looks like build output holds source, judged by its content.
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
                self.report(self.found.tally.files_seen - files_before);
                files_before = self.found.tally.files_seen;
            }
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.entry(entries, name, entry.file_type());
        }
        self.report(self.found.tally.files_seen - files_before);
    }

    fn report(&self, files: u64) {
        if self.job.selected {
            self.walk.report(files);
        }
    }

    fn entry(&mut self, entries: &Dir, name: &CStr, listed: FileType) {
        // Some file systems do not give the type of an entry in the listing.
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
        let inside = self.inside(name);
        let path = format!("{}{inside}", self.prefix);
        if kind == FileType::Symlink {
            return Err(self.link(&absolute, path));
        }
        if kind != FileType::RegularFile {
            return Err(SkipReason::NotARegularFile);
        }
        self.manifest(name, &inside, &path);
        let chosen = match self.job.selected {
            true => self.choose(name, &inside, &path),
            false => Err(SkipReason::NotIncluded),
        };
        match chosen {
            Ok(chosen) => chosen.with(self.walk.task, path, absolute, stat()?),
            Err(reason) => {
                if self.walk.task.surroundings
                    && !self.walk.is_selected(self.job.place.root, &inside)
                {
                    self.around(name, &inside, path, absolute, stat);
                }
                Err(reason)
            }
        }
    }

    /// A file outside the selection that imports may lead to.
    fn around(
        &mut self,
        name: &str,
        inside: &str,
        path: String,
        absolute: PathBuf,
        stat: impl FnOnce() -> Result<Stat, SkipReason>,
    ) {
        let Some(language) = Language::of_path(name) else {
            return;
        };
        let task = self.walk.task;
        // A lifted directory may be `node_modules`: only what was asked for in it is looked at.
        if let Some(lifted) = &self.job.lifted
            && !task.globs.includes_by_directory(&path, &lifted.directory)
        {
            return;
        }
        let in_place = self.job.selected && asked_for(task, name, &path).is_ok();
        let left_out = self.by_default(name, inside, &path).err();
        let chosen = Chosen {
            language,
            by_name: false,
        };
        let candidate = stat().and_then(|stat| chosen.with(task, path, absolute, stat));
        let Ok(candidate) = candidate else { return };
        if self.walk.found_around() {
            self.found.around.push(Around {
                candidate,
                left_out,
                in_place,
            });
        }
    }

    /// A walk never follows links: a target inside the roots is found at its own place, so it counts once.
    fn link(&mut self, absolute: &Path, path: String) -> SkipReason {
        let roots = self.walk.task.roots;
        match resolve::follow(roots, absolute) {
            Ok(target) => {
                if self.walk.task.surroundings && self.walk.found_around() {
                    let target = resolve::in_answers(roots, &target);
                    self.found.links.push(Link { path, target });
                }
                SkipReason::Symlink
            }
            Err(Astray::NotUtf8) => SkipReason::Symlink,
            Err(Astray::Outside) => SkipReason::SymlinkOutsideRoots,
            Err(Astray::Missing { .. } | Astray::Circular) => SkipReason::SymlinkBroken,
            Err(Astray::NotReadable(_)) => SkipReason::NotReadable,
        }
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
        if !is_wanted {
            return;
        }
        let is_taken = match self.job.selected {
            true => {
                self.walk.chose_manifest();
                true
            }
            false => self.walk.found_around(),
        };
        if is_taken {
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
        if !by_name {
            self.by_default(name, inside, path)?;
        }
        Ok(Chosen {
            language,
            by_name: by_name || task.lifts(Lift::Generated),
        })
    }

    /// Whether a file is skipped that is not requested by name.
    fn by_default(&self, name: &str, inside: &str, path: &str) -> Result<(), SkipReason> {
        let lifts = |lift| self.walk.task.lifts(lift);
        if names::is_hidden(name) && !lifts(Lift::Hidden) {
            return Err(SkipReason::Hidden);
        }
        if let Some(lifted) = &self.job.lifted
            && !(self.walk.task.globs).includes_by_directory(path, &lifted.directory)
        {
            return Err(lifted.reason);
        }
        if !lifts(Lift::Ignored) && self.ignores(inside, false) {
            return Err(SkipReason::Ignored);
        }
        if names::is_minified(name) && !lifts(Lift::Minified) {
            return Err(SkipReason::Minified);
        }
        if names::is_generated(name) && !lifts(Lift::Generated) {
            return Err(SkipReason::Generated);
        }
        Ok(())
    }

    fn directory(&mut self, entries: &Dir, name: &str) {
        let task = self.walk.task;
        let inside = self.inside(name);
        let depth = self.job.depth + 1;
        if depth > task.limits.max_depth {
            return self.found.tally.skip(SkipReason::TooDeep);
        }
        if !self.job.selected && self.walk.is_selected(self.job.place.root, &inside) {
            return;
        }
        let mut selected = self.job.selected;
        if selected && task.globs.excludes(&format!("{}{inside}", self.prefix)) {
            self.found.tally.skip(SkipReason::ExcludedDirectory);
            if !task.surroundings {
                return;
            }
            selected = false;
        }
        let looks_built = !task.lifts(Lift::BuildOutput) && looks_built(entries, name);
        let unwanted = self.unwanted(name, &inside);
        let is_named = selected && task.globs.names_directory(name);
        let mut lifted = self.job.lifted.clone();
        if let Some((reason, in_it)) = unwanted {
            if !is_named {
                // Of an excluded directory that has been told.
                if selected == self.job.selected {
                    self.found.tally.skip(reason);
                }
                return;
            }
            let directory = name.to_owned();
            let reason = in_it;
            lifted = Some(Lifted { directory, reason });
        }
        // Rules that ignore a directory which was requested by name would skip all of it.
        let rules = match unwanted {
            Some((SkipReason::IgnoredDirectory, _)) => None,
            _ => self.rules.clone(),
        };
        self.jobs.push(Job {
            place: Place {
                root: self.job.place.root,
                inside,
            },
            selected,
            depth,
            rules,
            lifted,
            looks_built: looks_built && !is_named,
        });
    }

    /// Why a directory is skipped by default, and the reason that its files count under if an `include` lifts that.
    fn unwanted(&self, name: &str, inside: &str) -> Option<(SkipReason, SkipReason)> {
        let lifts = |lift| self.walk.task.lifts(lift);
        let is_kept_hidden = !lifts(Lift::Hidden) || names::is_version_control(name);
        if names::is_hidden(name) && is_kept_hidden {
            return Some((SkipReason::HiddenDirectory, SkipReason::Hidden));
        }
        if !lifts(Lift::Ignored) && self.ignores(inside, true) {
            return Some((SkipReason::IgnoredDirectory, SkipReason::Ignored));
        }
        (names::is_vendored_directory(name) && !lifts(Lift::Vendored))
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
