//! Decisions of a machine: reads its state, and changes nothing.

use std::sync::Arc;

use serde_json::Value;

use super::bounds::kept_arguments;
use super::{
    CallState, Decision, Delta, Effect, End, Ended, Event, Finished, Machine, Rejected, Requested,
    Suspects,
};
use crate::ids::RequestId;
use crate::options::Limits;

impl Machine {
    pub(crate) fn decide(&self, event: Event, limits: &Limits) -> Result<Decision, Rejected> {
        if self.closed {
            return Err(Rejected::Closed);
        }
        match event {
            Event::CallRequested {
                request,
                call,
                at_ms,
            } => self.call_requested(request, call, at_ms, limits),
            Event::ToolSelected {
                request,
                tool,
                idempotent,
                trace,
                at_ms,
            } => {
                let selected = Delta::ToolSelected {
                    request,
                    tool,
                    idempotent,
                    trace,
                    at_ms,
                };
                self.tool_selected(request, selected, limits)
            }
            Event::ParametersSet {
                request,
                arguments,
                bytes,
                at_ms,
            } => self.parameters_set(request, arguments, bytes, at_ms, limits),
            Event::ExecutionRequested { request, at_ms } => {
                self.execution_requested(request, at_ms)
            }
            Event::ToolFinished {
                request,
                finished,
                at_ms,
            } => self.tool_finished(request, &finished, at_ms, limits),
            Event::ToolFailed {
                request,
                reason,
                message,
                retry_after,
                at_ms,
            } => {
                let retry_after_ms = retry_after.map(crate::clock::millis);
                self.ended(
                    request,
                    End::Failed {
                        reason,
                        message,
                        retry_after_ms,
                    },
                    at_ms,
                    limits,
                )
            }
            Event::InputNoted { request, at_work } => self.input_noted(request, at_work),
            Event::CancelRequested { request, at_ms } => {
                self.cancel_requested(request, at_ms, limits)
            }
            Event::Recovered { live, at_ms } => Ok(self.recovered(&live, at_ms, limits)),
            Event::Noticed { text } => Ok(self.noticed(text, limits)),
            Event::LossFound { text, lost } => {
                let mut decision = self.noticed(text, limits);
                decision.effects.push(Effect::LossTold { lost });
                Ok(decision)
            }
            Event::WholesDeclined { results } => Ok(delta(Delta::WholesDropped { results })),
            Event::CloseRequested { .. } => Ok(self.close_requested()),
        }
    }

    pub(super) fn call_requested(
        &self,
        request: RequestId,
        call: Requested,
        at_ms: u64,
        limits: &Limits,
    ) -> Result<Decision, Rejected> {
        if self.calls.contains_key(&request) {
            return Ok(effect(Effect::Await {
                asker: request,
                running: request,
            }));
        }
        if self.find_ended(request).is_some() {
            return Ok(effect(Effect::Answer { request }));
        }
        if let Some((key, digest)) = &call.key
            && let Some(used) = self
                .keys
                .iter()
                .find(|used| used.key == *key && used.tool == call.tool)
        {
            if used.digest != *digest {
                return Err(Rejected::KeyReused);
            }
            let (asker, original) = (request, used.request);
            return Ok(effect(match used.ended {
                Some(_) => Effect::Replay { asker, original },
                None => Effect::Await {
                    asker,
                    running: original,
                },
            }));
        }
        let Requested {
            tool,
            idempotent,
            arguments,
            bytes,
            key,
            pin,
            trace,
        } = call;
        let mut decision = Decision::default();
        let mut ahead = self.clone();
        let steps = [
            Event::ToolSelected {
                request,
                tool: Arc::clone(&tool),
                idempotent,
                trace,
                at_ms,
            },
            Event::ParametersSet {
                request,
                arguments,
                bytes,
                at_ms,
            },
            Event::ExecutionRequested { request, at_ms },
        ];
        for step in steps {
            let Decision { deltas, effects } = ahead.decide(step, limits)?;
            deltas.iter().for_each(|delta| ahead.apply(delta));
            decision.deltas.extend(deltas);
            decision.effects.extend(effects);
        }
        if let Some(result) = pin {
            self.decide_pin(result, limits, &mut decision);
        }
        if let Some((key, digest)) = key {
            self.trim_keys(
                (self.keys.len() + 1).saturating_sub(limits.keys),
                &mut decision,
            );
            decision.deltas.push(Delta::KeyUsed {
                key,
                tool,
                digest,
                request,
            });
        }
        Ok(decision)
    }

    pub(super) fn tool_selected(
        &self,
        request: RequestId,
        selected: Delta,
        limits: &Limits,
    ) -> Result<Decision, Rejected> {
        let state = self.state_of(request);
        if state != "idle" {
            return Err(Rejected::OutOfOrder {
                state,
                wanted: "given a tool",
            });
        }
        if self.calls.len() >= limits.calls {
            return Err(Rejected::TooManyCalls {
                limit: limits.calls,
            });
        }
        Ok(delta(selected))
    }

    pub(super) fn parameters_set(
        &self,
        request: RequestId,
        arguments: Arc<Value>,
        bytes: usize,
        at_ms: u64,
        limits: &Limits,
    ) -> Result<Decision, Rejected> {
        let state = self.state_of(request);
        if state != "tool_selected" {
            return Err(Rejected::OutOfOrder {
                state,
                wanted: "given parameters",
            });
        }
        check_size(bytes, limits)?;
        Ok(delta(Delta::ParametersSet {
            request,
            arguments,
            at_ms,
        }))
    }

    pub(super) fn execution_requested(
        &self,
        request: RequestId,
        at_ms: u64,
    ) -> Result<Decision, Rejected> {
        let state = self.state_of(request);
        if state != "parameters_set" {
            return Err(Rejected::OutOfOrder {
                state,
                wanted: "executed",
            });
        }
        Ok(Decision {
            deltas: vec![Delta::ExecutionStarted {
                request,
                attempt: 1,
                at_ms,
                suspects: Suspects::default(),
            }],
            effects: vec![Effect::Run {
                request,
                attempt: 1,
            }],
        })
    }

    pub(super) fn tool_finished(
        &self,
        request: RequestId,
        finished: &Finished,
        at_ms: u64,
        limits: &Limits,
    ) -> Result<Decision, Rejected> {
        let end = End::Succeeded {
            result: finished.result,
            summary: Arc::clone(&finished.summary),
            input_digest: Arc::clone(&finished.input_digest),
        };
        let mut decision = self.ended(request, end, at_ms, limits)?;
        if let Some(bytes) = finished
            .whole_bytes
            .filter(|bytes| *bytes <= limits.whole_bytes)
        {
            self.make_room_for_whole(bytes, limits, &mut decision);
            let result = finished.result;
            decision.deltas.push(Delta::WholeKept { result, bytes });
            if self.pins_new(bytes, limits) {
                let released = Vec::new();
                decision.deltas.push(Delta::Pinned { result, released });
            }
        }
        Ok(decision)
    }

    /// Ends a call: moves it into the history, and drops what no longer fits there.
    pub(super) fn ended(
        &self,
        request: RequestId,
        end: End,
        at_ms: u64,
        limits: &Limits,
    ) -> Result<Decision, Rejected> {
        let Some(call) = self.calls.get(&request) else {
            return Err(Rejected::NotRunning);
        };
        let CallState::Executing {
            arguments, attempt, ..
        } = &call.state
        else {
            return Err(Rejected::OutOfOrder {
                state: call.state.name(),
                wanted: "ended",
            });
        };
        let ended = Ended {
            request,
            tool: Arc::clone(&call.tool),
            arguments: kept_arguments(arguments, limits),
            attempt: *attempt,
            at_ms,
            end,
        };
        let mut decision = Decision::default();
        self.make_room(limits, &mut decision);
        decision.deltas.push(Delta::Ended(Arc::new(ended)));
        decision.effects.push(Effect::Answer { request });
        Ok(decision)
    }

    /// Makes room for one more call in the history.
    fn make_room(&self, limits: &Limits, decision: &mut Decision) {
        let count = (self.ended.len() + 1).saturating_sub(limits.history);
        self.decide_age(count, limits, decision);
    }

    pub(super) fn cancel_requested(
        &self,
        request: RequestId,
        at_ms: u64,
        limits: &Limits,
    ) -> Result<Decision, Rejected> {
        let Some(call) = self.calls.get(&request) else {
            return Err(Rejected::NotRunning);
        };
        let mut decision = match call.state {
            CallState::Executing { .. } => self.ended(request, End::Cancelled, at_ms, limits)?,
            CallState::ToolSelected | CallState::ParametersSet { .. } => {
                let ended = Ended {
                    request,
                    tool: Arc::clone(&call.tool),
                    arguments: Arc::new(Value::Null),
                    attempt: 0,
                    at_ms,
                    end: End::Cancelled,
                };
                let mut decision = Decision::default();
                self.make_room(limits, &mut decision);
                decision.deltas.push(Delta::Ended(Arc::new(ended)));
                decision.effects.push(Effect::Answer { request });
                decision
            }
        };
        decision.effects.insert(0, Effect::StopJob { request });
        Ok(decision)
    }

    pub(super) fn noticed(&self, text: Arc<str>, limits: &Limits) -> Decision {
        if self.notices.contains(&text) {
            return Decision::default();
        }
        delta(Delta::Noticed {
            text,
            trimmed: (self.notices.len() + 1).saturating_sub(limits.notices),
        })
    }

    pub(super) fn close_requested(&self) -> Decision {
        let stop = self
            .calls
            .keys()
            .map(|&request| Effect::StopJob { request });
        let answer = self.calls.keys().map(|&request| Effect::Answer { request });
        Decision {
            deltas: vec![Delta::Closed],
            effects: stop.chain(answer).collect(),
        }
    }
}

fn delta(delta: Delta) -> Decision {
    Decision {
        deltas: vec![delta],
        effects: Vec::new(),
    }
}

pub(super) fn effect(effect: Effect) -> Decision {
    Decision {
        deltas: Vec::new(),
        effects: vec![effect],
    }
}

fn check_size(bytes: usize, limits: &Limits) -> Result<(), Rejected> {
    let limit = limits.arguments_bytes;
    if bytes > limit {
        Err(Rejected::ArgumentsTooLarge { bytes, limit })
    } else {
        Ok(())
    }
}
