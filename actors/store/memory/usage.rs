//! The exact storage used by each principal, updated whenever a session changes.

use std::collections::BTreeSet;

use super::tables::{Record, Tables};
use crate::ids::{Principal, SessionId};
use crate::store::Usage;

impl Tables {
    pub(super) fn usage(&self, principal: &Principal) -> Usage {
        let sessions = self.by_principal.get(principal).map_or(0, BTreeSet::len);
        Usage {
            sessions: sessions as u64,
            bytes: self.bytes.get(principal).copied().unwrap_or_default(),
        }
    }

    /// Call after any change to the stored bytes of a session.
    pub(super) fn weigh(&mut self, id: SessionId) {
        let Some(record) = self.sessions.get_mut(&id) else {
            return;
        };
        let weight = record.weight();
        let (before, principal) = (record.bytes, record.principal.clone());
        record.bytes = weight;
        self.count(&principal, before, weight);
    }

    pub(super) fn count(&mut self, principal: &Principal, before: u64, now: u64) {
        let all = self.bytes.entry(principal.clone()).or_default();
        *all = (*all + now).saturating_sub(before);
        if *all == 0 {
            self.bytes.remove(principal);
        }
    }
}

impl Record {
    fn weight(&self) -> u64 {
        let deltas = self.deltas.iter().map(|delta| delta.len());
        let results = self.results.values().map(|bytes| bytes.len());
        (self.snapshot.len() + deltas.chain(results).sum::<usize>()) as u64
    }
}
