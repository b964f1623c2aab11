//! Operator access to the memory store. Only used to compare shared stores with it.

use super::MemoryStore;
use crate::ids::SessionId;
use crate::store::archive::{Archive, Image, Listed, Mark};
use crate::store::{ResultBlob, StoreError, StoreFuture};

impl Archive for MemoryStore {
    fn all(&self, after: Option<Mark>, limit: usize) -> StoreFuture<'_, Listed> {
        self.at_once(|inner, _| {
            let after = after.map(|mark| SessionId::parse(&mark.0));
            let after = after
                .transpose()
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let mut found: Vec<_> = inner
                .sessions
                .iter()
                .map(|(id, record)| (record.created_ms, *id))
                .filter(|(_, id)| after.is_none_or(|after| *id > after))
                .collect();
            found.sort_by_key(|(_, id)| *id);
            let more = found.len() > limit;
            found.truncate(limit);
            let last = found.last().filter(|_| more);
            let next = last.map(|(_, id)| Mark(id.to_string()));
            Ok(Listed { found, next })
        })
    }

    fn read(&self, id: SessionId) -> StoreFuture<'_, Image> {
        self.at_once(|inner, now| {
            let record = inner.record(id)?;
            let row = record.row(id, now);
            let held = row.node.is_some();
            let mut results: Vec<_> = record
                .results
                .iter()
                .map(|((id, part), bytes)| ResultBlob {
                    id: *id,
                    part: *part,
                    bytes: bytes.clone(),
                })
                .collect();
            results.sort_by_key(|blob| (blob.id, blob.part));
            Ok(Image {
                row,
                ttl_ms: record.ttl_ms,
                version: record.version,
                epoch: record.epoch,
                left_ms: if held {
                    record.lease_ms.saturating_sub(now)
                } else {
                    0
                },
                snapshot: record.snapshot.clone(),
                deltas: record.deltas.clone(),
                results,
                lost: Vec::new(),
                damaged: Vec::new(),
            })
        })
    }

    fn discard(&self, id: SessionId, remember: bool) -> StoreFuture<'_, ()> {
        self.at_once(|inner, _| {
            if inner
                .record(id)
                .is_ok_and(|record| record.quarantine.is_none())
            {
                return Err(StoreError::Fenced);
            }
            inner.delete(id);
            if !remember {
                inner.deleted.retain(|deleted| *deleted != id);
            }
            Ok(())
        })
    }
}
