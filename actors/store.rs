//! Where sessions live between calls. The trait stands beside those who call it; [`memory`] is the first to implement
//! it.
//!
//! The protocol is that of a store shared by several nodes. A node *acquires* a session and gets a [`Fence`] that no
//! other holder has had; every commit names that fence, the version it builds on and an id of its own. A commit under
//! an old fence is refused, one on another version is refused, and one that was applied before is answered as before:
//! so a commit of unknown fate may simply be sent again.

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
#[cfg(test)]
mod model;
mod peers;

pub mod archive;
pub mod memory;
pub mod redis;
pub mod shelter;

pub use health::{Eviction, Health, Link, LinkPool, NodeRecord, Sheltered, Shortfall};
pub use lineage::{Claim, Lineage, Turn};
pub use peers::{Peers, PeersFuture, Said, Shown};

/// One answer for each commit of a group.
pub type CommitsFuture<'a> =
    Pin<Box<dyn Future<Output = Vec<Result<Committed, StoreError>>> + Send + 'a>>;

pub type KeepFuture<'a> = Pin<Box<dyn Future<Output = Vec<Result<(), StoreError>>> + Send + 'a>>;

/// A node that has not announced itself for so long is not shown any more.
pub const NODE_SEEN_FOR: Duration = Duration::from_secs(30);

pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Implementations must be all-or-nothing in every method, and safe to repeat.
pub trait Store: Send + Sync + 'static {
    /// `memory`, `redis`: for status pages.
    fn kind(&self) -> &'static str;

    /// What the operator asked for: an answer that reached this is durable. What a commit did reach it says itself.
    fn level(&self) -> DurabilityLevel;

    /// How the store is, as far as it is known. Never waits.
    fn health(&self) -> Health {
        Health::default()
    }

    /// Asks the store whether it can be used, and as what it is used. `Unavailable` says why it cannot.
    fn probe(&self) -> StoreFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A message has come to this node over the store's own server, so the server answers. Returns as soon as the store
    /// serves again, and after a moment at the latest; at once where it was not taken for away.
    fn heard_from(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    /// Lays a new session down, owned by nobody.
    fn create(&self, session: NewSession) -> StoreFuture<'_, Created>;

    /// Takes a session over and reads it, in one step. Fences off whoever held it before, which is this node, or one
    /// whose lease has ended; otherwise it is `Held`. `after` is the newest epoch that this node has had of it: a store
    /// that went back would hand out a fence twice.
    fn acquire_after(&self, id: SessionId, node: NodeId, after: u64) -> StoreFuture<'_, Acquired>;

    /// [`Store::acquire_after`], by a node that has not had it.
    fn acquire(&self, id: SessionId, node: NodeId) -> StoreFuture<'_, Acquired> {
        self.acquire_after(id, node, 0)
    }

    /// Applies commits of different sessions, each by itself: one answer each, in order.
    fn commit<'a>(&'a self, commits: &'a [Commit]) -> CommitsFuture<'a>;

    /// Extends the lease, and puts the end of the session off by its whole time to live, without a change. Answers with
    /// what the session has reached by being there, without waiting for more.
    fn renew(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, Reached>;

    /// Extends leases, and nothing else: for sessions that are busy without a commit. One answer each, in order.
    fn keep<'a>(&'a self, held: &'a [(SessionId, Fence)]) -> KeepFuture<'a>;

    /// Lays a session down again that the store has lost, or has in an older version than its owner was acknowledged,
    /// however much older. Refused where another node has had it since, by the [`Lineage`] of both: `Fenced` when what
    /// is stored has all that is to be repaired, `Overtaken` when it has not, so that it is lost. `Lapsed` where the
    /// node has acquired it under a later fence than it names here.
    fn repair(&self, repair: Repair) -> StoreFuture<'_, Repaired>;

    /// How to ask the other nodes, for a store that asks them before it takes a repair.
    fn meet(&self, _peers: Arc<dyn Peers>) {}

    /// Another node is about to repair a session, and knows of it what it claims: this node lays down what it knows
    /// itself, if it had the session later. `None`: it has not had it.
    fn asked(&self, _id: SessionId, _theirs: Claim) -> PeersFuture<'_, Option<Said>> {
        Box::pin(std::future::ready(None))
    }

    /// Whoever acquired the session did not tell its owner of what [`Acquired::lost`] says: the next one is to.
    fn retell(&self, _id: SessionId, _lost: Lost) {}

    /// Gives a session up, so that another may acquire it without waiting. `version` is what its owner knows to be
    /// stored: one that is `Regressed` is to be repaired first, for nobody else could.
    fn release(&self, id: SessionId, fence: Fence, version: u64) -> StoreFuture<'_, ()>;

    /// Deletes a session and all that it stored. Deleting what is not there succeeds.
    fn delete(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, ()>;

    /// Marks a session as not to be run, with the reason; `None` lets it run again.
    fn quarantine(&self, id: SessionId, reason: Option<String>) -> StoreFuture<'_, ()>;

    /// Ends a quarantined session and deletes all that it stored: its owner need not wait for an operator. `Fenced`
    /// where it may run, `Missing` where it is not that owner's.
    fn close_quarantined<'a>(&'a self, id: SessionId, owner: &'a Principal) -> StoreFuture<'a, ()>;

    /// One part of a stored result.
    fn result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> StoreFuture<'_, Option<Arc<[u8]>>>;

    /// Whether both parts of each of these results are stored. A store that went back may have forgotten some of them,
    /// and a session that is laid down again knows of it by this alone.
    fn has_results<'a>(
        &'a self,
        id: SessionId,
        results: &'a [ResultId],
    ) -> StoreFuture<'a, Vec<bool>>;

    /// Newest first, of one principal: the sessions after the one created at `after.0` (from the
    /// start where it is `None`), and how many
    /// there are in all.
    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> StoreFuture<'a, (Vec<Row>, u64)>;

    /// What a principal has stored: about as much, and rather more than less.
    fn usage<'a>(&'a self, principal: &'a Principal) -> StoreFuture<'a, Usage>;

    /// What is known without acquiring it.
    fn look(&self, id: SessionId) -> StoreFuture<'_, Row>;

    /// Drops what has expired. Called every few seconds; stores that expire by themselves do nothing.
    fn sweep(&self) -> StoreFuture<'_, ()>;

    /// Says that a node is there, and how it is. To be said again well before [`NODE_SEEN_FOR`] has passed.
    fn announce<'a>(&'a self, node: &'a NodeRecord) -> StoreFuture<'a, ()>;

    /// The nodes that were heard of lately, by id.
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>>;
}

/// A fence orders owners: the epoch counts acquisitions, and the node keeps equal epochs of a store that went back
/// apart.
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
    /// The stored form of version 1.
    pub snapshot: Arc<[u8]>,
    pub ttl_ms: u64,
    /// Of the principal: a second creation under the same key finds the first.
    pub key: Option<CreateKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateKey {
    pub key: String,
    /// Of the arguments: the same key with other arguments is refused.
    pub digest: [u8; 32],
    /// While the store is away, a session may be made that the key stands for on this node alone: its caller asks under
    /// the key again when the store is back, and goes on with the session that he hears of then.
    pub provisional: bool,
}

/// What an answer of the store survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub level: DurabilityLevel,
    /// Whether that is what the operator asked for.
    pub durable: bool,
    /// The store may delete it when memory is short (an evicting policy): so it is not durable, whatever it reached.
    pub evictable: bool,
}

impl Reached {
    /// It ends with the process, and nobody asked for more, or nobody got it.
    pub const MEMORY: Self = Self {
        level: DurabilityLevel::Memory,
        durable: false,
        evictable: false,
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New(Reached),
    /// The key was used before, with the same arguments, for this session.
    Before(SessionId),
}

#[derive(Debug, Clone)]
pub struct Acquired {
    pub fence: Fence,
    pub version: u64,
    pub snapshot: Arc<[u8]>,
    /// To be folded over the snapshot, oldest first.
    pub deltas: Vec<Arc<[u8]>>,
    pub expires_ms: u64,
    /// The commit that made this version.
    pub last_commit: Option<CommitId>,
    pub reached: Reached,
    /// Who had it before, up to this acquisition.
    pub lineage: Lineage,
    /// What was acknowledged and is lost: its owner is told.
    pub lost: Lost,
}

/// Changes that were acknowledged and are lost, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Another node went on from an older state.
    pub overtaken: u64,
    /// The store went back, and no node had them any more.
    pub forgotten: u64,
    /// The store went back, a node went on from the older state, and the node that had the session later replaced that.
    pub replaced: u64,
    /// Kept while the store was away, and not taken back by it.
    pub refused: u64,
}

impl Lost {
    pub(crate) fn all(self) -> u64 {
        self.overtaken + self.forgotten + self.replaced + self.refused
    }
}

/// What a live owner knows of a session that its store has forgotten.
#[derive(Debug, Clone)]
pub struct Repair {
    pub session: NewSession,
    pub created_ms: u64,
    /// The newest that this node was given.
    pub fence: Fence,
    /// The newest version that was acknowledged to this owner; `session.snapshot` is its state.
    pub version: u64,
    /// Up to the acquisition under which that was.
    pub lineage: Lineage,
    /// The commit that made the version.
    pub last: Option<CommitId>,
    /// The commit whose fate is not known. It may be what was stored last, and then nothing is lost.
    pub out: Option<CommitId>,
    /// Under which another node acquired it, to repair it as well, and asked this one before it went on: that is no
    /// turn of the other node.
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
    /// Changes of another branch that was stored, and is gone: it was made under an older fence.
    pub dropped: u64,
    /// The node that holds that branch. Its next commit is refused, which tells it. `None`: no node holds it.
    pub holder: Option<NodeId>,
    /// Changes that another node made later, and that nobody has any more. A store does not know of any; see
    /// [`shelter`].
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
    /// The version that this builds on.
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
    /// Several changes at once, recorded while the store was away: a snapshot that replaces everything, if there is
    /// one, and deltas after it. Together they stand for `versions` versions.
    Branch {
        snapshot: Option<Arc<[u8]>>,
        deltas: Vec<Arc<[u8]>>,
        versions: u64,
    },
}

impl Change {
    /// By how much it raises the version.
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

/// A result has two parts: what the caller was answered, and everything that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Answer,
    Whole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub version: u64,
    pub expires_ms: u64,
    /// Whole results that the store has no room for. The commit stands without them.
    pub declined: Vec<ResultId>,
    pub reached: Reached,
}

/// Of one principal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub sessions: u64,
    /// Of their states and results, as they are stored.
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

/// Why a store did not do as asked. Nothing was changed, except where the variant says that it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("no such session")]
    Missing,
    /// Whose it was: nobody else is told.
    #[error("the session has expired")]
    Expired(Principal),
    /// By whoever acquired it after us.
    #[error("another owner holds the session")]
    Fenced,
    /// By another node, whose lease has not ended.
    #[error("{node} holds the session for another {left_ms} ms, unless it gives it up")]
    Held { node: NodeId, left_ms: u64 },
    /// Our own lease has ended: another may hold the session at any moment.
    #[error("the lease of the session has ended")]
    Lapsed,
    /// It was closed not long ago.
    #[error("the session was closed")]
    Deleted,
    /// The store is away, and what may be kept for it meanwhile is kept. Nothing was changed.
    #[error("not recorded: {0}")]
    Unrecorded(&'static str),
    /// The store is away, and the operator wants no answer that is not durable.
    #[error("refused while the store is away: {0}")]
    Refused(String),
    /// The store went back, and another went on from there: everything after that version is lost.
    #[error("the store went back, and another went on from version {from}")]
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
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
    #[error("written by a newer version (schema {0})")]
    NewerSchema(u32),
    /// Whether it was done is not known: ask again with the same commit id.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl StoreError {
    /// For whoever says themselves that the store is unavailable.
    pub(crate) fn cause(&self) -> String {
        if let Self::Unavailable(cause) = self {
            return cause.clone();
        }
        self.to_string()
    }
}
