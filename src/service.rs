//! One call from name and arguments to answer: validate, find the session, run, put in the envelope. The server, the
//! command line and the batch all go through here. It keeps no state that a crash could cost: sessions have theirs,
//! and a connection's default session is made again when it is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::ids::{Principal, RequestId, ResultId, SessionId};
use actors::sessions::{CallError, SessionView, Sessions};
use actors::tool::{ProgressSink, Root};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answer::page::json_len;
use crate::answer::{Answer, Called, Context, Failure, rfc3339};
use crate::tools::create_session;
use crate::tools::get_server_status::{self, Feature};
use crate::tools::{self, Entry, Kind, Reach, shared};
use crate::workspace::Workspace;

mod batch;
mod compare;
mod control;
mod default_session;
mod glance;
pub mod quotas;
mod run;
mod stored;

pub use default_session::DefaultSession;
pub use quotas::Quotas;
pub use stored::{Ids, Stored, StoredPage};

/// Bytes of the arguments of one call as JSON: they are stored with the call. Paths and globs need far less.
pub const MAX_ARGUMENT_BYTES: usize = 64 * 1024;
/// Sessions end when nobody calls for long, or are closed.
const SESSIONS_RETRY: Duration = Duration::from_secs(60);
/// Of a batch, which is not stored as a whole.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
pub struct Service {
    pub sessions: Sessions,
    reach: Reach,
    pub quotas: Quotas,
    /// `limit: 0` means all rows: for the command line, whose output no context window bounds.
    pub allow_unlimited: bool,
    /// What the program offers beside sessions and analysis (transports, telemetry), for get_server_status.
    pub features: Arc<[Feature]>,
    glance: Arc<glance::Glance>,
}

/// Who calls, and what a call without `session_id` runs in.
#[derive(Clone)]
pub struct Caller {
    pub principal: Principal,
    /// `None`: a throwaway session for each call (2026-07-28 requests, the command line).
    pub default_session: Option<DefaultSession>,
    /// Under which id the call runs, where another node may have to ask for it again; `None`: any.
    pub request: Option<RequestId>,
}

/// No tool has this name; `nearest` is one that has nearly.
#[derive(Debug, thiserror::Error)]
#[error("no tool is called {name:?}")]
pub struct UnknownTool {
    pub name: String,
    pub nearest: Option<&'static str>,
}

/// One call on its way.
#[derive(Clone)]
struct Call {
    caller: Caller,
    entry: &'static Entry,
    arguments: Value,
    cancel: CancellationToken,
    progress: ProgressSink,
    started: Instant,
}

impl Service {
    pub fn new(sessions: Sessions, reach: Reach) -> Self {
        Self {
            sessions,
            reach,
            quotas: Quotas::default(),
            allow_unlimited: false,
            features: Arc::default(),
            glance: Arc::default(),
        }
    }

    /// Lets `limit: 0` mean all rows.
    pub fn unlimited(self) -> Self {
        Self {
            allow_unlimited: true,
            ..self
        }
    }

    /// What each principal may have; without it nobody is held to anything but the limits of the whole.
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    pub fn with_features(self, features: Vec<Feature>) -> Self {
        Self {
            features: features.into(),
            ..self
        }
    }

    /// Every failure but an unknown tool is an answer. `arguments` may be null for none.
    pub async fn call(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: Value,
        cancel: CancellationToken,
        progress: ProgressSink,
    ) -> Result<Answer, UnknownTool> {
        let entry = tools::entry(tool).ok_or_else(|| UnknownTool {
            name: tool.to_owned(),
            nearest: tools::nearest_tool(tool),
        })?;
        let call = Call {
            caller: caller.clone(),
            entry,
            arguments: entry.normalized(arguments),
            cancel,
            progress,
            started: Instant::now(),
        };
        let calls = call.arguments["calls"].as_array().map_or(1, Vec::len);
        let _slot = match self.quotas.call(&caller.principal, calls) {
            Ok(slot) => slot,
            Err(refused) => return Ok(call.failed(&refused)),
        };
        if let Err(refused) = self.has_room(&call).await {
            return Ok(call.failed(&refused));
        }
        if tool == get_server_status::NAME {
            return Ok(self.clone().answer(call).await);
        }
        self.glance.turn();
        let answer = self.clone().answer(call).await;
        self.glance.turn();
        Ok(answer)
    }

    /// The answer to a call that the time to stop leaves without one. `session_id` as it was asked for.
    ///
    /// # Errors
    /// As [`Service::call`].
    pub fn left(
        &self,
        tool: &str,
        session_id: Value,
        failure: &Failure,
    ) -> Result<Answer, UnknownTool> {
        let entry = tools::entry(tool).ok_or_else(|| UnknownTool {
            name: tool.to_owned(),
            nearest: tools::nearest_tool(tool),
        })?;
        let call = Call {
            caller: Caller {
                principal: Principal::local(),
                default_session: None,
                request: None,
            },
            entry,
            arguments: json!({"session_id": session_id}),
            cancel: CancellationToken::new(),
            progress: ProgressSink::default(),
            started: Instant::now(),
        };
        Ok(call.failed(failure))
    }

    /// One stored result as it was: `{session_id, result_id, tool, arguments, input_digest, created, data, coverage}`.
    /// Behind `analysis://sessions/{session_id}/results/{result_id}`.
    pub async fn read_result(
        &self,
        caller: &Caller,
        session_id: &str,
        result_id: &str,
    ) -> Result<Value, Failure> {
        let session = parse_session(session_id)?;
        let result = parse_result(result_id)?;
        let stored = self
            .sessions
            .result(&caller.principal, session, result)
            .await?;
        Ok(json!({
            "session_id": session,
            "result_id": stored.id,
            "tool": stored.tool,
            "arguments": stored.arguments,
            "input_digest": stored.input_digest,
            "created": rfc3339(stored.created_ms),
            "data": stored.whole["data"],
            "coverage": stored.whole["coverage"],
        }))
    }

    /// Boxed, since a batch comes back to it for each of its calls.
    fn answer(self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async move {
            let answer = match self.check(&call) {
                Ok(()) => self.dispatch(&call).await,
                Err(failure) => call.failed(&failure),
            };
            if cfg!(debug_assertions) {
                let errors = tools::output_errors(call.entry.name, &answer.structured);
                debug_assert!(errors.is_empty(), "{}: {errors:#?}", call.entry.name);
            }
            answer
        })
    }

    fn check(&self, call: &Call) -> Result<(), Failure> {
        let limit = match call.entry.kind {
            Kind::Expanded => MAX_BATCH_BYTES,
            Kind::Analysis | Kind::Control => MAX_ARGUMENT_BYTES,
        };
        let size = json_len(&call.arguments);
        if size > limit {
            return Err(Failure::new(
                "arguments_too_large",
                format!("arguments of {size} bytes are over the limit of {limit}"),
            ));
        }
        call.entry.check(&call.arguments, self.allow_unlimited)
    }

    async fn dispatch(&self, call: &Call) -> Answer {
        let answered = match call.entry.kind {
            Kind::Analysis if call.entry.name == tools::COMPARE_RESULTS => self.compare(call).await,
            Kind::Analysis => self.analyze(call).await,
            Kind::Expanded => self.batch(call).await,
            Kind::Control => self.control(call).await,
        };
        answered.unwrap_or_else(|failure| call.failed(&failure))
    }

    /// Whether its caller may store what the call would. Looking and closing are always free: they make room.
    async fn has_room(&self, call: &Call) -> Result<(), Failure> {
        let principal = &call.caller.principal;
        let Some(limit) = self.quotas.limits(principal).bytes else {
            return Ok(());
        };
        let stores = match call.entry.kind {
            Kind::Analysis | Kind::Expanded => true,
            Kind::Control => call.entry.name == create_session::NAME,
        };
        if !stores || self.sessions.usage(principal).await.bytes < limit {
            return Ok(());
        }
        let message = format!("your sessions store {limit} bytes, and no more may be stored");
        Err(Failure::new("storage_full", message).after(SESSIONS_RETRY))
    }

    /// A session that was just made, unless its principal has more than it may.
    async fn within_limits(
        &self,
        principal: &Principal,
        view: SessionView,
    ) -> Result<SessionView, Failure> {
        let limit = self.quotas.limits(principal).sessions;
        let Some(limit) = limit.filter(|_| !view.replayed) else {
            return Ok(view);
        };
        let total = match self.sessions.list(principal, None, 1).await {
            Ok((_, total)) => total,
            // They cannot be counted while the store is away; how many may be made then has a bound of its own.
            Err(CallError::StoreUnavailable(_)) if self.sessions.store_is_away() => {
                return Ok(view);
            }
            Err(error) => return Err(error.into()),
        };
        if total <= u64::from(limit) {
            return Ok(view);
        }
        self.sessions.close(principal, view.id).await?;
        let message = format!("{limit} sessions of yours are kept, and no more may be");
        Err(Failure::new("limit_reached", message).after(SESSIONS_RETRY))
    }

    /// What the principal may read, as sessions know it.
    pub fn roots_of(&self, principal: &Principal) -> Arc<[Root]> {
        self.reach.roots(principal)
    }

    /// The same, as paths are looked up in.
    pub fn workspace_of(&self, principal: &Principal) -> Workspace {
        self.reach.workspace(principal)
    }
}

impl Call {
    fn called(&self) -> Called<'_> {
        Called {
            tool: self.entry.name,
            started: self.started,
            max_bytes: shared::bytes(&self.arguments),
        }
    }

    /// An answer without an outcome. It names the session that was asked for, where one was.
    fn failed(&self, failure: &Failure) -> Answer {
        let context = Context {
            session_id: self.session_id().ok().flatten(),
            ..Context::default()
        };
        self.called().failed(failure, context)
    }

    fn session_id(&self) -> Result<Option<SessionId>, Failure> {
        self.arguments["session_id"]
            .as_str()
            .map(parse_session)
            .transpose()
    }

    fn key(&self) -> Option<String> {
        self.arguments["idempotency_key"]
            .as_str()
            .map(str::to_owned)
    }
}

impl Caller {
    /// As whoever asks for one of several calls: each has an id of its own, and the same one when it is asked again.
    fn part(&self, nth: u128) -> Self {
        let part = |id: RequestId| RequestId::from_u128(id.as_u128().wrapping_add(nth));
        Self {
            request: self.request.map(part),
            ..self.clone()
        }
    }
}

fn parse_session(text: &str) -> Result<SessionId, Failure> {
    SessionId::parse(text).map_err(|error| Failure::new("invalid_session_id", error.to_string()))
}

fn parse_result(text: &str) -> Result<ResultId, Failure> {
    ResultId::parse(text).map_err(|error| Failure::new("invalid_result_id", error.to_string()))
}

#[cfg(test)]
mod tests;
