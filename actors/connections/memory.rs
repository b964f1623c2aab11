//! A connection store in memory, for trees in one process. It ends with the process.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::store::{Appended, Batch, ConnectionStore, Page};
use super::table::Table;
use super::types::{Connection, ConnectionOptions};
use crate::clock::Clock;
use crate::ids::{ConnectionId, StreamId};
use crate::store::{StoreError, StoreFuture};

/// Closed connections that are remembered as closed.
const CLOSED_REMEMBERED: usize = 4096;

/// See the module documentation.
pub struct MemoryConnections {
    clock: Clock,
    kept: Mutex<Kept>,
}

struct Kept {
    table: Table,
    closed: VecDeque<ConnectionId>,
}

impl MemoryConnections {
    pub fn new(options: ConnectionOptions, clock: Clock) -> Self {
        let kept = Kept {
            table: Table::new(options, false),
            closed: VecDeque::new(),
        };
        Self {
            clock,
            kept: Mutex::new(kept),
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Kept, u64) -> R) -> R {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut kept, self.clock.now_ms())
    }

    /// Runs `act` on one connection. An absent connection was closed, or is missing.
    fn of<'a, T: Send + 'a>(
        &'a self,
        id: ConnectionId,
        act: impl FnOnce(&mut Table, u64) -> Option<T>,
    ) -> StoreFuture<'a, T> {
        let done = self.with(|kept, now| {
            let done = act(&mut kept.table, now);
            done.ok_or(match kept.closed.contains(&id) {
                true => StoreError::Deleted,
                false => StoreError::Missing,
            })
        });
        Box::pin(std::future::ready(done))
    }
}

impl ConnectionStore for MemoryConnections {
    fn open<'a>(&'a self, connection: &'a Connection, _: ConnectionOptions) -> StoreFuture<'a, ()> {
        let opened = self.with(|kept, now| {
            if kept.closed.contains(&connection.id) {
                return Err(StoreError::Deleted);
            }
            kept.table.open(connection, true, now)
        });
        Box::pin(std::future::ready(opened))
    }

    fn find(&self, id: ConnectionId) -> StoreFuture<'_, Connection> {
        self.of(id, |table, now| table.find(id, now))
    }

    fn close(&self, id: ConnectionId) -> StoreFuture<'_, ()> {
        self.with(|kept, now| {
            if kept.table.find(id, now).is_none() {
                return;
            }
            kept.table.close(id);
            kept.closed.push_back(id);
            if kept.closed.len() > CLOSED_REMEMBERED {
                kept.closed.pop_front();
            }
        });
        Box::pin(std::future::ready(Ok(())))
    }

    fn append<'a>(
        &'a self,
        id: ConnectionId,
        stream: StreamId,
        batch: &'a Batch,
    ) -> StoreFuture<'a, Appended> {
        self.of(id, |table, now| table.append(id, stream, batch, now))
    }

    fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> StoreFuture<'_, Page> {
        self.of(id, |table, now| {
            let recorded = table.read(id, stream, after, now)?;
            Some(Page {
                recorded,
                more: false,
            })
        })
    }
}
