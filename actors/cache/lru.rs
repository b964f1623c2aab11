//! A map bounded by weight, with eviction of the least recently used entry.

use std::collections::{BTreeMap, HashMap};

use super::{CacheKey, CacheValue, Weighed};

/// Overhead of an entry in addition to its value: the key, and its slot in both maps.
const ENTRY_OVERHEAD: usize = 160;

pub(super) struct Lru {
    limit: usize,
    weight: usize,
    evictions: u64,
    tick: u64,
    entries: HashMap<CacheKey, Entry>,
    by_use: BTreeMap<u64, CacheKey>,
}

struct Entry {
    value: CacheValue,
    weight: usize,
    used: u64,
}

impl Lru {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            weight: 0,
            evictions: 0,
            tick: 0,
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    pub(super) fn get(&mut self, key: &CacheKey) -> Option<CacheValue> {
        let entry = self.entries.get_mut(key)?;
        self.tick += 1;
        self.by_use.remove(&entry.used);
        self.by_use.insert(self.tick, *key);
        entry.used = self.tick;
        Some(entry.value.clone())
    }

    /// A value larger than the limit is not kept.
    pub(super) fn put(&mut self, key: CacheKey, entry: Weighed) {
        self.take(&key);
        let weight = entry.weight.saturating_add(ENTRY_OVERHEAD);
        if weight > self.limit {
            return;
        }
        self.tick += 1;
        self.weight += weight;
        self.by_use.insert(self.tick, key);
        self.entries.insert(
            key,
            Entry {
                value: entry.value,
                weight,
                used: self.tick,
            },
        );
        while self.weight > self.limit {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                return;
            };
            let oldest = *oldest;
            self.take(&oldest);
            self.evictions += 1;
        }
    }

    fn take(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
            self.by_use.remove(&entry.used);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }
}
