//! `run_batch`, expanded into ordinary calls: a few at a time, answered in order, each failing alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actors::tool::{Progress, ProgressSink, WHOLE};
use serde_json::{Value, json};
use telemetry::list::attribute::{OPERATION, TOOL};
use telemetry::list::span::BATCHED;
use telemetry::{Parent, Span};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Call, Service};
use crate::answer::{Answer, Called, Context, Detail, Failure};
use crate::tools::run_batch::{MAX_CONCURRENT, NAME, finding, share};
use crate::tools::{self, shared};

/// Ids reserved for each call of a batch: a comparison with the current code uses two.
const CALLS_OF_ONE: u128 = 16;
/// The name of a tool that a caller made up.
const OTHER: &str = "_OTHER";

impl Service {
    pub(super) async fn batch(&self, call: &Call) -> Result<Answer, Failure> {
        let session_id = call.session_id()?;
        let calls = call.arguments["calls"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let max_bytes = shared::bytes(&call.arguments);
        let names: Vec<String> = calls.iter().map(tool_name).collect();
        let answers = self
            .run_all(call, &calls, share(max_bytes, calls.len()))
            .await;
        let finding = finding(names.into_iter().zip(answers).collect(), max_bytes);
        let context = Context {
            session_id,
            ..Context::default()
        };
        Ok(call.called().found(finding, "", context))
    }

    async fn answer_in(self, span: Span, call: Call) -> Answer {
        let answer = telemetry::traced(span.context(), self.answer(call)).await;
        answer.describe_all(span);
        answer
    }

    /// In the order of `calls`. Dropping this future drops the calls with it.
    async fn run_all(&self, batch: &Call, calls: &[Value], max_bytes: usize) -> Vec<Answer> {
        let total = calls.len();
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
        let told = Arc::new(Told::of(&batch.progress, total));
        let mut answers: Vec<Option<Answer>> = (0..total).map(|_| None).collect();
        let mut running = JoinSet::new();
        let mut places = HashMap::with_capacity(total);
        for (at, inner) in calls.iter().enumerate() {
            match inner_call(batch, inner, at, max_bytes) {
                Err(failure) => {
                    let name = tool_name(inner);
                    let answer = refused(&name, &failure);
                    let known = tools::entry(&name).map_or(OTHER, |entry| entry.name);
                    answer.describe_all(span_of(known));
                    answers[at] = Some(answer);
                    told.ended(at);
                }
                Ok(mut inner) => {
                    inner.progress = told.sink(at);
                    let (service, permits) = (self.clone(), permits.clone());
                    let span = span_of(inner.entry.name);
                    let task = running.spawn(async move {
                        // The semaphore is never closed, so a permit always comes.
                        let _permit = permits.acquire_owned().await;
                        service.answer_in(span, inner).await
                    });
                    places.insert(task.id(), at);
                }
            }
        }
        while let Some(joined) = running.join_next_with_id().await {
            let (id, answer) = match joined {
                Ok((id, answer)) => (id, Ok(answer)),
                Err(error) => (
                    error.id(),
                    Err(Failure::new("internal", "the call panicked")),
                ),
            };
            if let Some(&at) = places.get(&id) {
                told.ended(at);
                let name = tool_name(&calls[at]);
                answers[at] = Some(answer.unwrap_or_else(|failure| refused(&name, &failure)));
            }
        }
        let lost = Failure::new("internal", "the call was lost");
        let all = answers.into_iter().zip(calls);
        all.map(|(answer, call)| answer.unwrap_or_else(|| refused(&tool_name(call), &lost)))
            .collect()
    }
}

/// The span of one call, within that of the batch.
fn span_of(tool: &'static str) -> Span {
    let mut span = Span::of(&BATCHED, tool, Parent::Current, &[]);
    if span.is_recorded() {
        span.set(TOOL, tool);
        span.set(OPERATION, "execute_tool");
    }
    span
}

/// The progress of a batch: each of its calls is an equal part.
struct Told {
    progress: ProgressSink,
    /// Progress of each call, out of [`WHOLE`].
    calls: Mutex<Vec<u64>>,
}

impl Told {
    fn of(progress: &ProgressSink, calls: usize) -> Self {
        Self {
            progress: progress.clone(),
            calls: Mutex::new(vec![0; calls]),
        }
    }

    /// The progress sink of the call at that index.
    fn sink(self: &Arc<Self>, at: usize) -> ProgressSink {
        if self.progress.is_silent() {
            return ProgressSink::default();
        }
        let told = Arc::clone(self);
        // The message of one call could be mistaken for the whole batch's.
        ProgressSink::new(move |Progress { done, total, .. }| {
            let of = total.unwrap_or(WHOLE).max(1);
            // A finished call is reported when it ends.
            told.reach(at, (WHOLE * done.min(of) / of).min(WHOLE - 1));
        })
    }

    fn ended(&self, at: usize) {
        self.reach(at, WHOLE);
    }

    fn reach(&self, at: usize, part: u64) {
        if self.progress.is_silent() {
            return;
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.get_mut(at) {
            *call = part.max(*call);
        }
        let (total, sum) = (calls.len(), calls.iter().sum::<u64>());
        let done = calls.iter().filter(|part| **part == WHOLE).count();
        // Reported under the lock, so that the sum never decreases.
        let message = format!("{done} of {total} calls done");
        self.progress
            .report(sum / (total as u64).max(1), Some(WHOLE), message);
    }
}

/// Makes an ordinary call of one call of a batch: with the batch's session, a key derived from the batch's, and its
/// share of bytes.
fn inner_call(batch: &Call, inner: &Value, at: usize, max_bytes: usize) -> Result<Call, Failure> {
    let name = tool_name(inner);
    if name == NAME {
        return Err(Failure::new(
            "batch_in_batch",
            format!("/calls/{at}: a batch cannot contain a batch"),
        ));
    }
    let entry = tools::entry(&name).ok_or_else(|| unknown_tool(&name, at))?;
    if entry.destructive {
        return Err(Failure::new(
            "not_in_batch",
            format!("/calls/{at}: {name} deletes, which a batch cannot do"),
        ));
    }
    let mut arguments = entry.normalized(inner.get("arguments").cloned().unwrap_or_default());
    let mut default = |name: &str, value: Option<Value>| {
        if let (Some(value), None, true) = (value, arguments.get(name), entry.has_argument(name)) {
            arguments[name] = value;
        }
    };
    default("session_id", batch.arguments.get("session_id").cloned());
    default(
        "idempotency_key",
        batch.key().map(|key| json!(format!("{key}/{at}"))),
    );
    if entry.has_argument("max_bytes") {
        let given = arguments["max_bytes"].as_u64();
        // A value out of bounds stays, so that validation refuses it by name.
        if given.is_none_or(|given| {
            given > max_bytes as u64 && given <= crate::answer::page::MAX_MAX_BYTES as u64
        }) {
            arguments["max_bytes"] = json!(max_bytes);
        }
    }
    Ok(Call {
        caller: batch.caller.part(CALLS_OF_ONE * (at as u128 + 1)),
        entry,
        arguments,
        cancel: batch.cancel.child_token(),
        progress: ProgressSink::default(),
        started: Instant::now(),
    })
}

fn tool_name(inner: &Value) -> String {
    let mut name = inner["tool"].as_str().unwrap_or_default().to_owned();
    // Names are ours or wrong; a long wrong one is not repeated in full.
    crate::answer::page::clip(&mut name, 100);
    name
}

fn unknown_tool(name: &str, at: usize) -> Failure {
    let hint = tools::nearest_tool(name)
        .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    Failure::new(
        "unknown_tool",
        format!("/calls/{at}: no tool is called {name:?}{hint}"),
    )
}

fn refused(tool: &str, failure: &Failure) -> Answer {
    let called = Called {
        tool,
        started: Instant::now(),
        max_bytes: crate::answer::page::DEFAULT_MAX_BYTES,
        detail: Detail::Lean,
    };
    called.failed(failure, Context::default())
}

#[cfg(test)]
mod tests {
    use actors::ids::Principal;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::service::Caller;

    fn batch(arguments: Value) -> Call {
        Call {
            caller: Caller {
                principal: Principal::local(),
                default_session: None,
                request: None,
            },
            entry: tools::entry(NAME).unwrap(),
            arguments,
            cancel: CancellationToken::new(),
            progress: ProgressSink::default(),
            started: Instant::now(),
        }
    }

    #[test]
    fn a_call_inherits_session_key_and_share_of_its_batch() {
        let batch = batch(json!({"calls": [], "session_id": "ses_x", "idempotency_key": "K"}));
        let inner =
            json!({"tool": "analyze_structure", "arguments": {"path": "src", "max_bytes": 90000}});
        let call = inner_call(&batch, &inner, 3, 2000).unwrap();
        assert_eq!(
            call.arguments,
            json!({"path": "src", "session_id": "ses_x", "idempotency_key": "K/3", "max_bytes": 2000})
        );
        let call = inner_call(&batch, &json!({"tool": "get_server_status"}), 0, 2000).unwrap();
        assert_eq!(call.arguments, json!({}));
        let filled = json!({"tool": "analyze_structure", "arguments": {
            "path": null, "session_id": "", "limit": "3", "max_bytes": null, "kinds": "function",
        }});
        let call = inner_call(&batch, &filled, 0, 2000).unwrap();
        assert_eq!(
            call.arguments,
            json!({"limit": 3, "kinds": ["function"], "session_id": "ses_x", "idempotency_key": "K/0", "max_bytes": 2000})
        );
    }

    #[test]
    fn the_progress_of_a_batch_is_the_sum_of_its_calls() {
        let (send, heard) = std::sync::mpsc::sync_channel(16);
        let sink = ProgressSink::new(move |progress: Progress| drop(send.send(progress)));
        let told = Arc::new(Told::of(&sink, 4));
        let (first, second) = (told.sink(0), told.sink(1));
        first.report(50, Some(100), "half");
        second.report(100, Some(100), "all but the answer");
        second.report(10, Some(100), "an older report");
        for at in [1, 0, 2, 3] {
            told.ended(at);
        }
        let heard: Vec<_> = heard
            .try_iter()
            .map(|heard| (heard.done, heard.message))
            .collect();
        let done: Vec<_> = heard.iter().map(|(done, _)| *done).collect();
        assert_eq!(done, [12, 37, 37, 37, 50, 75, 100]);
        assert_eq!(heard[6].1, "4 of 4 calls done");
    }

    #[test]
    fn a_batch_in_a_batch_and_an_unknown_tool_are_refused() {
        let batch = batch(json!({"calls": []}));
        let refused = |tool: &str| {
            inner_call(&batch, &json!({"tool": tool}), 0, 2000)
                .err()
                .unwrap()
        };
        assert_eq!(refused("run_batch").reason, "batch_in_batch");
        assert_eq!(refused("close_session").reason, "not_in_batch");
        let unknown = refused("analyse_structure");
        assert_eq!(unknown.reason, "unknown_tool");
        assert!(
            unknown.message.contains("analyze_structure"),
            "{}",
            unknown.message
        );
    }
}
