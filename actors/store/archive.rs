//! What an operator asks of a store, beside what sessions ask of it: everything that is there, whoever's it is, and
//! without taking it from whoever holds it.

use std::sync::Arc;

use super::{Part, ResultBlob, Row, Store, StoreFuture};
use crate::ids::{ResultId, SessionId};

/// Every method is safe beside running nodes.
pub trait Archive: Store {
    /// Sessions of all principals, in no particular order, a part at a time: at most about `limit` after `after`. One
    /// that lives through the whole listing is told exactly once; one that has ended may be among them.
    fn all(&self, after: Option<Mark>, limit: usize) -> StoreFuture<'_, Listed>;

    /// Everything that is stored of a session, of one moment. Nobody loses it by that.
    fn read(&self, id: SessionId) -> StoreFuture<'_, Image>;

    /// Takes away what nobody may run: a quarantined session, one that cannot be read, what remembers a closed one. One
    /// that may run is left alone (`Fenced`). `remember`: as a session that was closed.
    fn discard(&self, id: SessionId, remember: bool) -> StoreFuture<'_, ()>;
}

/// Where a listing goes on: means something to the store that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(pub(crate) String);

/// One part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// When each was created, and which.
    pub found: Vec<(u64, SessionId)>,
    /// `None`: that was all.
    pub next: Option<Mark>,
}

/// A session as it is stored.
#[derive(Debug, Clone)]
pub struct Image {
    pub row: Row,
    pub ttl_ms: u64,
    pub version: u64,
    pub epoch: u64,
    /// Of the lease of `row.node`.
    pub left_ms: u64,
    pub snapshot: Arc<[u8]>,
    /// To be folded over the snapshot, oldest first.
    pub deltas: Vec<Arc<[u8]>>,
    /// Ordered by id and part.
    pub results: Vec<ResultBlob>,
    /// Results that are damaged, and therefore not among `results`.
    pub lost: Vec<(ResultId, Part)>,
    /// Why, in words: one for each, or one for all.
    pub damaged: Vec<String>,
}
