//! The second level of the cache: values by key, in the sessions' Redis or in one of their own, each with a time to
//! live. A generation, which is part of every key, makes all of them unreachable at once: nothing is looked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, pipe};

use super::index::read;
use super::link::{self, Counts, Lane};
use super::{RedisError, RedisOptions, Shared, client, frame};
use crate::cache::{CacheKey, SharedCache, SharedError, SharedFuture};
use crate::clock::millis;
use crate::store::StoreError;

/// A tree that nobody asked about for a week is asked about anew.
const TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the generation is remembered: a message tells of a new one at once, and messages may be lost.
const GENERATION_FOR: Duration = Duration::from_secs(1);
/// A server without memory is written to again after so long.
const FULL_FOR: Duration = Duration::from_secs(60);
/// Of one value, unpacked.
const VALUE_MAX: usize = 16 << 20;

/// See the module.
pub struct RedisCache {
    lane: Lane,
    prefix: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    generation: Option<(u64, Instant)>,
    full_until: Option<Instant>,
}

impl RedisCache {
    /// Does no I/O. `namespace` names whatever made the values: another version finds none of them.
    ///
    /// # Errors
    /// A URL or certificates that cannot be read.
    pub fn open(options: &RedisOptions, namespace: &str) -> Result<Self, RedisError> {
        let unreadable = |error: redis::RedisError| RedisError::Url(error.to_string());
        let parsed = client(options).map_err(unreadable)?;
        let info = link::tuned(parsed.get_connection_info());
        let shared = Arc::new(Shared {
            address: info.addr().to_string(),
            counts: Counts::default(),
            server: Mutex::default(),
            broken: Mutex::default(),
        });
        let client = Client::open(info).map_err(unreadable)?;
        Ok(Self {
            lane: Lane::for_values(client, shared),
            prefix: format!("{}:cache:{namespace}", options.prefix),
            state: Mutex::default(),
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn generation(&self) -> Result<u64, StoreError> {
        let known = self.with(|state| state.generation);
        if let Some((generation, at)) = known
            && at.elapsed() < GENERATION_FOR
        {
            return Ok(generation);
        }
        self.ask_generation().await
    }

    async fn ask_generation(&self) -> Result<u64, StoreError> {
        let mut which = pipe();
        which.cmd("GET").arg(format!("{}:g", self.prefix));
        let answers = self.lane.ask(which.ignore_errors()).await?;
        let generation = read::<Option<u64>>(answers.into_iter().next())?.unwrap_or(0);
        self.with(|state| state.generation = Some((generation, Instant::now())));
        Ok(generation)
    }

    fn key(&self, generation: u64, key: &CacheKey) -> String {
        let digest = blake3::Hash::from_bytes(key.0).to_hex();
        format!("{}:{generation}:{digest}", self.prefix)
    }

    async fn read_all(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let generation = self.generation().await?;
        let mut all = pipe();
        for key in keys {
            all.cmd("GET").arg(self.key(generation, key));
        }
        let answers = self.lane.ask(all.ignore_errors()).await?;
        let value = |answer| {
            let framed = read::<Option<Vec<u8>>>(Some(answer)).ok().flatten()?;
            let (_, bytes) = frame::unwrap(&framed, VALUE_MAX).ok()?;
            Some(bytes.to_vec())
        };
        Ok(answers.into_iter().map(value).collect())
    }

    async fn write_all(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> Result<(), StoreError> {
        if self.with(|state| state.full_until.is_some_and(|until| Instant::now() < until)) {
            return Ok(());
        }
        let generation = self.generation().await?;
        let mut all = pipe();
        for (key, bytes) in entries {
            all.cmd("SET")
                .arg(self.key(generation, &key))
                .arg(frame::wrap(&bytes, 0))
                .arg("PX")
                .arg(millis(TTL));
        }
        let answers = self.lane.ask(all.ignore_errors()).await?;
        let full = |error: &redis::RedisError| error.code() == Some("OOM");
        if answers
            .iter()
            .any(|answer| answer.as_ref().is_err_and(full))
        {
            // Sessions need that memory more.
            tracing::warn!("the server of the shared cache has no memory left");
            self.with(|state| state.full_until = Some(Instant::now() + FULL_FOR));
        }
        Ok(())
    }

    async fn new_generation(&self) -> Result<(), StoreError> {
        let mut next = pipe();
        next.cmd("INCR").arg(format!("{}:g", self.prefix));
        let answers = self.lane.ask(next.ignore_errors()).await?;
        let generation = read::<u64>(answers.into_iter().next())?;
        self.with(|state| state.generation = Some((generation, Instant::now())));
        Ok(())
    }
}

impl SharedCache for RedisCache {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> SharedFuture<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(async move { self.read_all(keys).await.map_err(|error| told(&error)) })
    }

    fn put(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> SharedFuture<'_, ()> {
        Box::pin(async move { self.write_all(entries).await.map_err(|error| told(&error)) })
    }

    fn invalidate(&self) -> SharedFuture<'_, ()> {
        Box::pin(async move { self.new_generation().await.map_err(|error| told(&error)) })
    }

    fn invalidated(&self) {
        self.with(|state| state.generation = None);
    }

    fn probe(&self) -> SharedFuture<'_, ()> {
        Box::pin(async move {
            let asked = self.ask_generation().await;
            asked.map(|_| ()).map_err(|error| told(&error))
        })
    }
}

fn told(error: &StoreError) -> SharedError {
    SharedError(error.to_string())
}
