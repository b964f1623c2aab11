//! Which content a file had, by what `stat` says of it: so that a file that did not change is not read again.
//!
//! A freshness rule, not an index: every scan asks the disk for the state of every file, and a hash is reused only
//! where path, device, inode, size, time of modification and time of change are all those of the reading. A file
//! touched within [`SETTLED`] before its reading is never remembered, for a clock too coarse could hide a second
//! change. What this cannot see: a change that leaves no trace in any of these (a writer to the raw device), and one
//! on a network file system whose server's clock is behind this machine's by more than [`SETTLED`] minus its grain.
//!
//! Shared by every [`super::Workspace`] of the process unless told otherwise; a crash of it loses only speed.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ContentHash;
use super::open::Stat;
use super::text::Verdict;

/// Covers the coarsest clocks of file systems in use (FAT: two seconds).
pub(super) const SETTLED: Duration = Duration::from_secs(2);
/// Files remembered: two generations of more than a scan may hold, about 130 bytes each, so at most some 70 MB, and
/// only where so many files were asked about.
pub(super) const CAPACITY: usize = 2 * 262_144;
/// So that the threads of a scan rarely meet.
const SHARDS: usize = 16;

pub struct StatCache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    generation: usize,
}

/// What is used lives in `young`; when that is full, it becomes `old`, and what was old and unused goes.
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

/// What a reading found.
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
    /// Remembers at most about `capacity` files.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            generation: (capacity / SHARDS / 2).max(1),
        }
    }

    /// The one of this process.
    pub fn shared() -> Arc<Self> {
        static SHARED: LazyLock<Arc<StatCache>> = LazyLock::new(Arc::default);
        SHARED.clone()
    }

    /// Files remembered just now.
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

    /// `read_at`: when the reading began. Forgets the file where its state may yet change unseen.
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
