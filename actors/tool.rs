//! The port through which sessions use tools. `actors` owns it because sessions call it; what a tool analyses, and
//! what its values mean, is unknown here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::cache::CacheHandle;
use crate::ids::{Principal, ResultId};
use crate::results::ResultReader;

mod care;

pub use care::{Care, InputKey};

/// One analysis tool: synchronous, CPU-bound, called on the pool. Implementations keep no state of their own; a crash
/// of any actor costs them nothing, and a panic in `call` fails that call alone.
pub trait Tool: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// True where running it twice gives what running it once gives: a call that was cut off is then run again.
    /// Otherwise it is answered `interrupted`.
    fn idempotent(&self) -> bool;

    /// Runs one call. `arguments` have been validated by the caller of `Sessions::call`.
    /// Must look at [`ToolContext::stop_reason`] at least every 50 ms of work.
    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError>;
}

/// What a tool is given beside its arguments.
#[derive(Clone)]
pub struct ToolContext {
    /// Whose session it is.
    pub principal: Principal,
    /// The directories that this call may read: the session's, which narrow the server's.
    pub roots: Arc<[Root]>,
    pub cancel: CancellationToken,
    pub deadline: Instant,
    pub progress: ProgressSink,
    pub cache: CacheHandle,
    /// Earlier results of the same session.
    pub results: ResultReader,
    /// False in a throwaway session: [`ToolOutput::whole`] would be dropped, so it need not be built.
    pub keep_whole: bool,
    /// There where an earlier attempt of the same call was cut off, perhaps together with its node.
    pub care: Option<Care>,
}

impl ToolContext {
    /// Why the tool should stop now, if it should.
    pub fn stop_reason(&self) -> Option<ToolError> {
        if self.cancel.is_cancelled() {
            return Some(ToolError::cancelled());
        }
        (Instant::now() >= self.deadline).then(ToolError::deadline_exceeded)
    }
}

/// A directory that may be read. `path` is canonical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Unique among the roots of a server: the first part of a path where there are several.
    pub name: String,
    pub path: PathBuf,
}

/// What a call that succeeded leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// What the caller gets: small, bounded by the tool. Opaque here.
    pub answer: Value,
    /// The result as a whole, for later calls. `None`: too large to keep, or not asked for.
    pub whole: Option<Value>,
    /// One line for the session's history.
    pub summary: String,
    /// Stands for everything that was read: equal digests, equal inputs. Empty where nothing was read.
    pub input_digest: String,
}

/// What a call that failed leaves: a reason out of the fixed list of the edge, and words for a person.
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[error("{reason}: {message}")]
pub struct ToolError {
    /// Stable, snake_case.
    pub reason: String,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl ToolError {
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
            retry_after: None,
        }
    }

    pub fn cancelled() -> Self {
        Self::new("cancelled", "the call was cancelled")
    }

    pub fn deadline_exceeded() -> Self {
        Self::new("deadline_exceeded", "the call ran past its deadline")
    }
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    pub message: String,
}

/// Where progress goes. Never blocks: what nobody reads in time is dropped, the newest wins.
#[derive(Clone, Default)]
pub struct ProgressSink(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl ProgressSink {
    pub fn new(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    /// Nobody listens: work that only serves progress may be left out.
    pub fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    pub fn report(&self, done: u64, total: Option<u64>, message: impl Into<String>) {
        if let Some(report) = &self.0 {
            report(Progress {
                done,
                total,
                message: message.into(),
            });
        }
    }
}

/// An earlier result, as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResult {
    pub id: ResultId,
    pub tool: String,
    pub arguments: Value,
    /// [`ToolOutput::whole`].
    pub whole: Arc<Value>,
    pub input_digest: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// The analysis tools that sessions may run, by name.
#[derive(Clone, Default)]
pub struct Catalogue(Arc<BTreeMap<&'static str, Arc<dyn Tool>>>);

impl Catalogue {
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self(Arc::new(
            tools.into_iter().map(|tool| (tool.name(), tool)).collect(),
        ))
    }

    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}
