//! The second cache level: values as bytes, shared by all nodes, behind the first level in memory.
//!
//! Nothing depends on it. Values that it does not return in time are computed; after a failure it is skipped until it
//! answers a probe; values that cannot be written at once are dropped. Its state lives above the tree.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{CacheKey, CacheValue, Weighed};
use crate::status::SharedCacheStatus;

pub type SharedFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SharedError>> + Send + 'a>>;

/// An error of the second level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the shared cache is unavailable: {0}")]
pub struct SharedError(pub String);

/// A store in which nodes share values. All values belong to one version of the code that makes them.
pub trait SharedCache: Send + Sync + 'static {
    /// Returns one entry per key, in order. A damaged value counts as missing.
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> SharedFuture<'a, Vec<Option<Vec<u8>>>>;

    /// Stores entries. Returns how many were not kept.
    fn put(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> SharedFuture<'_, u64>;

    /// Invalidates all values stored so far, for all nodes.
    fn invalidate(&self) -> SharedFuture<'_, ()>;

    /// Another node has invalidated the cache, so a remembered generation is out of date.
    fn invalidated(&self);

    /// Checks with one request whether the store answers. Also evicts values if others need the memory.
    fn probe(&self) -> SharedFuture<'_, ()>;

    /// Bytes held and allowed, as last reported.
    fn room(&self) -> Room;
}

/// What a second level holds. `None`: not known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    pub bytes: Option<u64>,
    pub budget: Option<u64>,
    /// Why it keeps less than its budget allows.
    pub short: Option<String>,
}

/// Converts values to bytes and back. Implemented by the code that makes the values.
pub trait Codec: Send + Sync + 'static {
    /// `None`: the value is not worth sharing.
    fn encode(&self, value: &CacheValue) -> Option<Vec<u8>>;

    /// `None`: the bytes do not decode.
    fn decode(&self, bytes: &[u8]) -> Option<Weighed>;
}

/// A second level and the codec of its values.
#[derive(Clone)]
pub struct Shared {
    pub cache: Arc<dyn SharedCache>,
    pub codec: Arc<dyn Codec>,
}

/// Longest wait for a batch, plus an allowance per key: reading a value back takes microseconds, computing it takes
/// hundreds.
const BATCH_WITHIN: Duration = Duration::from_millis(50);
const KEY_WITHIN: Duration = Duration::from_micros(200);
/// Keys requested at once; the answer is a few megabytes.
const BATCH: usize = 512;
/// Interval of probes. A level that failed is used again after this time at most, and a failure is noticed even while
/// no caller uses the level.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for a probe of a level in use. A machine that is busy for a moment should not disable it.
const PROBE_WITHIN: Duration = Duration::from_secs(2);
/// The error of a request that took too long.
const LATE: &str = "it did not answer in time";
/// Values that wait to be written. Further ones are dropped, and other nodes compute them too.
const WRITES_MAX: usize = 4096;
/// Values written with one request.
const WRITTEN_AT_ONCE: usize = 128;
/// Larger values are not shared (bytes, encoded): such files are rare, and reading them would delay other requests.
const VALUE_BYTES: usize = 1 << 20;

/// One node's access to the second level.
pub(crate) struct SecondLevel {
    shared: Shared,
    /// For one batch, in addition to [`KEY_WITHIN`].
    batch_within: Duration,
    runtime: Handle,
    writes: mpsc::Sender<(CacheKey, Vec<u8>)>,
    /// Why the level is skipped; `None` while it is in use.
    left_alone: Mutex<Option<String>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    skipped: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
}

impl SecondLevel {
    /// Must run inside a tokio runtime. The writing and probing tasks end when the returned value is dropped.
    pub(crate) fn new(shared: Shared) -> Arc<Self> {
        Self::with_patience(shared, BATCH_WITHIN)
    }

    fn with_patience(shared: Shared, batch_within: Duration) -> Arc<Self> {
        let (writes, waiting) = mpsc::channel(WRITES_MAX);
        let level = Arc::new(Self {
            shared,
            batch_within,
            runtime: Handle::current(),
            writes,
            left_alone: Mutex::default(),
            counts: Counts::default(),
        });
        tokio::spawn(write(Arc::downgrade(&level), waiting));
        tokio::spawn(watch(Arc::downgrade(&level)));
        level
    }

    /// Blocking: for tools on the pool. Passes on every value found, with the index of its key.
    pub(crate) fn fetch(
        self: &Arc<Self>,
        keys: &[CacheKey],
        deadline: Instant,
        mut hand_in: impl FnMut(usize, Weighed),
    ) {
        let many = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let until = deadline.min(Instant::now() + self.batch_within + KEY_WITHIN * many);
        for (nth, batch) in keys.chunks(BATCH).enumerate() {
            if self.is_left_alone() {
                self.counts
                    .skipped
                    .fetch_add(batch.len() as u64, Ordering::Relaxed);
                continue;
            }
            let (reply, answer) = sync_channel(1);
            let (level, asked) = (Arc::clone(self), batch.to_vec());
            let asking = async move {
                // The caller may have stopped waiting.
                let _ = reply.try_send(level.shared.cache.get(&asked).await);
            };
            self.runtime
                .spawn(telemetry::traced(telemetry::current(), asking));
            let left = until.saturating_duration_since(Instant::now());
            match answer.recv_timeout(left) {
                Ok(Ok(found)) => {
                    for (index, bytes) in found.into_iter().enumerate() {
                        let value = bytes.and_then(|bytes| self.shared.codec.decode(&bytes));
                        let count = if value.is_some() {
                            &self.counts.hits
                        } else {
                            &self.counts.misses
                        };
                        count.fetch_add(1, Ordering::Relaxed);
                        if let Some(value) = value {
                            hand_in(nth * BATCH + index, value);
                        }
                    }
                }
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(_) => self.failed(LATE),
            }
        }
    }

    /// Queues a value to be written for other nodes.
    pub(crate) fn offer(&self, key: CacheKey, value: &CacheValue) {
        if self.is_left_alone() {
            self.counts.skipped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Reserve first, to save the work of encoding.
        let Ok(place) = self.writes.try_reserve() else {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        match self.shared.codec.encode(value) {
            Some(bytes) if bytes.len() <= VALUE_BYTES => place.send((key, bytes)),
            Some(_) | None => {}
        }
    }

    pub(crate) async fn invalidate(&self) -> Result<(), SharedError> {
        self.shared.cache.invalidate().await
    }

    pub(crate) fn invalidated(&self) {
        self.shared.cache.invalidated();
    }

    pub(crate) fn status(&self) -> SharedCacheStatus {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let room = self.shared.cache.room();
        SharedCacheStatus {
            bytes: room.bytes,
            budget: room.budget,
            short: room.short,
            away: self.left_alone().clone(),
            hits: count(&self.counts.hits),
            misses: count(&self.counts.misses),
            skipped: count(&self.counts.skipped),
            errors: count(&self.counts.errors),
            dropped: count(&self.counts.dropped),
        }
    }

    fn failed(&self, why: &str) {
        self.counts.errors.fetch_add(1, Ordering::Relaxed);
        let before = self.left_alone().replace(why.to_owned());
        if before.is_none() {
            tracing::warn!(why, "the shared cache is skipped until it answers");
        }
    }

    fn is_left_alone(&self) -> bool {
        self.left_alone().is_some()
    }

    fn left_alone(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.left_alone
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A level that is skipped must answer a probe as fast as callers need it to.
    async fn probe(&self) {
        let within = if self.is_left_alone() {
            self.batch_within
        } else {
            PROBE_WITHIN
        };
        match tokio::time::timeout(within, self.shared.cache.probe()).await {
            Ok(Ok(())) => {
                if self.left_alone().take().is_some() {
                    tracing::info!("the shared cache answers again");
                }
            }
            Ok(Err(error)) => self.failed(&error.to_string()),
            Err(_) => self.failed(LATE),
        }
    }
}

/// Ends when the second level is dropped.
async fn watch(level: std::sync::Weak<SecondLevel>) {
    loop {
        tokio::time::sleep(PROBE_EVERY).await;
        let Some(level) = level.upgrade() else { return };
        level.probe().await;
    }
}

/// Ends when the second level is dropped.
async fn write(
    level: std::sync::Weak<SecondLevel>,
    mut waiting: mpsc::Receiver<(CacheKey, Vec<u8>)>,
) {
    /// Longest wait for one write.
    const WITHIN: Duration = Duration::from_secs(2);
    loop {
        let mut entries = Vec::with_capacity(WRITTEN_AT_ONCE);
        if waiting.recv_many(&mut entries, WRITTEN_AT_ONCE).await == 0 {
            return;
        }
        let Some(level) = level.upgrade() else { return };
        let many = entries.len() as u64;
        let written = tokio::time::timeout(WITHIN, level.shared.cache.put(entries)).await;
        let dropped = match written {
            Ok(Ok(refused)) => refused,
            Ok(Err(error)) => {
                level.failed(&error.to_string());
                many
            }
            Err(_) => {
                level.failed("it did not take values in time");
                many
            }
        };
        level.counts.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
