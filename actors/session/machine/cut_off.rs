//! Recovery of calls that ran when their session was reloaded, and the search for the input that interrupted them.

use std::collections::BTreeSet;

use super::decide::effect;
use super::{CallState, Decision, Delta, Effect, End, Machine, Rejected, Suspects};
use crate::ids::RequestId;
use crate::options::Limits;
use crate::tool::InputKey;

impl Machine {
    /// Adopts, reruns or fails each call that was running.
    pub(super) fn recovered(
        &self,
        live: &BTreeSet<RequestId>,
        at_ms: u64,
        limits: &Limits,
    ) -> Decision {
        let mut decision = Decision::default();
        let mut ahead = self.clone();
        for (&request, call) in &self.calls {
            let CallState::Executing {
                attempt, suspects, ..
            } = &call.state
            else {
                continue;
            };
            if live.contains(&request) {
                decision.effects.push(Effect::Adopt { request });
                continue;
            }
            let next = attempt + 1;
            if call.idempotent && next <= limits.attempts {
                decision.deltas.push(Delta::ExecutionStarted {
                    request,
                    attempt: next,
                    at_ms,
                    suspects: suspects.after_cut(),
                });
                decision.effects.push(Effect::Run {
                    request,
                    attempt: next,
                });
                continue;
            }
            let end = End::Failed {
                reason: "interrupted".into(),
                message: interrupted(call.idempotent, *attempt).into(),
                retry_after_ms: None,
            };
            // Decide on the state that the earlier ends leave, so that the history is trimmed once for each.
            if let Ok(one) = ahead.ended(request, end, at_ms, limits) {
                one.deltas.iter().for_each(|delta| ahead.apply(delta));
                decision.deltas.extend(one.deltas);
                decision.effects.extend(one.effects);
            }
        }
        decision
    }

    /// Records the input the tool works on; the attempt number does not change.
    pub(super) fn input_noted(
        &self,
        request: RequestId,
        at_work: Option<InputKey>,
    ) -> Result<Decision, Rejected> {
        let call = self.calls.get(&request).ok_or(Rejected::NotRunning)?;
        let CallState::Executing {
            attempt, suspects, ..
        } = &call.state
        else {
            return Err(Rejected::NotRunning);
        };
        let mut decision = effect(Effect::Noted { request });
        if suspects.at_work != at_work {
            let suspects = Suspects {
                at_work,
                ..suspects.clone()
            };
            decision.deltas.push(Delta::ExecutionStarted {
                request,
                attempt: *attempt,
                at_ms: call.since_ms,
                suspects,
            });
        }
        Ok(decision)
    }
}

impl Suspects {
    /// For the next attempt: skips the input that was being worked on when this attempt was interrupted.
    fn after_cut(&self) -> Self {
        let mut left_out = self.left_out.clone();
        left_out.extend(self.at_work.filter(|input| !left_out.contains(input)));
        Self {
            left_out,
            at_work: None,
        }
    }
}

fn interrupted(idempotent: bool, attempts: u32) -> String {
    if idempotent {
        return format!("the call was interrupted {attempts} times and is not retried");
    }
    "the call was interrupted, and its tool is not safe to run twice".to_owned()
}
