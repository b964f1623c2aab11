//! Operations of a store that only operators use: they see every session of every principal, and never take one from
//! its owner.

use std::sync::Arc;

use super::{Part, ResultBlob, Row, Store, StoreFuture};
use crate::ids::{ResultId, SessionId};

/// All methods are safe while nodes run.
pub trait Archive: Store {
    /// Sessions of all principals in no particular order, a page at a time: about `limit` entries after `after`. A
    /// session that exists during the whole listing is returned exactly once; an ended one may be included.
    fn all(&self, after: Option<Mark>, limit: usize) -> StoreFuture<'_, Listed>;

    /// A consistent snapshot of everything stored of a session. Its owner keeps it.
    fn read(&self, id: SessionId) -> StoreFuture<'_, Image>;

    /// Deletes a session that no node can run: a quarantined one, an unreadable one, or the record of a closed one. A
    /// session that can run is not touched (`Fenced`). With `remember`, the id is recorded as closed.
    fn discard(&self, id: SessionId, remember: bool) -> StoreFuture<'_, ()>;
}

/// Position in a listing; valid only for the store that returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(pub(crate) String);

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Creation time and id of each session.
    pub found: Vec<(u64, SessionId)>,
    /// `None`: the listing is complete.
    pub next: Option<Mark>,
}

/// A session as it is stored.
#[derive(Debug, Clone)]
pub struct Image {
    pub row: Row,
    pub ttl_ms: u64,
    pub version: u64,
    pub epoch: u64,
    /// Remaining lease of `row.node`.
    pub left_ms: u64,
    pub snapshot: Arc<[u8]>,
    /// Deltas to fold over the snapshot, oldest first.
    pub deltas: Vec<Arc<[u8]>>,
    /// Ordered by id and part.
    pub results: Vec<ResultBlob>,
    /// Damaged results, which are missing from `results`.
    pub lost: Vec<(ResultId, Part)>,
    /// Descriptions of the damage: one per damaged result, or one for all.
    pub damaged: Vec<String>,
}
