//! What is known of a session that this node holds, so that it can go on while the store is away.

use std::sync::Arc;

use tokio::time::Instant;

use crate::ids::{CommitId, NodeId, ResultId};
use crate::session::snapshot;
use crate::store::{
    Acquired, Change, Claim, Commit, Committed, Fence, Lineage, Lost, NewSession, Part, Repair,
    ResultBlob, StoreError,
};

/// A session's bytes.
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
    /// As the session knows it.
    pub(super) fence: Fence,
    /// As the store knows it: another, once the session has been brought back.
    pub(super) real: Fence,
    /// With everything that is pending.
    pub(super) now: Bytes,
    pub(super) version: u64,
    /// What the store has acknowledged.
    pub(super) stored_version: u64,
    /// The commit that made that version.
    pub(super) last: Option<CommitId>,
    /// Who had the session, up to our own turn.
    pub(super) lineage: Lineage,
    pub(super) pending: Vec<Commit>,
    pub(super) pending_bytes: usize,
    pub(super) pending_since: Option<Instant>,
    /// Until when nobody else can hold it, by our clock.
    pub(super) lease_until: Instant,
    pub(super) expires_ms: u64,
    pub(super) ttl_ms: u64,
    /// Made while the store was away: it is not there yet.
    pub(super) born: Option<(NewSession, u64)>,
    /// Ended while the store was away: it is to go from there, too.
    pub(super) deleted: bool,
    /// Its actor has given it up: so must we, once it is back.
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

    /// The store has acknowledged it.
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

    /// Kept for the store until it is back.
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

    /// For whoever goes on with it here.
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

    /// There is something to be brought back.
    pub(super) fn waits(&self) -> bool {
        !self.pending.is_empty() || self.born.is_some() || self.deleted
    }

    pub(super) fn last_commit(&self) -> Option<CommitId> {
        let pending = self.pending.last().map(|commit| commit.id);
        pending.or(self.last)
    }

    /// A part of a result that is pending. `None`: ask the store. `Some(None)`: it is dropped.
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

    /// How many of the pending commits the store has, if what it has is on our way at all: the fate of the first may
    /// not have been known, and so that of all of them together, which are sent as one.
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

    /// Everything that is pending from the `from`-th on, as one commit: the last one's.
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

    /// All of it, for a store that has lost it.
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

    /// What was pending is in the store, under this fence.
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

/// Bytes that a pending commit keeps.
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
