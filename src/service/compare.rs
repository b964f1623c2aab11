//! `compare_results`, expanded. A comparison with the current code first runs the baseline's tool again in the same
//! session, as an ordinary call. Then both stored results are compared on the pool.

use actors::ids::{ResultId, SessionId};
use actors::tool::WHOLE;
use serde_json::Value;

use super::run::{ChosenSession, Job, place, session_required};
use super::{Call, Service, parse_result};
use crate::answer::{Answer, Failure};
use crate::tools::compare_results::{NAME, is_now, tool_arguments};

/// The share of the progress that running the tool again takes: nearly all.
const RUN_AGAIN: u64 = 95;

impl Service {
    pub(super) async fn compare(&self, call: &Call) -> Result<Answer, Failure> {
        let session = self.session_of_results(call).await?;
        let baseline = parse_result(call.arguments["baseline"].as_str().unwrap_or_default())?;
        let against = if is_now(&call.arguments) {
            self.run_again(call, session, baseline).await?
        } else {
            parse_result(call.arguments["against"].as_str().unwrap_or_default())?
        };
        let job = Job {
            tool: NAME.to_owned(),
            arguments: tool_arguments(&call.arguments, baseline, against),
            key: call.key(),
            pin: Some(baseline),
        };
        let last = Call {
            progress: call.progress.between(
                if is_now(&call.arguments) {
                    RUN_AGAIN
                } else {
                    0
                },
                WHOLE,
            ),
            ..call.clone()
        };
        let (mut answer, notices) = self
            .run(&last, &ChosenSession::Given(session), &job)
            .await?;
        answer
            .related
            .retain(|id| *id != baseline && *id != against);
        answer.related.splice(0..0, [against, baseline]);
        Ok(call.called().answered(answer, notices))
    }

    /// Results belong to a session, so without one there is nothing to compare.
    async fn session_of_results(&self, call: &Call) -> Result<SessionId, Failure> {
        match place(call)? {
            ChosenSession::Given(id) => Ok(id),
            ChosenSession::Throwaway => Err(session_required()),
            ChosenSession::Default(default) => default
                .find(self, &call.caller.principal)
                .await?
                .ok_or_else(|| {
                    Failure::new(
                        "unknown_result",
                        "this connection's session has no results yet",
                    )
                }),
        }
    }

    async fn run_again(
        &self,
        call: &Call,
        session: SessionId,
        baseline: ResultId,
    ) -> Result<ResultId, Failure> {
        let stored = self
            .sessions
            .result(&call.caller.principal, session, baseline)
            .await?;
        if stored.tool == NAME {
            return Err(Failure::new(
                "different_tools",
                "the baseline is a comparison itself: compare the results that it compares",
            ));
        }
        let job = Job {
            arguments: first_page(stored.arguments),
            tool: stored.tool,
            key: call.key().map(|key| format!("{key}/now")),
            // Pin it first: the new result could otherwise displace it.
            pin: Some(baseline),
        };
        let again = Call {
            caller: call.caller.part(1),
            progress: call.progress.between(0, RUN_AGAIN),
            ..call.clone()
        };
        let (answer, _) = self
            .run(&again, &ChosenSession::Given(session), &job)
            .await?;
        answer.outcome?;
        answer.result_id.filter(|_| answer.stored).ok_or_else(|| {
            Failure::new(
                "result_not_stored",
                "the new result is too large to keep even in the compact form, or the store has no room for it",
            )
        })
    }
}

/// The whole result is compared, whichever page of the baseline was requested.
fn first_page(mut arguments: Value) -> Value {
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.remove("cursor");
    }
    arguments
}
