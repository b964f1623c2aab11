//! What connections are made of, and the bounds that every store of them keeps.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ids::{ConnectionId, NodeId, Principal};

/// Events of one stream; the oldest go first. A call reports progress a few times a second, and its result comes last.
pub const EVENTS_PER_STREAM: usize = 512;
/// Bytes of them, and so of one event: an answer is one page, far below it.
pub const BYTES_PER_STREAM: usize = 4 << 20;
/// Streams of one connection: twice what one session runs at once. The oldest that have ended go first.
pub const STREAMS_PER_CONNECTION: usize = 32;
/// Bytes of all events of one connection.
pub const BYTES_PER_CONNECTION: usize = 8 << 20;
/// For how long events are kept where nothing can follow them: whoever lost its stream is back within minutes.
pub const EVENTS_FOR: Duration = Duration::from_secs(600);
/// What a transport was initialised with: a few hundred bytes, from honest clients.
pub const OPENING_BYTES: usize = 64 << 10;
/// One message to another node: a request of a client, whose arguments have a far smaller bound of their own.
pub const POSTED_BYTES: usize = 4 << 20;

/// Set once at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// A connection that nobody used for so long ends; its client opens another one.
    pub ttl: Duration,
    /// Connections of one principal, on all nodes: clients that never close theirs must not take all room.
    pub per_principal: usize,
    /// Connections that one node knows. Where nodes share a store, it forgets those that others find there.
    pub per_node: usize,
    /// Bytes of events in the memory of one node. Where nodes share a store, of streams that have not ended alone.
    pub bytes: usize,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3600),
            per_principal: 10_000,
            per_node: 20_000,
            bytes: 64 << 20,
        }
    }
}

/// A transport session, as the node that initialised it laid it down. It does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    /// Whose it is: whoever serves it compares.
    pub principal: Principal,
    /// What the transport was initialised with. Opaque.
    pub opening: Arc<[u8]>,
    /// Who holds its only stream, where it has one that requests do not come on.
    pub node: Option<NodeId>,
}

/// What a stream holds after some number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// In order. A number that is missing was not kept, or is not any more.
    pub events: Vec<(u64, Arc<[u8]>)>,
    /// Nothing follows.
    pub ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectionError {
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// Whether there is such a connection is not known: ask again in a moment.
    #[error("connections cannot be looked up: {0}")]
    Unavailable(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostError {
    #[error("a message of {0} bytes is over the limit of {POSTED_BYTES}")]
    TooLarge(usize),
    /// It may have been taken all the same.
    #[error("{0} did not answer")]
    Silent(NodeId),
}

/// Takes what other nodes post here: whoever holds the streams of this one.
pub trait Recipient: Send + Sync + 'static {
    /// True where it was taken: this node has a use for it. Answers within a second or two: somebody waits.
    fn deliver<'a>(
        &'a self,
        id: ConnectionId,
        message: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}
