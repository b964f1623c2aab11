//! Sessions as an operator manages them: directly in the store, while nodes run. Every change acquires the
//! session first, as a node with its own id, so a session that a live node holds is not touched until that node
//! releases it. This is not an actor, and it keeps no state.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use crate::ids::{CommitId, NodeId, Principal, ResultId, SessionId};
use crate::persistence::in_time;
use crate::session::snapshot;
use crate::store::archive::{Archive, Image};
use crate::store::{
    Acquired, Change, Commit, Fence, Lineage, NewSession, NodeRecord, Part, Repair, ResultBlob,
    Row, StoreError,
};

mod exported;
mod shown;

pub use exported::{ExportedPart, ExportedResult, ExportedSession, FORMAT, SCHEMA, Unfit, check};
pub use shown::{Shown, Stored};

/// Sessions listed in one step: a page of ids, not of whole sessions.
const LISTED_AT_ONCE: usize = 1000;
/// Bytes of results in one commit: well below the largest request of any store.
const COMMIT_BYTES: usize = 4 << 20;
/// Pause between attempts to acquire a session that another node holds.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    store: Arc<dyn Archive>,
    node: NodeId,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    New,
    Replaced,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperatorError {
    #[error("there is no session {0}")]
    Unknown(SessionId),
    #[error(
        "session {id} is held by {node}; its lease ends in {left_ms} ms, unless that node extends it"
    )]
    Held {
        id: SessionId,
        node: NodeId,
        left_ms: u64,
    },
    #[error("session {0} is not quarantined")]
    NotQuarantined(SessionId),
    #[error("session {0} exists already")]
    Exists(SessionId),
    #[error("session {0} was closed recently, and its id cannot be used again yet")]
    Closed(SessionId),
    #[error("session {id} belongs to {owner}, not to {principal}", owner = .owner.as_str(), principal = .principal.as_str())]
    OtherOwner {
        id: SessionId,
        owner: Principal,
        principal: Principal,
    },
    #[error("session {id}: {cause}")]
    Unfit { id: SessionId, cause: Unfit },
    #[error("session {id}: {cause}")]
    Unreadable { id: SessionId, cause: StoreError },
    #[error("the store: {0}")]
    Store(StoreError),
}

impl Operator {
    /// `node` is the id under which this operator acquires sessions. It must differ from the ids of all running nodes.
    pub fn new(store: Arc<dyn Archive>, node: NodeId) -> Self {
        Self { store, node }
    }

    /// Creation time and id of every session, or of one principal's sessions, newest first.
    pub async fn ids(
        &self,
        principal: Option<&Principal>,
    ) -> Result<Vec<(u64, SessionId)>, OperatorError> {
        let mut found = match principal {
            Some(principal) => self.ids_of(principal).await?,
            None => self.all_ids().await?,
        };
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }

    async fn all_ids(&self) -> Result<Vec<(u64, SessionId)>, OperatorError> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let listed = in_time(self.store.all(after, LISTED_AT_ONCE)).await;
            let listed = listed.map_err(OperatorError::Store)?;
            found.extend(listed.found);
            match listed.next {
                Some(mark) => after = Some(mark),
                None => return Ok(found),
            }
        }
    }

    async fn ids_of(&self, principal: &Principal) -> Result<Vec<(u64, SessionId)>, OperatorError> {
        let mut found: Vec<(u64, SessionId)> = Vec::new();
        loop {
            let listed = self
                .store
                .list(principal, found.last().copied(), LISTED_AT_ONCE);
            let (rows, _) = in_time(listed).await.map_err(OperatorError::Store)?;
            if rows.is_empty() {
                return Ok(found);
            }
            found.extend(rows.iter().map(|row| (row.created_ms, row.id)));
        }
    }

    /// What a list shows of a session; `None` if it has ended in the meantime.
    pub async fn row(&self, id: SessionId) -> Result<Option<Row>, OperatorError> {
        match in_time(self.store.look(id)).await {
            Ok(row) => Ok(Some(row)),
            Err(StoreError::Missing | StoreError::Expired(_) | StoreError::Deleted) => Ok(None),
            Err(error) => Err(heard(id, error)),
        }
    }

    /// Everything stored of a session, in a form that can be read, checked and imported.
    pub async fn export(&self, id: SessionId) -> Result<ExportedSession, OperatorError> {
        self.export_what_is_whole(id)
            .await
            .map(|(exported, _)| exported)
    }

    /// As [`Operator::export`], and names the results that are left out because they are damaged.
    ///
    /// # Errors
    /// Those of [`Operator::export`].
    pub async fn export_what_is_whole(
        &self,
        id: SessionId,
    ) -> Result<(ExportedSession, Vec<String>), OperatorError> {
        let image = self.read(id).await?;
        let exported =
            ExportedSession::of(&image).map_err(|cause| OperatorError::Unreadable { id, cause })?;
        Ok((exported, image.damaged))
    }

    async fn read(&self, id: SessionId) -> Result<Image, OperatorError> {
        in_time(self.store.read(id))
            .await
            .map_err(|error| heard(id, error))
    }

    /// Ends a session, quarantined or not, and deletes what it stored.
    pub async fn close(&self, id: SessionId, wait: Duration) -> Result<(), OperatorError> {
        let ended = match self.take(id, wait).await {
            Ok(held) => in_time(self.store.delete(id, held.fence)).await,
            Err(OperatorError::Unreadable { .. }) => in_time(self.store.discard(id, true)).await,
            Err(error) => return Err(error),
        };
        ended.map_err(|error| heard(id, error))
    }

    /// Releases a quarantined session, so that it can run again. Returns the reason of the quarantine.
    pub async fn release(&self, id: SessionId) -> Result<String, OperatorError> {
        let row = in_time(self.store.look(id)).await;
        let row = row.map_err(|error| heard(id, error))?;
        let reason = row.quarantine.ok_or(OperatorError::NotQuarantined(id))?;
        in_time(self.store.quarantine(id, None))
            .await
            .map_err(|error| heard(id, error))?;
        Ok(reason)
    }

    /// Imports a session as it was exported. Without `replace`, an existing session is not touched, and a recently
    /// closed one stays closed. The time to live starts again.
    pub async fn import(
        &self,
        exported: &ExportedSession,
        replace: bool,
        wait: Duration,
    ) -> Result<Imported, OperatorError> {
        let id = exported.id;
        check(exported).map_err(|cause| OperatorError::Unfit { id, cause })?;
        match in_time(self.store.look(id)).await {
            Ok(_) if !replace => Err(OperatorError::Exists(id)),
            Ok(row) if row.principal != exported.principal => Err(OperatorError::OtherOwner {
                id,
                owner: row.principal,
                principal: exported.principal.clone(),
            }),
            Ok(row) if row.quarantine.is_none() => match self.replace(exported, wait).await {
                // Only acquiring the session shows that no node can run it.
                Err(OperatorError::Unreadable {
                    cause: cause @ (StoreError::Corrupt(_) | StoreError::Quarantined { .. }),
                    ..
                }) => {
                    in_time(self.store.quarantine(id, Some(cause.to_string())))
                        .await
                        .map_err(|error| heard(id, error))?;
                    self.in_place_of(exported).await
                }
                done => done,
            },
            Ok(_) => self.in_place_of(exported).await,
            Err(StoreError::Deleted) if !replace => Err(OperatorError::Closed(id)),
            Err(StoreError::Corrupt(_)) if replace => self.lay_down_anew(exported).await,
            Err(StoreError::Missing | StoreError::Expired(_) | StoreError::Deleted) => {
                self.lay_down_anew(exported).await
            }
            Err(error) => Err(heard(id, error)),
        }
    }

    async fn in_place_of(&self, exported: &ExportedSession) -> Result<Imported, OperatorError> {
        self.lay_down_anew(exported)
            .await
            .map(|_| Imported::Replaced)
    }

    /// Creates the session from the export, in place of one that no node can run.
    async fn lay_down_anew(&self, exported: &ExportedSession) -> Result<Imported, OperatorError> {
        in_time(self.store.discard(exported.id, false))
            .await
            .map_err(|error| heard(exported.id, error))?;
        self.lay_down(exported).await
    }

    async fn lay_down(&self, exported: &ExportedSession) -> Result<Imported, OperatorError> {
        let id = exported.id;
        let state = exported.state_bytes();
        let parts = in_parts(exported.blobs());
        // Each part is a commit and raises the version by one; start lower, so that the import ends at the exported
        // version.
        let version = exported.version.saturating_sub(parts.len() as u64).max(1);
        let repair = Repair {
            session: NewSession {
                id,
                principal: exported.principal.clone(),
                label: exported.label.clone(),
                snapshot: Arc::clone(&state),
                ttl_ms: exported.ttl_ms,
                key: None,
            },
            created_ms: exported.created_ms,
            fence: Fence {
                epoch: 1,
                node: self.node,
            },
            version,
            lineage: Lineage::default(),
            last: None,
            out: None,
            aside: None,
        };
        let fence = match in_time(self.store.repair(repair)).await {
            Ok(repaired) => repaired.fence,
            Err(
                StoreError::Fenced | StoreError::Overtaken { .. } | StoreError::Regressed { .. },
            ) => {
                return Err(OperatorError::Exists(id));
            }
            Err(error) => return Err(heard(id, error)),
        };
        let written = self.write(id, fence, version, &state, parts, Vec::new());
        let version = match written.await {
            Ok(version) => version,
            Err(error) => {
                // All or nothing. If the delete fails too, the next import reports that the session exists.
                let _ = in_time(self.store.delete(id, fence)).await;
                return Err(heard(id, error));
            }
        };
        self.finish(exported, fence, version).await?;
        Ok(Imported::New)
    }

    async fn replace(
        &self,
        exported: &ExportedSession,
        wait: Duration,
    ) -> Result<Imported, OperatorError> {
        let id = exported.id;
        let held = self.take(id, wait).await?;
        let before = self.read(id).await?;
        let blobs = exported.blobs();
        let gone = before
            .results
            .iter()
            .map(|blob| (blob.id, blob.part))
            .chain(before.lost)
            .filter(|old| !blobs.iter().any(|new| (new.id, new.part) == *old))
            .collect();
        let parts = in_parts(blobs);
        let state = exported.state_bytes();
        let version = self
            .write(id, held.fence, held.version, &state, parts, gone)
            .await
            .map_err(|error| heard(id, error))?;
        self.finish(exported, held.fence, version).await?;
        Ok(Imported::Replaced)
    }

    /// Writes the state and its results in parts. Only the last commit writes the state; until then the old state is
    /// valid.
    async fn write(
        &self,
        id: SessionId,
        fence: Fence,
        mut version: u64,
        state: &Arc<[u8]>,
        mut parts: Vec<Vec<ResultBlob>>,
        gone: Vec<(ResultId, Part)>,
    ) -> Result<u64, StoreError> {
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let nothing = Change::Delta(snapshot::encode_deltas(&[]));
            version = self
                .commit(id, fence, version, nothing, part, Vec::new())
                .await?;
        }
        let whole = Change::Snapshot(Arc::clone(state));
        self.commit(id, fence, version, whole, last, gone).await
    }

    async fn commit(
        &self,
        session: SessionId,
        fence: Fence,
        expected: u64,
        change: Change,
        put: Vec<ResultBlob>,
        drop: Vec<(ResultId, Part)>,
    ) -> Result<u64, StoreError> {
        let commit = Commit {
            session,
            id: CommitId::random(),
            fence,
            expected,
            change,
            put,
            drop,
        };
        let group = [commit];
        let answers = async { Ok(self.store.commit(&group).await) };
        let answer = in_time(Box::pin(answers)).await?.pop();
        let answer = answer.unwrap_or_else(|| Err(StoreError::Unavailable("no answer".to_owned())));
        answer.map(|committed| committed.version)
    }

    /// Releases the session, and quarantines it again if the export says so.
    async fn finish(
        &self,
        exported: &ExportedSession,
        fence: Fence,
        version: u64,
    ) -> Result<(), OperatorError> {
        let id = exported.id;
        let done = match &exported.quarantine {
            Some(reason) => self.store.quarantine(id, Some(reason.clone())),
            None => self.store.release(id, fence, version),
        };
        in_time(done).await.map_err(|error| heard(id, error))
    }

    /// Acquires a session, and waits while another node holds it. `Unreadable` if no node can run it.
    async fn take(&self, id: SessionId, wait: Duration) -> Result<Acquired, OperatorError> {
        let until = Instant::now() + wait;
        loop {
            match in_time(self.store.acquire(id, self.node)).await {
                Ok(acquired) => return Ok(acquired),
                Err(StoreError::Held { node, left_ms }) => {
                    if Instant::now() >= until {
                        return Err(OperatorError::Held { id, node, left_ms });
                    }
                    let left = Duration::from_millis(left_ms.max(1));
                    tokio::time::sleep(ASK_AGAIN.min(left)).await;
                }
                Err(error) => return Err(heard(id, error)),
            }
        }
    }

    /// Nodes with a recent heartbeat.
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>, OperatorError> {
        in_time(self.store.nodes())
            .await
            .map_err(OperatorError::Store)
    }
}

/// Splits results into commits of at most `COMMIT_BYTES`. Returns at least one part, which may be empty.
fn in_parts(blobs: Vec<ResultBlob>) -> Vec<Vec<ResultBlob>> {
    let (mut parts, mut size) = (vec![Vec::new()], 0);
    for blob in blobs {
        if size > 0 && size + blob.bytes.len() > COMMIT_BYTES {
            parts.push(Vec::new());
            size = 0;
        }
        size += blob.bytes.len();
        if let Some(part) = parts.last_mut() {
            part.push(blob);
        }
    }
    parts
}

fn heard(id: SessionId, error: StoreError) -> OperatorError {
    match error {
        StoreError::Missing | StoreError::Expired(_) | StoreError::Deleted => {
            OperatorError::Unknown(id)
        }
        StoreError::Held { node, left_ms } => OperatorError::Held { id, node, left_ms },
        cause @ (StoreError::Corrupt(_)
        | StoreError::NewerSchema(_)
        | StoreError::Quarantined { .. }
        | StoreError::Fenced
        | StoreError::Overtaken { .. }
        | StoreError::Lapsed
        | StoreError::Regressed { .. }
        | StoreError::KeyReused
        | StoreError::Limit(_)
        | StoreError::Unrecorded(_)
        | StoreError::Refused(_)) => OperatorError::Unreadable { id, cause },
        error @ StoreError::Unavailable(_) => OperatorError::Store(error),
    }
}

#[cfg(test)]
mod tests;
