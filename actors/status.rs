//! What the tree looks like from outside.
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
    /// Milliseconds since 1970 when it last started.
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
    /// This one.
    pub node: NodeId,
    /// Those that share the store and were heard of lately; none where it is away.
    pub nodes: Vec<NodeRecord>,
    pub uptime: Duration,
    /// Refusing new calls.
    pub draining: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoreStatus {
    /// `memory`, `redis`.
    pub kind: &'static str,
    /// What the operator asked for.
    pub level: DurabilityLevel,
    pub health: Health,
    pub available: bool,
    pub detail: Option<String>,
    pub pending_commits: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheStatus {
    /// Of the second level, where there is one.
    pub shared: Option<SharedCacheStatus>,
    pub available: bool,
    pub entries: u64,
    pub bytes: u64,
    pub limit_bytes: u64,
    pub hits: u64,
    pub misses: u64,
    pub evictions: u64,
}

/// Counted by keys, since this node started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedCacheStatus {
    /// Why it is left alone. `None`: it is used.
    pub away: Option<String>,
    pub hits: u64,
    pub misses: u64,
    /// Not asked for while it was left alone.
    pub skipped: u64,
    pub errors: u64,
    /// Values that were not kept: too many waited to be written, the second level refused them, or it failed.
    pub dropped: u64,
    /// What all nodes keep there, and may keep. `None`: it has not said yet.
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
    /// With an actor on this node now.
    pub awake: u64,
    pub quarantined: u64,
    pub calls_in_flight: u64,
}
