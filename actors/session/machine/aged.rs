//! Results that have outlived the answers of their calls: which stay, and which are dropped.

use std::sync::Arc;

use super::{Decision, Delta, Effect, End, Ended, Machine};
use crate::ids::ResultId;
use crate::options::Limits;
use crate::store::Part;

/// JSON bytes of one result in addition to its texts: field names, ids and numbers.
const BYTES_OF_ONE: usize = 240;

/// The call that produced a result, and its size in the session's state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aged {
    pub(crate) ended: Arc<Ended>,
    pub(crate) bytes: usize,
}

impl Aged {
    pub(crate) fn of(ended: Arc<Ended>) -> Self {
        let texts = match &ended.end {
            End::Succeeded {
                summary,
                input_digest,
                ..
            } => summary.len() + input_digest.len(),
            End::Failed { .. } | End::Cancelled => 0,
        };
        let arguments = ended.arguments.to_string().len();
        let bytes = BYTES_OF_ONE + ended.tool.len() + arguments + texts;
        Self { ended, bytes }
    }

    pub(crate) fn result(&self) -> Option<ResultId> {
        self.ended.end.result()
    }
}

impl Machine {
    /// Decides that the answers of the oldest `count` calls are dropped, and which results must go with them.
    pub(super) fn decide_age(&self, count: usize, limits: &Limits, decision: &mut Decision) {
        if count == 0 {
            return;
        }
        let leaving = || self.ended.iter().take(count);
        let has_key = |result: ResultId| {
            let mut keyed = self.keyed();
            keyed.any(|kept| kept.end.result() == Some(result))
        };
        for result in leaving().filter_map(|ended| ended.end.result()) {
            if !has_key(result) {
                decision.effects.push(Effect::Forget {
                    result,
                    part: Part::Answer,
                });
            }
        }
        let more: Vec<Aged> = leaving()
            .filter(|ended| ended.end.result().is_some())
            .map(|ended| Aged::of(Arc::clone(ended)))
            .collect();
        let forgotten = self.too_many(&more, limits);
        for result in &forgotten {
            if !has_key(*result) {
                self.drop_whole(*result, decision);
            }
        }
        decision.deltas.push(Delta::Aged {
            ended: count,
            forgotten,
        });
    }

    /// The oldest of the existing results and `more` that do not fit, pinned ones last.
    fn too_many(&self, more: &[Aged], limits: &Limits) -> Vec<ResultId> {
        let all = || self.aged.iter().chain(more);
        let (mut count, mut bytes) = (all().count(), all().map(|aged| aged.bytes).sum::<usize>());
        let most = limits.results.saturating_sub(limits.history);
        let is_pinned = |aged: &&Aged| aged.result().is_some_and(|id| self.pinned.contains(&id));
        let pinned =
            (self.pinned.iter()).filter_map(|id| all().find(|aged| aged.result() == Some(*id)));
        let in_turn = all().filter(|aged| !is_pinned(aged)).chain(pinned);
        let mut going = Vec::new();
        for aged in in_turn {
            if count <= most && bytes <= limits.result_bytes {
                break;
            }
            count -= 1;
            bytes -= aged.bytes;
            going.extend(aged.result());
        }
        going
    }

    /// Applies the change that [`Self::decide_age`] decided.
    pub(super) fn age(&mut self, count: usize, forgotten: &[ResultId]) {
        let leaving = self.ended.drain(..count.min(self.ended.len()));
        let stays = |ended: &Ended| {
            ended
                .end
                .result()
                .is_some_and(|id| !forgotten.contains(&id))
        };
        let aged = Arc::make_mut(&mut self.aged);
        if !forgotten.is_empty() {
            aged.retain(|aged| stays(&aged.ended));
        }
        aged.extend(leaving.filter(|ended| stays(ended)).map(Aged::of));
    }
}
