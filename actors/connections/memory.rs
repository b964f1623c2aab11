//! A store of connections within the process, for trees that share one: it ends with the process.

use std::sync::{Mutex, PoisonError};

use super::store::{Appended, Batch, ConnectionStore, Page, gone};
use super::table::Table;
use super::types::{Connection, ConnectionOptions};
use crate::clock::Clock;
use crate::ids::{ConnectionId, StreamId};
use crate::store::{StoreError, StoreFuture};

/// See the module.
pub struct MemoryConnections {
    clock: Clock,
    table: Mutex<Table>,
}

impl MemoryConnections {
    pub fn new(options: ConnectionOptions, clock: Clock) -> Self {
        Self {
            clock,
            table: Mutex::new(Table::new(options, false)),
        }
    }

    fn at_once<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut Table, u64) -> Result<T, StoreError>,
    ) -> StoreFuture<'a, T> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut table, self.clock.now_ms());
        Box::pin(std::future::ready(done))
    }
}

impl ConnectionStore for MemoryConnections {
    fn open<'a>(&'a self, connection: &'a Connection, _: ConnectionOptions) -> StoreFuture<'a, ()> {
        self.at_once(|table, now| table.open(connection, true, now))
    }

    fn find(&self, id: ConnectionId) -> StoreFuture<'_, Connection> {
        self.at_once(|table, now| table.find(id, now).map_or_else(gone, Ok))
    }

    fn close(&self, id: ConnectionId) -> StoreFuture<'_, ()> {
        self.at_once(|table, _| {
            table.close(id);
            Ok(())
        })
    }

    fn append<'a>(
        &'a self,
        id: ConnectionId,
        stream: StreamId,
        batch: &'a Batch,
    ) -> StoreFuture<'a, Appended> {
        self.at_once(|table, now| table.append(id, stream, batch, now).map_or_else(gone, Ok))
    }

    fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> StoreFuture<'_, Page> {
        self.at_once(|table, now| {
            let recorded = table.read(id, stream, after, now).map_or_else(gone, Ok)?;
            Ok(Page {
                recorded,
                more: false,
            })
        })
    }
}
