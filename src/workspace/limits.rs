//! All limits of a scan.

/// Limits of one scan. The defaults are the same for servers and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Larger files are skipped unread (`file_too_large`).
    pub max_file_bytes: u64,
    /// A scan with more files or more manifests fails (`too_many_files`).
    pub max_files: usize,
    /// Directories deeper than this below the scanned one are skipped (`too_deep`).
    pub max_depth: usize,
    /// Larger manifests are skipped (`manifest_too_large`).
    pub max_manifest_bytes: u64,
    /// Once the manifests of a scan reach this size, the rest are skipped (`manifest_too_large`).
    pub max_manifests_bytes: u64,
    /// Threads of one scan.
    pub threads: usize,
}

/// 10 MiB: the largest known hand-written files (amalgamations such as sqlite3.c) are just below it. Larger files are
/// data in the form of code, and cost a parser a hundred times their size.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;
/// Four times the Linux kernel. A scan needs about 500 bytes per file, so this limits it to about 100 MB.
pub const MAX_FILES: usize = 200_000;
/// Deeper than any source tree. Limits the length, and so the destruction, of chains of ignore rules.
pub const MAX_DEPTH: usize = 256;
/// People write manifests; a larger one is a lock file under another name.
pub const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;
/// A monorepo of ten thousand packages stays below this.
pub const MAX_MANIFESTS_BYTES: u64 = 64 * 1024 * 1024;
/// PATH_MAX of Linux, without the final NUL: the system cannot open longer paths.
pub const MAX_PATH_BYTES: usize = 4095;
/// NAME_MAX of all common file systems.
pub const MAX_NAME_BYTES: usize = 255;
/// Git has no limit. This is ten times the longest known file, and limits the time to build a matcher.
pub const MAX_GITIGNORE_BYTES: u64 = 256 * 1024;
/// More globs than a person writes; each one is tried on every file.
pub const MAX_GLOBS: usize = 200;
/// Limits the cost of compiling a glob.
pub const MAX_GLOB_BYTES: usize = 1024;
/// As many as Linux follows in one path.
pub const MAX_SYMLINKS: usize = 40;
/// A file that changes during each of this many reads is skipped (`changed_while_read`).
pub const READ_ATTEMPTS: usize = 3;
/// More threads than this would wait for the disk and for each other.
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
