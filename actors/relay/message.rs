//! What nodes say to each other.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ConnectionId, NodeId, Principal, RequestId, ResultId, SessionId};
use crate::sessions::{CallAnswer, CallError, SessionView};
use crate::store::{self, Lineage};
use crate::tool::Progress;

/// Before and after the checksum of a message, which is its last field: nodes that do not know it read over it.
const SUM: &str = ",\"sum\":\"";
const END: &str = "\"}";
/// Hexadecimal digits of the checksum.
const DIGITS: usize = 8;

impl Message {
    /// As it is sent.
    pub(crate) fn write(&self) -> serde_json::Result<Vec<u8>> {
        let mut written = serde_json::to_vec(self)?;
        let sum = crc32c::crc32c(&written);
        written.pop();
        written.extend(format!("{SUM}{sum:0DIGITS$x}{END}").bytes());
        Ok(written)
    }

    /// # Errors
    /// It is of another version, or damaged: a changed byte could make it another call.
    pub(crate) fn read(written: &[u8]) -> Result<Self, String> {
        if let Some((body, sum)) = summed(written) {
            let found = crc32c::crc32c_append(crc32c::crc32c(body), b"}");
            if format!("{found:0DIGITS$x}").as_bytes() != sum {
                return Err("its checksum is another".to_owned());
            }
        }
        serde_json::from_slice(written).map_err(|error| error.to_string())
    }
}

/// What the checksum stands for, without the last brace, and the checksum. `None`: it has none.
fn summed(written: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = written.strip_suffix(END.as_bytes())?;
    let (rest, sum) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(SUM.as_bytes())?, sum))
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) from: NodeId,
    /// Of a question, by its asker: what is said about it carries the same.
    pub(crate) number: u64,
    pub(crate) body: Body,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    Question(Question),
    /// It is being worked on.
    Alive,
    Progress(Progress),
    Answer(Answer),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// Give the session up, if nothing runs in it.
    HandOver { session: SessionId },
    /// Run this call in a session that you hold.
    Call(Box<Call>),
    /// Whoever asked for that call has left.
    Cancel { request: RequestId },
    View {
        session: SessionId,
        principal: Principal,
        replayed: bool,
    },
    /// Whether `principal` may read in the session; puts its end off.
    Touch {
        session: SessionId,
        principal: Principal,
    },
    Close {
        session: SessionId,
        principal: Principal,
    },
    /// Cached values are out of date.
    ForgetCache,
    /// The sender is about to repair the session, which its store has in an older state than `claim` says. A node that
    /// had it later lays down what it has. Nodes before this question do not answer it.
    Repairing { session: SessionId, claim: Claim },
    /// For whoever holds the stream of that connection, or can use what is said.
    Post {
        connection: ConnectionId,
        message: Posted,
    },
}

impl Question {
    /// Whether a node that is asked twice does no more than one that is asked once.
    pub(crate) fn may_be_repeated(&self) -> bool {
        match self {
            // Under its own request id.
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

/// What is posted is opaque. Most of it is text, which JSON carries without making it longer.
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

/// A call, as its caller's node got it. Asked again, it is the same call: its request id says so.
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
    /// Until its deadline: clocks of nodes differ.
    pub(crate) left_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    HandOver(HandOver),
    Call(Result<CallAnswer, CallError>),
    View(Box<Result<SessionView, CallError>>),
    Done(Result<(), CallError>),
    /// Whether somebody there took it.
    Posted(bool),
    /// `None`: the session is not known there.
    Said(Option<Said>),
}

/// [`store::Claim`], with the lineage as the store writes it.
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

/// What another node says cannot be read.
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
    /// It is free.
    Released,
    /// Something runs in it: send your call here.
    Busy,
    /// It could not be given up.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_makes_no_other_message() {
        let (from, session) = (NodeId::random(), SessionId::random());
        let question = Question::HandOver { session };
        let message = Message {
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
                    // In the checksum's own name: then there is none.
                    assert_eq!(serde_json::to_vec(&read).unwrap(), plain, "{at} {bit}");
                }
            }
        }
    }
}
