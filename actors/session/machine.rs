//! The tool state machine of one session, pure: no clock, no randomness, no I/O.
//!
//! Each call goes `idle → tool_selected → parameters_set → executing → succeeded | failed | cancelled`.
//! [`Machine::decide`] takes an [`Event`] and returns the changes ([`Delta`]) and actions ([`Effect`]), or refuses with
//! a reason. [`Machine::apply`] applies a change. Nothing else changes a machine, and recovery folds stored deltas with
//! the same `apply`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use telemetry::Trace;

use crate::ids::{Principal, RequestId, ResultId};
use crate::tool::{InputKey, Root};

mod aged;
mod apply;
mod bounds;
mod cut_off;
mod decide;
mod event;
mod pinned;

pub(crate) use aged::Aged;
pub(crate) use event::{Decision, Delta, Effect, Event, Finished, Rejected, Requested};

/// Earlier results of the same tool and path that an answer refers to.
const RELATED: usize = 5;

/// Failures that say nothing about the request itself.
const CUT_SHORT: [&str; 5] = [
    "interrupted",
    "cancelled",
    "deadline_exceeded",
    "tool_panicked",
    "busy",
];

/// The state of a session. Cheap to clone, because large parts are shared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machine {
    pub(crate) principal: Principal,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) roots: Arc<[Root]>,
    pub(crate) created_ms: u64,
    pub(crate) ttl_ms: u64,
    pub(crate) closed: bool,
    /// Calls that have not ended.
    pub(crate) calls: BTreeMap<RequestId, Arc<Call>>,
    /// Ended calls, oldest first. Their answers are kept.
    pub(crate) ended: VecDeque<Arc<Ended>>,
    /// Results of calls before those, oldest first. They can be read and compared, but no request is answered from
    /// them.
    pub(crate) aged: Arc<VecDeque<Aged>>,
    /// Results dropped last; the least recently used one first.
    pub(crate) pinned: VecDeque<ResultId>,
    /// Idempotency keys, oldest first.
    pub(crate) keys: VecDeque<Arc<Key>>,
    /// Whole results that are kept, with their sizes in bytes, oldest first.
    pub(crate) wholes: VecDeque<(ResultId, u64)>,
    pub(crate) notices: VecDeque<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) tool: Arc<str>,
    pub(crate) idempotent: bool,
    pub(crate) state: CallState,
    pub(crate) trace: Option<Trace>,
    pub(crate) since_ms: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallState {
    ToolSelected,
    ParametersSet {
        arguments: Arc<Value>,
    },
    Executing {
        arguments: Arc<Value>,
        attempt: u32,
        suspects: Suspects,
    },
}

/// Inputs that may have crashed the nodes on which earlier attempts of a call ran.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Suspects {
    /// Inputs being worked on when an attempt was interrupted. Later attempts skip them.
    pub(crate) left_out: Vec<InputKey>,
    /// The input that the tool works on now.
    pub(crate) at_work: Option<InputKey>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) request: RequestId,
    pub(crate) tool: Arc<str>,
    /// As given; only their size if they are larger than [`Limits::history_arguments_bytes`].
    pub(crate) arguments: Arc<Value>,
    pub(crate) attempt: u32,
    pub(crate) at_ms: u64,
    pub(crate) end: End,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Succeeded {
        result: ResultId,
        summary: Arc<str>,
        input_digest: Arc<str>,
    },
    Failed {
        reason: Arc<str>,
        message: Arc<str>,
        retry_after_ms: Option<u64>,
    },
    Cancelled,
}

/// An idempotency key and the call that used it first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) key: Arc<str>,
    pub(crate) tool: Arc<str>,
    /// Digest of the arguments.
    pub(crate) digest: [u8; 32],
    pub(crate) request: RequestId,
    /// `None` while it runs.
    pub(crate) ended: Option<Arc<Ended>>,
}

impl Machine {
    pub(crate) fn new(
        principal: Principal,
        label: Option<Arc<str>>,
        roots: Arc<[Root]>,
        created_ms: u64,
        ttl_ms: u64,
    ) -> Self {
        Self {
            principal,
            label,
            roots,
            created_ms,
            ttl_ms,
            closed: false,
            calls: BTreeMap::new(),
            ended: VecDeque::new(),
            aged: Arc::default(),
            pinned: VecDeque::new(),
            keys: VecDeque::new(),
            wholes: VecDeque::new(),
            notices: VecDeque::new(),
        }
    }

    pub(crate) fn state_of(&self, request: RequestId) -> &'static str {
        if let Some(call) = self.calls.get(&request) {
            return call.state.name();
        }
        self.find_ended(request)
            .map_or("idle", |ended| ended.end.name())
    }

    pub(crate) fn find_ended(&self, request: RequestId) -> Option<&Arc<Ended>> {
        let by_key = || {
            self.keys
                .iter()
                .filter_map(|key| key.ended.as_ref())
                .find(|ended| ended.request == request)
        };
        self.ended
            .iter()
            .rev()
            .find(|ended| ended.request == request)
            .or_else(by_key)
    }

    /// The call that produced `result`.
    pub(crate) fn find_result(&self, result: ResultId) -> Option<&Arc<Ended>> {
        self.results()
            .chain(self.keyed())
            .find(|ended| ended.end.result() == Some(result))
    }

    /// Whether the answer with that result is kept.
    #[cfg(test)]
    pub(crate) fn keeps_answer(&self, result: ResultId) -> bool {
        let mut answered = self.ended.iter().chain(self.keyed());
        answered.any(|ended| ended.end.result() == Some(result))
    }

    /// Ended calls, newest first. Older calls are included only if they have a result.
    pub(crate) fn results(&self) -> impl Iterator<Item = &Arc<Ended>> {
        let aged = self.aged.iter().rev().map(|aged| &aged.ended);
        self.ended.iter().rev().chain(aged)
    }

    fn keyed(&self) -> impl Iterator<Item = &Arc<Ended>> {
        self.keys.iter().filter_map(|key| key.ended.as_ref())
    }

    pub(crate) fn keeps_whole(&self, result: ResultId) -> bool {
        self.wholes.iter().any(|(id, _)| *id == result)
    }

    /// Earlier results of the same tool over the same path, newest first.
    pub(crate) fn related(&self, of: &Ended) -> Vec<ResultId> {
        let same = |other: &&Arc<Ended>| {
            other.request != of.request
                && other.tool == of.tool
                && other.arguments.get("path") == of.arguments.get("path")
        };
        self.results()
            .filter(same)
            .filter_map(|ended| ended.end.result())
            .take(RELATED)
            .collect()
    }
}

impl CallState {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ToolSelected => "tool_selected",
            Self::ParametersSet { .. } => "parameters_set",
            Self::Executing { .. } => "executing",
        }
    }

    pub(crate) fn arguments(&self) -> Option<&Arc<Value>> {
        match self {
            Self::ToolSelected => None,
            Self::ParametersSet { arguments } | Self::Executing { arguments, .. } => {
                Some(arguments)
            }
        }
    }

    pub(crate) fn attempt(&self) -> u32 {
        match self {
            Self::Executing { attempt, .. } => *attempt,
            Self::ToolSelected | Self::ParametersSet { .. } => 0,
        }
    }
}

impl End {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// False if the call was cut short: its idempotency key is free again, because the caller is expected to retry.
    pub(crate) fn is_an_answer(&self) -> bool {
        match self {
            Self::Succeeded { .. } => true,
            Self::Failed { reason, .. } => !CUT_SHORT.contains(&reason.as_ref()),
            Self::Cancelled => false,
        }
    }

    pub(crate) fn result(&self) -> Option<ResultId> {
        match self {
            Self::Succeeded { result, .. } => Some(*result),
            Self::Failed { .. } | Self::Cancelled => None,
        }
    }
}

#[cfg(test)]
#[path = "machine/tests.rs"]
pub(crate) mod tests;
