//! Runs one analysis in its session.

use actors::ids::{ResultId, SessionId};
use actors::sessions::{CallAnswer, CallError, CallRequest, Target};
use serde_json::Value;

use super::default_session::Found;
use super::{Call, Caller, DefaultSession, Service};
use crate::answer::{Answer, Failure};
use crate::tools::shared::ROUTING;

/// The session that a call runs in.
pub(super) enum ChosenSession {
    Given(SessionId),
    Default(DefaultSession),
    Throwaway,
}

/// A job for a session.
pub(super) struct Job {
    pub(super) tool: String,
    pub(super) arguments: Value,
    pub(super) key: Option<String>,
    /// An earlier result that the job uses.
    pub(super) pin: Option<ResultId>,
}

impl Service {
    pub(super) async fn analyze(&self, call: &Call) -> Result<Answer, Failure> {
        let place = place(call)?;
        let job = Job {
            tool: call.entry.name.to_owned(),
            arguments: for_the_tool(&call.arguments),
            key: call.key(),
            pin: None,
        };
        let (answer, notices) = self.run(call, &place, &job).await?;
        Ok(call.called().answered(answer, notices))
    }

    /// Runs a job in its session. A default session that no longer exists is replaced once. Returns notices about that,
    /// too.
    pub(super) async fn run(
        &self,
        call: &Call,
        place: &ChosenSession,
        job: &Job,
    ) -> Result<(CallAnswer, Vec<String>), Failure> {
        let default = match place {
            ChosenSession::Given(id) => return self.run_at(call, Target::Session(*id), job).await,
            ChosenSession::Throwaway if job.key.is_some() => return Err(session_required()),
            ChosenSession::Throwaway => {
                let target = Target::Throwaway(self.roots_of(&call.caller.principal));
                return self.run_at(call, target, job).await;
            }
            ChosenSession::Default(default) => default,
        };
        let principal = &call.caller.principal;
        let Found { id, notice } = default.get_or_create(self, principal).await?;
        let first = self
            .ask(&call.caller, request(call, Target::Session(id), job))
            .await;
        let gone = match first {
            Err(CallError::UnknownSession(_)) => "was closed",
            Err(CallError::SessionExpired(_)) => "had expired",
            done => return Ok((done?, notice.into_iter().collect())),
        };
        default.forget(id).await;
        let new = default.get_or_create(self, principal).await?.id;
        let (answer, mut notices) = self.run_at(call, Target::Session(new), job).await?;
        notices.push(format!(
            "the connection's session {id} {gone}: this one is new, earlier results are gone"
        ));
        Ok((answer, notices))
    }

    async fn run_at(
        &self,
        call: &Call,
        target: Target,
        job: &Job,
    ) -> Result<(CallAnswer, Vec<String>), Failure> {
        let answer = self.ask(&call.caller, request(call, target, job)).await?;
        Ok((answer, Vec::new()))
    }

    async fn ask(&self, caller: &Caller, request: CallRequest) -> Result<CallAnswer, CallError> {
        match caller.request {
            Some(id) => self.sessions.call_under(id, request).await,
            None => self.sessions.call(request).await,
        }
    }
}

pub(super) fn place(call: &Call) -> Result<ChosenSession, Failure> {
    if let Some(id) = call.session_id()? {
        return Ok(ChosenSession::Given(id));
    }
    Ok(match &call.caller.default_session {
        Some(default) => ChosenSession::Default(default.clone()),
        None => ChosenSession::Throwaway,
    })
}

pub(super) fn session_required() -> Failure {
    Failure::new(
        "session_required",
        "this call needs a stored session, but names none",
    )
}

fn request(call: &Call, target: Target, job: &Job) -> CallRequest {
    CallRequest {
        target,
        principal: call.caller.principal.clone(),
        tool: job.tool.clone(),
        arguments: job.arguments.clone(),
        idempotency_key: job.key.clone(),
        pin: job.pin,
        deadline: None,
        cancel: call.cancel.clone(),
        progress: call.progress.clone(),
    }
}

/// The session is not part of the request itself: equal requests have equal arguments in every session.
fn for_the_tool(arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.retain(|name, _| !ROUTING.contains(&name.as_str()));
    }
    arguments
}
