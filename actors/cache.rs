//! Opaque values by key, in memory, bounded by weight; each is computed by one caller at a time.
//!
//! Tools query the cache from the pool, with all keys of a walk in one message. The first caller that misses a key
//! claims it; later callers wait for that computation. After a crash the cache starts empty: claims and waits end
//! without an answer, and every caller computes for itself. Only speed is lost.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use crate::activity::messages;
use crate::faults::{CrashPoint, Fault, Faults};
use crate::status::CacheStatus;

mod handle;
mod lru;
mod shared;

pub use handle::{CacheHandle, Fetched};
use lru::Lru;
pub(crate) use shared::SecondLevel;
pub use shared::{Codec, Room, Shared, SharedCache, SharedError, SharedFuture};

/// Longest wait for a value that another caller computes. A large file takes a second; after 10 s both callers compute.
const PENDING_WAIT: Duration = Duration::from_secs(10);
/// Callers that wait for one value; any further caller computes the value itself.
const WAITERS_MAX: usize = 64;

/// Names a value: a digest over all inputs of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(pub [u8; 32]);

/// Opaque to the cache; the tool that stored it knows its type (`Arc::downcast`).
pub type CacheValue = Arc<dyn Any + Send + Sync>;

/// A value to keep, with its weight in bytes.
pub struct Weighed {
    pub value: CacheValue,
    pub weight: usize,
}

pub(crate) enum CacheMsg {
    Lookup {
        keys: Vec<CacheKey>,
        reply: SyncSender<Vec<Found>>,
    },
    Fill {
        entries: Vec<(CacheKey, Weighed)>,
    },
    /// Drops all values, because an operator invalidated the cache.
    Clear,
    /// The caller drops its claims on these keys.
    Abandon {
        keys: Vec<CacheKey>,
    },
    /// Waits for values that others compute. The reply carries one message per key, with `None` for an abandoned key.
    Wait {
        keys: Vec<(usize, CacheKey)>,
        reply: SyncSender<(usize, Option<CacheValue>)>,
    },
    Status {
        reply: RpcReplyPort<CacheStatus>,
    },
    Fault(Fault),
}

messages!(CacheMsg {
    Lookup => "lookup",
    Fill => "fill",
    Clear => "clear",
    Abandon => "abandon",
    Wait => "wait",
    Status => "status",
    Fault => "fault",
});

impl From<Fault> for CacheMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) enum Found {
    Hit(CacheValue),
    /// No value and no claim: the caller computes it.
    Claimed,
    /// Another caller is computing it.
    Pending,
}

type Waiter = (usize, SyncSender<(usize, Option<CacheValue>)>);

pub(crate) struct Cache;

pub(crate) struct Arguments {
    pub(crate) bytes: usize,
    /// Bytes of the values, for readers that do not ask the actor.
    pub(crate) weight: Arc<AtomicU64>,
    pub(crate) faults: Faults,
}

/// A caller's promise to compute a value, the time of the promise, and the callers that wait for the value.
struct Claim {
    since: Instant,
    waiters: Vec<Waiter>,
}

pub(crate) struct State {
    arguments: Arguments,
    values: Lru,
    claimed: HashMap<CacheKey, Claim>,
    hits: u64,
    misses: u64,
}

impl Actor for Cache {
    type Msg = CacheMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let values = Lru::new(arguments.bytes);
        let state = State {
            arguments,
            values,
            claimed: HashMap::new(),
            hits: 0,
            misses: 0,
        };
        state.weigh();
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            CacheMsg::Lookup { keys, reply } => {
                state.arguments.faults.pass(CrashPoint::CacheAsked);
                let now = Instant::now();
                let found: Vec<_> = keys.iter().map(|key| state.look_up(*key, now)).collect();
                let claimed = keys
                    .iter()
                    .zip(&found)
                    .filter(|(_, found)| matches!(found, Found::Claimed));
                let claimed: Vec<_> = claimed.map(|(key, _)| *key).collect();
                if reply.try_send(found).is_err() {
                    // The caller no longer waits, so it will not compute these values for others.
                    claimed.iter().for_each(|key| state.abandon(key));
                }
            }
            CacheMsg::Fill { entries } => {
                for (key, entry) in entries {
                    state.fill(key, entry);
                }
                state.arguments.faults.pass(CrashPoint::CacheFilled);
            }
            CacheMsg::Clear => state.values = Lru::new(state.arguments.bytes),
            CacheMsg::Abandon { keys } => keys.iter().for_each(|key| state.abandon(key)),
            CacheMsg::Wait { keys, reply } => {
                for (index, key) in keys {
                    state.wait(index, key, &reply);
                }
            }
            CacheMsg::Status { reply } => {
                let _ = reply.send(state.status());
            }
            CacheMsg::Fault(fault) => fault.strike().await,
        }
        state.weigh();
        Ok(())
    }
}

impl State {
    fn look_up(&mut self, key: CacheKey, now: Instant) -> Found {
        if let Some(value) = self.values.get(&key) {
            self.hits += 1;
            return Found::Hit(value);
        }
        self.misses += 1;
        let claim = self.claimed.entry(key).or_insert_with(|| Claim {
            since: now,
            waiters: Vec::new(),
        });
        // A claim this old is handed on: its caller may have died.
        if claim.since != now && now.duration_since(claim.since) < PENDING_WAIT {
            return Found::Pending;
        }
        claim.since = now;
        Found::Claimed
    }

    fn fill(&mut self, key: CacheKey, entry: Weighed) {
        for (index, waiter) in self
            .claimed
            .remove(&key)
            .into_iter()
            .flat_map(|claim| claim.waiters)
        {
            let _ = waiter.try_send((index, Some(Arc::clone(&entry.value))));
        }
        self.values.put(key, entry);
    }

    fn abandon(&mut self, key: &CacheKey) {
        for (index, waiter) in self
            .claimed
            .remove(key)
            .into_iter()
            .flat_map(|claim| claim.waiters)
        {
            let _ = waiter.try_send((index, None));
        }
    }

    fn wait(
        &mut self,
        index: usize,
        key: CacheKey,
        reply: &SyncSender<(usize, Option<CacheValue>)>,
    ) {
        if let Some(claim) = self.claimed.get_mut(&key)
            && claim.waiters.len() < WAITERS_MAX
        {
            claim.waiters.push((index, reply.clone()));
            return;
        }
        let _ = reply.try_send((index, self.values.get(&key)));
    }

    fn weigh(&self) {
        let weight = self.values.weight() as u64;
        self.arguments.weight.store(weight, Ordering::Relaxed);
    }

    fn status(&self) -> CacheStatus {
        CacheStatus {
            available: true,
            entries: self.values.len() as u64,
            bytes: self.values.weight() as u64,
            limit_bytes: self.values.limit() as u64,
            hits: self.hits,
            misses: self.misses,
            evictions: self.values.evictions(),
            shared: None,
        }
    }
}

#[cfg(test)]
mod tests;
