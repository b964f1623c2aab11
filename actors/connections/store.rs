//! The store in which nodes share connections. [`Connections`](super::Connections) wraps it and handles its outages.

use std::sync::Arc;

use super::types::{Connection, ConnectionOptions, Recorded};
use crate::ids::{ConnectionId, StreamId};
use crate::store::StoreFuture;

/// Implementations must make every method atomic and safe to repeat, and enforce the bounds in `types.rs`. An
/// unknown connection is `Missing`. A closed one is `Deleted`, for as long as a node may still know it.
pub trait ConnectionStore: Send + Sync + 'static {
    /// Creates a connection. `Limit`: its principal has too many.
    fn open<'a>(
        &'a self,
        connection: &'a Connection,
        options: ConnectionOptions,
    ) -> StoreFuture<'a, ()>;

    /// Reads a connection, and extends its expiry once a good part of it has passed.
    fn find(&self, id: ConnectionId) -> StoreFuture<'_, Connection>;

    /// Closes a connection and deletes its events. Closing an unknown connection succeeds.
    fn close(&self, id: ConnectionId) -> StoreFuture<'_, ()>;

    /// Appends to a stream, and creates it if needed. Events that are already stored are not changed.
    fn append<'a>(
        &'a self,
        id: ConnectionId,
        stream: StreamId,
        batch: &'a Batch,
    ) -> StoreFuture<'a, Appended>;

    /// Events after `after`. May return only a part, but never an empty one while there are events.
    fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> StoreFuture<'_, Page>;
}

/// Consecutive events of a stream. An empty batch only creates the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of the first event.
    pub first: u64,
    pub events: Vec<Arc<[u8]>>,
    /// No event follows these.
    pub last: bool,
    /// Events before the first are lost. The stream continues from the first, and older events are deleted.
    pub over_hole: bool,
}

impl Batch {
    pub(crate) fn beginning() -> Self {
        Self {
            first: 1,
            events: Vec::new(),
            last: false,
            over_hole: false,
        }
    }

    pub(crate) fn reaches(&self) -> u64 {
        self.first.saturating_sub(1) + self.events.len() as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.len()).sum()
    }

    /// Whether it fits into the bounds of one stream.
    pub(crate) fn fits(&self) -> bool {
        self.events.len() <= super::EVENTS_PER_STREAM && self.bytes() <= super::BYTES_PER_STREAM
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All events are stored.
    Kept,
    /// The stream ends at this number; the events between are missing.
    Behind(u64),
    /// There is no room, or the stream ended earlier.
    Refused,
}

/// A part of a stream's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub recorded: Recorded,
    /// More events follow: read again after the last of these.
    pub more: bool,
}
