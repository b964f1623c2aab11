//! How a store is, and which nodes share it: for status pages, and for people.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// As far as it is known; a store inside the process is always well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// What is wrong: the store is away, or not what was asked for. `None`: nothing.
    pub away: Option<String>,
    /// What works, and less well than the operator may think.
    pub warnings: Vec<String>,
    /// This node was told that it is alone, and another one shares the store: what to do.
    pub beside: Option<String>,
    /// Why answers are not durable though the store is there. `None`: they are.
    pub shortfall: Option<Shortfall>,
    /// Of a store whose server may evict keys.
    pub eviction: Option<Eviction>,
    /// Of the circuit breaker before a store that may go away: `closed`, `open`, `returning`.
    pub breaker: Option<&'static str>,
    /// Of a store over a network.
    pub link: Option<Link>,
    pub sheltered: Sheltered,
}

/// A server that is set up for less than the durability that was asked for. It is used, and answers say that they are
/// not durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// For programs: `store_evicts`, `level_not_reached`.
    pub reason: &'static str,
    /// For people, with what to do. Names no address.
    pub message: String,
}

/// What a server evicts when its memory is short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eviction {
    /// Its `maxmemory-policy`. `None`: it does not say.
    pub policy: Option<String>,
    /// Keys that the server evicted since this node first asked it: keys of any kind and of any program. A session has
    /// up to three.
    pub keys: u64,
    /// Sessions among them, before their end, that this node found; what one node has found no other one counts.
    pub sessions: u64,
    /// Evicted sessions that this node had in memory, and laid down again: nothing of their state is lost.
    pub laid_down_again: u64,
}

/// The server at the other end, as it last said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Link {
    /// Without user and password.
    pub address: String,
    /// `master`, `slave`.
    pub role: String,
    pub version: String,
    /// Changes whenever the server starts anew.
    pub run_id: String,
    pub replication_offset: u64,
    pub replicas: u64,
    /// Of the last probe.
    pub latency_us: u64,
    /// Connections that are open now.
    pub connections: u64,
    pub reconnects: u64,
    pub pool: LinkPool,
}

/// Connections for what is long or rare; those for commits are beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkPool {
    pub limit: u64,
    pub open: u64,
    pub idle: u64,
    /// Callers that wait for one.
    pub waiting: u64,
}

/// What is kept for a store that is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sheltered {
    pub sessions: u64,
    pub changes: u64,
    pub bytes: u64,
    /// Milliseconds since 1970 when the store went away.
    pub since_ms: Option<u64>,
    /// Changes that were acknowledged as not durable and lost since this node started.
    pub lost: u64,
}

/// One node, as it announces itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub node: NodeId,
    pub version: String,
    /// Where its clients reach it: an address, or `stdio`.
    pub address: String,
    pub started_ms: u64,
    /// Set by the store, by its own clock.
    #[serde(default)]
    pub seen_ms: u64,
    /// Sessions with an actor there.
    pub sessions: u64,
    pub calls_in_flight: u64,
    #[serde(default)]
    pub features: Vec<String>,
    /// It takes no new calls: it is about to go.
    #[serde(default)]
    pub draining: bool,
    /// See [`Eviction::sessions`].
    #[serde(default)]
    pub evicted_sessions: u64,
}
