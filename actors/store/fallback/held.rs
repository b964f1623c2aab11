//! The state of a session that this node owns, kept so that the session can continue while the store is down.

use std::sync::Arc;

use tokio::time::Instant;

use crate::ids::{CommitId, NodeId, ResultId};
use crate::session::snapshot;
use crate::store::{
    Acquired, Change, Claim, Commit, Committed, Fence, Lineage, Lost, NewSession, Part, Repair,
    ResultBlob, StoreError,
};

/// The bytes of a session.
#[derive(Debug, Clone)]
pub(super) struct Bytes {
    pub(super) snapshot: Arc<[u8]>,
    pub(super) deltas: Vec<Arc<[u8]>>,
}

impl Bytes {
    fn take(&mut self, change: &Change) {
        match change {
            Change::Delta(delta) => self.deltas.push(Arc::clone(delta)),
            Change::Snapshot(snapshot) => self.replace(snapshot, &[]),
            Change::Branch {
                snapshot: Some(snapshot),
                deltas,
                ..
            } => self.replace(snapshot, deltas),
            Change::Branch {
                snapshot: None,
                deltas,
                ..
            } => self.deltas.extend(deltas.iter().cloned()),
        }
    }

    fn replace(&mut self, snapshot: &Arc<[u8]>, deltas: &[Arc<[u8]>]) {
        self.snapshot = Arc::clone(snapshot);
        self.deltas = deltas.to_vec();
    }

    pub(super) fn len(&self) -> usize {
        let deltas: usize = self.deltas.iter().map(|delta| delta.len()).sum();
        self.snapshot.len() + deltas
    }
}

#[derive(Debug)]
pub(super) struct Held {
    /// The fence as the session actor knows it.
    pub(super) fence: Fence,
    /// The fence as the store knows it. It differs once the session has been written back.
    pub(super) real: Fence,
    /// The state including all pending commits.
    pub(super) now: Bytes,
    pub(super) version: u64,
    /// The version that the store has acknowledged.
    pub(super) stored_version: u64,
    /// The commit that made that version.
    pub(super) last: Option<CommitId>,
    /// Earlier owners of the session, up to this node.
    pub(super) lineage: Lineage,
    pub(super) pending: Vec<Commit>,
    pub(super) pending_bytes: usize,
    pub(super) pending_since: Option<Instant>,
    /// Until when no other node can own it, by this node's clock.
    pub(super) lease_until: Instant,
    pub(super) expires_ms: u64,
    pub(super) ttl_ms: u64,
    /// Created while the store was down, and not in the store yet.
    pub(super) born: Option<(NewSession, u64)>,
    /// Closed while the store was down, and still to be deleted there.
    pub(super) deleted: bool,
    /// Released by its actor; release it in the store once that is back.
    pub(super) released: bool,
}

impl Held {
    pub(super) fn acquired(acquired: &Acquired, lease_until: Instant, now_ms: u64) -> Self {
        Self {
            fence: acquired.fence,
            real: acquired.fence,
            now: Bytes {
                snapshot: Arc::clone(&acquired.snapshot),
                deltas: acquired.deltas.clone(),
            },
            version: acquired.version,
            stored_version: acquired.version,
            last: acquired.last_commit,
            lineage: acquired.lineage.clone(),
            pending: Vec::new(),
            pending_bytes: 0,
            pending_since: None,
            lease_until,
            expires_ms: acquired.expires_ms,
            ttl_ms: acquired.expires_ms.saturating_sub(now_ms),
            born: None,
            deleted: false,
            released: false,
        }
    }

    pub(super) fn born(
        session: NewSession,
        fence: Fence,
        lease_until: Instant,
        now_ms: u64,
    ) -> Self {
        let expires_ms = now_ms.saturating_add(session.ttl_ms);
        let acquired = Acquired {
            fence,
            version: 1,
            snapshot: Arc::clone(&session.snapshot),
            deltas: Vec::new(),
            expires_ms,
            last_commit: None,
            reached: crate::store::Reached::MEMORY,
            lineage: Lineage::default(),
            lost: Lost::default(),
        };
        Self {
            born: Some((session, now_ms)),
            ..Self::acquired(&acquired, lease_until, now_ms)
        }
    }

    /// Records a commit that the store acknowledged.
    pub(super) fn committed(
        &mut self,
        commit: &Commit,
        done: &Committed,
        lease_until: Instant,
        now_ms: u64,
    ) {
        if commit.expected == self.version {
            self.now.take(&commit.change);
            self.last = Some(commit.id);
        }
        (self.version, self.stored_version) = (done.version, done.version);
        self.expires_ms = done.expires_ms;
        self.ttl_ms = self.ttl_ms.max(done.expires_ms.saturating_sub(now_ms));
        self.lease_until = lease_until;
    }

    /// Keeps a commit until the store is back.
    pub(super) fn keep(&mut self, commit: &Commit, now: Instant, now_ms: u64) -> usize {
        let bytes = weight(commit);
        self.now.take(&commit.change);
        self.version += commit.change.versions();
        self.pending.push(commit.clone());
        self.pending_bytes += bytes;
        self.pending_since.get_or_insert(now);
        self.expires_ms = now_ms.saturating_add(self.ttl_ms);
        bytes
    }

    /// The state for the session's next actor on this node.
    pub(super) fn as_acquired(&self) -> Acquired {
        Acquired {
            fence: self.fence,
            version: self.version,
            snapshot: Arc::clone(&self.now.snapshot),
            deltas: self.now.deltas.clone(),
            expires_ms: self.expires_ms,
            last_commit: self.last_commit(),
            reached: crate::store::Reached::MEMORY,
            lineage: self.lineage.clone(),
            lost: Lost::default(),
        }
    }

    pub(super) fn claim(&self, node: NodeId) -> Claim {
        Claim {
            node,
            epoch: self.real.epoch,
            lineage: self.lineage.clone(),
            version: self.version,
        }
    }

    /// Whether anything must be written back.
    pub(super) fn waits(&self) -> bool {
        !self.pending.is_empty() || self.born.is_some() || self.deleted
    }

    pub(super) fn last_commit(&self) -> Option<CommitId> {
        let pending = self.pending.last().map(|commit| commit.id);
        pending.or(self.last)
    }

    /// A part of a pending result. `None`: ask the store. `Some(None)`: it has been dropped.
    pub(super) fn result(&self, id: ResultId, part: Part) -> Option<Option<Arc<[u8]>>> {
        for commit in self.pending.iter().rev() {
            let put = commit
                .put
                .iter()
                .find(|blob| blob.id == id && blob.part == part);
            if let Some(blob) = put {
                return Some(Some(Arc::clone(&blob.bytes)));
            }
            if commit.drop.contains(&(id, part)) {
                return Some(None);
            }
        }
        None
    }

    /// How many pending commits the store already has, or `None` if its state is from another branch. The fate of the
    /// first commit may be unknown, and then that of all pending commits, because they are sent as one.
    pub(super) fn applied(&self, version: u64, last: Option<CommitId>) -> Option<usize> {
        if version == self.stored_version && last == self.last {
            return Some(0);
        }
        let mut reaches = self.stored_version;
        for (index, commit) in self.pending.iter().enumerate() {
            reaches += commit.change.versions();
            if reaches == version {
                return (last == Some(commit.id)).then_some(index + 1);
            }
        }
        None
    }

    /// Merges the pending commits from index `from` on into one commit, under the id of the last.
    pub(super) fn as_one(&self, from: usize, fence: Fence, expected: u64) -> Option<Commit> {
        let pending = self.pending.get(from..)?;
        let last = pending.last()?;
        let (mut snapshot, mut deltas) = (None, Vec::new());
        let (mut put, mut drop) = (Vec::<ResultBlob>::new(), Vec::new());
        for commit in pending {
            match &commit.change {
                Change::Delta(delta) => deltas.push(Arc::clone(delta)),
                Change::Snapshot(whole) => {
                    snapshot = Some(Arc::clone(whole));
                    deltas.clear();
                }
                Change::Branch {
                    snapshot: whole,
                    deltas: more,
                    ..
                } => {
                    if whole.is_some() {
                        snapshot.clone_from(whole);
                        deltas.clear();
                    }
                    deltas.extend(more.iter().cloned());
                }
            }
            put.retain(|blob| !commit.drop.contains(&(blob.id, blob.part)));
            put.extend(commit.put.iter().cloned());
            drop.extend(commit.drop.iter().copied());
        }
        Some(Commit {
            session: last.session,
            id: last.id,
            fence,
            expected,
            change: Change::Branch {
                snapshot,
                deltas,
                versions: pending.iter().map(|commit| commit.change.versions()).sum(),
            },
            put,
            drop,
        })
    }

    /// The whole session as a repair, for a store that has lost it.
    pub(super) fn as_repair(&self, id: crate::ids::SessionId) -> Result<Repair, StoreError> {
        let machine = snapshot::fold(&self.now.snapshot, &self.now.deltas)?;
        Ok(Repair {
            created_ms: machine.created_ms,
            session: NewSession {
                id,
                principal: machine.principal.clone(),
                label: machine.label.as_deref().map(str::to_owned),
                snapshot: snapshot::encode(&machine),
                ttl_ms: machine.ttl_ms,
                key: None,
            },
            fence: self.real,
            version: self.version,
            lineage: self.lineage.clone(),
            last: self.last_commit(),
            out: None,
            aside: None,
        })
    }

    /// The pending commits are now in the store, under this fence.
    pub(super) fn settled(&mut self, real: Fence, version: u64, lease_until: Instant) {
        self.last = self.last_commit();
        self.pending.clear();
        self.pending_bytes = 0;
        self.pending_since = None;
        self.born = None;
        self.real = real;
        (self.version, self.stored_version) = (version, version);
        self.lease_until = lease_until;
    }
}

/// Bytes of memory that a pending commit takes.
pub(super) fn weight(commit: &Commit) -> usize {
    let change = match &commit.change {
        Change::Delta(bytes) | Change::Snapshot(bytes) => bytes.len(),
        Change::Branch {
            snapshot, deltas, ..
        } => {
            let deltas: usize = deltas.iter().map(|delta| delta.len()).sum();
            snapshot.as_ref().map_or(0, |snapshot| snapshot.len()) + deltas
        }
    };
    let results: usize = commit.put.iter().map(|blob| blob.bytes.len()).sum();
    change + results
}
