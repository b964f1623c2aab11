//! Applies changes to a machine; nothing else changes one.

use std::sync::Arc;

use super::{Call, CallState, Delta, Ended, Key, Machine};
use crate::ids::RequestId;
use crate::session::invariants;

impl Machine {
    /// Applies one change. An impossible one (such as a delta for an unknown call) changes nothing, because a stored
    /// journal may be folded by any version.
    pub(crate) fn apply(&mut self, delta: &Delta) {
        match delta {
            Delta::ToolSelected {
                request,
                tool,
                idempotent,
                trace,
                at_ms,
            } => {
                let (tool, idempotent, since_ms) = (Arc::clone(tool), *idempotent, *at_ms);
                let call = Call {
                    tool,
                    idempotent,
                    state: CallState::ToolSelected,
                    trace: *trace,
                    since_ms,
                };
                self.calls.insert(*request, Arc::new(call));
            }
            Delta::ParametersSet {
                request,
                arguments,
                at_ms,
            } => {
                self.step(*request, *at_ms, |_| {
                    Some(CallState::ParametersSet {
                        arguments: Arc::clone(arguments),
                    })
                });
            }
            Delta::ExecutionStarted {
                request,
                attempt,
                at_ms,
                suspects,
            } => {
                self.step(*request, *at_ms, |state| {
                    let arguments = Arc::clone(state.arguments()?);
                    Some(CallState::Executing {
                        arguments,
                        attempt: *attempt,
                        suspects: suspects.clone(),
                    })
                });
            }
            Delta::KeyUsed {
                key,
                tool,
                digest,
                request,
            } => self.keys.push_back(Arc::new(Key {
                key: Arc::clone(key),
                tool: Arc::clone(tool),
                digest: *digest,
                request: *request,
                ended: None,
            })),
            Delta::Ended(ended) => self.move_to_history(ended),
            Delta::WholeKept { result, bytes } => self.wholes.push_back((*result, *bytes)),
            Delta::WholesDropped { results } => self.wholes.retain(|(id, _)| !results.contains(id)),
            Delta::HistoryTrimmed { ended, keys } => {
                self.ended.drain(..(*ended).min(self.ended.len()));
                self.keys.drain(..(*keys).min(self.keys.len()));
                self.unpin_unknown();
            }
            Delta::Aged { ended, forgotten } => {
                self.age(*ended, forgotten);
                self.unpin_unknown();
            }
            Delta::Pinned { result, released } => {
                (self.pinned).retain(|pinned| pinned != result && !released.contains(pinned));
                self.pinned.push_back(*result);
                self.unpin_unknown();
            }
            Delta::Noticed { text, trimmed } => {
                self.notices.drain(..(*trimmed).min(self.notices.len()));
                self.notices.push_back(Arc::clone(text));
            }
            Delta::Closed => {
                self.closed = true;
                self.calls.clear();
            }
        }
        debug_assert_eq!(invariants::broken(self), None);
    }

    pub(super) fn step(
        &mut self,
        request: RequestId,
        at_ms: u64,
        next: impl FnOnce(&CallState) -> Option<CallState>,
    ) {
        let Some(call) = self.calls.get_mut(&request) else {
            return;
        };
        let call = Arc::make_mut(call);
        if let Some(state) = next(&call.state) {
            call.state = state;
            call.since_ms = at_ms;
        }
    }

    pub(super) fn move_to_history(&mut self, ended: &Arc<Ended>) {
        if self.calls.remove(&ended.request).is_none() {
            return;
        }
        if ended.end.is_an_answer() {
            for key in self
                .keys
                .iter_mut()
                .filter(|key| key.request == ended.request)
            {
                Arc::make_mut(key).ended = Some(Arc::clone(ended));
            }
        } else {
            self.keys.retain(|key| key.request != ended.request);
            self.unpin_unknown();
        }
        self.ended.push_back(Arc::clone(ended));
    }
}
