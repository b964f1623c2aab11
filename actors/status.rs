//! The state of the tree, as the status tool and the admin port show it.
use std::time::Duration;

use crate::ids::NodeId;
use crate::sessions::DurabilityLevel;
use crate::store::{Health, NodeRecord};

/// One actor.
#[derive(Debug, Clone, PartialEq)]
pub struct ActorStatus {
    /// `root`, `store`, `persistence:0`, `registry`, `cache`, `pool`, `sessions:3`, `session:<id>`.
    pub name: String,
    pub kind: &'static str,
    /// `running`, `restarting`, `quarantined`, `stopped`.
    pub status: &'static str,
    pub restarts: u32,
    pub last_failure: Option<String>,
    pub mailbox: usize,
    /// Time of its last start, in milliseconds since 1970.
    pub since_ms: u64,
    pub children: Vec<ActorStatus>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub tree: ActorStatus,
    pub store: StoreStatus,
    pub cache: CacheStatus,
    pub pool: PoolStatus,
    pub sessions: SessionsStatus,
    /// The node that reports this status.
    pub node: NodeId,
    /// Nodes that share the store and sent a recent heartbeat; empty while the store is down.
    pub nodes: Vec<NodeRecord>,
    pub uptime: Duration,
    /// The node is draining and refuses new calls.
    pub draining: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoreStatus {
    /// `memory`, `redis`.
    pub kind: &'static str,
    /// The durability level that the operator configured.
    pub level: DurabilityLevel,
    pub health: Health,
    pub available: bool,
    pub detail: Option<String>,
    pub pending_commits: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheStatus {
    /// The second level, if one is configured.
    pub shared: Option<SharedCacheStatus>,
    pub available: bool,
    pub entries: u64,
    pub bytes: u64,
    pub limit_bytes: u64,
    pub hits: u64,
    pub misses: u64,
    pub evictions: u64,
}

/// Counters of keys since this node started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedCacheStatus {
    /// Why the second level is skipped. `None`: it is in use.
    pub away: Option<String>,
    pub hits: u64,
    pub misses: u64,
    /// Keys that were not requested because the second level was skipped.
    pub skipped: u64,
    pub errors: u64,
    /// Values that were not stored: the write queue was full, the second level refused them, or it failed.
    pub dropped: u64,
    /// Bytes that all nodes keep there, and the budget. `None`: not known yet.
    pub bytes: Option<u64>,
    pub budget: Option<u64>,
    /// Why it keeps less than its budget allows.
    pub short: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PoolStatus {
    pub workers: usize,
    pub running: usize,
    pub queued: usize,
    pub queue_limit: usize,
    pub panics: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SessionsStatus {
    /// Sessions with a running actor on this node.
    pub awake: u64,
    pub quarantined: u64,
    pub calls_in_flight: u64,
}
