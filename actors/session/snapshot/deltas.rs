//! The stored types of a change, and their conversion to the machine's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stored::{StoredDigest, StoredEnded, from_stored, to_stored};
use crate::ids::{RequestId, ResultId};
use crate::session::machine::Delta;

/// The changes of one commit.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredDeltas {
    pub(super) schema: u32,
    pub(super) deltas: Vec<StoredDelta>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredDelta {
    ToolSelected {
        request: RequestId,
        tool: Arc<str>,
        idempotent: bool,
        /// A `traceparent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
        at_ms: u64,
    },
    ParametersSet {
        request: RequestId,
        arguments: Arc<Value>,
        at_ms: u64,
    },
    ExecutionStarted {
        request: RequestId,
        attempt: u32,
        at_ms: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<StoredDigest>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_work: Option<StoredDigest>,
    },
    KeyUsed {
        key: Arc<str>,
        tool: Arc<str>,
        digest: StoredDigest,
        request: RequestId,
    },
    Ended(StoredEnded),
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
    Aged {
        ended: usize,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        forgotten: Vec<ResultId>,
    },
    Pinned {
        result: ResultId,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        released: Vec<ResultId>,
    },
    Noticed {
        text: Arc<str>,
        trimmed: usize,
    },
    Closed,
}

impl From<&Delta> for StoredDelta {
    fn from(delta: &Delta) -> Self {
        match delta.clone() {
            Delta::ToolSelected {
                request,
                tool,
                idempotent,
                trace,
                at_ms,
            } => Self::ToolSelected {
                request,
                tool,
                idempotent,
                trace: trace.map(|trace| trace.to_string()),
                at_ms,
            },
            Delta::ParametersSet {
                request,
                arguments,
                at_ms,
            } => Self::ParametersSet {
                request,
                arguments,
                at_ms,
            },
            Delta::ExecutionStarted {
                request,
                attempt,
                at_ms,
                suspects,
            } => {
                let (left_out, at_work) = to_stored(&suspects);
                Self::ExecutionStarted {
                    request,
                    attempt,
                    at_ms,
                    left_out,
                    at_work,
                }
            }
            Delta::KeyUsed {
                key,
                tool,
                digest,
                request,
            } => Self::KeyUsed {
                key,
                tool,
                digest: digest.into(),
                request,
            },
            Delta::Ended(ended) => Self::Ended(ended.as_ref().into()),
            Delta::WholeKept { result, bytes } => Self::WholeKept { result, bytes },
            Delta::WholesDropped { results } => Self::WholesDropped { results },
            Delta::HistoryTrimmed { ended, keys } => Self::HistoryTrimmed { ended, keys },
            Delta::Aged { ended, forgotten } => Self::Aged { ended, forgotten },
            Delta::Pinned { result, released } => Self::Pinned { result, released },
            Delta::Noticed { text, trimmed } => Self::Noticed { text, trimmed },
            Delta::Closed => Self::Closed,
        }
    }
}

impl From<StoredDelta> for Delta {
    fn from(stored: StoredDelta) -> Self {
        match stored {
            StoredDelta::ToolSelected {
                request,
                tool,
                idempotent,
                trace,
                at_ms,
            } => Self::ToolSelected {
                request,
                tool,
                idempotent,
                // A trace that cannot be read costs the trace, not the call.
                trace: trace.and_then(|trace| trace.parse().ok()),
                at_ms,
            },
            StoredDelta::ParametersSet {
                request,
                arguments,
                at_ms,
            } => Self::ParametersSet {
                request,
                arguments,
                at_ms,
            },
            StoredDelta::ExecutionStarted {
                request,
                attempt,
                at_ms,
                left_out,
                at_work,
            } => Self::ExecutionStarted {
                request,
                attempt,
                at_ms,
                suspects: from_stored(left_out, at_work),
            },
            StoredDelta::KeyUsed {
                key,
                tool,
                digest,
                request,
            } => Self::KeyUsed {
                key,
                tool,
                digest: digest.0,
                request,
            },
            StoredDelta::Ended(ended) => Self::Ended(Arc::new(ended.into())),
            StoredDelta::WholeKept { result, bytes } => Self::WholeKept { result, bytes },
            StoredDelta::WholesDropped { results } => Self::WholesDropped { results },
            StoredDelta::HistoryTrimmed { ended, keys } => Self::HistoryTrimmed { ended, keys },
            StoredDelta::Aged { ended, forgotten } => Self::Aged { ended, forgotten },
            StoredDelta::Pinned { result, released } => Self::Pinned { result, released },
            StoredDelta::Noticed { text, trimmed } => Self::Noticed { text, trimmed },
            StoredDelta::Closed => Self::Closed,
        }
    }
}
