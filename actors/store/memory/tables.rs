//! The data of the memory store. Every change is prepared in full before it is applied.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::Limits;
use crate::clock::millis;
use crate::ids::{CommitId, NodeId, Principal, ResultId, SessionId};
use crate::store::{
    Acquired, Change, Commit, Committed, CreateKey, Created, Fence, Lineage, Lost, NewSession,
    NodeRecord, Part, Reached, ResultBlob, Row, StoreError,
};

/// Deltas after which folding takes too long; sessions write a snapshot long before.
const DELTAS_MAX: usize = 1024;
/// Expired sessions that are remembered, so that their owners get `expired` and not `unknown`.
const EXPIRED_REMEMBERED: usize = 4096;
/// Closed sessions that are remembered as closed.
const DELETED_REMEMBERED: usize = 4096;

#[derive(Default)]
pub(super) struct Tables {
    pub(super) sessions: HashMap<SessionId, Record>,
    /// Sessions of each principal, newest last.
    pub(super) by_principal: HashMap<Principal, BTreeSet<(u64, SessionId)>>,
    pub(super) by_expiry: BTreeSet<(u64, SessionId)>,
    pub(super) keys: HashMap<(Principal, String), ([u8; 32], SessionId)>,
    pub(super) expired: VecDeque<(SessionId, Principal)>,
    /// Closed sessions: a live owner must not store one again.
    pub(super) deleted: VecDeque<SessionId>,
    pub(super) whole_bytes: u64,
    /// Bytes of states and results.
    pub(super) bytes: HashMap<Principal, u64>,
    pub(super) nodes: BTreeMap<NodeId, NodeRecord>,
}

#[cfg_attr(test, derive(Clone))]
pub(crate) struct Record {
    pub(super) principal: Principal,
    pub(super) label: Option<String>,
    pub(super) created_ms: u64,
    pub(super) ttl_ms: u64,
    pub(super) expires_ms: u64,
    pub(super) fence: Option<Fence>,
    /// When the lease of the current fence ends.
    pub(super) lease_ms: u64,
    pub(super) epoch: u64,
    pub(super) lineage: Lineage,
    pub(super) version: u64,
    pub(super) last_commit: Option<(CommitId, Vec<ResultId>)>,
    pub(super) snapshot: Arc<[u8]>,
    pub(super) deltas: Vec<Arc<[u8]>>,
    pub(super) results: HashMap<(ResultId, Part), Arc<[u8]>>,
    pub(super) quarantine: Option<String>,
    pub(super) key: Option<String>,
    /// Bytes counted for its principal.
    pub(super) bytes: u64,
}

// === impl Tables ===

impl Tables {
    pub(super) fn create(
        &mut self,
        new: NewSession,
        now: u64,
        limits: &Limits,
    ) -> Result<Created, StoreError> {
        if let Some(CreateKey { key, digest, .. }) = &new.key
            && let Some((used_for, id)) = self.keys.get(&(new.principal.clone(), key.clone()))
        {
            return if used_for == digest {
                Ok(Created::Before(*id))
            } else {
                Err(StoreError::KeyReused)
            };
        }
        match self.record(new.id).map(|_| ()) {
            Ok(()) => return Ok(Created::New(Reached::MEMORY)),
            Err(StoreError::Missing) => {}
            // A session id is never reused.
            Err(gone) => return Err(gone),
        }
        if self.sessions.len() >= limits.sessions {
            return Err(StoreError::Limit("sessions in the store"));
        }
        if self
            .by_principal
            .get(&new.principal)
            .is_some_and(|own| own.len() >= limits.sessions_per_principal)
        {
            return Err(StoreError::Limit("sessions of one caller"));
        }
        let expires_ms = now.saturating_add(new.ttl_ms);
        self.by_principal
            .entry(new.principal.clone())
            .or_default()
            .insert((now, new.id));
        self.by_expiry.insert((expires_ms, new.id));
        let key = new.key.map(|CreateKey { key, digest, .. }| {
            self.keys
                .insert((new.principal.clone(), key.clone()), (digest, new.id));
            key
        });
        self.sessions.insert(
            new.id,
            Record {
                principal: new.principal,
                label: new.label,
                created_ms: now,
                ttl_ms: new.ttl_ms,
                expires_ms,
                fence: None,
                lease_ms: 0,
                epoch: 0,
                lineage: Lineage::default(),
                version: 1,
                last_commit: None,
                snapshot: new.snapshot,
                deltas: Vec::new(),
                results: HashMap::new(),
                quarantine: None,
                key,
                bytes: 0,
            },
        );
        self.weigh(new.id);
        Ok(Created::New(Reached::MEMORY))
    }

    pub(super) fn acquire(
        &mut self,
        id: SessionId,
        node: NodeId,
        after: u64,
        now: u64,
        lease: u64,
    ) -> Result<Acquired, StoreError> {
        let record = self.record(id)?;
        record.may_run()?;
        if let Some(holder) = record.holder(now).filter(|holder| *holder != node) {
            let left_ms = record.lease_ms.saturating_sub(now);
            return Err(StoreError::Held {
                node: holder,
                left_ms,
            });
        }
        let fence = record.give_to(node, after, now, lease);
        Ok(Acquired {
            fence,
            version: record.version,
            snapshot: Arc::clone(&record.snapshot),
            deltas: record.deltas.clone(),
            expires_ms: record.expires_ms,
            last_commit: record.last_commit.as_ref().map(|(id, _)| *id),
            reached: Reached::MEMORY,
            lineage: record.lineage.clone(),
            lost: Lost::default(),
        })
    }

    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        now: u64,
        limits: &Limits,
    ) -> Result<Committed, StoreError> {
        let (whole_bytes, whole_limit) = (self.whole_bytes, limits.whole_bytes);
        let record = self.held(commit.session, commit.fence)?;
        if let Some((last, declined)) = &record.last_commit
            && *last == commit.id
        {
            return Ok(Committed {
                version: record.version,
                expires_ms: record.expires_ms,
                declined: declined.clone(),
                reached: Reached::MEMORY,
            });
        }
        if record.lease_ms <= now {
            return Err(StoreError::Lapsed);
        }
        record.is_at(commit.expected)?;
        if !matches!(commit.change, Change::Snapshot(_)) && record.deltas.len() >= DELTAS_MAX {
            return Err(StoreError::Limit(
                "deltas of one session without a snapshot",
            ));
        }
        let mut freed = 0;
        for (id, part) in &commit.drop {
            if let Some(bytes) = record.results.remove(&(*id, *part))
                && *part == Part::Whole
            {
                freed += bytes.len() as u64;
            }
        }
        let mut room = whole_limit.saturating_sub(whole_bytes.saturating_sub(freed));
        let mut added = 0;
        let mut declined = Vec::new();
        for ResultBlob { id, part, bytes } in &commit.put {
            let size = bytes.len() as u64;
            if *part == Part::Whole {
                if size > room {
                    declined.push(*id);
                    continue;
                }
                room -= size;
                added += size;
            }
            record.results.insert((*id, *part), Arc::clone(bytes));
        }
        match &commit.change {
            Change::Delta(delta) => record.deltas.push(Arc::clone(delta)),
            Change::Snapshot(snapshot) => {
                record.snapshot = Arc::clone(snapshot);
                record.deltas = Vec::new();
            }
            Change::Branch {
                snapshot, deltas, ..
            } => {
                if let Some(snapshot) = snapshot {
                    record.snapshot = Arc::clone(snapshot);
                    record.deltas = Vec::new();
                }
                record.deltas.extend(deltas.iter().cloned());
            }
        }
        record.version += commit.change.versions();
        record.lease_ms = now.saturating_add(millis(limits.lease));
        record.last_commit = Some((commit.id, declined.clone()));
        let version = record.version;
        self.whole_bytes = whole_bytes.saturating_sub(freed) + added;
        self.weigh(commit.session);
        let expires_ms = self.put_off(commit.session, now);
        Ok(Committed {
            version,
            expires_ms,
            declined,
            reached: Reached::MEMORY,
        })
    }

    pub(super) fn record(&mut self, id: SessionId) -> Result<&mut Record, StoreError> {
        self.sessions.get_mut(&id).ok_or_else(|| {
            if self.deleted.contains(&id) {
                return StoreError::Deleted;
            }
            let owner = self.expired.iter().find(|(expired, _)| *expired == id);
            owner.map_or(StoreError::Missing, |(_, principal)| {
                StoreError::Expired(principal.clone())
            })
        })
    }

    pub(super) fn held(&mut self, id: SessionId, fence: Fence) -> Result<&mut Record, StoreError> {
        let record = self.record(id)?;
        record.may_run()?;
        if record.fence != Some(fence) {
            return Err(StoreError::Fenced);
        }
        Ok(record)
    }

    /// As [`Tables::held`], and requires a lease that has not ended.
    pub(super) fn held_until(
        &mut self,
        id: SessionId,
        fence: Fence,
        now: u64,
    ) -> Result<&mut Record, StoreError> {
        let record = self.held(id, fence)?;
        if record.lease_ms <= now {
            return Err(StoreError::Lapsed);
        }
        Ok(record)
    }

    pub(super) fn put_off(&mut self, id: SessionId, now: u64) -> u64 {
        let Some(record) = self.sessions.get_mut(&id) else {
            return now;
        };
        self.by_expiry.remove(&(record.expires_ms, id));
        record.expires_ms = now.saturating_add(record.ttl_ms);
        self.by_expiry.insert((record.expires_ms, id));
        record.expires_ms
    }

    pub(super) fn expire(&mut self, now: u64) {
        while let Some(&(at, id)) = self.by_expiry.first() {
            if at > now {
                return;
            }
            if let Some(principal) = self.remove(id) {
                self.expired.push_back((id, principal));
            }
            if self.expired.len() > EXPIRED_REMEMBERED {
                self.expired.pop_front();
            }
        }
    }

    pub(super) fn delete(&mut self, id: SessionId) {
        if self.remove(id).is_none() {
            return;
        }
        self.deleted.push_back(id);
        if self.deleted.len() > DELETED_REMEMBERED {
            self.deleted.pop_front();
        }
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Principal> {
        let record = self.sessions.remove(&id)?;
        self.by_expiry.remove(&(record.expires_ms, id));
        if let Some(own) = self.by_principal.get_mut(&record.principal) {
            own.remove(&(record.created_ms, id));
            if own.is_empty() {
                self.by_principal.remove(&record.principal);
            }
        }
        self.count(&record.principal, record.bytes, 0);
        if let Some(key) = record.key {
            self.keys.remove(&(record.principal.clone(), key));
        }
        let whole = record
            .results
            .iter()
            .filter(|((_, part), _)| *part == Part::Whole);
        let freed: u64 = whole.map(|(_, bytes)| bytes.len() as u64).sum();
        self.whole_bytes = self.whole_bytes.saturating_sub(freed);
        Some(record.principal)
    }

    #[cfg(test)]
    pub(super) fn put_back(&mut self, id: SessionId, record: Record) {
        self.by_expiry.insert((record.expires_ms, id));
        self.by_principal
            .entry(record.principal.clone())
            .or_default()
            .insert((record.created_ms, id));
        self.sessions.insert(id, record);
    }

    pub(super) fn list(
        &self,
        principal: &Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
        now: u64,
    ) -> (Vec<Row>, u64) {
        let Some(own) = self.by_principal.get(principal) else {
            return (Vec::new(), 0);
        };
        let older = |key: &&(u64, SessionId)| after.is_none_or(|after| **key < after);
        let rows = own
            .iter()
            .rev()
            .filter(older)
            .take(limit)
            .filter_map(|(_, id)| self.sessions.get(id).map(|record| record.row(*id, now)))
            .collect();
        (rows, own.len() as u64)
    }
}

impl Record {
    pub(super) fn may_run(&self) -> Result<(), StoreError> {
        let Some(reason) = self.quarantine.clone() else {
            return Ok(());
        };
        Err(StoreError::Quarantined {
            principal: self.principal.clone(),
            reason,
        })
    }

    pub(super) fn row(&self, id: SessionId, now: u64) -> Row {
        Row {
            id,
            principal: self.principal.clone(),
            label: self.label.clone(),
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
            closed: false,
            quarantine: self.quarantine.clone(),
            node: self.holder(now),
        }
    }
}
