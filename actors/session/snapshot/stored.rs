//! The stored types of a session, and their conversion to the machine's.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SCHEMA;
use crate::ids::{Principal, RequestId, ResultId};
use crate::session::machine::{Aged, Call, CallState, End, Ended, Key, Machine, Suspects};
use crate::tool::{InputKey, Root};

/// A whole session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSession {
    pub(super) schema: u32,
    pub(super) principal: Principal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<Arc<str>>,
    pub(super) roots: Vec<StoredRoot>,
    pub(super) created_ms: u64,
    pub(super) ttl_ms: u64,
    #[serde(default)]
    pub(super) closed: bool,
    #[serde(default)]
    pub(super) calls: BTreeMap<RequestId, StoredCall>,
    #[serde(default)]
    pub(super) ended: Vec<StoredEnded>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aged: Vec<StoredEnded>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pinned: Vec<ResultId>,
    #[serde(default)]
    pub(super) keys: Vec<StoredKey>,
    #[serde(default)]
    pub(super) wholes: Vec<(ResultId, u64)>,
    #[serde(default)]
    pub(super) notices: Vec<Arc<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredRoot {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCall {
    pub(super) tool: Arc<str>,
    pub(super) idempotent: bool,
    pub(super) state: StoredState,
    /// A `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
    pub(super) since_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredState {
    ToolSelected,
    ParametersSet {
        arguments: Arc<Value>,
    },
    Executing {
        arguments: Arc<Value>,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<StoredDigest>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_work: Option<StoredDigest>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredEnded {
    pub(super) request: RequestId,
    pub(super) tool: Arc<str>,
    pub(super) arguments: Arc<Value>,
    pub(super) attempt: u32,
    pub(super) at_ms: u64,
    pub(super) end: StoredEnd,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredEnd {
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

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredKey {
    pub(super) key: Arc<str>,
    pub(super) tool: Arc<str>,
    pub(super) digest: StoredDigest,
    pub(super) request: RequestId,
    pub(super) ended: Option<StoredEnded>,
}

/// 32 bytes, as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredDigest(pub(super) [u8; 32]);

impl From<[u8; 32]> for StoredDigest {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl Serialize for StoredDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for StoredDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let digest = blake3::Hash::from_hex(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(*digest.as_bytes()))
    }
}

impl From<&Machine> for StoredSession {
    fn from(machine: &Machine) -> Self {
        let root = |root: &Root| StoredRoot {
            name: root.name.clone(),
            path: root.path.clone(),
        };
        Self {
            schema: SCHEMA,
            principal: machine.principal.clone(),
            label: machine.label.clone(),
            roots: machine.roots.iter().map(root).collect(),
            created_ms: machine.created_ms,
            ttl_ms: machine.ttl_ms,
            closed: machine.closed,
            calls: machine
                .calls
                .iter()
                .map(|(id, call)| (*id, call.as_ref().into()))
                .collect(),
            ended: machine
                .ended
                .iter()
                .map(|ended| ended.as_ref().into())
                .collect(),
            aged: (machine.aged.iter())
                .map(|aged| aged.ended.as_ref().into())
                .collect(),
            pinned: machine.pinned.iter().copied().collect(),
            keys: machine.keys.iter().map(|key| key.as_ref().into()).collect(),
            wholes: machine.wholes.iter().copied().collect(),
            notices: machine.notices.iter().cloned().collect(),
        }
    }
}

impl From<StoredSession> for Machine {
    fn from(stored: StoredSession) -> Self {
        let ended: VecDeque<Arc<Ended>> = stored
            .ended
            .into_iter()
            .map(|ended| Arc::new(ended.into()))
            .collect();
        Self {
            principal: stored.principal,
            label: stored.label,
            roots: stored
                .roots
                .into_iter()
                .map(|root| Root {
                    name: root.name,
                    path: root.path,
                })
                .collect(),
            created_ms: stored.created_ms,
            ttl_ms: stored.ttl_ms,
            closed: stored.closed,
            calls: stored
                .calls
                .into_iter()
                .map(|(id, call)| (id, Arc::new(call.into())))
                .collect(),
            keys: stored
                .keys
                .into_iter()
                .map(|key| Arc::new(key.into()))
                .collect(),
            ended,
            aged: Arc::new(
                (stored.aged.into_iter())
                    .map(|ended| Aged::of(Arc::new(ended.into())))
                    .collect(),
            ),
            pinned: stored.pinned.into(),
            wholes: stored.wholes.into_iter().collect(),
            notices: stored.notices.into_iter().collect(),
        }
    }
}

/// The stored form of `left_out` and `at_work`.
pub(super) fn to_stored(suspects: &Suspects) -> (Vec<StoredDigest>, Option<StoredDigest>) {
    let digest = |input: &InputKey| StoredDigest(input.0);
    let left_out = suspects.left_out.iter().map(digest).collect();
    (left_out, suspects.at_work.as_ref().map(digest))
}

pub(super) fn from_stored(left_out: Vec<StoredDigest>, at_work: Option<StoredDigest>) -> Suspects {
    let input = |digest: StoredDigest| InputKey(digest.0);
    Suspects {
        left_out: left_out.into_iter().map(input).collect(),
        at_work: at_work.map(input),
    }
}

impl From<&Call> for StoredCall {
    fn from(call: &Call) -> Self {
        let state = match call.state.clone() {
            CallState::ToolSelected => StoredState::ToolSelected,
            CallState::ParametersSet { arguments } => StoredState::ParametersSet { arguments },
            CallState::Executing {
                arguments,
                attempt,
                suspects,
            } => {
                let (left_out, at_work) = to_stored(&suspects);
                StoredState::Executing {
                    arguments,
                    attempt,
                    left_out,
                    at_work,
                }
            }
        };
        Self {
            tool: Arc::clone(&call.tool),
            idempotent: call.idempotent,
            state,
            trace: call.trace.map(|trace| trace.to_string()),
            since_ms: call.since_ms,
        }
    }
}

impl From<StoredCall> for Call {
    fn from(stored: StoredCall) -> Self {
        let state = match stored.state {
            StoredState::ToolSelected => CallState::ToolSelected,
            StoredState::ParametersSet { arguments } => CallState::ParametersSet { arguments },
            StoredState::Executing {
                arguments,
                attempt,
                left_out,
                at_work,
            } => CallState::Executing {
                arguments,
                attempt,
                suspects: from_stored(left_out, at_work),
            },
        };
        Self {
            tool: stored.tool,
            idempotent: stored.idempotent,
            state,
            // A trace that cannot be read costs the trace, not the call.
            trace: stored.trace.and_then(|trace| trace.parse().ok()),
            since_ms: stored.since_ms,
        }
    }
}

impl From<&Ended> for StoredEnded {
    fn from(ended: &Ended) -> Self {
        let end = match ended.end.clone() {
            End::Succeeded {
                result,
                summary,
                input_digest,
            } => StoredEnd::Succeeded {
                result,
                summary,
                input_digest,
            },
            End::Failed {
                reason,
                message,
                retry_after_ms,
            } => StoredEnd::Failed {
                reason,
                message,
                retry_after_ms,
            },
            End::Cancelled => StoredEnd::Cancelled,
        };
        let (tool, arguments) = (Arc::clone(&ended.tool), Arc::clone(&ended.arguments));
        Self {
            request: ended.request,
            tool,
            arguments,
            attempt: ended.attempt,
            at_ms: ended.at_ms,
            end,
        }
    }
}

impl From<StoredEnded> for Ended {
    fn from(stored: StoredEnded) -> Self {
        let end = match stored.end {
            StoredEnd::Succeeded {
                result,
                summary,
                input_digest,
            } => End::Succeeded {
                result,
                summary,
                input_digest,
            },
            StoredEnd::Failed {
                reason,
                message,
                retry_after_ms,
            } => End::Failed {
                reason,
                message,
                retry_after_ms,
            },
            StoredEnd::Cancelled => End::Cancelled,
        };
        let StoredEnded {
            request,
            tool,
            arguments,
            attempt,
            at_ms,
            ..
        } = stored;
        Self {
            request,
            tool,
            arguments,
            attempt,
            at_ms,
            end,
        }
    }
}

impl From<&Key> for StoredKey {
    fn from(key: &Key) -> Self {
        let ended = key.ended.as_ref().map(|ended| ended.as_ref().into());
        Self {
            key: Arc::clone(&key.key),
            tool: Arc::clone(&key.tool),
            digest: key.digest.into(),
            request: key.request,
            ended,
        }
    }
}

impl From<StoredKey> for Key {
    fn from(stored: StoredKey) -> Self {
        let StoredKey {
            key,
            tool,
            digest,
            request,
            ended,
        } = stored;
        Self {
            key,
            tool,
            digest: digest.0,
            request,
            ended: ended.map(|ended| Arc::new(ended.into())),
        }
    }
}
