//! Where nodes keep their connections together. [`Connections`](super::Connections) stands before it: what is away is
//! its business, not the store's.

use std::sync::Arc;

use super::types::{Connection, ConnectionOptions, Recorded};
use crate::ids::{ConnectionId, StreamId};
use crate::store::StoreFuture;

/// Implementations must be all-or-nothing in every method, safe to repeat, and within the bounds beside
/// [`Connection`]. What is not there is `Missing`, and what was closed `Deleted`, for as long as a node may still know it.
pub trait ConnectionStore: Send + Sync + 'static {
    /// Lays a connection down. `Limit`: its principal has too many.
    fn open<'a>(
        &'a self,
        connection: &'a Connection,
        options: ConnectionOptions,
    ) -> StoreFuture<'a, ()>;

    /// Puts its end off, when a good part of its time has passed.
    fn find(&self, id: ConnectionId) -> StoreFuture<'_, Connection>;

    /// With all its events. Closing what is not there succeeds.
    fn close(&self, id: ConnectionId) -> StoreFuture<'_, ()>;

    /// More of a stream, which there need not be before. What of it is there already is left as it is.
    fn append<'a>(
        &'a self,
        id: ConnectionId,
        stream: StreamId,
        batch: &'a Batch,
    ) -> StoreFuture<'a, Appended>;

    /// What follows `after`. May be a part of it: never without an event where there is one.
    fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> StoreFuture<'_, Page>;
}

/// Events that follow one another. None: that there is such a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of the first.
    pub first: u64,
    pub events: Vec<Arc<[u8]>>,
    /// Nothing follows them.
    pub last: bool,
    /// Events before the first are lost: the stream goes on from there, and what it held before them goes.
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

    /// As far as one stream may hold it at all.
    pub(crate) fn fits(&self) -> bool {
        self.events.len() <= super::EVENTS_PER_STREAM && self.bytes() <= super::BYTES_PER_STREAM
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of it is there.
    Kept,
    /// The stream ends at that number: what is between was not kept.
    Behind(u64),
    /// There is no room for it, or the stream has ended before it.
    Refused,
}

/// A part of what a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub recorded: Recorded,
    /// Ask again, after the last of these.
    pub more: bool,
}
