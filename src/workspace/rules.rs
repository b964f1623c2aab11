//! What the repository says is not source: `.gitignore` at every level, and `.git/info/exclude`.
//!
//! Only what lies inside the root counts, never the user's own settings or a directory above: an answer must not
//! depend on the machine it is given on. A link in the place of `.gitignore` is not followed, as in git.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::limits::MAX_GITIGNORE_BYTES;
use super::open::{self, NotRead};
use super::skip::{Note, SkipReason, Tally};

/// The rules of one directory, and of those above it.
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    /// Bytes of a path below the root that lead to this directory.
    base: usize,
    own: Gitignore,
    /// `.git/info/exclude`.
    excluded: Gitignore,
    /// A repository begins here: the rules above belong to another.
    is_repository: bool,
}

impl Rules {
    /// The rules that hold in a directory, given those of its parent. `inside`: its path below the root.
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

    /// `path`: below the root, in this directory or deeper. The nearest rule that speaks of it decides.
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
        // A line that is no pattern is passed over, as git does.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok().filter(|matcher| !matcher.is_empty())
}
