//! Transport sessions of the old protocol revisions, here called connections. Any node can find a connection and replay
//! the events of its streams, so a client that lost its stream receives the missed events. The stored bytes are opaque.
//!
//! This is not an actor, so it cannot crash. It lives outside the supervision tree, so no connection is lost when an
//! actor crashes. On a single node, connections live in memory and end with the process. If nodes share a store, the
//! store is authoritative. Each node also keeps a copy of the connections that it opens, finds or writes. While the
//! store is down, the node serves connections from that copy and reports that events are not durable. When the store is
//! back, the node copies everything to it. Connections and events then survive the node, except events that were
//! reported as not kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ids::{ConnectionId, StreamId};
use crate::relay::neighbours::Neighbours;
use crate::store::{Store, StoreError, StoreFuture};

mod away;
#[cfg(test)]
mod contract;
mod memory;
mod post;
mod store;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod types;

use away::Away;
pub use memory::MemoryConnections;
pub use store::{Appended, Batch, ConnectionStore, Page};
use table::Table;
pub use types::{
    BYTES_PER_CONNECTION, BYTES_PER_STREAM, Connection, ConnectionError, ConnectionOptions,
    EVENTS_FOR, EVENTS_PER_STREAM, OPENING_BYTES, POSTED_BYTES, PostError, Recipient, Recorded,
    STREAMS_PER_CONNECTION,
};

/// Longest wait for the store, both tries together. A request waits for it, and the local table is the fallback.
const STORE_WITHIN: Duration = Duration::from_millis(1500);
/// Longest wait for a store that is down, when a caller asks for a connection that this node does not know.
const RETURN_WITHIN: Duration = Duration::from_secs(1);
/// How often a stream is resent from the end that the store reports. More tries would mean a second writer.
const CATCH_UP_TIMES: usize = 4;

/// Cheap to clone.
#[derive(Clone)]
pub struct Connections(Arc<Inner>);

struct Inner {
    options: ConnectionOptions,
    clock: Clock,
    table: Mutex<Table>,
    /// Shared by all nodes; `None` on a single node.
    shared: Option<Arc<dyn ConnectionStore>>,
    away: Away,
    post: post::Post,
    stopped: CancellationToken,
}

impl Connections {
    pub(crate) fn new(
        options: ConnectionOptions,
        shared: Option<Arc<dyn ConnectionStore>>,
        store: Arc<dyn Store>,
        neighbours: Arc<Neighbours>,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Inner {
            table: Mutex::new(Table::new(options, shared.is_some())),
            options,
            clock,
            shared,
            away: Away::default(),
            post: post::Post::new(store, neighbours),
            stopped: CancellationToken::new(),
        }))
    }

    /// Whether other nodes can find connections that are opened here.
    pub fn are_shared(&self) -> bool {
        self.0.shared.is_some()
    }

    /// Opens a connection, before its client learns the id. While the store is down the connection is kept on this node
    /// and copied to the store later.
    ///
    /// # Errors
    /// `Limit`: its principal or this node has too many connections, or the opening message is too large.
    pub async fn open(&self, connection: Connection) -> Result<(), ConnectionError> {
        if connection.opening.len() > OPENING_BYTES {
            return Err(ConnectionError::Limit("bytes of an opening message"));
        }
        self.here(|table, now| table.open(&connection, false, now))
            .map_err(told)?;
        match self.lay_down(&connection).await {
            Err(StoreError::Limit(what)) => {
                self.here(|table, _| table.close(connection.id));
                Err(ConnectionError::Limit(what))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Finds a connection and extends its expiry. `None`: it is unknown, was closed or has expired.
    ///
    /// # Errors
    /// `Unavailable`: the store is down, and this node does not know the connection. Another node may know it, and this
    /// node may find it later.
    pub async fn find(&self, id: ConnectionId) -> Result<Option<Connection>, ConnectionError> {
        let known = self.here(|table, _| table.is_laid_down(id));
        if self.0.shared.is_none() || known == Some(false) {
            let found = self.here(|table, now| table.find(id, now));
            if let Some(found) = &found
                && self.0.shared.is_some()
            {
                // It was opened while the store was down. The client may ask another node next, so store it now.
                let _ = self.lay_down(found).await;
            }
            return Ok(found);
        }
        if self.0.away.is_closing(id) {
            return Ok(None);
        }
        if known.is_none() {
            self.0.away.until_back(RETURN_WITHIN).await;
        }
        match self.ask(|store| store.find(id)).await {
            Ok(found) => {
                // If the local table is full, the next lookup asks the store again.
                let _ = self.here(|table, now| table.open(&found, true, now));
                Ok(Some(found))
            }
            Err(StoreError::Deleted) => {
                self.here(|table, _| table.close(id));
                Ok(None)
            }
            Err(StoreError::Missing) => Ok(self.again(id).await),
            Err(error) => match self.here(|table, now| table.find(id, now)) {
                Some(found) => Ok(Some(found)),
                None => Err(told(error)),
            },
        }
    }

    /// Ends a connection and deletes all its events.
    pub async fn close(&self, id: ConnectionId) {
        self.here(|table, now| {
            table::measure(table.age(id, now), "");
            table.close(id);
        });
        if self.0.shared.is_some() && self.ask(|store| store.close(id)).await.is_err() {
            self.0.away.close_later(id);
            self.bring_back();
        }
    }

    /// Registers a stream before its first event, so that a resume can wait for it. Returns whether it was registered.
    pub async fn begin(&self, id: ConnectionId, stream: StreamId) -> bool {
        self.write(id, stream, Batch::beginning()).await
    }

    /// Records the next event of a stream. The caller is the stream's only writer; numbers start at 1, and no event
    /// follows the `last`. Returns whether the event is kept: if not, it cannot be replayed now, and perhaps never.
    pub async fn record(
        &self,
        id: ConnectionId,
        stream: StreamId,
        number: u64,
        event: Arc<[u8]>,
        last: bool,
    ) -> bool {
        let batch = Batch {
            first: number.max(1),
            events: vec![event],
            last,
            over_hole: false,
        };
        self.write(id, stream, batch).await
    }

    /// The events of a stream after number `after`. `None`: this connection has no such stream, or the stream cannot be
    /// read now.
    pub async fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> Option<Recorded> {
        let here = self.here(|table, now| table.read(id, stream, after, now));
        let next = |here: &Recorded| here.events.first().is_none_or(|(n, _)| *n == after + 1);
        // The node that writes a stream has all of it. If the beginning is not kept here, the store may have it.
        if self.0.shared.is_none() || here.as_ref().is_some_and(next) {
            return here;
        }
        match self.read_there(id, stream, after).await {
            Ok(recorded) => Some(recorded),
            Err(_) => here,
        }
    }

    async fn read_there(
        &self,
        id: ConnectionId,
        stream: StreamId,
        after: u64,
    ) -> Result<Recorded, StoreError> {
        let mut recorded = Recorded::default();
        // Events written during this read are returned by the next read.
        while recorded.events.len() < EVENTS_PER_STREAM {
            let reached = recorded.events.last().map_or(after, |(number, _)| *number);
            let page = self.ask(|store| store.read(id, stream, reached)).await?;
            recorded.ended = page.recorded.ended && !page.more;
            let empty = page.recorded.events.is_empty();
            recorded.events.extend(page.recorded.events);
            if !page.more || empty {
                break;
            }
        }
        Ok(recorded)
    }

    /// Stops posting to recipients and stops copying to the store.
    pub(crate) fn stop(&self) {
        self.0.stopped.cancel();
        self.0.post.forget_recipient();
    }
}

// === writing ===

impl Connections {
    async fn write(&self, id: ConnectionId, stream: StreamId, batch: Batch) -> bool {
        if !batch.fits() {
            // Later events of the stream skip the gap that this one leaves.
            return false;
        }
        let here = self.here(|table, now| {
            let appended = table.append(id, stream, &batch, now);
            let Some(Appended::Behind(_)) = appended else {
                return appended;
            };
            let over_hole = Batch {
                over_hole: true,
                ..batch.clone()
            };
            table.append(id, stream, &over_hole, now)
        });
        if self.0.shared.is_none() {
            return here == Some(Appended::Kept);
        }
        if self.here(|table, _| table.is_laid_down(id)) == Some(false) {
            self.bring_back();
            return false;
        }
        self.catch_up(id, stream, batch).await
    }

    /// Brings the store's copy of a stream up to date: the new events and any earlier ones that it lacks. Returns true
    /// once the store has all of them.
    async fn catch_up(&self, id: ConnectionId, stream: StreamId, new: Batch) -> bool {
        let lacking = |number| self.here(|table, _| table.since(id, stream, number));
        let mut batch = lacking(None).filter(|lacking| lacking.first <= new.first);
        for _ in 0..CATCH_UP_TIMES {
            let sent = batch.unwrap_or_else(|| new.clone());
            match self.ask(|store| store.append(id, stream, &sent)).await {
                Ok(Appended::Kept) => {
                    let (number, ended) = (sent.reaches(), sent.last);
                    self.here(|table, _| table.took(id, stream, number, ended));
                    return number >= new.reaches();
                }
                Ok(Appended::Behind(number)) => {
                    let over_hole = Batch {
                        over_hole: true,
                        ..new.clone()
                    };
                    batch = Some(lacking(Some(number)).unwrap_or(over_hole));
                }
                Ok(Appended::Refused) => return false,
                Err(StoreError::Deleted) => {
                    self.here(|table, _| table.close(id));
                    return false;
                }
                // The store lost the connection, and it has now been opened again.
                Err(StoreError::Missing) if self.again(id).await.is_some() => batch = Some(sent),
                Err(StoreError::Missing) => return false,
                Err(_) => {
                    self.bring_back();
                    return false;
                }
            }
        }
        false
    }

    /// Opens a connection again that the store lost: it is missing there, and no client closed it. The store was rolled
    /// back or restarted without its data.
    async fn again(&self, id: ConnectionId) -> Option<Connection> {
        let known = self.here(|table, now| {
            table.is_lost(id);
            table.find(id, now)
        })?;
        match self.lay_down(&known).await {
            Err(StoreError::Deleted) => None,
            Ok(()) | Err(_) => {
                // Copies its events as well.
                self.bring_back();
                Some(known)
            }
        }
    }

    async fn lay_down(&self, connection: &Connection) -> Result<(), StoreError> {
        let options = self.0.options;
        let laid = match self.0.shared {
            Some(_) => self.ask(|store| store.open(connection, options)).await,
            None => Ok(()),
        };
        match &laid {
            Ok(()) => self.here(|table, _| table.laid_down(connection.id)),
            Err(StoreError::Limit(_)) => {}
            Err(StoreError::Deleted) => self.here(|table, _| table.close(connection.id)),
            Err(_) => self.bring_back(),
        }
        laid
    }

    /// Asks the shared store, and retries once if the connection to it broke. Does not ask a store that is known to be
    /// down.
    async fn ask<'a, T>(
        &'a self,
        question: impl Fn(&'a dyn ConnectionStore) -> StoreFuture<'a, T>,
    ) -> Result<T, StoreError> {
        let Some(store) = &self.0.shared else {
            return Err(StoreError::Unavailable("no store is shared".to_owned()));
        };
        self.0.away.is_there()?;
        let asking = async {
            match question(store.as_ref()).await {
                Err(StoreError::Unavailable(_)) => question(store.as_ref()).await,
                answer => answer,
            }
        };
        let answer = tokio::time::timeout(STORE_WITHIN, asking).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(
                "it did not answer in time".to_owned(),
            ))
        });
        if let Err(error @ StoreError::Unavailable(_)) = &answer {
            self.0.away.failed(error);
            self.bring_back();
        }
        answer
    }

    /// Connections that this node knows, and the limit.
    pub(crate) fn room(&self) -> (usize, usize) {
        let many = self.here(|table, _| table.many());
        (many, self.0.options.per_node)
    }

    fn here<R>(&self, act: impl FnOnce(&mut Table, u64) -> R) -> R {
        let mut table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut table, self.0.clock.now_ms())
    }
}

fn told(error: StoreError) -> ConnectionError {
    if let StoreError::Limit(what) = error {
        return ConnectionError::Limit(what);
    }
    ConnectionError::Unavailable(error.to_string())
}
