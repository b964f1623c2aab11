//! A file whose name is wanted, until its stat says whether it can be taken; and one that is asked for by its path.

use std::path::PathBuf;

use rustix::fs::FileType;

use super::open::{self, Stat};
use super::resolve::{self, Place};
use super::skip::SkipReason;
use super::walk::{Candidate, Found, Task, below};
use crate::analysis::Language;

/// A file whose name and path are wanted.
pub(super) struct Chosen {
    pub(super) language: Language,
    pub(super) by_name: bool,
}

impl Chosen {
    pub(super) fn with(
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
pub(super) fn asked_for(task: &Task<'_>, name: &str, path: &str) -> Result<Language, SkipReason> {
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

/// A scan of one place that is no directory: asked for by name, so only the caller's own filters keep it out.
pub(super) fn single(task: &Task<'_>, place: &Place, found: &mut Found) {
    found.tally.files_seen += 1;
    match asked_by_name(task, place) {
        Ok(candidate) => found.candidates.push(candidate),
        Err(reason) => found.tally.skip(reason),
    }
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
