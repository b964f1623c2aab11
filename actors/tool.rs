//! The interface through which sessions run tools. It belongs to `actors` because sessions call it. This crate does not
//! know what a tool analyses or what its values mean.

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

/// One analysis tool: synchronous, CPU-bound, run on the pool. Implementations keep no state, so the crash of an actor
/// costs them nothing; a panic in `call` fails only that call.
pub trait Tool: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// True if running the tool twice has the effect of running it once. An interrupted call is then run again;
    /// otherwise the caller gets the error `interrupted`.
    fn idempotent(&self) -> bool;

    /// Runs one call. The caller of `Sessions::call` has validated `arguments`. The tool must check
    /// [`ToolContext::stop_reason`] at least every 50 ms of work.
    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError>;
}

/// The context of a call, passed to the tool with its arguments.
#[derive(Clone)]
pub struct ToolContext {
    /// The owner of the session.
    pub principal: Principal,
    /// Directories that this call may read: the session's roots, which narrow the server's.
    pub roots: Arc<[Root]>,
    pub cancel: CancellationToken,
    pub deadline: Instant,
    pub progress: ProgressSink,
    pub cache: CacheHandle,
    /// Earlier results of the same session.
    pub results: ResultReader,
    /// False in a throwaway session: [`ToolOutput::whole`] would be dropped, so the tool need not build it.
    pub keep_whole: bool,
    /// Set if an earlier attempt of the same call was interrupted, possibly by a crash of the node.
    pub care: Option<Care>,
}

impl ToolContext {
    /// The reason to stop now: cancellation or deadline. `None`: continue.
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
    /// Unique among the roots of a server; with several roots it is the first part of every path.
    pub name: String,
    pub path: PathBuf,
}

/// The output of a successful call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// The caller's answer: small, bounded by the tool, opaque to this crate.
    pub answer: Value,
    /// The whole result, for later calls. `None`: too large to keep, or not requested.
    pub whole: Option<Value>,
    /// One line for the session's history.
    pub summary: String,
    /// A digest of all inputs that were read: equal digests mean equal inputs. Empty if nothing was read.
    pub input_digest: String,
}

/// The error of a failed call: a reason from the edge's fixed list, and a message for people.
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[error("{reason}: {message}")]
pub struct ToolError {
    /// A stable identifier in snake_case.
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

/// The total of a call's progress, in percent.
pub const WHOLE: u64 = 100;

/// The progress of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    pub message: String,
}

/// Receives progress. Never blocks: a slow reader misses older reports and gets the newest.
#[derive(Clone, Default)]
pub struct ProgressSink(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl ProgressSink {
    pub fn new(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    /// True if nobody receives progress. Work that only serves progress can be skipped.
    pub fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    /// A sink for one step of a call, whose own 0 to 100 stand for `from` to `to` of [`WHOLE`] here.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Self {
        let Some(report) = self.0.clone() else {
            return Self::default();
        };
        Self::new(move |progress| {
            let part = progress.total.map_or(0, |total| {
                to.saturating_sub(from) * progress.done.min(total) / total.max(1)
            });
            report(Progress {
                done: from + part,
                total: Some(WHOLE),
                message: progress.message,
            });
        })
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

/// An earlier result, unchanged.
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
