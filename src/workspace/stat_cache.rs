//! Caches content hashes by `stat`, so that unchanged files are not read again.
//!
//! This is a freshness rule, not an index: every scan checks the state of every file. A hash is reused only if path,
//! device, inode, size, modification time and change time are the same as when the file was read. A file changed within
//! [`SETTLED`] before its read is never cached, because a coarse clock could hide a second change. It cannot detect a
//! change that leaves all of these equal (a write to the raw device), nor one on a network file system whose server's
//! clock is behind by more than [`SETTLED`] minus its granularity.
//!
//! Shared by every [`super::Workspace`] of the process by default. Losing it costs only speed.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ContentHash;
use super::open::Stat;
use super::text::Verdict;

/// Covers the coarsest file system clocks in use (FAT: two seconds).
pub(super) const SETTLED: Duration = Duration::from_secs(2);
/// Files cached: two generations, each larger than a scan. At about 130 bytes per file this is 70 MB at most, and only
/// if that many files were scanned.
pub(super) const CAPACITY: usize = 2 * 262_144;
/// Enough that the threads of a scan rarely contend.
const SHARDS: usize = 16;

pub struct StatCache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    generation: usize,
}

/// New and used entries are in `young`. When it is full it becomes `old`, and the unused entries of the previous `old`
/// are dropped.
#[derive(Default)]
struct Shard {
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    path: u64,
    device: u64,
    inode: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    size: u64,
    modified: i64,
    changed: i64,
    known: Known,
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) hash: ContentHash,
    pub(super) verdict: Verdict,
}

impl Default for StatCache {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl StatCache {
    /// A cache of about `capacity` files.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            generation: (capacity / SHARDS / 2).max(1),
        }
    }

    /// The cache of this process.
    pub fn shared() -> Arc<Self> {
        static SHARED: LazyLock<Arc<StatCache>> = LazyLock::new(Arc::default);
        SHARED.clone()
    }

    /// Files cached now.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.young.len() + shard.old.len()
            })
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn get(&self, path: &Path, stat: &Stat) -> Option<Known> {
        let key = self.key(path, stat);
        let mut shard = self.shard(&key);
        let entry = match shard.young.get(&key) {
            Some(entry) => *entry,
            None => {
                let entry = shard.old.remove(&key)?;
                self.insert(&mut shard, key, entry);
                entry
            }
        };
        let unchanged = entry.size == stat.size
            && entry.modified == stat.modified
            && entry.changed == stat.changed;
        unchanged.then_some(entry.known)
    }

    /// `read_at` is when the read began. Drops the entry if the file could still change unnoticed.
    pub(super) fn put(&self, path: &Path, stat: &Stat, read_at: SystemTime, known: Known) {
        let key = self.key(path, stat);
        let mut shard = self.shard(&key);
        shard.old.remove(&key);
        if !is_settled(stat, read_at) {
            shard.young.remove(&key);
            return;
        }
        let entry = Entry {
            size: stat.size,
            modified: stat.modified,
            changed: stat.changed,
            known,
        };
        self.insert(&mut shard, key, entry);
    }

    fn insert(&self, shard: &mut Shard, key: Key, entry: Entry) {
        if shard.young.len() >= self.generation && !shard.young.contains_key(&key) {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(key, entry);
    }

    fn key(&self, path: &Path, stat: &Stat) -> Key {
        Key {
            path: self.hasher.hash_one(path.as_os_str()),
            device: stat.device,
            inode: stat.inode,
        }
    }

    fn shard(&self, key: &Key) -> std::sync::MutexGuard<'_, Shard> {
        let index = usize::try_from(key.path % SHARDS as u64).unwrap_or(0);
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_settled(stat: &Stat, read_at: SystemTime) -> bool {
    let Some(read_at) = read_at
        .checked_sub(SETTLED)
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|time| i64::try_from(time.as_nanos()).ok())
    else {
        return false;
    };
    stat.modified <= read_at && stat.changed <= read_at
}

#[cfg(test)]
#[path = "tests/stat_cache.rs"]
mod tests;
