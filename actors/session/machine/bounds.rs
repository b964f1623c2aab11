//! Drops what no longer fits in a machine: history, keys, whole results, long arguments.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Decision, Delta, Effect, End, Machine};
use crate::ids::ResultId;
use crate::options::Limits;
use crate::store::Part;

impl Machine {
    pub(super) fn trim_keys(&self, count: usize, decision: &mut Decision) {
        if count == 0 {
            return;
        }
        for key in self.keys.iter().take(count) {
            let Some(ended) = &key.ended else { continue };
            let in_history = self.ended.iter().any(|kept| kept.request == ended.request);
            if let (End::Succeeded { result, .. }, false) = (&ended.end, in_history) {
                decision.effects.push(Effect::Forget {
                    result: *result,
                    part: Part::Answer,
                });
                if !self.aged.iter().any(|aged| aged.result() == Some(*result)) {
                    self.drop_whole(*result, decision);
                }
            }
        }
        decision.deltas.push(Delta::HistoryTrimmed {
            ended: 0,
            keys: count,
        });
    }

    pub(super) fn drop_whole(&self, result: ResultId, decision: &mut Decision) {
        if self.wholes.iter().any(|(kept, _)| *kept == result) {
            decision.effects.push(Effect::Forget {
                result,
                part: Part::Whole,
            });
            decision.deltas.push(Delta::WholesDropped {
                results: vec![result],
            });
        }
    }

    pub(super) fn make_room_for_whole(&self, bytes: u64, limits: &Limits, decision: &mut Decision) {
        let going: BTreeSet<ResultId> = decision
            .deltas
            .iter()
            .filter_map(Delta::dropped_wholes)
            .flatten()
            .copied()
            .collect();
        let staying = || self.wholes.iter().filter(|(id, _)| !going.contains(id));
        let mut sum: u64 = staying().map(|(_, bytes)| bytes).sum();
        let mut results = Vec::new();
        // Pinned ones last.
        let pinned = (self.pinned.iter()).filter_map(|id| staying().find(|(kept, _)| kept == id));
        let in_turn = staying().filter(|(id, _)| !self.pinned.contains(id));
        for (id, size) in in_turn.chain(pinned) {
            if sum + bytes <= limits.whole_bytes {
                break;
            }
            sum -= size;
            results.push(*id);
            decision.effects.push(Effect::Forget {
                result: *id,
                part: Part::Whole,
            });
        }
        if !results.is_empty() {
            decision.deltas.push(Delta::WholesDropped { results });
        }
    }
}

/// Reduces long arguments to the path and their size.
pub(super) fn kept_arguments(arguments: &Arc<Value>, limits: &Limits) -> Arc<Value> {
    let bytes = arguments.to_string().len();
    if bytes <= limits.history_arguments_bytes {
        return Arc::clone(arguments);
    }
    let mut kept = serde_json::Map::new();
    if let Some(path) = arguments
        .get("path")
        .filter(|path| path.as_str().is_some_and(|path| path.len() <= 1024))
    {
        kept.insert("path".to_owned(), path.clone());
    }
    kept.insert("omitted_bytes".to_owned(), bytes.into());
    Arc::new(Value::Object(kept))
}
