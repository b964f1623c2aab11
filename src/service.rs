//! Runs one call, from name and arguments to the answer: validate, find the session, run, build the envelope. The
//! server, the command line and batches all use it. It keeps no state that a crash could lose: sessions have their own,
//! and a connection's default session is created again when it is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::ids::{Principal, RequestId, ResultId, SessionId};
use actors::sessions::{CallError, SessionView, Sessions};
use actors::tool::{ProgressSink, Root};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answer::page::json_len;
use crate::answer::{Answer, Called, Context, Detail, Failure, rfc3339};
use crate::tools::create_session;
use crate::tools::get_server_status::{self, Feature};
use crate::tools::{self, Entry, Kind, ReadAccess, shared};
use crate::workspace::Workspace;

mod batch;
mod compare;
mod control;
mod default_session;
pub mod quotas;
pub mod recent;
mod run;
mod status_cache;
mod stored;

pub use default_session::DefaultSession;
pub use quotas::Quotas;
use recent::{Ended, Recent};
pub use stored::{Ids, Stored, StoredPage};

/// Bytes of one call's arguments as JSON. They are stored with the call; paths and globs need far less.
pub const MAX_ARGUMENT_BYTES: usize = 64 * 1024;
/// A limit on sessions frees up when sessions expire or are closed, which takes a while.
const SESSIONS_RETRY: Duration = Duration::from_secs(60);
/// Bytes of a batch's arguments, which are not stored as a whole.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
pub struct Service {
    pub sessions: Sessions,
    reach: ReadAccess,
    pub quotas: Quotas,
    /// `limit: 0` means all rows, and answers are in full: for the command line, whose output no context window has to hold.
    pub allow_unlimited: bool,
    /// Whether traces have the arguments of calls.
    pub trace_arguments: bool,
    /// Features of the program other than sessions and analysis (transports, telemetry), for get_server_status.
    pub features: Arc<[Feature]>,
    status_cache: Arc<status_cache::StatusCache>,
    _measured: Option<Measured>,
    recent: Arc<Recent>,
}

/// Keeps the metrics of a running service up to date until it is dropped.
pub type Measured = Arc<dyn std::any::Any + Send + Sync>;

/// The caller, and the session for calls without `session_id`.
#[derive(Clone)]
pub struct Caller {
    pub principal: Principal,
    /// `None`: a throwaway session for each call (2026-07-28 requests, the command line).
    pub default_session: Option<DefaultSession>,
    /// The id of the call, if another node may have to ask for it again; `None`: a new id.
    pub request: Option<RequestId>,
}

/// No tool has this name; `nearest` is the most similar one.
#[derive(Debug, thiserror::Error)]
#[error("no tool is called {name:?}")]
pub struct UnknownTool {
    pub name: String,
    pub nearest: Option<&'static str>,
}

/// A call in progress.
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
    pub fn new(sessions: Sessions, reach: ReadAccess) -> Self {
        Self {
            sessions,
            reach,
            quotas: Quotas::default(),
            allow_unlimited: false,
            trace_arguments: false,
            features: Arc::default(),
            status_cache: Arc::default(),
            _measured: None,
            recent: Arc::default(),
        }
    }

    /// Lets `limit: 0` mean all rows, and gives every field of them.
    pub fn unlimited(self) -> Self {
        Self {
            allow_unlimited: true,
            ..self
        }
    }

    /// Keeps `measured` as long as the service.
    pub fn measured(self, measured: Measured) -> Self {
        Self {
            _measured: Some(measured),
            ..self
        }
    }

    /// Sets the limits per principal. Without it only the limits of the whole server apply.
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    pub fn with_features(self, features: Vec<Feature>) -> Self {
        Self {
            features: features.into(),
            ..self
        }
    }

    /// Runs a call. Every failure except an unknown tool is an answer. `arguments` may be null.
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
            arguments: self.in_full(entry, entry.normalized(arguments)),
            cancel,
            progress,
            started: Instant::now(),
        };
        let calls = call.arguments["calls"].as_array().map_or(1, Vec::len);
        let _slot = match self.quotas.call(&caller.principal, calls) {
            Ok(slot) => slot,
            Err(refused) => return Ok(self.ended(&call, call.failed(&refused))),
        };
        if let Err(refused) = self.has_room(&call).await {
            return Ok(self.ended(&call, call.failed(&refused)));
        }
        if tool == get_server_status::NAME {
            return Ok(self.clone().answer(call).await);
        }
        self.status_cache.turn();
        let answer = self.clone().answer(call).await;
        self.status_cache.turn();
        Ok(answer)
    }

    /// The answer to a call that shutdown interrupted. `session_id` as the caller passed it.
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

    /// One stored result, unchanged: `{session_id, result_id, tool, arguments, input_digest, created, data, coverage}`.
    /// With `reduced`, which says why, `data` has no rows.
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
        // Usually the only reference: megabytes are moved, not copied.
        let mut whole = Arc::unwrap_or_clone(stored.whole);
        let mut document = json!({
            "session_id": session,
            "result_id": stored.id,
            "tool": stored.tool,
            "arguments": stored.arguments,
            "input_digest": stored.input_digest,
            "created": rfc3339(stored.created_ms),
        });
        for part in ["data", "coverage"] {
            document[part] = whole[part].take();
        }
        if whole.get(tools::COMPACT).is_some() {
            document["reduced"] = json!(tools::reduced());
        }
        Ok(document)
    }

    /// Boxed, because a batch calls it recursively for each of its calls.
    fn answer(self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async move {
            let answer = match self.check(&call) {
                Ok(()) => self.dispatch(&call).await,
                Err(failure) => call.failed(&failure),
            };
            if cfg!(debug_assertions) {
                let errors = call.entry.output_errors(&answer.structured);
                debug_assert!(errors.is_empty(), "{}: {errors:#?}", call.entry.name);
            }
            self.ended(&call, answer)
        })
    }

    /// Records the call; the calls of a batch too, each by itself.
    fn ended(&self, call: &Call, answer: Answer) -> Answer {
        let failed = answer.failed.as_ref();
        self.recent.record(Ended {
            tool: call.entry.name,
            took: call.started.elapsed(),
            session: answer.session,
            failed: failed.map(|(reason, message)| (*reason, message.as_str())),
        });
        answer
    }

    /// The calls of the last minutes.
    pub fn recent(&self) -> &Recent {
        &self.recent
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

    fn in_full(&self, entry: &Entry, arguments: Value) -> Value {
        let takes = arguments.is_object() && entry.has_argument(Detail::ARGUMENT);
        if self.allow_unlimited && takes {
            return shared::with_given(&arguments, Detail::ARGUMENT, "full");
        }
        arguments
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

    /// Whether the caller's storage quota has room for the call. Reads and closing are always allowed.
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
        let message = format!(
            "your sessions store {limit} bytes, which is the limit: close sessions to free space"
        );
        Err(Failure::new("storage_full", message).after(SESSIONS_RETRY))
    }

    /// Returns a new session, or closes it again if its principal has more sessions than allowed.
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
            // Sessions cannot be counted while the store is down. The number created meanwhile has its own limit.
            Err(CallError::StoreUnavailable(_)) if self.sessions.store_is_away() => {
                return Ok(view);
            }
            Err(error) => return Err(error.into()),
        };
        if total <= u64::from(limit) {
            return Ok(view);
        }
        self.sessions.close(principal, view.id).await?;
        let message = format!("you have {limit} sessions, which is the limit: close some first");
        Err(Failure::new("limit_reached", message).after(SESSIONS_RETRY))
    }

    /// The directories that the principal may read, in the form that sessions use.
    pub fn roots_of(&self, principal: &Principal) -> Arc<[Root]> {
        self.reach.roots(principal)
    }

    /// The same, in the form that resolves paths.
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
            detail: Detail::of(&self.arguments),
        }
    }

    /// A failed answer. Names the session that the caller asked for, if any.
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
    /// The caller of the `nth` call of a batch: each part has its own id, and the same one when the batch is retried.
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
