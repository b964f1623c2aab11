//! Every limit of the sessions, with its reason.

use std::time::Duration;

use crate::connections::ConnectionOptions;
use crate::faults::Faults;
use crate::heartbeat::Announcement;
use crate::ids::NodeId;

/// Set once at start. The defaults fit one developer's machine; each limit keeps something from growing without bound.
#[derive(Debug, Clone)]
pub struct Options {
    pub node: NodeId,
    /// A session without calls for this long expires. Sliding: every call starts the time again. A working day and a
    /// night.
    pub session_ttl: Duration,
    /// Longest time to live that a session may request, so that every session expires.
    pub session_ttl_max: Duration,
    /// A session without calls for this long stops its actor. Its state stays in the store, and the next call wakes it.
    pub idle_after: Duration,
    /// Default time limit of a call: longer than any analysis of a large tree.
    pub call_deadline: Duration,
    /// Running calls of all sessions; beyond it callers get `busy`.
    pub calls_in_flight: usize,
    /// Messages from outside that wait for one session.
    pub session_mailbox: usize,
    /// Session actors on this node, throwaway ones included.
    pub sessions_awake: usize,
    /// Jobs that run at once. Each uses all cores if it can, so a few are enough to fill the gaps.
    pub pool_workers: usize,
    /// Jobs that wait for a worker.
    pub pool_queue: usize,
    /// Outcomes of jobs that no session has fetched yet, kept for a session that is being restarted.
    pub pool_outcomes: usize,
    /// Bytes of cached values in memory.
    pub cache_bytes: usize,
    /// Sessions loaded from the store at once: enough to keep it busy, few enough that commits get through.
    pub loads_at_once: usize,
    /// How long a session belongs to the node that acquired it, if several share a store: the store's own lease.
    pub lease: Duration,
    /// Persistence actors: commits of one session always use the same one.
    pub persistence_shards: usize,
    /// Session supervisors; each session belongs to one, by its id.
    pub session_supervisors: usize,
    /// How this node announces itself to the others on the store; `None`: it does not.
    pub announcement: Option<Announcement>,
    /// Limits of transport sessions.
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

/// What one session may hold. The pure state machine knows these limits, and they are not stored: a node with other
/// limits can continue the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Running calls of one session; beyond it `busy`.
    pub calls: usize,
    /// Ended calls remembered with their answers, for repeated requests.
    pub history: usize,
    /// Results remembered: those in `history`, and older ones, which can be read and compared. As many as an agent
    /// makes in a long task, so that its first result is still there at the end.
    pub results: usize,
    /// Bytes of JSON that the older results may take in the session's state. A state is written as a whole now and
    /// then, and is held in memory while its store is down, up to 1 MiB a session. 936 results of common length fit.
    pub result_bytes: usize,
    /// Results dropped last: baselines of comparisons, and the first results of a session with a label. More than this
    /// would no longer be the few that a client returns to.
    pub pinned: usize,
    /// Idempotency keys remembered.
    pub keys: usize,
    pub notices: usize,
    /// Bytes of JSON of one call's arguments, which are part of the first delta of every call.
    pub arguments_bytes: usize,
    /// Bytes of JSON of arguments kept in the history; of larger ones it shows only the size.
    pub history_arguments_bytes: usize,
    /// Bytes of JSON of all whole results of a session. The oldest are dropped first, pinned ones last. Several pinned
    /// ones take half at most, so that new results have room; the newest is kept even if it is larger. A comparison of
    /// two of the largest results fits: 23 MiB each, 8 MiB for what changed, and the arguments.
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
            whole_bytes: 56 << 20,
            attempts: 3,
            label_bytes: 200,
        }
    }
}
