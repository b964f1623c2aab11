//! The types of connections, and the bounds that every connection store enforces.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ids::{ConnectionId, NodeId, Principal};

/// Events kept per stream; the oldest are dropped. A call reports progress a few times a second; its result comes last.
pub const EVENTS_PER_STREAM: usize = 512;
/// Bytes of events per stream, and so of one event. An answer is one page, far below this bound.
pub const BYTES_PER_STREAM: usize = 4 << 20;
/// Streams per connection: twice the calls that one session runs at once. Streams that ended first are dropped first.
pub const STREAMS_PER_CONNECTION: usize = 32;
/// Bytes of all events of one connection.
pub const BYTES_PER_CONNECTION: usize = 8 << 20;
/// How long events are kept after the last one. A client that lost its stream reconnects within minutes.
pub const EVENTS_FOR: Duration = Duration::from_secs(600);
/// Size of the initialisation message: honest clients send a few hundred bytes.
pub const OPENING_BYTES: usize = 64 << 10;
/// Size of a message to another node: a client's request, whose arguments have a far smaller limit.
pub const POSTED_BYTES: usize = 4 << 20;

/// Connection limits, set once at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// An unused connection ends after this time; its client opens another one.
    pub ttl: Duration,
    /// Connections of one principal on all nodes, so that clients that never close theirs cannot take all room.
    pub per_principal: usize,
    /// Connections that one node keeps. With a shared store, a full node drops connections that other nodes find there.
    pub per_node: usize,
    /// Bytes of events in the memory of one node. With a shared store, only unfinished streams stay in memory.
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

/// A transport session, as created by the node that initialised it. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    /// The owner. The node that serves a request compares it with the caller.
    pub principal: Principal,
    /// The initialisation message of the transport. Opaque.
    pub opening: Arc<[u8]>,
    /// The node that holds the connection's only stream, for transports whose stream is separate from requests.
    pub node: Option<NodeId>,
}

/// Events of a stream after some number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// In order. A missing number was not kept, or is no longer kept.
    pub events: Vec<(u64, Arc<[u8]>)>,
    /// No event follows.
    pub ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectionError {
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// It is not known whether the connection exists. The caller asks again in a moment.
    #[error("connections cannot be looked up: {0}")]
    Unavailable(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostError {
    #[error("a message of {0} bytes is over the limit of {POSTED_BYTES}")]
    TooLarge(usize),
    /// The node may still have taken the message.
    #[error("{0} did not answer")]
    Silent(NodeId),
}

/// Receives messages that other nodes post here. Implemented by the transport that holds this node's streams.
pub trait Recipient: Send + Sync + 'static {
    /// Returns true if this node took the message. Must answer within a second or two, because the sender waits.
    fn deliver<'a>(
        &'a self,
        id: ConnectionId,
        message: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}
