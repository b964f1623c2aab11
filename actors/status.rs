//! The state of the tree, as the status tool and the admin port show it.
use std::time::Duration;

use crate::activity::Activity;
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
    /// Time of its last start, in milliseconds since 1970.
    pub since_ms: u64,
    pub doing: Doing,
    pub children: Vec<ActorStatus>,
}

/// What an actor does. The counts are of its place: they go on after a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Doing {
    pub mailbox: usize,
    /// Messages taken up.
    pub messages: u64,
    /// Time spent on them.
    pub busy: Duration,
    pub now: Option<InProgress>,
}

/// The message in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InProgress {
    pub message: &'static str,
    pub elapsed: Duration,
}

impl Doing {
    pub(crate) fn of(activity: &Activity) -> Self {
        Self {
            mailbox: activity.mailbox(),
            messages: activity.messages(),
            busy: activity.busy(),
            now: activity.now().map(|now| InProgress {
                message: now.message,
                elapsed: Duration::from_micros(now.elapsed_us()),
            }),
        }
    }
}

/// What all actors of one kind did. The sums never fall while the process lives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActorActivity {
    /// As in [`ActorStatus::kind`].
    pub kind: &'static str,
    /// Actors, and places of actors that are being restarted.
    pub actors: u64,
    /// Actors with a message in progress.
    pub working: u64,
    pub mailbox: u64,
    /// Messages taken up, and the time spent on them.
    pub messages: u64,
    pub busy: Duration,
    pub restarts: u64,
}

/// Something that did not do what it should within its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Stuck {
    /// An actor's name, `event-loop-0`, or `runtime`.
    pub name: String,
    pub kind: &'static str,
    /// The message; `run_tasks` of an event loop or the runtime, `renew_leases` of the lease keeper.
    pub doing: &'static str,
    /// Milliseconds since 1970.
    pub since_ms: u64,
    pub lasted: Duration,
    pub over: bool,
    /// Messages that waited when it was last seen.
    pub mailbox: usize,
}

/// What is stuck on this node, and what was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StuckList {
    pub now: Vec<Stuck>,
    /// The newest first; bounded.
    pub ended: Vec<Stuck>,
    /// Incidents since the start, by kind.
    pub totals: Vec<(&'static str, u64)>,
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
