//! Blocking access to the cache for tools, with short time limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use telemetry::list::attribute::{CACHE_HITS, CACHE_KEYS};
use telemetry::list::metric::CacheLookups;
use telemetry::list::span::CACHE_GET;
use telemetry::{Parent, Span};

use super::{CacheKey, CacheMsg, CacheValue, Found, PENDING_WAIT, SecondLevel, Weighed};
use crate::handle::ActorSlot;

/// Longest wait for a lookup. The cache answers in microseconds, unless it is being restarted.
const LOOKUP_WAIT: Duration = Duration::from_millis(250);

/// The `error.type` of a lookup that the cache did not answer.
const SILENT: &str = "silent";

/// What [`CacheHandle::get_or_compute`] found, in the order of the keys.
pub struct Fetched {
    /// `None` if `compute` returned no value.
    pub values: Vec<Option<CacheValue>>,
    pub hits: u64,
    pub misses: u64,
}

/// Cheap to clone; follows the cache actor over restarts. A cache that is down or slow is skipped.
#[derive(Clone, Default)]
pub struct CacheHandle {
    place: Option<ActorSlot<CacheMsg>>,
    second: Option<Arc<SecondLevel>>,
    /// See [`super::Arguments`].
    weight: Arc<AtomicU64>,
}

impl CacheHandle {
    /// A cache that keeps nothing, so every key is computed.
    pub fn none() -> Self {
        Self::default()
    }

    pub(crate) fn new(place: ActorSlot<CacheMsg>) -> Self {
        Self {
            place: Some(place),
            second: None,
            weight: Arc::default(),
        }
    }

    /// Bytes of the values in memory, without asking the actor.
    pub(crate) fn bytes(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    /// The counter that the actor sets.
    pub(crate) fn weight(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.weight)
    }

    /// Adds a second level, which is asked for keys that the first level lacks before they are computed.
    pub(crate) fn with_second_level(self, second: Option<Arc<SecondLevel>>) -> Self {
        Self { second, ..self }
    }

    /// The cache of this node alone, for values that cannot be encoded.
    #[must_use]
    pub fn in_memory(&self) -> Self {
        Self {
            second: None,
            ..self.clone()
        }
    }

    pub(crate) fn second_level(&self) -> Option<&Arc<SecondLevel>> {
        self.second.as_ref()
    }

    /// Blocking: for tools on the pool. One message looks up all keys, and hits return at once. `compute` gets the
    /// indexes of the keys that this caller has to compute. It may use any number of threads, and passes each value to
    /// the function it is given. A key that another caller is computing is awaited until `deadline` at most, and then
    /// computed here, so `compute` may be called twice, with different indexes. A key that occurs twice is computed
    /// once.
    pub fn get_or_compute<E>(
        &self,
        keys: &[CacheKey],
        deadline: Instant,
        mut compute: impl FnMut(&[usize], &(dyn Fn(usize, Weighed) + Sync)) -> Result<(), E>,
    ) -> Result<Fetched, E> {
        let first_of = first_occurrences(keys);
        let unique: Vec<usize> = (0..keys.len())
            .filter(|index| first_of[*index] == *index)
            .collect();
        let mut values: Vec<Option<CacheValue>> = vec![None; keys.len()];
        let (mut hits, mut mine, mut pending) = (0, Vec::new(), Vec::new());
        let mut span = Span::start(&CACHE_GET, Parent::Current);
        let entered = telemetry::enter(span.context());
        let found = self.look_up(unique.iter().map(|index| keys[*index]).collect(), deadline);
        let answered = found.is_some();
        match found {
            Some(found) => {
                for (&index, found) in unique.iter().zip(found) {
                    match found {
                        Found::Hit(value) => {
                            hits += 1;
                            values[index] = Some(value);
                        }
                        Found::Claimed => mine.push(index),
                        Found::Pending => pending.push(index),
                    }
                }
            }
            None => mine.clone_from(&unique),
        }
        let misses = (unique.len() as u64).saturating_sub(hits);
        let claims = Claims {
            cache: answered.then_some(self),
            keys: mine.iter().map(|index| keys[*index]).collect(),
        };
        let asked = mine.len();
        let mine = self.fetch(keys, mine, &mut values, deadline);
        drop(entered);
        span.set(CACHE_KEYS, unique.len());
        span.set(
            CACHE_HITS,
            unique.len().saturating_sub(mine.len() + pending.len()),
        );
        if !answered {
            span.fail(SILENT);
        }
        span.end();
        // A key that another caller computes now counts as one in memory.
        let memory = hits + pending.len() as u64;
        for (level, many) in [
            ("memory", memory),
            ("shared", (asked - mine.len()) as u64),
            ("none", mine.len() as u64),
        ] {
            if many > 0 {
                CacheLookups { level }.add(many);
            }
        }
        self.compute(keys, &mine, &mut values, &mut compute)?;
        drop(claims);
        let left = self.wait_for(keys, &pending, &mut values, deadline);
        self.compute(keys, &left, &mut values, &mut compute)?;
        for index in 0..keys.len() {
            if values[index].is_none() {
                values[index] = values[first_of[index]].clone();
            }
        }
        Ok(Fetched {
            values,
            hits,
            misses,
        })
    }

    /// Fills values from the second level. Returns the indexes that remain to be computed.
    fn fetch(
        &self,
        keys: &[CacheKey],
        mine: Vec<usize>,
        values: &mut [Option<CacheValue>],
        deadline: Instant,
    ) -> Vec<usize> {
        let Some(second) = self.second.as_ref().filter(|_| !mine.is_empty()) else {
            return mine;
        };
        let wanted: Vec<CacheKey> = mine.iter().map(|index| keys[*index]).collect();
        let mut entries = Vec::new();
        second.fetch(&wanted, deadline, |nth, entry| {
            values[mine[nth]] = Some(Arc::clone(&entry.value));
            entries.push((wanted[nth], entry));
        });
        if let Some(place) = self.place.as_ref().filter(|_| !entries.is_empty()) {
            place.cast(CacheMsg::Fill { entries });
        }
        mine.into_iter()
            .filter(|index| values[*index].is_none())
            .collect()
    }

    fn compute<E>(
        &self,
        keys: &[CacheKey],
        indexes: &[usize],
        values: &mut [Option<CacheValue>],
        compute: &mut impl FnMut(&[usize], &(dyn Fn(usize, Weighed) + Sync)) -> Result<(), E>,
    ) -> Result<(), E> {
        if indexes.is_empty() {
            return Ok(());
        }
        let made = std::sync::Mutex::new(Vec::new());
        let put = |index: usize, entry: Weighed| {
            let mut made = made
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            made.push((index, Arc::clone(&entry.value)));
            drop(made);
            if let (Some(second), Some(key)) = (&self.second, keys.get(index)) {
                second.offer(*key, &entry.value);
            }
            if let (Some(place), Some(key)) = (&self.place, keys.get(index)) {
                place.cast(CacheMsg::Fill {
                    entries: vec![(*key, entry)],
                });
            }
        };
        let result = compute(indexes, &put);
        for (index, value) in made
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            values[index] = Some(value);
        }
        result
    }

    /// `None` if the cache does not answer.
    fn look_up(&self, keys: Vec<CacheKey>, deadline: Instant) -> Option<Vec<Found>> {
        let place = self.place.as_ref()?;
        let (reply, answer) = sync_channel(1);
        if keys.is_empty() || !place.cast(CacheMsg::Lookup { keys, reply }) {
            return None;
        }
        answer
            .recv_timeout(LOOKUP_WAIT.min(deadline.saturating_duration_since(Instant::now())))
            .ok()
    }

    /// Returns the indexes whose values did not arrive.
    fn wait_for(
        &self,
        keys: &[CacheKey],
        pending: &[usize],
        values: &mut [Option<CacheValue>],
        deadline: Instant,
    ) -> Vec<usize> {
        let Some(place) = self.place.as_ref().filter(|_| !pending.is_empty()) else {
            return pending.to_vec();
        };
        let (reply, answers) = sync_channel(pending.len());
        let wanted = pending.iter().map(|index| (*index, keys[*index])).collect();
        if place.cast(CacheMsg::Wait {
            keys: wanted,
            reply,
        }) {
            let until = deadline.min(Instant::now() + PENDING_WAIT);
            for _ in pending {
                // When the cache actor dies, its sender is dropped, which ends the wait.
                let Ok((index, value)) =
                    answers.recv_timeout(until.saturating_duration_since(Instant::now()))
                else {
                    break;
                };
                values[index] = value;
            }
        }
        pending
            .iter()
            .copied()
            .filter(|index| values[*index].is_none())
            .collect()
    }
}

/// Keys that this caller has claimed. On drop, also during a panic, it releases the claims it has not filled.
struct Claims<'a> {
    cache: Option<&'a CacheHandle>,
    keys: Vec<CacheKey>,
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.cache.and_then(|cache| cache.place.as_ref())
            && !self.keys.is_empty()
        {
            // Sent after this caller's fills, so filled keys are no longer claimed.
            place.cast(CacheMsg::Abandon {
                keys: std::mem::take(&mut self.keys),
            });
        }
    }
}

fn first_occurrences(keys: &[CacheKey]) -> Vec<usize> {
    let mut seen = HashMap::with_capacity(keys.len());
    keys.iter()
        .enumerate()
        .map(|(index, key)| *seen.entry(*key).or_insert(index))
        .collect()
}
