//! Why a path could not be scanned.

use std::io;
use std::path::PathBuf;

/// A failure of [`super::Workspace`]: of a whole scan, never of one file (that is a [`super::SkipReason`]). The message
/// says what to do; [`Error::reason`] is stable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no directory was given that may be read; name at least one root")]
    NoRoots,
    #[error("the root `{}` cannot be opened: {source}; name a directory that exists and may be entered", path.display())]
    RootNotFound { path: PathBuf, source: io::Error },
    #[error("the root `{}` is not a directory; name the directory that holds it", path.display())]
    RootNotADirectory { path: PathBuf },
    #[error("the root `{}` cannot be listed: {source}; give this process the right to read it, or leave the root out", path.display())]
    RootNotReadable { path: PathBuf, source: io::Error },
    #[error("the root `{}` lies outside the directories that the server may read; name one inside them", path.display())]
    RootOutsideRoots { path: PathBuf },
    /// The same message whether or not the path exists.
    #[error(
        "`{path}` lies outside the directories that may be read ({roots}); give a path inside them"
    )]
    PathOutsideRoots { path: String, roots: String },
    #[error("`{path}` does not exist; {hint}")]
    PathNotFound { path: String, hint: String },
    #[error("`{path}` is not a usable path: {why}")]
    InvalidPath { path: String, why: String },
    #[error("`{glob}` is not a usable glob: {why}")]
    InvalidGlob { glob: String, why: String },
    #[error("`{path}` cannot be read: {why}")]
    NotReadable { path: String, why: String },
    #[error(
        "more than {limit} files to analyse; narrow it with `path`, `include`, `exclude` or `languages`"
    )]
    TooManyFiles { limit: usize },
    #[error("the scan was cancelled")]
    Cancelled,
}

impl Error {
    /// A stable identifier in snake_case.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoRoots => "no_roots",
            Self::RootNotFound { .. } => "root_not_found",
            Self::RootNotADirectory { .. } => "root_not_a_directory",
            Self::RootNotReadable { .. } => "root_not_readable",
            Self::RootOutsideRoots { .. } | Self::PathOutsideRoots { .. } => "path_outside_roots",
            Self::PathNotFound { .. } => "path_not_found",
            Self::InvalidPath { .. } => "invalid_path",
            Self::InvalidGlob { .. } => "invalid_glob",
            Self::NotReadable { .. } => "not_readable",
            Self::TooManyFiles { .. } => "too_many_files",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Makes a caller's string fit to print: short, and without control characters.
pub(super) fn shown(text: &str) -> String {
    const MAX_SHOWN: usize = 200;
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .flat_map(|c| {
            let escaped: Vec<char> = if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            };
            escaped
        })
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
