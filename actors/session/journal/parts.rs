//! What the commit at the store records of each call.

use std::collections::BTreeMap;

use super::{Delta, Journal};
use crate::ids::RequestId;
use crate::session::traces::CommitPart;

impl Journal {
    /// The calls that the pending commit serves, each once: for its end, else for its start.
    pub(crate) fn parts_out(&self) -> Vec<(RequestId, CommitPart)> {
        let deltas = self.out.iter().flat_map(|out| &out.batch.deltas);
        let mut parts = BTreeMap::new();
        for delta in deltas {
            let (request, part) = match delta {
                Delta::ToolSelected { request, .. } => (*request, CommitPart::Accepted),
                Delta::Ended(ended) => (ended.request, CommitPart::Outcome),
                Delta::ParametersSet { request, .. }
                | Delta::ExecutionStarted { request, .. }
                | Delta::KeyUsed { request, .. } => (*request, CommitPart::Other),
                Delta::WholeKept { .. }
                | Delta::WholesDropped { .. }
                | Delta::HistoryTrimmed { .. }
                | Delta::Aged { .. }
                | Delta::Pinned { .. }
                | Delta::Noticed { .. }
                | Delta::Closed => continue,
            };
            parts
                .entry(request)
                .and_modify(|known: &mut CommitPart| *known = (*known).most(part))
                .or_insert(part);
        }
        parts.into_iter().collect()
    }
}
