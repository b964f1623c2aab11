//! The second level of the cache: values by key, in the sessions' Redis or a separate one, within a memory budget.
//!
//! All nodes and versions store values in one ring of eight hashes. The newest hash takes values until it holds an
//! eighth of the budget; then the oldest is emptied and becomes the newest. One script does this, and it frees memory
//! as soon as other data needs it: see `lua/cache_put.lua`.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, pipe};

use super::keys::{CacheKeys, Keys};
use super::link::{self, Counts, Lane};
use super::reply::Reply;
use super::{RedisError, RedisOptions, Shared, client, frame, script};
use crate::cache::{CacheKey, Room, SharedCache, SharedError, SharedFuture};
use crate::clock::millis;
use crate::store::StoreError;

/// A hash of the ring expires a week after the last write to it.
const TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// Budget on a server without `maxmemory`: as much as a node caches in its own memory.
const BUDGET_WITHOUT_MAXMEMORY: u64 = 256 << 20;
/// Above this share of `maxmemory` the cache shrinks: sessions, buffers and memory freed late need the rest.
const MEMORY_PERCENT: u64 = 75;
/// Bytes that one script takes at most, so that it neither delays sessions nor fills the memory it should spare.
const BATCH_BYTES: usize = 1 << 20;
/// How long a memory shortage is shown after it was last seen, because it may come and go within seconds.
const SHORT_FOR: Duration = Duration::from_secs(60);
/// Size of one unpacked value.
const VALUE_MAX: usize = 16 << 20;
/// Bytes of the digest over version and key: enough to tell values apart, and stored with each value.
const NAME_BYTES: usize = 16;

/// See the module documentation.
pub struct RedisCache {
    lane: Lane,
    keys: CacheKeys,
    namespace: String,
    /// 0: derived from `maxmemory`.
    budget: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The generation that the server last reported. Empty: unknown.
    generation: String,
    bytes: Option<u64>,
    budget: Option<u64>,
    short: Option<(String, Instant)>,
    /// The server has refused values. None are sent until a probe finds room.
    full: bool,
}

/// The answer of the script that makes room.
struct Answer {
    generation: String,
    bytes: u64,
    budget: u64,
    refused: u64,
    short: bool,
    used: u64,
    maxmemory: u64,
}

type Name = [u8; NAME_BYTES];

impl RedisCache {
    /// Does no I/O. `namespace` names the code version that makes the values; other versions do not find them. `budget`
    /// is in bytes, for all nodes together; without it the budget is a quarter of the server's `maxmemory`.
    ///
    /// # Errors
    /// The URL or the certificates cannot be read.
    pub fn open(
        options: &RedisOptions,
        namespace: &str,
        budget: Option<u64>,
    ) -> Result<Self, RedisError> {
        let unreadable = |error: redis::RedisError| RedisError::Url(error.to_string());
        let parsed = client(options).map_err(unreadable)?;
        let info = link::tuned(parsed.get_connection_info());
        let shared = Arc::new(Shared {
            address: info.addr().to_string(),
            place: info.addr().into(),
            counts: Counts::default(),
            server: Mutex::default(),
            runs: AtomicU64::default(),
            broken: Mutex::default(),
        });
        let client = Client::open(info).map_err(unreadable)?;
        Ok(Self {
            lane: Lane::for_values(client, shared),
            keys: Keys::new(&options.prefix).cache(),
            namespace: namespace.to_owned(),
            budget: budget.unwrap_or(0),
            state: Mutex::default(),
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn name(&self, key: &CacheKey) -> Name {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.namespace.len() as u64).to_le_bytes());
        hasher.update(self.namespace.as_bytes());
        hasher.update(&key.0);
        let mut name = [0; NAME_BYTES];
        hasher.finalize_xof().fill(&mut name);
        name
    }

    async fn read_all(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let names: Vec<_> = keys.iter().map(|key| self.name(key)).collect();
        let mut all = pipe();
        for segment in &self.keys.segments {
            let asked = all.cmd("HMGET").arg(segment);
            names.iter().for_each(|name| {
                asked.arg(name.as_slice());
            });
        }
        let answers = self.lane.ask(all.ignore_errors()).await?;
        let mut found = vec![None; keys.len()];
        let mut refused = None;
        for answer in answers {
            let values = answer.and_then(|answer| {
                redis::from_redis_value::<Vec<Option<Vec<u8>>>>(answer).map_err(Into::into)
            });
            match values {
                Ok(values) => found
                    .iter_mut()
                    .zip(values)
                    .zip(&names)
                    .filter_map(|((found, value), name)| Some((found, unwrapped(name, &value?)?)))
                    .for_each(|(found, value)| *found = Some(value)),
                // Another program stored a value under this key; the next script that writes deletes it.
                Err(error) if error.code() == Some("WRONGTYPE") => {}
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(found), |error| Err(link::unavailable(&error)))
    }

    /// Returns how many values were not kept.
    async fn write_all(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> Result<u64, StoreError> {
        if self.with(|state| state.full) {
            return Ok(entries.len() as u64);
        }
        let mut refused = 0;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (key, value) in entries {
            let name = self.name(&key);
            let value = frame::wrap(&value, stamp(&name));
            if !batch.is_empty() && bytes + value.len() > BATCH_BYTES {
                refused += self.write(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += value.len();
            batch.push((name, value));
        }
        if !batch.is_empty() {
            refused += self.write(batch).await?;
        }
        Ok(refused)
    }

    async fn write(&self, batch: Vec<(Name, Vec<u8>)>) -> Result<u64, StoreError> {
        if self.with(|state| state.full) {
            return Ok(batch.len() as u64);
        }
        let answer = self.make_room(batch).await?;
        self.with(|state| state.full = answer.short && answer.refused > 0);
        Ok(answer.refused)
    }

    /// Frees memory over the budget and memory that other data needs, then stores the entries, in one round trip.
    async fn make_room(&self, entries: Vec<(Name, Vec<u8>)>) -> Result<Answer, StoreError> {
        let mut put = script::CACHE_PUT
            .on(&self.keys.all())
            .arg(self.with(|state| state.generation.clone()))
            .arg(self.budget)
            .arg(BUDGET_WITHOUT_MAXMEMORY)
            .arg(MEMORY_PERCENT)
            .arg(millis(TTL));
        for (name, value) in &entries {
            put = put.arg(name.as_slice()).arg(value.as_slice());
        }
        let answer = Answer::read(self.run(put).await?)?;
        self.learn(&answer);
        Ok(answer)
    }

    fn learn(&self, answer: &Answer) {
        let short = answer.short.then(|| {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            format!(
                "its Redis uses {} of {} MiB, and beyond {MEMORY_PERCENT} % shared analyses are evicted and not stored: \
                 raise maxmemory, or use another Redis for them (--cache-redis-url)",
                mib(answer.used),
                mib(answer.maxmemory),
            )
        });
        if let Some(why) = &short
            && !self.with(|state| state.short.is_some())
        {
            tracing::warn!(
                why,
                "the Redis of the shared cache is short of memory: analyses are evicted and not stored"
            );
        }
        self.with(|state| {
            state.generation.clone_from(&answer.generation);
            state.bytes = Some(answer.bytes);
            state.budget = Some(answer.budget);
            match short {
                Some(why) => state.short = Some((why, Instant::now())),
                None => {
                    let over = |(_, at): &(String, Instant)| at.elapsed() >= SHORT_FOR;
                    state.short.take_if(|short| over(short));
                }
            }
        });
    }

    async fn forget_all(&self) -> Result<(), StoreError> {
        let forget = script::CACHE_FORGET.on(&self.keys.all()).arg(millis(TTL));
        let generation = self.run(forget).await?.text()?;
        self.with(|state| {
            state.generation = generation;
            state.bytes = Some(0);
        });
        Ok(())
    }

    async fn look(&self) -> Result<(), StoreError> {
        let answer = self.make_room(Vec::new()).await?;
        self.with(|state| state.full &= answer.short);
        Ok(())
    }

    async fn run(&self, invocation: script::Invocation) -> Result<Reply, StoreError> {
        let mut answers = self.lane.run(vec![invocation]).await?;
        Reply::read(answers.pop().unwrap_or(Ok(redis::Value::Nil)))
    }
}

impl Answer {
    fn read(mut reply: Reply) -> Result<Self, StoreError> {
        Ok(Self {
            generation: reply.text()?,
            bytes: reply.number()?,
            budget: reply.number()?,
            refused: reply.number()?,
            short: reply.number()? == 1,
            used: reply.number()?,
            maxmemory: reply.number()?,
        })
    }
}

/// Part of the frame of a value: a value that arrives with another name is not the requested one.
fn stamp(name: &Name) -> u64 {
    let half: [u8; NAME_BYTES / 2] = std::array::from_fn(|at| name[at]);
    u64::from_le_bytes(half)
}

fn unwrapped(name: &Name, framed: &[u8]) -> Option<Vec<u8>> {
    let (stamped, bytes) = frame::unwrap(framed, VALUE_MAX).ok()?;
    (stamped == stamp(name)).then(|| bytes.to_vec())
}

impl SharedCache for RedisCache {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> SharedFuture<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(async move { self.read_all(keys).await.map_err(|error| told(&error)) })
    }

    fn put(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> SharedFuture<'_, u64> {
        Box::pin(async move { self.write_all(entries).await.map_err(|error| told(&error)) })
    }

    fn invalidate(&self) -> SharedFuture<'_, ()> {
        Box::pin(async move { self.forget_all().await.map_err(|error| told(&error)) })
    }

    fn invalidated(&self) {
        self.with(|state| state.generation.clear());
    }

    fn probe(&self) -> SharedFuture<'_, ()> {
        Box::pin(async move { self.look().await.map_err(|error| told(&error)) })
    }

    fn room(&self) -> Room {
        self.with(|state| Room {
            bytes: state.bytes,
            budget: state.budget,
            short: state.short.as_ref().map(|(why, _)| why.clone()),
        })
    }
}

fn told(error: &StoreError) -> SharedError {
    SharedError(error.to_string())
}
