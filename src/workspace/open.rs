//! Opens files without a race between checking a path and using it.
//!
//! Every path passed in is canonical: a canonical root and names below it, none of which was a link when the path was
//! resolved. It is opened so that the kernel refuses it if any part is a symbolic link by now. The opened file is
//! therefore the one that the path names, and all further checks use its handle. Nothing blocks: a FIFO or device in a
//! file's place is opened without waiting and refused by its type.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::limits::READ_ATTEMPTS;
use super::skip::SkipReason;

/// Identifies the state of a file: if equal before and after a read, the file did not change in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) kind: FileType,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
    pub(super) changed: i64,
}

/// Why a file was not read.
pub(super) enum NotRead {
    Skip(SkipReason),
    Stopped,
}

/// Bytes between two checks whether to stop. Reading and hashing this much takes less than a millisecond.
const READ_BLOCK: u64 = 1024 * 1024;

pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, OFlags::RDONLY | DIRECTORY_FLAGS)
}

fn open_file(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, OFlags::RDONLY | FILE_FLAGS)
}

const FILE_FLAGS: OFlags = OFlags::NONBLOCK
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Passing through a directory needs no permission to list it.
#[cfg(target_os = "linux")]
const PASS: OFlags = OFlags::PATH.union(DIRECTORY_FLAGS);
#[cfg(not(target_os = "linux"))]
const PASS: OFlags = DIRECTORY_FLAGS;

const DIRECTORY_FLAGS: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    if let Some(opened) = open_at_once(path, flags) {
        return opened;
    }
    open_stepwise(path, flags)
}

/// `None` if the kernel (before 5.6) or a sandbox has no `openat2`.
#[cfg(target_os = "linux")]
fn open_at_once(path: &Path, flags: OFlags) -> Option<Result<OwnedFd, Errno>> {
    use rustix::fs::{ResolveFlags, openat2};
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return None;
    }
    if !is_canonical(path) {
        return Some(Err(Errno::INVAL));
    }
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => {
            MISSING.store(true, Ordering::Relaxed);
            None
        }
        opened => Some(opened),
    }
}

/// Opens from `/` name by name, each relative to the previous handle.
fn open_stepwise(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    if !is_canonical(path) {
        return Err(Errno::INVAL);
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return rustix::fs::openat(CWD, "/", flags, Mode::empty());
    };
    let mut directory = rustix::fs::openat(CWD, "/", PASS, Mode::empty())?;
    for part in parent.components().skip(1) {
        directory = rustix::fs::openat(&directory, part.as_os_str(), PASS, Mode::empty())?;
    }
    rustix::fs::openat(&directory, name, flags | OFlags::NOFOLLOW, Mode::empty())
}

fn is_canonical(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// The state of a path, without opening it. Does not follow a link.
pub(super) fn stat(path: &Path) -> Result<Stat, Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return rustix::fs::stat(path).map(Stat::from);
    };
    let directory = open(parent, PASS)?;
    rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Stat::from)
}

/// The state of a name in an open directory. Does not follow a link.
pub(super) fn stat_at(directory: impl AsFd, name: &CStr) -> Result<Stat, Errno> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Stat::from)
}

impl From<rustix::fs::Stat> for Stat {
    // The fields have other widths on other systems.
    #[allow(clippy::unnecessary_cast, clippy::cast_lossless)]
    fn from(stat: rustix::fs::Stat) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            kind: FileType::from_raw_mode(stat.st_mode as _),
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// Reads a whole file into `buffer` (cleared first) in one consistent state, and reads again if it changed meanwhile.
/// Reads `limit` bytes at most, and one more to detect a larger file.
pub(super) fn read_file(
    path: &Path,
    limit: u64,
    buffer: &mut Vec<u8>,
    stop: &dyn Fn() -> bool,
) -> Result<Stat, NotRead> {
    for _ in 0..READ_ATTEMPTS {
        let file = open_file(path).map_err(not_read)?;
        if let Some(stat) = read_open(File::from(file), limit, buffer, stop)? {
            return Ok(stat);
        }
    }
    Err(NotRead::Skip(SkipReason::ChangedWhileRead))
}

/// The same for a name in an open directory.
pub(super) fn read_file_at(
    directory: impl AsFd,
    name: &str,
    limit: u64,
    buffer: &mut Vec<u8>,
) -> Result<Stat, NotRead> {
    for _ in 0..READ_ATTEMPTS {
        let flags = OFlags::RDONLY | FILE_FLAGS;
        let file = rustix::fs::openat(&directory, name, flags, Mode::empty()).map_err(not_read)?;
        if let Some(stat) = read_open(File::from(file), limit, buffer, &|| false)? {
            return Ok(stat);
        }
    }
    Err(NotRead::Skip(SkipReason::ChangedWhileRead))
}

/// `None`: the file changed while it was read.
fn read_open(
    mut file: File,
    limit: u64,
    buffer: &mut Vec<u8>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Stat>, NotRead> {
    let before = rustix::fs::fstat(&file).map(Stat::from).map_err(not_read)?;
    if before.kind != FileType::RegularFile {
        return Err(NotRead::Skip(SkipReason::NotARegularFile));
    }
    buffer.clear();
    loop {
        if before.size > limit || buffer.len() as u64 > limit {
            return Err(NotRead::Skip(SkipReason::FileTooLarge));
        }
        if stop() {
            return Err(NotRead::Stopped);
        }
        let expected = before.size.saturating_sub(buffer.len() as u64);
        buffer.reserve(usize::try_from(expected.min(READ_BLOCK)).unwrap_or(0) + 1);
        let read = (&mut file)
            .take(READ_BLOCK)
            .read_to_end(buffer)
            .map_err(|_| NotRead::Skip(SkipReason::NotReadable))?;
        if (read as u64) < READ_BLOCK {
            break;
        }
    }
    let after = rustix::fs::fstat(&file).map(Stat::from).map_err(not_read)?;
    Ok((before == after && after.size == buffer.len() as u64).then_some(after))
}

fn not_read(error: Errno) -> NotRead {
    NotRead::Skip(file_reason(error))
}

pub(super) fn file_reason(error: Errno) -> SkipReason {
    match error {
        Errno::NOENT | Errno::NOTDIR => SkipReason::Vanished,
        Errno::LOOP => SkipReason::Symlink,
        // A socket.
        Errno::NXIO => SkipReason::NotARegularFile,
        Errno::NAMETOOLONG => SkipReason::PathTooLong,
        _ => SkipReason::NotReadable,
    }
}

pub(super) fn directory_reason(error: Errno) -> SkipReason {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => SkipReason::VanishedDirectory,
        Errno::NAMETOOLONG => SkipReason::DirectoryPathTooLong,
        _ => SkipReason::UnreadableDirectory,
    }
}

#[cfg(test)]
#[path = "tests/open.rs"]
mod tests;
