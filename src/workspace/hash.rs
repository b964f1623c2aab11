//! Content hashes of the files that a scan found: cached by their stat, or read now.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::SystemTime;

use super::open::{self, NotRead};
use super::skip::SkipReason;
use super::stat_cache::{Known, StatCache};
use super::{ContentHash, Limits, text};

/// A file to hash: its place, and its size as the scan saw it.
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

/// One entry per requested file, in order: its hash, and the number of bytes read.
pub(super) type Hashed = Vec<Read>;
type Read = Result<(Known, u64), SkipReason>;

/// Fewer files than this are read by the calling thread: starting others takes longer.
const ALONE: usize = 8;

pub(super) struct Stopped;

/// Reads `wanted` on several threads, the largest first, so that no thread ends with a large file.
pub(super) fn read_all(
    wanted: &[Wanted],
    cache: &StatCache,
    limits: &Limits,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Hashed, Stopped> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_unstable_by_key(|&index| std::cmp::Reverse(wanted[index].size));
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Option<Read>>> = Mutex::new(vec![None; wanted.len()]);
    let work = || {
        let mut buffer = Vec::new();
        let mut own = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop() {
                break;
            }
            match read_one(&wanted[index].path, cache, limits, &mut buffer, stop) {
                Ok(known) => own.push((index, Ok(known))),
                Err(NotRead::Skip(reason)) => own.push((index, Err(reason))),
                Err(NotRead::Stopped) => break,
            }
        }
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, result) in own {
            found[index] = Some(result);
        }
    };
    if wanted.len() < ALONE || limits.threads <= 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 1..limits.threads {
                // If the system allows no more threads, the existing ones do the work.
                if Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
    }
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A missing result means that the scan was stopped.
    found.into_iter().collect::<Option<_>>().ok_or(Stopped)
}

fn read_one(
    path: &Path,
    cache: &StatCache,
    limits: &Limits,
    buffer: &mut Vec<u8>,
    stop: &dyn Fn() -> bool,
) -> Result<(Known, u64), NotRead> {
    let read_at = SystemTime::now();
    let stat = open::read_file(path, limits.max_file_bytes, buffer, stop)?;
    let known = Known {
        hash: ContentHash::of(buffer),
        verdict: text::inspect(buffer),
    };
    cache.put(path, &stat, read_at, known);
    Ok((known, stat.size))
}
