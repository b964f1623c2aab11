//! Requests and answers of sessions. Answers are serialisable because a node may pass them to another, which passes
//! them to the caller; none of this is stored.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::ids::{NodeId, Principal, RequestId, ResultId, SessionId};
use crate::tool::{ProgressSink, Root, ToolError, ToolOutput};

/// The session that a call runs in.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A created session: its state is stored, and its results can be read again.
    Session(SessionId),
    /// A throwaway session with these roots: supervised like any other, but it never touches the store and keeps
    /// nothing.
    Throwaway(Arc<[Root]>),
}

pub struct CallRequest {
    pub target: Target,
    pub principal: Principal,
    pub tool: String,
    /// Validated; at most 64 KiB as JSON.
    pub arguments: Value,
    /// Refused with `session_required` for a throwaway session.
    pub idempotency_key: Option<String>,
    /// A result of the session that the call uses: it is kept longer than others from now on.
    pub pin: Option<ResultId>,
    /// `None`: `Options::call_deadline`.
    pub deadline: Option<Duration>,
    pub cancel: CancellationToken,
    pub progress: ProgressSink,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallAnswer {
    pub request_id: RequestId,
    /// `None` for a throwaway session.
    pub session_id: Option<SessionId>,
    /// `None` if the result is not kept.
    pub result_id: Option<ResultId>,
    pub outcome: Result<Arc<ToolOutput>, ToolError>,
    /// The answer is that of an earlier call with the same idempotency key.
    pub replayed: bool,
    pub durability: Durability,
    /// False: `ToolOutput::whole` was too large to keep.
    pub stored: bool,
    pub notices: Vec<String>,
    /// Earlier results of the same tool over the same path argument, newest first, at most 5.
    pub related: Vec<ResultId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durability {
    pub level: DurabilityLevel,
    pub durable: bool,
    /// The version of the session's state; 0 for a throwaway session.
    pub version: u64,
    pub epoch: u64,
}

/// What an answer survives. Each level also survives what the levels above it do, except that `Replicated` does not
/// imply `Fsync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DurabilityLevel {
    /// The crash of any actor.
    Memory,
    /// Acknowledged by Redis: survives the node, and a restart of Redis if it keeps an append-only file.
    Redis,
    /// On Redis's disk: survives a loss of power.
    Fsync,
    /// Acknowledged by replicas: survives the loss of the primary, if one of them takes over.
    Replicated,
}

impl DurabilityLevel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Fsync => "fsync",
            Self::Replicated => "replicated",
        }
    }
}

#[derive(Debug, Clone)]
pub struct CreateRequest {
    pub principal: Principal,
    pub label: Option<String>,
    pub roots: Vec<Root>,
    /// `None`: `Options::session_ttl`.
    pub ttl: Option<Duration>,
    pub idempotency_key: Option<String>,
    /// While the store is down, the key may be valid on this node only: its caller will ask again.
    pub provisional: bool,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionView {
    pub id: SessionId,
    pub status: SessionStatus,
    pub label: Option<String>,
    pub roots: Vec<Root>,
    pub created_ms: u64,
    /// When it expires without further calls (sliding).
    pub expires_ms: u64,
    pub ttl: Duration,
    pub version: u64,
    /// Calls that have not ended, and the most recent that have, newest first.
    pub calls: Vec<CallView>,
    /// Newest first, as many as are kept.
    pub history: Vec<HistoryView>,
    /// Idempotency keys remembered now, and the limit.
    pub keys_remembered: usize,
    pub keys_limit: usize,
    /// Results remembered, and their limits. Nodes of earlier versions do not report it.
    #[serde(default)]
    pub kept: Kept,
    pub notices: Vec<String>,
    pub replayed: bool,
    pub durability: Durability,
}

/// How much is kept of a session's results, and the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub results: usize,
    pub results_limit: usize,
    /// Bytes of whole results.
    pub bytes: u64,
    pub bytes_limit: u64,
    /// Results that are dropped last.
    pub pinned: usize,
    pub pinned_limit: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SessionStatus {
    Open,
    Quarantined { reason: String },
    Closed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    pub request_id: RequestId,
    pub tool: Option<String>,
    /// `idle`, `tool_selected`, `parameters_set`, `executing`, `succeeded`, `failed`, `cancelled`.
    pub state: Cow<'static, str>,
    pub attempt: u32,
    pub since_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    pub result_id: ResultId,
    pub tool: String,
    pub arguments: Value,
    pub summary: String,
    pub input_digest: String,
    pub at_ms: u64,
    /// False if the whole result was too large, or has been dropped for newer ones.
    pub stored: bool,
    /// It is dropped last: it was a baseline, or one of the first of a session with a label.
    #[serde(default)]
    pub pinned: bool,
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    pub id: SessionId,
    pub label: Option<String>,
    pub status: SessionStatus,
    pub created_ms: u64,
    pub expires_ms: u64,
}

/// Why a call got no outcome from its tool. The message says what failed; advice is added at the edge.
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
pub enum CallError {
    /// It never existed, was closed, or belongs to another principal: callers cannot tell which.
    #[error("no session {0} of yours is known")]
    UnknownSession(SessionId),
    #[error("session {0} has expired")]
    SessionExpired(SessionId),
    #[error("session {id} is quarantined: {reason}")]
    Quarantined { id: SessionId, reason: String },
    #[error("session {id} was written by a newer version of this service (schema {schema})")]
    NewerSchema { id: SessionId, schema: u32 },
    #[error("no result {0} is known in this session")]
    UnknownResult(ResultId),
    #[error("result {0} was too large to keep, or was dropped for newer ones")]
    ResultNotStored(ResultId),
    /// The session is fine. Reading the result again fails again, and so does the call under its idempotency key.
    #[error("the stored result {id} is damaged: {why}")]
    ResultDamaged { id: ResultId, why: String },
    #[error("an idempotency key needs a session that is kept")]
    SessionRequired,
    #[error("the idempotency key was used before with other arguments")]
    KeyReused,
    #[error("busy: {what}")]
    Busy {
        what: Cow<'static, str>,
        retry_after: Duration,
    },
    #[error("limit reached: {what}")]
    LimitReached { what: Cow<'static, str> },
    #[error("arguments of {size} bytes are over the limit of {limit}")]
    ArgumentsTooLarge { size: usize, limit: usize },
    #[error("no tool is called {0:?}")]
    UnknownTool(String),
    #[error("the session's state machine refused: {0}")]
    Rejected(String),
    #[error("cancelled")]
    Cancelled,
    #[error("the deadline of {0:?} passed")]
    DeadlineExceeded(Duration),
    /// A non-idempotent tool was interrupted, or the call crashed its session too often.
    #[error("the call was interrupted after {attempts} attempts: {cause}")]
    Interrupted { attempts: u32, cause: String },
    #[error("another node has taken the session over")]
    Fenced(SessionId),
    /// Another node owns the session and does not answer. Its lease ends by itself.
    #[error("session {id} is held by another node, {node}")]
    Elsewhere {
        id: SessionId,
        node: NodeId,
        retry_after: Duration,
    },
    #[error("the store is unavailable: {0}")]
    StoreUnavailable(String),
    /// The store is down, and nothing more is recorded: the call runs without a record.
    #[error("not recorded: {why}")]
    Unrecorded {
        roots: Arc<[Root]>,
        why: Cow<'static, str>,
    },
    #[error("the service is shutting down")]
    ShuttingDown,
}
