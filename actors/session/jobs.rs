//! How a session runs its tools.

use telemetry::list::event::{FINISHED, STARTED};

use super::journal::Executing;
use super::*;
use crate::tool::ToolError;

impl State {
    pub(super) fn submit(&mut self, myself: &ActorRef<SessionMsg>, request: RequestId) {
        let Some(journal) = self.journal() else {
            return;
        };
        // The call has been decided, but may not be committed yet, so read it from the state ahead.
        let Some(Executing {
            tool,
            arguments,
            left_out,
            attempt,
            trace,
        }) = journal.executing(request)
        else {
            return;
        };
        let principal = journal.committed().principal.clone();
        let roots = Arc::clone(&journal.committed().roots);
        let keep = journal.fence().is_some();
        let Some(tool) = self.around.catalogue.get(&tool).cloned() else {
            self.decide(
                myself,
                failed(
                    request,
                    "unknown_tool",
                    format!("no tool is called {tool:?} here"),
                    self.now(),
                ),
            );
            return;
        };
        self.traces.resume(self.id, request, attempt, trace);
        self.traces.note(request, STARTED);
        let extras = self.extras.get(&request);
        let deadline = extras.map_or_else(
            || Instant::now() + self.around.options.call_deadline,
            |extras| extras.deadline,
        );
        let results = if keep {
            ResultReader::new(Arc::clone(&self.around.persistence.store), self.id)
        } else {
            ResultReader::default()
        };
        let job = Job {
            tool,
            arguments,
            principal,
            roots,
            deadline: deadline.into_std(),
            cancel: extras
                .map(|extras| extras.cancel.child_token())
                .unwrap_or_default(),
            progress: extras
                .map(|extras| extras.progress.clone())
                .unwrap_or_default(),
            cache: self.around.cache.clone(),
            results,
            keep,
            at_ms: self.now(),
            left_out,
            attempt,
            trace: self.traces.of(request),
            wait: self.traces.wait(self.id, request),
        };
        self.around
            .pool
            .submit(self.key(request), job, self.news_of(myself, request));
        self.pass(CrashPoint::SessionJobHandedOver);
    }

    pub(super) fn news_of(
        &self,
        myself: &ActorRef<SessionMsg>,
        request: RequestId,
    ) -> crate::pool::Notify {
        let myself = myself.clone();
        // A dead session does not receive this; its successor finds the outcome in the table.
        Arc::new(move |news| {
            let _ = myself.send_message(SessionMsg::Job { request, news });
        })
    }

    pub(super) fn job(&mut self, myself: &ActorRef<SessionMsg>, request: RequestId, news: News) {
        self.pass(CrashPoint::SessionOutcomeReceived);
        if let News::Outcome(_) = news {
            self.traces.note(request, FINISHED);
        }
        let now = self.now();
        match news {
            News::Refused => {
                self.decide(
                    myself,
                    failed(
                        request,
                        "busy",
                        "too many tools are waiting to run".to_owned(),
                        now,
                    ),
                );
            }
            News::Noting { at_work, told } => {
                // If the call has ended, `told` is dropped: its job is being stopped.
                let runs = self
                    .journal()
                    .is_some_and(|journal| journal.executing(request).is_some());
                if runs {
                    self.noting.insert(request, told);
                    self.decide(myself, Event::InputNoted { request, at_work });
                }
            }
            // This node stopped the tool because of its shutdown. The next owner of the session runs the call again.
            News::Outcome(Outcome::Failed(error))
                if error == ToolError::cancelled() && self.is_left(request) => {}
            // The tool saw the cancellation before the session did.
            News::Outcome(Outcome::Failed(error)) if error == ToolError::cancelled() => {
                self.decide(
                    myself,
                    Event::CancelRequested {
                        request,
                        at_ms: now,
                    },
                );
            }
            News::Outcome(Outcome::Failed(error)) => {
                let (reason, message) = (error.reason.into(), error.message.into());
                let event = Event::ToolFailed {
                    request,
                    reason,
                    message,
                    retry_after: error.retry_after,
                    at_ms: now,
                };
                self.decide(myself, event);
            }
            News::Outcome(Outcome::Finished(finished)) => {
                let result = crate::ids::ResultId::random();
                let event = Event::ToolFinished {
                    request,
                    finished: Finished {
                        result,
                        summary: finished.output.summary.as_str().into(),
                        input_digest: finished.output.input_digest.as_str().into(),
                        whole_bytes: finished.whole.as_ref().map(|whole| whole.len() as u64),
                    },
                    at_ms: now,
                };
                self.outputs.insert(request, finished.output);
                let fits = |whole: &Arc<[u8]>| {
                    whole.len() as u64 <= self.around.options.limits.whole_bytes
                };
                let put = journal::blobs(result, finished.answer, finished.whole.filter(fits));
                self.decide_and_put(myself, event, put);
            }
        }
        self.pass(CrashPoint::SessionOutcomeDecided);
    }
}

impl State {
    /// The node is shutting down, and the caller has not cancelled `request`.
    fn is_left(&self, request: RequestId) -> bool {
        let given_up = |extras: &Extras| extras.cancel.is_cancelled();
        self.around.leaving.is_cancelled() && !self.extras.get(&request).is_some_and(given_up)
    }
}

pub(super) fn failed(request: RequestId, reason: &str, message: String, at_ms: u64) -> Event {
    Event::ToolFailed {
        request,
        reason: reason.into(),
        message: message.into(),
        retry_after: None,
        at_ms,
    }
}
