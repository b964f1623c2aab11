//! How tools reach the cache: blocking, and never for long.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use super::{CacheKey, CacheMsg, CacheValue, Found, PENDING_WAIT, Weighed};
use crate::handle::Place;

/// Longest wait for the cache to say what it has: it answers in microseconds, or is being restarted.
const LOOKUP_WAIT: Duration = Duration::from_millis(250);

/// What [`CacheHandle::get_or_compute`] found, in the order of the keys.
pub struct Fetched {
    /// `None` where `compute` gave nothing.
    pub values: Vec<Option<CacheValue>>,
    pub hits: u64,
    pub misses: u64,
}

/// Cheap to clone; follows the cache actor over restarts. A cache that is away or slow is skipped, never waited for.
#[derive(Clone, Default)]
pub struct CacheHandle(Option<Place<CacheMsg>>);

impl CacheHandle {
    /// A cache that keeps nothing: every key is computed.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) fn new(place: Place<CacheMsg>) -> Self {
        Self(Some(place))
    }

    /// Blocking: for tools on the pool. One message asks for all keys. Hits come back at once; `compute` is called
    /// with the indexes that this caller has to compute (from as many threads as it likes, handing each value in
    /// through the function it is given); what another caller is computing just now is awaited, at most until
    /// `deadline`, and computed here where it does not come (so `compute` may be called twice, with different
    /// indexes). A key that occurs twice is computed once.
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
            if let (Some(place), Some(key)) = (&self.0, keys.get(index)) {
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

    /// `None` where the cache does not answer.
    fn look_up(&self, keys: Vec<CacheKey>, deadline: Instant) -> Option<Vec<Found>> {
        let place = self.0.as_ref()?;
        let (reply, answer) = sync_channel(1);
        if keys.is_empty() || !place.cast(CacheMsg::Lookup { keys, reply }) {
            return None;
        }
        answer
            .recv_timeout(LOOKUP_WAIT.min(deadline.saturating_duration_since(Instant::now())))
            .ok()
    }

    /// Returns the indexes that did not come.
    fn wait_for(
        &self,
        keys: &[CacheKey],
        pending: &[usize],
        values: &mut [Option<CacheValue>],
        deadline: Instant,
    ) -> Vec<usize> {
        let Some(place) = self.0.as_ref().filter(|_| !pending.is_empty()) else {
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
                // A cache that dies drops its end, which ends the wait.
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

/// What a caller has promised to compute. Dropped, by whatever way out, it gives up what was not filled.
struct Claims<'a> {
    cache: Option<&'a CacheHandle>,
    keys: Vec<CacheKey>,
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.cache.and_then(|cache| cache.0.as_ref())
            && !self.keys.is_empty()
        {
            // After the fills of the same caller, so what was filled is no claim any more.
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
