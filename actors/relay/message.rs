//! The messages between nodes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ConnectionId, NodeId, Principal, RequestId, ResultId, SessionId};
use crate::sessions::{CallAnswer, CallError, SessionView};
use crate::store::{self, Lineage};
use crate::tool::Progress;

/// Delimits the checksum, which is a message's last field, so that nodes that do not know it ignore it.
const SUM: &str = ",\"sum\":\"";
const END: &str = "\"}";
/// Hexadecimal digits of the checksum.
const DIGITS: usize = 8;

impl Message {
    /// The serialised form.
    pub(crate) fn write(&self) -> serde_json::Result<Vec<u8>> {
        let mut written = serde_json::to_vec(self)?;
        let sum = crc32c::crc32c(&written);
        written.pop();
        written.extend(format!("{SUM}{sum:0DIGITS$x}{END}").bytes());
        Ok(written)
    }

    /// # Errors
    /// It is of another version, or damaged: a changed byte could turn it into another call.
    pub(crate) fn read(written: &[u8]) -> Result<Self, String> {
        if let Some((body, sum)) = summed(written) {
            let found = crc32c::crc32c_append(crc32c::crc32c(body), b"}");
            if format!("{found:0DIGITS$x}").as_bytes() != sum {
                return Err("its checksum does not match".to_owned());
            }
        }
        serde_json::from_slice(written).map_err(|error| error.to_string())
    }
}

/// The bytes covered by the checksum (without the last brace), and the checksum. `None`: there is none.
fn summed(written: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = written.strip_suffix(END.as_bytes())?;
    let (rest, sum) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(SUM.as_bytes())?, sum))
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) from: NodeId,
    /// The trace of the question, as a `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// The number of a question, given by its sender; the answer carries the same.
    pub(crate) number: u64,
    pub(crate) body: Body,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    Question(Question),
    /// The question is being worked on.
    Alive,
    Progress(Progress),
    Answer(Answer),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// Hand the session over, if no call runs in it.
    HandOver { session: SessionId },
    /// Run this call in a session that you own.
    Call(Box<Call>),
    /// The caller of that call has disconnected.
    Cancel { request: RequestId },
    View {
        session: SessionId,
        principal: Principal,
        replayed: bool,
    },
    /// Whether `principal` may read the session; extends its expiry.
    Touch {
        session: SessionId,
        principal: Principal,
    },
    Close {
        session: SessionId,
        principal: Principal,
    },
    /// Cached values are outdated.
    ForgetCache,
    /// The sender is about to repair the session, because its store has an older state than `claim`. A node that owned
    /// the session later stores its own state. Nodes of versions without this question do not answer.
    Repairing { session: SessionId, claim: Claim },
    /// For the node that holds the stream of that connection, or can use the message.
    Post {
        connection: ConnectionId,
        message: Posted,
    },
}

impl Question {
    /// Whether a repeated question has no further effect.
    pub(crate) fn may_be_repeated(&self) -> bool {
        match self {
            // It carries its own request id.
            Self::Call(_)
            | Self::HandOver { .. }
            | Self::View { .. }
            | Self::Touch { .. }
            | Self::Close { .. }
            | Self::Cancel { .. }
            | Self::ForgetCache
            | Self::Repairing { .. } => true,
            Self::Post { .. } => false,
        }
    }
}

/// Opaque content. Most of it is text, which JSON carries without making it longer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Posted {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Posted {
    fn from(message: Vec<u8>) -> Self {
        String::from_utf8(message).map_or_else(|bytes| Self::Bytes(bytes.into_bytes()), Self::Text)
    }
}

impl From<Posted> for Vec<u8> {
    fn from(message: Posted) -> Self {
        match message {
            Posted::Text(text) => text.into_bytes(),
            Posted::Bytes(bytes) => bytes,
        }
    }
}

/// A call as the caller's node got it. Sent again it is the same call, by its request id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) session: SessionId,
    pub(crate) request: RequestId,
    pub(crate) principal: Principal,
    pub(crate) tool: String,
    pub(crate) arguments: Value,
    pub(crate) idempotency_key: Option<String>,
    #[serde(default)]
    pub(crate) pin: Option<ResultId>,
    /// Time left until the deadline, because the clocks of nodes differ.
    pub(crate) left_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    HandOver(HandOver),
    Call(Result<CallAnswer, CallError>),
    View(Box<Result<SessionView, CallError>>),
    Done(Result<(), CallError>),
    /// Whether a recipient there took it.
    Posted(bool),
    /// `None`: the session is not known there.
    Said(Option<Said>),
}

/// [`store::Claim`], with the lineage in its stored form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claim {
    node: NodeId,
    epoch: u64,
    lineage: String,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    claim: Claim,
    shown: Shown,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Stored,
    CannotYet,
    Gone,
}

impl From<&store::Claim> for Claim {
    fn from(claim: &store::Claim) -> Self {
        Self {
            node: claim.node,
            epoch: claim.epoch,
            lineage: claim.lineage.to_string(),
            version: claim.version,
        }
    }
}

/// The answer of another node cannot be parsed.
pub(crate) struct Garbled;

impl TryFrom<Claim> for store::Claim {
    type Error = Garbled;

    fn try_from(claim: Claim) -> Result<Self, Garbled> {
        Ok(Self {
            node: claim.node,
            epoch: claim.epoch,
            lineage: Lineage::parse(&claim.lineage).ok_or(Garbled)?,
            version: claim.version,
        })
    }
}

impl From<store::Said> for Said {
    fn from(said: store::Said) -> Self {
        Self {
            claim: (&said.claim).into(),
            shown: match said.shown {
                store::Shown::Stored => Shown::Stored,
                store::Shown::CannotYet => Shown::CannotYet,
                store::Shown::Gone => Shown::Gone,
            },
        }
    }
}

impl TryFrom<Said> for store::Said {
    type Error = Garbled;

    fn try_from(said: Said) -> Result<Self, Garbled> {
        Ok(Self {
            claim: said.claim.try_into()?,
            shown: match said.shown {
                Shown::Stored => store::Shown::Stored,
                Shown::CannotYet => store::Shown::CannotYet,
                Shown::Gone => store::Shown::Gone,
            },
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandOver {
    /// The session has been released.
    Released,
    /// A call runs in it: send your call to this node.
    Busy,
    /// It could not be released.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_changed_byte_is_refused() {
        let (from, session) = (NodeId::random(), SessionId::random());
        let question = Question::HandOver { session };
        let message = Message {
            trace: None,
            from,
            number: 7,
            body: Body::Question(question),
        };
        let plain = serde_json::to_vec(&message).unwrap();
        let written = message.write().unwrap();
        for bytes in [&plain, &written] {
            let read = Message::read(bytes).unwrap();
            assert_eq!((read.from, read.number), (from, 7), "of any version");
        }
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut damaged = written.clone();
                damaged[at] ^= 1 << bit;
                if let Ok(read) = Message::read(&damaged) {
                    // The change hit the checksum's name, so there is none.
                    assert_eq!(serde_json::to_vec(&read).unwrap(), plain, "{at} {bit}");
                }
            }
        }
    }
}
