//! The events, changes and effects of a machine.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telemetry::Trace;
use thiserror::Error;

use super::{Ended, Suspects};
use crate::ids::{RequestId, ResultId};
use crate::store::{Lost, Part};
use crate::tool::InputKey;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// Select, set and execute in one step.
    CallRequested {
        request: RequestId,
        call: Requested,
        at_ms: u64,
    },
    ToolSelected {
        request: RequestId,
        tool: Arc<str>,
        idempotent: bool,
        trace: Option<Trace>,
        at_ms: u64,
    },
    ParametersSet {
        request: RequestId,
        arguments: Arc<Value>,
        bytes: usize,
        at_ms: u64,
    },
    ExecutionRequested {
        request: RequestId,
        at_ms: u64,
    },
    ToolFinished {
        request: RequestId,
        finished: Finished,
        at_ms: u64,
    },
    ToolFailed {
        request: RequestId,
        reason: Arc<str>,
        message: Arc<str>,
        retry_after: Option<Duration>,
        at_ms: u64,
    },
    /// The tool begins to work on this input, or has finished the last one that it noted.
    InputNoted {
        request: RequestId,
        at_work: Option<InputKey>,
    },
    CancelRequested {
        request: RequestId,
        at_ms: u64,
    },
    /// The session was loaded again; `live` are the calls whose jobs are still in the pool's table.
    Recovered {
        live: BTreeSet<RequestId>,
        at_ms: u64,
    },
    Noticed {
        text: Arc<str>,
    },
    /// Acknowledged changes are lost; `text` is the notice about `lost`.
    LossFound {
        text: Arc<str>,
        lost: Lost,
    },
    /// The store had no room for these whole results.
    WholesDeclined {
        results: Vec<ResultId>,
    },
    CloseRequested {
        at_ms: u64,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Requested {
    pub(crate) tool: Arc<str>,
    pub(crate) idempotent: bool,
    pub(crate) arguments: Arc<Value>,
    /// Size as JSON.
    pub(crate) bytes: usize,
    pub(crate) key: Option<(Arc<str>, [u8; 32])>,
    /// A result of this session to keep longer than others from now on.
    pub(crate) pin: Option<ResultId>,
    /// The trace of the call. A node that runs the call again continues this trace.
    pub(crate) trace: Option<Trace>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    pub(crate) result: ResultId,
    pub(crate) summary: Arc<str>,
    pub(crate) input_digest: Arc<str>,
    /// Size of the whole result, if there is one.
    pub(crate) whole_bytes: Option<u64>,
}

/// One change, as it is committed and folded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Delta {
    ToolSelected {
        request: RequestId,
        tool: Arc<str>,
        idempotent: bool,
        trace: Option<Trace>,
        at_ms: u64,
    },
    ParametersSet {
        request: RequestId,
        arguments: Arc<Value>,
        at_ms: u64,
    },
    /// Repeated with the same attempt number when the tool works on another input. Versions without suspects read it as
    /// before.
    ExecutionStarted {
        request: RequestId,
        attempt: u32,
        at_ms: u64,
        suspects: Suspects,
    },
    KeyUsed {
        key: Arc<str>,
        tool: Arc<str>,
        digest: [u8; 32],
        request: RequestId,
    },
    Ended(Arc<Ended>),
    WholeKept {
        result: ResultId,
        bytes: u64,
    },
    WholesDropped {
        results: Vec<ResultId>,
    },
    HistoryTrimmed {
        ended: usize,
        keys: usize,
    },
    /// The answers of the oldest `ended` calls are dropped. Their results stay, except the `forgotten` ones.
    Aged {
        ended: usize,
        forgotten: Vec<ResultId>,
    },
    /// This result is dropped last from now on; the `released` ones lose that protection.
    Pinned {
        result: ResultId,
        released: Vec<ResultId>,
    },
    Noticed {
        text: Arc<str>,
        trimmed: usize,
    },
    Closed,
}

/// An action. `Run` of an idempotent tool and `StopJob` may happen at once; all others wait until the deltas of the
/// same decision are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Run {
        request: RequestId,
        attempt: u32,
    },
    /// Its job is still running, waiting, or has its outcome: take over its reports.
    Adopt {
        request: RequestId,
    },
    StopJob {
        request: RequestId,
    },
    /// The tool that waits for its note to be stored continues.
    Noted {
        request: RequestId,
    },
    /// Answers the callers of `request` from the history.
    Answer {
        request: RequestId,
    },
    /// `asker` waits for another running call with the same key.
    Await {
        asker: RequestId,
        running: RequestId,
    },
    /// `asker` gets the answer of `original`.
    Replay {
        asker: RequestId,
        original: RequestId,
    },
    /// The notice about these losses is stored, so the store need not report them again.
    LossTold {
        lost: Lost,
    },
    /// Parts of results that are no longer referenced: deleted with the same commit.
    Forget {
        result: ResultId,
        part: Part,
    },
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Decision {
    pub(crate) deltas: Vec<Delta>,
    pub(crate) effects: Vec<Effect>,
}

/// Why an event was refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Rejected {
    #[error("the session is closed")]
    Closed,
    #[error("{limit} calls are running in this session already")]
    TooManyCalls { limit: usize },
    #[error("arguments of {bytes} bytes are over the limit of {limit}")]
    ArgumentsTooLarge { bytes: usize, limit: usize },
    #[error("the idempotency key was used with another tool or other arguments")]
    KeyReused,
    #[error("a call that is {state} cannot be {wanted}")]
    OutOfOrder {
        state: &'static str,
        wanted: &'static str,
    },
    #[error("no such call is running")]
    NotRunning,
}

impl Delta {
    pub(super) fn dropped_wholes(&self) -> Option<&Vec<ResultId>> {
        if let Self::WholesDropped { results } = self {
            Some(results)
        } else {
            None
        }
    }
}
