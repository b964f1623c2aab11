//! The store in memory: sessions survive the crash of any actor, and end with the process.
//!
//! It lives above the supervision tree, so no actor's crash affects it. Every method takes one lock and prepares the
//! whole change before applying it, so no change is ever half done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, millis};
use crate::ids::{NodeId, Principal, ResultId, SessionId};
use crate::sessions::DurabilityLevel;
use crate::store::{
    Acquired, Commit, CommitsFuture, Created, Fence, KeepFuture, NODE_SEEN_FOR, NewSession,
    NodeRecord, Part, Reached, Repair, Repaired, Row, Store, StoreError, StoreFuture, Usage,
};

mod archive;
mod owning;
mod tables;
mod usage;

use tables::Tables;

/// Long enough for a slow node to keep its sessions, short enough to wait for after a crash.
pub const LEASE: Duration = Duration::from_secs(15);

/// Limits of the whole store: memory is finite, and one client must not take all of it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub sessions: usize,
    pub sessions_per_principal: usize,
    /// Bytes of whole results of all sessions; beyond it new ones are not kept.
    pub whole_bytes: u64,
    /// How long a silent node keeps a session, if several trees share this store.
    pub lease: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 100_000,
            sessions_per_principal: 20_000,
            whole_bytes: 512 << 20,
            lease: LEASE,
        }
    }
}

/// See the module documentation.
pub struct MemoryStore {
    clock: Clock,
    limits: Limits,
    inner: Mutex<Tables>,
    /// Run number of a server that restarts with each rollback.
    #[cfg(test)]
    runs: std::sync::atomic::AtomicU64,
}

impl MemoryStore {
    pub fn new(clock: Clock, limits: Limits) -> Self {
        Self {
            clock,
            limits,
            inner: Mutex::default(),
            #[cfg(test)]
            runs: std::sync::atomic::AtomicU64::default(),
        }
    }

    /// As if the store had been rolled back to before the session was created.
    #[cfg(test)]
    pub(crate) fn lose(&self, id: SessionId) {
        self.with(|inner, _| inner.remove(id));
    }

    /// The current record of a session, for [`MemoryStore::go_back`].
    #[cfg(test)]
    pub(crate) fn as_stored(&self, id: SessionId) -> tables::Record {
        self.with(|inner, _| inner.sessions[&id].clone())
    }

    /// As if a replica with only this state had been promoted a while later.
    #[cfg(test)]
    pub(crate) fn go_back(&self, id: SessionId, to: tables::Record) {
        self.with(|inner, _| {
            inner.remove(id);
            inner.put_back(id, to);
        });
        self.runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn with<R>(&self, act: impl FnOnce(&mut Tables, u64) -> R) -> R {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms();
        inner.expire(now);
        act(&mut inner, now)
    }

    fn at_once<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut Tables, u64) -> Result<T, StoreError>,
    ) -> StoreFuture<'a, T> {
        let result = self.with(act);
        Box::pin(std::future::ready(result))
    }
}

impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn level(&self) -> DurabilityLevel {
        DurabilityLevel::Memory
    }

    fn create(&self, session: NewSession) -> StoreFuture<'_, Created> {
        self.at_once(|inner, now| inner.create(session, now, &self.limits))
    }

    fn acquire_after(&self, id: SessionId, node: NodeId, after: u64) -> StoreFuture<'_, Acquired> {
        let lease = millis(self.limits.lease);
        self.at_once(|inner, now| inner.acquire(id, node, after, now, lease))
    }

    #[cfg(test)]
    fn run(&self) -> u64 {
        self.runs.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn commit<'a>(&'a self, commits: &'a [Commit]) -> CommitsFuture<'a> {
        let results = self.with(|inner, now| {
            commits
                .iter()
                .map(|commit| inner.commit(commit, now, &self.limits))
                .collect()
        });
        Box::pin(std::future::ready(results))
    }

    fn renew(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, Reached> {
        let lease = millis(self.limits.lease);
        self.at_once(|inner, now| {
            inner.held_until(id, fence, now)?.lease_ms = now.saturating_add(lease);
            inner.put_off(id, now);
            Ok(Reached::MEMORY)
        })
    }

    fn keep<'a>(&'a self, held: &'a [(SessionId, Fence)]) -> KeepFuture<'a> {
        let lease = millis(self.limits.lease);
        let results = self.with(|inner, now| {
            let keep = |(id, fence): &(SessionId, Fence)| {
                inner.held_until(*id, *fence, now)?.lease_ms = now.saturating_add(lease);
                Ok(())
            };
            held.iter().map(keep).collect()
        });
        Box::pin(std::future::ready(results))
    }

    fn repair(&self, repair: Repair) -> StoreFuture<'_, Repaired> {
        let lease = millis(self.limits.lease);
        self.at_once(|inner, now| inner.repair(repair, now, lease))
    }

    fn release(&self, id: SessionId, fence: Fence, version: u64) -> StoreFuture<'_, ()> {
        self.at_once(|inner, _| {
            let record = inner.held(id, fence)?;
            record.is_at(version)?;
            record.fence = None;
            Ok(())
        })
    }

    fn delete(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, ()> {
        self.at_once(|inner, _| match inner.held(id, fence) {
            Ok(_) => {
                inner.delete(id);
                Ok(())
            }
            Err(StoreError::Missing | StoreError::Expired(_) | StoreError::Deleted) => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn quarantine(&self, id: SessionId, reason: Option<String>) -> StoreFuture<'_, ()> {
        self.at_once(|inner, _| {
            let record = inner.record(id)?;
            // The owner is fenced off: it must not continue.
            record.fence = None;
            record.quarantine = reason;
            Ok(())
        })
    }

    fn close_quarantined<'a>(&'a self, id: SessionId, owner: &'a Principal) -> StoreFuture<'a, ()> {
        self.at_once(|inner, _| {
            let record = inner.record(id)?;
            if record.principal != *owner {
                return Err(StoreError::Missing);
            }
            if record.quarantine.is_none() {
                return Err(StoreError::Fenced);
            }
            inner.delete(id);
            Ok(())
        })
    }

    fn result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> StoreFuture<'_, Option<Arc<[u8]>>> {
        self.at_once(|inner, _| Ok(inner.record(id)?.results.get(&(result, part)).cloned()))
    }

    fn has_results<'a>(
        &'a self,
        id: SessionId,
        results: &'a [ResultId],
    ) -> StoreFuture<'a, Vec<bool>> {
        self.at_once(|inner, _| {
            let stored = &inner.record(id)?.results;
            let both = |id: &ResultId| {
                [Part::Answer, Part::Whole].map(|part| stored.contains_key(&(*id, part)))
                    == [true; 2]
            };
            Ok(results.iter().map(both).collect())
        })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> StoreFuture<'a, (Vec<Row>, u64)> {
        self.at_once(|inner, now| Ok(inner.list(principal, after, limit, now)))
    }

    fn usage<'a>(&'a self, principal: &'a Principal) -> StoreFuture<'a, Usage> {
        self.at_once(|inner, _| Ok(inner.usage(principal)))
    }

    fn look(&self, id: SessionId) -> StoreFuture<'_, Row> {
        self.at_once(|inner, now| inner.record(id).map(|record| record.row(id, now)))
    }

    fn sweep(&self) -> StoreFuture<'_, ()> {
        self.at_once(|_, _| Ok(()))
    }

    fn announce<'a>(&'a self, node: &'a NodeRecord) -> StoreFuture<'a, ()> {
        self.at_once(|inner, now| {
            let seen = NodeRecord {
                seen_ms: now,
                ..node.clone()
            };
            inner.nodes.insert(node.node, seen);
            Ok(())
        })
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        self.at_once(|inner, now| {
            let since = now.saturating_sub(millis(NODE_SEEN_FOR));
            inner.nodes.retain(|_, node| node.seen_ms >= since);
            Ok(inner.nodes.values().cloned().collect())
        })
    }
}

#[cfg(test)]
mod tests;
