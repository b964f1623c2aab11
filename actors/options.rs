//! Every limit of the sessions, with its reason.

use std::time::Duration;

use crate::connections::ConnectionOptions;
use crate::faults::Faults;
use crate::heartbeat::Announcement;
use crate::ids::NodeId;

/// Set once at start. The defaults suit one developer's machine; each bound is there so that nothing grows for ever.
#[derive(Debug, Clone)]
pub struct Options {
    pub node: NodeId,
    /// A session that nobody called for so long ends. Sliding: every call starts it anew. A working day and a night.
    pub session_ttl: Duration,
    /// No session may ask for more: what is forgotten must go some day.
    pub session_ttl_max: Duration,
    /// A session without calls for so long gives its actor up; its state stays in the store, the next call wakes it.
    pub idle_after: Duration,
    /// A call that says nothing of its own may take so long. Longer than any analysis of a large tree.
    pub call_deadline: Duration,
    /// Calls of all sessions that are under way at once; beyond it callers hear `busy`.
    pub calls_in_flight: usize,
    /// Messages from outside that wait for one session at once.
    pub session_mailbox: usize,
    /// Session actors on this node at once, throwaway ones included.
    pub sessions_awake: usize,
    /// Jobs that run at once. Each uses all cores where it can, so a few are enough to fill the gaps.
    pub pool_workers: usize,
    /// Jobs that wait for a worker.
    pub pool_queue: usize,
    /// Outcomes of jobs that no session has fetched yet, kept for one that is being restarted.
    pub pool_outcomes: usize,
    /// Bytes of cached values in memory.
    pub cache_bytes: usize,
    /// Sessions that are asked of the store at once: enough to keep it busy, few enough that commits get through.
    pub loads_at_once: usize,
    /// For how long a session belongs to the node that acquired it, where several share a store: the store's own.
    pub lease: Duration,
    /// Persistence actors: commits of one session always go through the same one.
    pub persistence_shards: usize,
    /// Supervisors that share the sessions, by hash of the id.
    pub session_supervisors: usize,
    /// How other nodes of the store hear of this one; `None`: they do not.
    pub announcement: Option<Announcement>,
    /// Transport sessions, where there are any.
    pub connections: ConnectionOptions,
    pub limits: Limits,
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            node: NodeId::random(),
            session_ttl: Duration::from_secs(24 * 3600),
            session_ttl_max: Duration::from_secs(30 * 24 * 3600),
            idle_after: Duration::from_secs(300),
            call_deadline: Duration::from_secs(300),
            calls_in_flight: 1024,
            session_mailbox: 64,
            sessions_awake: 20_000,
            pool_workers: cores.max(2),
            pool_queue: 256,
            pool_outcomes: 256,
            cache_bytes: 256 << 20,
            loads_at_once: 64,
            lease: crate::store::memory::LEASE,
            persistence_shards: 4,
            session_supervisors: 16,
            announcement: None,
            connections: ConnectionOptions::default(),
            limits: Limits::default(),
            faults: Faults::default(),
        }
    }
}

/// What one session may hold. Known to the pure state machine, and part of no stored form: a node with other limits
/// may carry the session on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls of one session at once; beyond it `busy`.
    pub calls: usize,
    /// Ended calls that are remembered with their answers: what a repeated request is answered from.
    pub history: usize,
    /// Results that are remembered: those of `history`, and older ones, which can be read and compared. As many as an
    /// agent makes in a long task, so that its first result is there at the end.
    pub results: usize,
    /// What the older ones may take of the session's state, bytes of JSON. A state is written whole now and then, and is
    /// held in memory while its store is away, up to 1 MiB a session. 936 results of common length fit.
    pub result_bytes: usize,
    /// Results that go last: baselines of comparisons, and the first ones of a session with a label. More than this are
    /// no longer the few that somebody goes back to.
    pub pinned: usize,
    /// Idempotency keys that are remembered.
    pub keys: usize,
    pub notices: usize,
    /// Arguments of one call, bytes of JSON: they travel in the first delta of every call.
    pub arguments_bytes: usize,
    /// Arguments kept in the history, bytes of JSON: beyond it the history shows their size alone.
    pub history_arguments_bytes: usize,
    /// Whole results of one session, bytes of JSON; the oldest go first, pinned ones last. Those take half at most, so
    /// that the newest results always have room.
    pub whole_bytes: u64,
    /// How often one call is run before it is answered `interrupted`.
    pub attempts: u32,
    /// Bytes of a session's label.
    pub label_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 16,
            history: 64,
            results: 1000,
            result_bytes: 512 << 10,
            pinned: 16,
            keys: 64,
            notices: 16,
            arguments_bytes: 64 << 10,
            history_arguments_bytes: 4 << 10,
            whole_bytes: 16 << 20,
            attempts: 3,
            label_bytes: 200,
        }
    }
}
