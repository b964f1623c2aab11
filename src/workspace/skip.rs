//! Why files were skipped, and notes about how files were read.

use std::collections::BTreeMap;

/// Why a file or a directory was left out. [`SkipReason::name`] is stable.
///
/// If several apply, the first in this order counts: kind of entry, language, what the caller asked for, where
/// it lies and what the repository says, what the name says, size, content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// FIFO, socket or device. Never opened by a scan.
    NotARegularFile,
    /// A symbolic link to a file inside the roots: the file counts at its own place.
    Symlink,
    /// A symbolic link that leaves the roots. Its target is not accessed.
    SymlinkOutsideRoots,
    /// A broken symbolic link inside the roots, or a loop of links.
    SymlinkBroken,
    NameNotUtf8,
    PathTooLong,
    /// The extension is of no supported language; the file is not opened. Or it is of C, and the content is C++.
    UnsupportedLanguage,
    /// The caller asked for other languages.
    LanguageFiltered,
    /// The caller's `exclude` matches.
    Excluded,
    /// The caller gave `include`, and none of it matches.
    NotIncluded,
    /// A name that starts with a dot.
    Hidden,
    /// In a directory of third-party code.
    Vendored,
    /// `.gitignore`, `info/exclude` of the repository or `core.excludesFile` names it: see the module `rules`.
    Ignored,
    /// Minified or bundled by a tool: `*.min.js`, `*.bundle.js`, …
    Minified,
    /// Generated, judged by its name (`*.pb.go`, `*_pb2.py`, …) or by what its first lines say.
    Generated,
    FileTooLarge,
    /// A NUL near its start, without a byte order mark of UTF-16.
    Binary,
    NotReadable,
    /// It was deleted or replaced after its directory was listed.
    Vanished,
    /// It changed during each of several reads.
    ChangedWhileRead,
    /// The same rules match the directory; it was not entered.
    IgnoredDirectory,
    /// `node_modules`, `vendor`, `site-packages`, …
    VendoredDirectory,
    /// Build output: `target` beside `Cargo.toml`, `dist` beside `package.json`, …
    BuildOutputDirectory,
    HiddenDirectory,
    /// The caller's `exclude` matches the directory itself.
    ExcludedDirectory,
    UnreadableDirectory,
    /// It was deleted or replaced after its parent was listed.
    VanishedDirectory,
    TooDeep,
    DirectoryNameNotUtf8,
    DirectoryPathTooLong,
}

impl SkipReason {
    pub const ALL: [Self; 30] = [
        Self::NotARegularFile,
        Self::Symlink,
        Self::SymlinkOutsideRoots,
        Self::SymlinkBroken,
        Self::NameNotUtf8,
        Self::PathTooLong,
        Self::UnsupportedLanguage,
        Self::LanguageFiltered,
        Self::Excluded,
        Self::NotIncluded,
        Self::Hidden,
        Self::Vendored,
        Self::Ignored,
        Self::Minified,
        Self::Generated,
        Self::FileTooLarge,
        Self::Binary,
        Self::NotReadable,
        Self::Vanished,
        Self::ChangedWhileRead,
        Self::IgnoredDirectory,
        Self::VendoredDirectory,
        Self::BuildOutputDirectory,
        Self::HiddenDirectory,
        Self::ExcludedDirectory,
        Self::UnreadableDirectory,
        Self::VanishedDirectory,
        Self::TooDeep,
        Self::DirectoryNameNotUtf8,
        Self::DirectoryPathTooLong,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::NotARegularFile => "not_a_regular_file",
            Self::Symlink => "symlink",
            Self::SymlinkOutsideRoots => "symlink_outside_roots",
            Self::SymlinkBroken => "symlink_broken",
            Self::NameNotUtf8 => "name_not_utf8",
            Self::PathTooLong => "path_too_long",
            Self::UnsupportedLanguage => "unsupported_language",
            Self::LanguageFiltered => "language_filtered",
            Self::Hidden => "hidden",
            Self::Excluded => "excluded",
            Self::NotIncluded => "not_included",
            Self::Ignored => "ignored",
            Self::Vendored => "vendored",
            Self::Minified => "minified",
            Self::Generated => "generated",
            Self::FileTooLarge => "file_too_large",
            Self::Binary => "binary",
            Self::NotReadable => "not_readable",
            Self::Vanished => "vanished",
            Self::ChangedWhileRead => "changed_while_read",
            Self::IgnoredDirectory => "ignored_directory",
            Self::VendoredDirectory => "vendored_directory",
            Self::BuildOutputDirectory => "build_output_directory",
            Self::HiddenDirectory => "hidden_directory",
            Self::ExcludedDirectory => "excluded_directory",
            Self::UnreadableDirectory => "unreadable_directory",
            Self::VanishedDirectory => "vanished_directory",
            Self::TooDeep => "too_deep",
            Self::DirectoryNameNotUtf8 => "directory_name_not_utf8",
            Self::DirectoryPathTooLong => "directory_path_too_long",
        }
    }

    /// True for reasons of directories: their content was not seen, so they count in `Scan::pruned`, not in
    /// `Scan::skipped`.
    pub fn is_directory(self) -> bool {
        self >= Self::IgnoredDirectory
    }
}

/// A kind of file or directory that is skipped by default and can be included by the caller. [`Lift::name`] is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lift {
    Generated,
    Vendored,
    /// Names that start with a dot, except the folders of version control.
    Hidden,
    Ignored,
    Minified,
    BuildOutput,
}

impl Lift {
    pub const ALL: [Self; 6] = [
        Self::Generated,
        Self::Vendored,
        Self::Hidden,
        Self::Ignored,
        Self::Minified,
        Self::BuildOutput,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Vendored => "vendored",
            Self::Hidden => "hidden",
            Self::Ignored => "ignored",
            Self::Minified => "minified",
            Self::BuildOutput => "build_output",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lift| lift.name() == name)
    }
}

/// A note about files that were analysed. [`Note::name`] is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// Not valid UTF-8: each byte was read as one character, so lines are right but letters may be wrong.
    DecodedAsLatin1,
    DecodedFromUtf16,
    /// A manifest over the limits was not read: imports may resolve less well.
    ManifestTooLarge,
    /// A manifest that could not be read, or holds no text.
    ManifestNotReadable,
    /// A `.gitignore` or another list of git's rules that could not be read or is too large: its rules were not applied.
    GitignoreNotRead,
    /// There are more files around the selection than a scan may read: imports of them stay unresolved.
    SurroundingsTooLarge,
}

impl Note {
    pub fn name(self) -> &'static str {
        match self {
            Self::DecodedAsLatin1 => "decoded_as_latin1",
            Self::DecodedFromUtf16 => "decoded_from_utf16",
            Self::ManifestTooLarge => "manifest_too_large",
            Self::ManifestNotReadable => "manifest_not_readable",
            Self::GitignoreNotRead => "gitignore_not_read",
            Self::SurroundingsTooLarge => "surroundings_too_large",
        }
    }
}

/// Counts of one thread of a scan.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) files_seen: u64,
    /// Files whose stat has changed, and which were read and hashed.
    pub(super) files_read: u64,
    pub(super) skipped: BTreeMap<SkipReason, u64>,
    pub(super) pruned: BTreeMap<SkipReason, u64>,
    pub(super) notes: BTreeMap<Note, u64>,
}

impl Tally {
    pub(super) fn skip(&mut self, reason: SkipReason) {
        let map = if reason.is_directory() {
            &mut self.pruned
        } else {
            &mut self.skipped
        };
        *map.entry(reason).or_default() += 1;
    }

    pub(super) fn note(&mut self, note: Note) {
        *self.notes.entry(note).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.files_seen += other.files_seen;
        self.files_read += other.files_read;
        add(&mut self.skipped, other.skipped);
        add(&mut self.pruned, other.pruned);
        add(&mut self.notes, other.notes);
    }
}

fn add<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}
