//! The health of a store, and the nodes that share it: for status pages and people.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// As last known; a store in memory is always healthy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Why the store cannot be used: it is down or does not fit the configuration. `None`: it can.
    pub away: Option<String>,
    /// Warnings about the state and the configuration of the store.
    pub warnings: Vec<String>,
    /// Set if this node was configured as the only one but another node uses the store; says what to do.
    pub beside: Option<String>,
    /// Why answers are not durable although the store is up. `None`: they are.
    pub shortfall: Option<Shortfall>,
    /// Set for a store whose server may evict keys.
    pub eviction: Option<Eviction>,
    /// State of the circuit breaker in front of a remote store: `closed`, `open`, `returning`.
    pub breaker: Option<&'static str>,
    /// Set for a store over a network.
    pub link: Option<Link>,
    pub sheltered: Sheltered,
}

/// The server is configured for less than the required durability. It is used, and answers report that they are not
/// durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// For programs: `store_evicts`, `level_not_reached`.
    pub reason: &'static str,
    /// For people, with advice. Contains no address.
    pub message: String,
}

/// What a server evicts when memory is short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eviction {
    /// Its `maxmemory-policy`. `None`: unknown.
    pub policy: Option<String>,
    /// Keys evicted since this node first queried the server: keys of any kind and any program. A session has up to
    /// three.
    pub keys: u64,
    /// Evicted unexpired sessions among them that this node found. Each is counted by one node only.
    pub sessions: u64,
    /// Sessions that were missing after evictions, and that this node had in memory and stored again. Nothing of their
    /// state is lost. A node that found one missing before has counted it among `sessions`.
    pub stored_again: u64,
}

/// The server, as last queried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Link {
    /// Without user and password.
    pub address: String,
    /// `master`, `slave`.
    pub role: String,
    pub version: String,
    /// Changes whenever the server restarts.
    pub run_id: String,
    pub replication_offset: u64,
    pub replicas: u64,
    /// Latency of the last probe.
    pub latency_us: u64,
    /// Open connections.
    pub connections: u64,
    pub reconnects: u64,
    pub pool: LinkPool,
}

/// Connections for long or rare requests; those for commits are separate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkPool {
    pub limit: u64,
    pub open: u64,
    pub idle: u64,
    /// Callers that wait for a connection.
    pub waiting: u64,
}

/// Changes kept while the store is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sheltered {
    pub sessions: u64,
    pub changes: u64,
    pub bytes: u64,
    /// When the store went down, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Acknowledged changes that are lost, since this node started.
    pub lost: u64,
    /// Sessions of this node whose state is not kept in memory now, for lack of room. While the store is down, they are
    /// not available.
    pub not_kept: u64,
}

/// One node, as it announces itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub node: NodeId,
    pub version: String,
    /// Where clients reach it: an address, or `stdio`.
    pub address: String,
    pub started_ms: u64,
    /// Set by the store, by its own clock.
    #[serde(default)]
    pub seen_ms: u64,
    /// Sessions with an actor on that node.
    pub sessions: u64,
    pub calls_in_flight: u64,
    #[serde(default)]
    pub features: Vec<String>,
    /// The node is shutting down and takes no new calls.
    #[serde(default)]
    pub draining: bool,
    /// See [`Eviction::sessions`].
    #[serde(default)]
    pub evicted_sessions: u64,
}
