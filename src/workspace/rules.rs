//! The repository's ignore rules: `.gitignore` at every level, and `.git/info/exclude`.
//!
//! Only rules inside the root apply, never the user's settings or a directory above the root: an answer must not depend
//! on the machine. As in git, a `.gitignore` that is a link is not followed.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::limits::MAX_GITIGNORE_BYTES;
use super::open::{self, NotRead};
use super::skip::{Note, SkipReason, Tally};

/// The rules of one directory and its parents.
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    /// Length of the path from the root to this directory, in bytes.
    base: usize,
    own: Gitignore,
    /// `.git/info/exclude`.
    excluded: Gitignore,
    /// The root of a repository: rules above it do not apply.
    is_repository: bool,
}

impl Rules {
    /// The rules for a directory, given those of its parent. `inside` is its path below the root.
    pub(super) fn enter(
        above: Option<Arc<Self>>,
        directory: &OwnedFd,
        absolute: &Path,
        inside: &str,
        tally: &mut Tally,
    ) -> Option<Arc<Self>> {
        let own = read(directory, ".gitignore", tally);
        let is_repository = open::stat_at(directory, c".git").is_ok();
        if own.is_none() && !is_repository {
            return above;
        }
        let excluded = is_repository
            .then(|| open::open_directory(&absolute.join(".git/info")).ok())
            .flatten()
            .and_then(|info| read(&info, "exclude", tally));
        Some(Arc::new(Self {
            above,
            base: if inside.is_empty() {
                0
            } else {
                inside.len() + 1
            },
            own: own.unwrap_or_else(Gitignore::empty),
            excluded: excluded.unwrap_or_else(Gitignore::empty),
            is_repository,
        }))
    }

    /// `path` is below the root, in this directory or deeper. The nearest matching rule decides.
    pub(super) fn ignores(&self, path: &str, is_directory: bool) -> bool {
        let mut level = Some(self);
        while let Some(rules) = level {
            let below = &path[rules.base..];
            for matcher in [&rules.own, &rules.excluded] {
                match matcher.matched(below, is_directory) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            if rules.is_repository {
                return false;
            }
            level = rules.above.as_deref();
        }
        false
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
    let text = String::from_utf8_lossy(&bytes);
    let mut builder = GitignoreBuilder::new("");
    for line in text.trim_start_matches('\u{feff}').lines() {
        // Like git, ignore a line that is not a valid pattern.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok().filter(|matcher| !matcher.is_empty())
}
