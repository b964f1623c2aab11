//! The store of sessions between calls: the trait, and its implementations. [`memory`] is the reference.
//!
//! The protocol is that of a store shared by several nodes. A node *acquires* a session and gets a [`Fence`] that no
//! other owner has had. Every commit carries that fence, the version it builds on, and an id of its own. A commit under
//! an old fence is refused, and so is one on another version. A commit that was applied before gets the same answer
//! again, so a commit of unknown fate can simply be sent again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ids::{CommitId, NodeId, Principal, ResultId, SessionId};
use crate::sessions::DurabilityLevel;

#[cfg(test)]
mod contract;
mod health;
mod lineage;
mod lost;
#[cfg(test)]
mod model;
mod peers;

pub mod archive;
pub mod fallback;
pub mod memory;
pub mod redis;

pub use health::{Eviction, Health, Link, LinkPool, NodeRecord, Sheltered, Shortfall};
pub use lineage::{Claim, Lineage, Turn};
pub use lost::Lost;
pub use peers::{Peers, PeersFuture, Said, Shown};

/// One answer per commit of a group.
pub type CommitsFuture<'a> =
    Pin<Box<dyn Future<Output = Vec<Result<Committed, StoreError>>> + Send + 'a>>;

pub type KeepFuture<'a> = Pin<Box<dyn Future<Output = Vec<Result<(), StoreError>>> + Send + 'a>>;

/// A node that has not announced itself for this long is no longer listed.
pub const NODE_SEEN_FOR: Duration = Duration::from_secs(30);

pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Implementations must make every method atomic and safe to repeat.
pub trait Store: Send + Sync + 'static {
    /// `memory` or `redis`, for status pages.
    fn kind(&self) -> &'static str;

    /// The durability level that the operator configured. Each commit reports the level that it reached.
    fn level(&self) -> DurabilityLevel;

    /// The health of the store as last known. Never waits.
    fn health(&self) -> Health {
        Health::default()
    }

    /// Checks whether the store can be used, and how it is configured. `Unavailable` says why it cannot.
    fn probe(&self) -> StoreFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A message arrived over the store's own server, so the server is up. Returns as soon as the store can be used
    /// again, after a moment at most, or at once if it was not considered down.
    fn heard_from(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    /// Creates a session without an owner.
    fn create(&self, session: NewSession) -> StoreFuture<'_, Created>;

    /// Acquires and reads a session in one step. The previous owner is fenced off: this node itself, or a node whose
    /// lease has ended. While another node's lease is valid, the answer is `Held`. `after` is the newest epoch that
    /// this node has had, because a store that was rolled back would otherwise issue the same fence twice.
    fn acquire_after(&self, id: SessionId, node: NodeId, after: u64) -> StoreFuture<'_, Acquired>;

    /// [`Store::acquire_after`], by a node that has not owned the session before.
    fn acquire(&self, id: SessionId, node: NodeId) -> StoreFuture<'_, Acquired> {
        self.acquire_after(id, node, 0)
    }

    /// Applies commits of different sessions independently. Returns one answer each, in order.
    fn commit<'a>(&'a self, commits: &'a [Commit]) -> CommitsFuture<'a>;

    /// Counts how often the server behind the store was found restarted, or to be another one. It may have been rolled
    /// back each time. 0: not since this node started.
    fn run(&self) -> u64 {
        0
    }

    /// [`Store::commit`], if the store is still in that run. If not, nothing is changed and the answers are
    /// `Unavailable`.
    fn commit_in<'a>(&'a self, _run: u64, commits: &'a [Commit]) -> CommitsFuture<'a> {
        self.commit(commits)
    }

    /// Extends the lease, and the session's expiry by its whole time to live, without a change. Returns the durability
    /// that the session has reached, without waiting for more.
    fn renew(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, Reached>;

    /// Extends leases only, for sessions that are busy without committing. Returns one answer each, in order.
    fn keep<'a>(&'a self, held: &'a [(SessionId, Fence)]) -> KeepFuture<'a>;

    /// Stores a session again that the store has lost, or has in an older version than its owner was acknowledged. The
    /// [`Lineage`] of both decides if another node has owned it since: the repair is then refused, as `Fenced` if the
    /// stored session contains everything, and as `Overtaken` if the owner's changes are lost. `Lapsed`: this node has
    /// acquired the session under a later fence.
    fn repair(&self, repair: Repair) -> StoreFuture<'_, Repaired>;

    /// Sets the way to ask other nodes, for a store that asks them before a repair.
    fn meet(&self, _peers: Arc<dyn Peers>) {}

    /// Called when another node is about to repair a session with the state `theirs`. If this node owned the session
    /// later, it stores its own state. `None`: it never owned it.
    fn asked(&self, _id: SessionId, _theirs: Claim) -> PeersFuture<'_, Option<Said>> {
        Box::pin(std::future::ready(None))
    }

    /// These losses are in the session's stored notices. Until then every acquisition reports them.
    fn told(&self, _id: SessionId, _lost: Lost) {}

    /// Releases a session, so that another node can acquire it without waiting. `version` is the stored version as its
    /// owner knows it. If the answer is `Regressed`, repair it first, because no other node could.
    fn release(&self, id: SessionId, fence: Fence, version: u64) -> StoreFuture<'_, ()>;

    /// Deletes a session and everything it stored. Deleting an unknown session succeeds.
    fn delete(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, ()>;

    /// Quarantines a session with a reason, so that it does not run; `None` releases it.
    fn quarantine(&self, id: SessionId, reason: Option<String>) -> StoreFuture<'_, ()>;

    /// Ends a quarantined session and deletes everything it stored, so that its owner needs no operator. `Fenced` if it
    /// is not quarantined, `Missing` if it belongs to another principal.
    fn close_quarantined<'a>(&'a self, id: SessionId, owner: &'a Principal) -> StoreFuture<'a, ()>;

    /// Reads one part of a stored result.
    fn result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> StoreFuture<'_, Option<Arc<[u8]>>>;

    /// Whether both parts of each of these results are stored. A store that was rolled back may have lost some, and
    /// only this tells the session.
    fn has_results<'a>(
        &'a self,
        id: SessionId,
        results: &'a [ResultId],
    ) -> StoreFuture<'a, Vec<bool>>;

    /// The sessions of one principal, newest first, after the one created at `after.0` (from the start if it is
    /// `None`), and their total number.
    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> StoreFuture<'a, (Vec<Row>, u64)>;

    /// The storage used by a principal; approximate, and too high rather than too low.
    fn usage<'a>(&'a self, principal: &'a Principal) -> StoreFuture<'a, Usage>;

    /// Reads a session's row without acquiring it.
    fn look(&self, id: SessionId) -> StoreFuture<'_, Row>;

    /// Deletes expired sessions. Called every few seconds; stores that expire keys themselves do nothing.
    fn sweep(&self) -> StoreFuture<'_, ()>;

    /// Announces a node and its state. Repeat it well before [`NODE_SEEN_FOR`] has passed.
    fn announce<'a>(&'a self, node: &'a NodeRecord) -> StoreFuture<'a, ()>;

    /// Recently announced nodes, ordered by id.
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>>;
}

/// Orders the owners of a session. The epoch counts acquisitions; the node distinguishes equal epochs, which a rolled
/// back store can issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    pub epoch: u64,
    pub node: NodeId,
}

#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub principal: Principal,
    pub label: Option<String>,
    /// The snapshot at version 1.
    pub snapshot: Arc<[u8]>,
    pub ttl_ms: u64,
    /// An idempotency key of the principal: a second creation with the same key returns the first session.
    pub key: Option<CreateKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateKey {
    pub key: String,
    /// Digest of the arguments: the same key with other arguments is refused.
    pub digest: [u8; 32],
    /// While the store is down, a session may be created for which the key is valid on this node only. The caller asks
    /// again with the key once the store is back, and uses the session that it then gets.
    pub provisional: bool,
}

/// The durability that an answer of the store reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub level: DurabilityLevel,
    /// Whether it is at least the configured level.
    pub durable: bool,
    /// The store may evict it when memory is short, so it is not durable at any level.
    pub evictable: bool,
}

impl Reached {
    /// It ends with the process: no more was configured, or no more was reached.
    pub const MEMORY: Self = Self {
        level: DurabilityLevel::Memory,
        durable: false,
        evictable: false,
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New(Reached),
    /// The key was used before with the same arguments, and names this session.
    Before(SessionId),
}

#[derive(Debug, Clone)]
pub struct Acquired {
    pub fence: Fence,
    pub version: u64,
    pub snapshot: Arc<[u8]>,
    /// Deltas to fold over the snapshot, oldest first.
    pub deltas: Vec<Arc<[u8]>>,
    pub expires_ms: u64,
    /// The commit that made this version.
    pub last_commit: Option<CommitId>,
    pub reached: Reached,
    /// Owners of the session, up to this acquisition.
    pub lineage: Lineage,
    /// Acknowledged changes that are lost, and that the session's notices may not mention yet.
    pub lost: Lost,
}

/// What a live owner knows of a session that its store has lost.
#[derive(Debug, Clone)]
pub struct Repair {
    pub session: NewSession,
    pub created_ms: u64,
    /// The newest fence that this node was given.
    pub fence: Fence,
    /// The newest version acknowledged to this owner; `session.snapshot` is its state.
    pub version: u64,
    /// The owners up to the acquisition of that version.
    pub lineage: Lineage,
    /// The commit that made the version.
    pub last: Option<CommitId>,
    /// The pending commit of unknown fate. If it is the last one stored, nothing is lost.
    pub out: Option<CommitId>,
    /// The fence under which another node acquired the session to repair it, and asked this node first. This does not
    /// count as a turn of the other node.
    pub aside: Option<Fence>,
}

impl Repair {
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            node: self.fence.node,
            epoch: self.fence.epoch,
            lineage: self.lineage.clone(),
            version: self.version,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repaired {
    pub fence: Fence,
    /// Changes of the replaced branch, which was made under an older fence.
    pub dropped: u64,
    /// The node that owns that branch. It learns of the loss when its next commit is refused. `None`: no node owns it.
    pub holder: Option<NodeId>,
    /// Changes that another node made later and that no node has any more. A store does not know of these; see
    /// [`fallback`].
    pub forgotten: u64,
}

impl Repaired {
    pub(crate) fn lost(self) -> Lost {
        Lost {
            forgotten: self.forgotten,
            replaced: self.dropped,
            ..Lost::default()
        }
    }
}

/// One atomic change of one session.
#[derive(Debug, Clone)]
pub struct Commit {
    pub session: SessionId,
    pub id: CommitId,
    pub fence: Fence,
    /// The version that this commit builds on.
    pub expected: u64,
    pub change: Change,
    pub put: Vec<ResultBlob>,
    pub drop: Vec<(ResultId, Part)>,
}

#[derive(Debug, Clone)]
pub enum Change {
    Delta(Arc<[u8]>),
    /// Replaces the snapshot and all deltas.
    Snapshot(Arc<[u8]>),
    /// Several changes recorded while the store was down: an optional snapshot that replaces everything, and deltas
    /// after it. Together they count as `versions` versions.
    Branch {
        snapshot: Option<Arc<[u8]>>,
        deltas: Vec<Arc<[u8]>>,
        versions: u64,
    },
}

impl Change {
    /// How much it raises the version.
    pub fn versions(&self) -> u64 {
        match self {
            Self::Delta(_) | Self::Snapshot(_) => 1,
            Self::Branch { versions, .. } => *versions,
        }
    }
}

#[derive(Debug, Clone)]
pub struct ResultBlob {
    pub id: ResultId,
    pub part: Part,
    pub bytes: Arc<[u8]>,
}

/// A result has two parts: the caller's answer, and the whole result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Answer,
    Whole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub version: u64,
    pub expires_ms: u64,
    /// Whole results that the store has no room for. The commit is valid without them.
    pub declined: Vec<ResultId>,
    pub reached: Reached,
}

/// The storage of one principal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub sessions: u64,
    /// Bytes of its states and results as stored.
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: SessionId,
    pub principal: Principal,
    pub label: Option<String>,
    pub created_ms: u64,
    pub expires_ms: u64,
    pub closed: bool,
    pub quarantine: Option<String>,
    /// The node that holds its lease.
    pub node: Option<NodeId>,
}

/// Why a store refused. Nothing was changed, unless the variant says that this is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("no such session")]
    Missing,
    /// The owner. Other principals get `unknown`.
    #[error("the session has expired")]
    Expired(Principal),
    /// Another node has acquired it since.
    #[error("another owner holds the session")]
    Fenced,
    /// Another node owns it, and its lease is valid.
    #[error("{node} owns the session for another {left_ms} ms, unless it releases it")]
    Held { node: NodeId, left_ms: u64 },
    /// This node's lease has ended, so another node may own the session at any moment.
    #[error("the lease of the session has ended")]
    Lapsed,
    /// It was closed recently.
    #[error("the session was closed")]
    Deleted,
    /// The store is down, and the limits on kept changes are reached. Nothing was changed.
    #[error("not recorded: {0}")]
    Unrecorded(&'static str),
    /// The store is down, and the operator configured that calls are then refused.
    #[error("refused while the store is down: {0}")]
    Refused(String),
    /// The store was rolled back, and another node continued from there: everything after that version is lost.
    #[error("the store was rolled back, and another node continued from version {from}")]
    Overtaken { from: u64 },
    #[error("the stored version is {stored}, not {expected}")]
    Regressed { stored: u64, expected: u64 },
    #[error("quarantined: {reason}")]
    Quarantined {
        principal: Principal,
        reason: String,
    },
    #[error("the idempotency key was used with other arguments")]
    KeyReused,
    #[error("limit reached: {0}")]
    Limit(&'static str),
    #[error("the stored data cannot be read: {0}")]
    Corrupt(String),
    #[error("written by a newer version (schema {0})")]
    NewerSchema(u32),
    /// It is unknown whether it was done: send the request again with the same commit id.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl StoreError {
    /// For messages that already say that the store is unavailable.
    pub(crate) fn cause(&self) -> String {
        if let Self::Unavailable(cause) = self {
            return cause.clone();
        }
        self.to_string()
    }
}
