//! Every bound of a scan, in one place.

/// How much one scan may take. The defaults hold for servers and command line alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Larger files are skipped unread (`file_too_large`).
    pub max_file_bytes: u64,
    /// More files to analyse than this, or more manifests, fail the scan (`too_many_files`).
    pub max_files: usize,
    /// Directories nested deeper than this below the one that is scanned are left out (`too_deep`).
    pub max_depth: usize,
    /// Larger manifests are left out (`manifest_too_large`).
    pub max_manifest_bytes: u64,
    /// Once the manifests of a scan hold this much, the rest are left out (`manifest_too_large`).
    pub max_manifests_bytes: u64,
    /// Threads of one scan.
    pub threads: usize,
}

/// 10 MiB: the largest hand-written files known (amalgamations such as sqlite3.c) are just below it; what is larger is
/// data in the shape of code, and costs a parser a hundred times its size.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;
/// Four times the Linux kernel. A scan keeps about 500 bytes a file while it runs, so this bounds it to some 100 MB.
pub const MAX_FILES: usize = 200_000;
/// Deeper than any source tree; keeps chains of ignore rules and the drop of them short.
pub const MAX_DEPTH: usize = 256;
/// Manifests are written by people; what is larger is a lock file by another name.
pub const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;
/// A monorepo of ten thousand packages stays below this.
pub const MAX_MANIFESTS_BYTES: u64 = 64 * 1024 * 1024;
/// PATH_MAX of Linux, without the final NUL: what the system cannot open is not tried.
pub const MAX_PATH_BYTES: usize = 4095;
/// NAME_MAX of every usual file system.
pub const MAX_NAME_BYTES: usize = 255;
/// Git has no bound; this is ten times the longest that are known, and keeps building a matcher short.
pub const MAX_GITIGNORE_BYTES: u64 = 256 * 1024;
/// More globs than a person writes; each is tried on every file.
pub const MAX_GLOBS: usize = 200;
/// Bounds what one glob may cost to compile.
pub const MAX_GLOB_BYTES: usize = 1024;
/// As many as Linux follows in one path.
pub const MAX_SYMLINKS: usize = 40;
/// A file that changed in each of this many readings is skipped (`changed_while_read`).
pub const READ_ATTEMPTS: usize = 3;
/// Beyond this, more threads wait for the disk and for each other.
const MAX_THREADS: usize = 16;

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            max_file_bytes: MAX_FILE_BYTES,
            max_files: MAX_FILES,
            max_depth: MAX_DEPTH,
            max_manifest_bytes: MAX_MANIFEST_BYTES,
            max_manifests_bytes: MAX_MANIFESTS_BYTES,
            threads: cores.min(MAX_THREADS),
        }
    }
}
