//! Ignore rules as git applies them: `.gitignore` at every level up to the top of the
//! repository, `info/exclude` (of a linked worktree: that of the repository), and `core.excludesFile`.
//!
//! Above the root only rules are read, so that an answer for a folder does not depend on the root. As in git, a link in
//! the place of `.gitignore` is not followed.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::Root;
use super::git::Sources;
use super::limits::MAX_GITIGNORE_BYTES;
use super::open::{self, NotRead};
use super::resolve::Place;
use super::skip::{Note, SkipReason, Tally};

/// The rules of one directory and its parents.
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    /// Length of the path from the root to this directory, in bytes.
    base: usize,
    /// Of a directory above the root: the way from it to the root, with a `/` at its end.
    prefix: String,
    own: Gitignore,
    /// `info/exclude` of the repository.
    excluded: Gitignore,
    /// `core.excludesFile`.
    global: Gitignore,
    /// A repository begins here: the rules above belong to another.
    is_repository: bool,
}

impl Rules {
    /// The rules for a directory, given those of its parent. `inside` is its path below the root.
    pub(super) fn enter(
        above: Option<Arc<Self>>,
        directory: &OwnedFd,
        absolute: &Path,
        inside: &str,
        sources: Sources<'_>,
        tally: &mut Tally,
    ) -> Option<Arc<Self>> {
        let base = if inside.is_empty() {
            0
        } else {
            inside.len() + 1
        };
        Self::at(
            above,
            directory,
            absolute,
            (base, String::new()),
            sources,
            tally,
        )
    }

    fn at(
        above: Option<Arc<Self>>,
        directory: &OwnedFd,
        absolute: &Path,
        (base, prefix): (usize, String),
        sources: Sources<'_>,
        tally: &mut Tally,
    ) -> Option<Arc<Self>> {
        let own = read(directory, ".gitignore", tally);
        let is_repository = open::stat_at(directory, c".git").is_ok();
        if own.is_none() && !is_repository {
            return above;
        }
        let (mut excluded, mut global) = (Gitignore::empty(), Gitignore::empty());
        if let Some(repository) = is_repository
            .then(|| sources.repository(absolute))
            .flatten()
        {
            if let Some(file) = sources.excluded(&repository) {
                excluded = rules_of(&file, tally);
            }
            if let Some(file) = sources.excludes_file(&repository) {
                global = rules_of(&file, tally);
            }
        }
        Some(Arc::new(Self {
            above,
            base,
            prefix,
            own: own.unwrap_or_else(Gitignore::empty),
            excluded,
            global,
            is_repository,
        }))
    }

    /// The rules above a directory that was asked for hold in it, unless they leave the directory itself out: it was
    /// asked for by name.
    pub(super) fn above(
        root: &Root,
        place: &Place,
        sources: Sources<'_>,
        tally: &mut Tally,
    ) -> Option<Arc<Self>> {
        let mut rules = Self::above_root(root, sources, tally);
        let mut inside = String::new();
        for part in place.inside.split('/').filter(|part| !part.is_empty()) {
            let absolute = root.path.join(&inside);
            if let Ok(directory) = open::open_directory(&absolute) {
                rules = Self::enter(rules, &directory, &absolute, &inside, sources, tally);
            }
            if !inside.is_empty() {
                inside.push('/');
            }
            inside.push_str(part);
            if rules
                .as_ref()
                .is_some_and(|rules| rules.ignores(&inside, true))
            {
                rules = None;
            }
        }
        rules
    }

    /// Of the directories from the top of the repository around the root down to the root's parent.
    fn above_root(root: &Root, sources: Sources<'_>, tally: &mut Tally) -> Option<Arc<Self>> {
        // With a repository in it, the root is a top itself.
        let top = (root.path.ancestors())
            .take(MAX_LEVELS)
            .find(|above| above.join(".git").symlink_metadata().is_ok())?;
        let mut levels: Vec<&Path> = (root.path.ancestors().skip(1))
            .take_while(|above| above.starts_with(top))
            .collect();
        levels.reverse();
        let mut rules: Option<Arc<Self>> = None;
        for (at, level) in levels.iter().enumerate() {
            let below = root.path.strip_prefix(level).ok().and_then(Path::to_str);
            let (Some(below), Ok(directory)) = (below, open::open_directory(level)) else {
                continue;
            };
            let prefix = format!("{below}/");
            rules = Self::at(rules, &directory, level, (0, prefix), sources, tally);
            // The next directory on the way down.
            let next = levels.get(at + 1).copied().unwrap_or(&root.path);
            let up = root
                .path
                .strip_prefix(next)
                .map_or(0, |rest| rest.components().count());
            if (rules.as_ref()).is_some_and(|rules| rules.ignores_above(up)) {
                rules = None;
            }
        }
        rules
    }

    /// Whether the directory `up` levels above the root is ignored; 0 is the root itself.
    fn ignores_above(&self, up: usize) -> bool {
        self.decides(true, |rules| {
            let way: Vec<&str> = rules.prefix.trim_end_matches('/').split('/').collect();
            let kept = way.len().saturating_sub(up);
            (kept > 0).then(|| way[..kept].join("/"))
        })
    }

    /// `path`: below the root, in this directory or deeper. The nearest matching rule decides.
    pub(super) fn ignores(&self, path: &str, is_directory: bool) -> bool {
        self.decides(is_directory, |rules| match rules.prefix.is_empty() {
            true => Some(path[rules.base..].to_owned()),
            false => Some(format!("{}{path}", rules.prefix)),
        })
    }

    /// `seen`: the path as a level sees it.
    fn decides(&self, is_directory: bool, seen: impl Fn(&Self) -> Option<String>) -> bool {
        let mut level = Some(self);
        // First `.gitignore` of all levels, then the rules of the repository and the user.
        let mut top = None;
        while let Some(rules) = level {
            if let Some(path) = seen(rules) {
                match rules.own.matched(&path, is_directory) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            if rules.is_repository {
                top = Some(rules);
                break;
            }
            level = rules.above.as_deref();
        }
        let Some(top) = top else { return false };
        let Some(path) = seen(top) else { return false };
        for matcher in [&top.excluded, &top.global] {
            match matcher.matched(&path, is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

/// Directories from a root upward in which the top of its repository is looked for: deeper below its top a root gets no
/// rules from above it.
const MAX_LEVELS: usize = 256;

/// The rules in a file, given by its path. Links are followed: this is a user's own file.
fn rules_of(path: &Path, tally: &mut Tally) -> Gitignore {
    let mut bytes = Vec::new();
    let Ok(real) = path.canonicalize() else {
        return Gitignore::empty();
    };
    match open::read_file(&real, MAX_GITIGNORE_BYTES, &mut bytes, &|| false) {
        Ok(_) => parsed(&bytes).unwrap_or_else(Gitignore::empty),
        Err(_) => {
            tally.note(Note::GitignoreNotRead);
            Gitignore::empty()
        }
    }
}

fn read(directory: impl AsFd, name: &str, tally: &mut Tally) -> Option<Gitignore> {
    let mut bytes = Vec::new();
    match open::read_file_at(directory, name, MAX_GITIGNORE_BYTES, &mut bytes) {
        Ok(stat) if stat.kind == FileType::RegularFile => {}
        Err(NotRead::Skip(SkipReason::Vanished)) => return None,
        Ok(_) | Err(_) => {
            tally.note(Note::GitignoreNotRead);
            return None;
        }
    }
    parsed(&bytes)
}

fn parsed(bytes: &[u8]) -> Option<Gitignore> {
    let text = String::from_utf8_lossy(bytes);
    let mut builder = GitignoreBuilder::new("");
    for line in text.trim_start_matches('\u{feff}').lines() {
        // Like git, ignore a line that is not a valid pattern.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok().filter(|matcher| !matcher.is_empty())
}
