//! The connections and events that one node knows. On a single node these are all connections; where nodes share a
//! store, the ones that this node opened, found or writes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use telemetry::list::metric::ConnectionDuration;

use super::store::{Appended, Batch};
use super::stream::{Reached, Streams};
use super::types::{Connection, ConnectionOptions, Recorded};
use crate::clock::millis;
use crate::ids::{ConnectionId, Principal, StreamId};
use crate::store::StoreError;

/// Connections that are checked for one to drop. Most of them can be dropped, so more checks are rarely needed.
const LOOKED_AT: usize = 64;

pub(super) struct Table {
    options: ConnectionOptions,
    /// With a shared store, connections that it holds can be dropped here.
    shared: bool,
    all: HashMap<ConnectionId, Entry>,
    by_end: BTreeSet<(u64, ConnectionId)>,
    by_principal: HashMap<Principal, usize>,
    bytes: usize,
}

struct Entry {
    connection: Connection,
    ends_ms: u64,
    /// When it was opened, if that was on this node.
    opened_ms: Option<u64>,
    streams: Streams,
    /// The shared store has it.
    laid_down: bool,
}

/// Why a connection ended, other than by its client.
const EXPIRED: &str = "expired";

/// Records the life of a connection that has ended.
pub(super) fn measure(life: Option<Duration>, error: &'static str) {
    if let Some(life) = life {
        let transport = "tcp";
        ConnectionDuration { transport, error }.record(life.as_secs_f64());
    }
}

impl Table {
    pub(super) fn new(options: ConnectionOptions, shared: bool) -> Self {
        Self {
            options,
            shared,
            all: HashMap::new(),
            by_end: BTreeSet::new(),
            by_principal: HashMap::new(),
            bytes: 0,
        }
    }

    pub(super) fn open(
        &mut self,
        connection: &Connection,
        laid_down: bool,
        now: u64,
    ) -> Result<(), StoreError> {
        self.expire(now);
        if let Some(entry) = self.all.get_mut(&connection.id) {
            entry.laid_down |= laid_down;
            self.put_off(connection.id, now);
            return Ok(());
        }
        let own = self.by_principal.get(&connection.principal);
        // With a shared store, the store counts them.
        if !self.shared && own.is_some_and(|own| *own >= self.options.per_principal) {
            return Err(StoreError::Limit("connections of one caller"));
        }
        if self.all.len() >= self.options.per_node && !self.forget_one() {
            return Err(StoreError::Limit("connections of this server"));
        }
        let (id, ends_ms) = (connection.id, now.saturating_add(millis(self.options.ttl)));
        self.by_end.insert((ends_ms, id));
        let own = self.by_principal.entry(connection.principal.clone());
        *own.or_default() += 1;
        let entry = Entry {
            connection: connection.clone(),
            ends_ms,
            opened_ms: (!laid_down).then_some(now),
            streams: Streams::default(),
            laid_down,
        };
        self.all.insert(id, entry);
        Ok(())
    }

    pub(super) fn find(&mut self, id: ConnectionId, now: u64) -> Option<Connection> {
        self.expire(now);
        let found = self.all.get(&id)?.connection.clone();
        self.put_off(id, now);
        Some(found)
    }

    pub(super) fn many(&self) -> usize {
        self.all.len()
    }

    /// How long ago the connection was opened, if that was on this node.
    pub(super) fn age(&self, id: ConnectionId, now: u64) -> Option<Duration> {
        let opened_ms = self.all.get(&id)?.opened_ms?;
        Some(Duration::from_millis(now.saturating_sub(opened_ms)))
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        let Some(entry) = self.all.remove(&id) else {
            return;
        };
        self.by_end.remove(&(entry.ends_ms, id));
        self.bytes -= entry.streams.bytes();
        let principal = &entry.connection.principal;
        if let Some(own) = self.by_principal.get_mut(principal) {
            *own -= 1;
            if *own == 0 {
                self.by_principal.remove(principal);
            }
        }
    }

    /// `None`: there is no such connection.
    pub(super) fn append(
        &mut self,
        id: ConnectionId,
        stream: StreamId,
        batch: &Batch,
        now: u64,
    ) -> Option<Appended> {
        self.expire(now);
        self.all.get(&id)?;
        self.put_off(id, now);
        self.make_room(id, batch.bytes());
        if self.bytes + batch.bytes() > self.options.bytes {
            return Some(Appended::Refused);
        }
        self.change(id, |streams| streams.append(stream, batch))
    }

    pub(super) fn read(
        &mut self,
        id: ConnectionId,
        stream: StreamId,
        after: u64,
        now: u64,
    ) -> Option<Recorded> {
        self.expire(now);
        self.all.get(&id)?.streams.read(stream, after)
    }

    /// Closes every expired connection.
    fn expire(&mut self, now: u64) {
        while let Some(&(ends_ms, id)) = self.by_end.first()
            && ends_ms <= now
        {
            // The time after its last use is no part of its life.
            let last_use = ends_ms.saturating_sub(millis(self.options.ttl));
            measure(self.age(id, last_use), EXPIRED);
            self.close(id);
        }
    }

    fn put_off(&mut self, id: ConnectionId, now: u64) {
        let ends_ms = now.saturating_add(millis(self.options.ttl));
        if let Some(entry) = self.all.get_mut(&id) {
            self.by_end.remove(&(entry.ends_ms, id));
            entry.ends_ms = ends_ms;
            self.by_end.insert((ends_ms, id));
        }
    }

    /// Drops events of ended streams, starting with the least recently used connections.
    fn make_room(&mut self, but: ConnectionId, bytes: usize) {
        if self.bytes + bytes <= self.options.bytes {
            return;
        }
        let others: Vec<_> = self.by_end.iter().map(|(_, id)| *id).collect();
        for id in others.into_iter().filter(|id| *id != but).chain([but]) {
            if self.bytes + bytes <= self.options.bytes {
                return;
            }
            self.change(id, Streams::forget_ended);
        }
    }

    /// Drops one connection that other nodes find in the store and that no stream here is writing to. Returns false if
    /// there is none.
    fn forget_one(&mut self) -> bool {
        if !self.shared {
            return false;
        }
        let candidates = self.by_end.iter().take(LOOKED_AT).map(|(_, id)| *id);
        let idle = |id: &ConnectionId| {
            let entry = self.all.get(id);
            entry.is_some_and(|entry| entry.laid_down && entry.streams.ended())
        };
        let Some(id) = candidates.into_iter().find(idle) else {
            return false;
        };
        self.close(id);
        true
    }

    fn change<R>(&mut self, id: ConnectionId, act: impl FnOnce(&mut Streams) -> R) -> Option<R> {
        let entry = self.all.get_mut(&id)?;
        let before = entry.streams.bytes();
        let done = act(&mut entry.streams);
        self.bytes = self.bytes + entry.streams.bytes() - before;
        Some(done)
    }
}

// === the shared store's copy ===

impl Table {
    pub(super) fn is_laid_down(&self, id: ConnectionId) -> Option<bool> {
        self.all.get(&id).map(|entry| entry.laid_down)
    }

    /// The shared store has lost the connection and its events.
    pub(super) fn is_lost(&mut self, id: ConnectionId) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.laid_down = false;
            entry.streams.are_lost();
        }
    }

    pub(super) fn laid_down(&mut self, id: ConnectionId) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.laid_down = true;
        }
    }

    /// Events that the store lacks if it has the stream up to `number`. `None`: this node does not know the stream.
    pub(super) fn since(
        &self,
        id: ConnectionId,
        stream: StreamId,
        number: Option<u64>,
    ) -> Option<Batch> {
        let stream = self.all.get(&id)?.streams.get(stream)?;
        let there = stream.elsewhere.map_or(0, |reached| reached.number);
        Some(stream.since(number.unwrap_or(there)))
    }

    /// The store has the stream up to `number`. A stream that is complete there need not be kept here.
    pub(super) fn took(&mut self, id: ConnectionId, stream: StreamId, number: u64, ended: bool) {
        self.change(id, |streams| {
            let Some(known) = streams.get_mut(stream) else {
                return;
            };
            known.elsewhere = known.elsewhere.max(Some(Reached { number, ended }));
            if ended && known.elsewhere >= Some(known.reached()) {
                streams.forget(stream);
            }
        });
    }

    /// Connections that the store lacks, or whose events it lacks in part.
    pub(super) fn behind(&self) -> Vec<(Connection, bool, Vec<StreamId>)> {
        let lacking = |entry: &Entry| {
            let streams = entry.streams.iter();
            let streams = streams.filter(|(_, stream)| stream.elsewhere < Some(stream.reached()));
            streams.map(|(id, _)| *id).collect::<Vec<_>>()
        };
        let entries = self.all.values().map(|entry| {
            let (connection, streams) = (entry.connection.clone(), lacking(entry));
            (connection, entry.laid_down, streams)
        });
        entries
            .filter(|(_, laid_down, streams)| !laid_down || !streams.is_empty())
            .collect()
    }
}
