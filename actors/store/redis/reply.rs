//! Parses the answers of the scripts.

use redis::{RedisResult, Value};

use super::link::unavailable;
use crate::ids::{CommitId, NodeId, Principal, SessionId};
use crate::store::{Row, StoreError};

/// Length of a quarantine reason. Any client with write access may have stored it, and callers are shown it.
const REASON_MAX: usize = 1024;

/// The values after `ok`, in order.
pub(super) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    /// Parses an answer. Converts a script's refusal or a server error.
    pub(super) fn read(answer: RedisResult<Value>) -> Result<Self, StoreError> {
        let answer = answer.map_err(|error| match error.code() {
            Some("WRONGTYPE") => StoreError::Corrupt("a part of it has a wrong type".to_owned()),
            Some("OOM") => StoreError::Unavailable("it has no memory left (maxmemory)".to_owned()),
            Some(_) | None => unavailable(&error),
        })?;
        let Value::Array(parts) = answer else {
            return Err(strange());
        };
        let mut reply = Self(parts.into_iter());
        let word = reply.text()?;
        match word.as_str() {
            "ok" => Ok(reply),
            "missing" => Err(StoreError::Missing),
            "deleted" => Err(StoreError::Deleted),
            "expired" => Err(StoreError::Expired(reply.principal()?)),
            "fenced" => Err(StoreError::Fenced),
            "overtaken" => Err(StoreError::Overtaken {
                from: reply.number()?,
            }),
            "lapsed" => Err(StoreError::Lapsed),
            "limit" => Err(StoreError::Limit("entries in one part of the store")),
            "quarantined" => Err(StoreError::Quarantined {
                principal: reply.principal()?,
                reason: reply.reason()?,
            }),
            "held" => Err(StoreError::Held {
                node: reply.node()?.ok_or_else(strange)?,
                left_ms: reply.number()?,
            }),
            "regressed" => Err(StoreError::Regressed {
                stored: reply.number()?,
                // The caller fills this in.
                expected: 0,
            }),
            "corrupt" => {
                let _principal = reply.text()?;
                Err(StoreError::Corrupt(reply.text()?))
            }
            _ => Err(strange()),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.0.next() {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            Some(Value::SimpleString(text)) => Ok(text.into_bytes()),
            Some(Value::Int(number)) => Ok(number.to_string().into_bytes()),
            _ => Err(strange()),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        // This program stores text, but another client may have stored other bytes.
        self.bytes()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn reason(&mut self) -> Result<String, StoreError> {
        let bytes = self.bytes()?;
        let told = &bytes[..bytes.len().min(REASON_MAX)];
        // The limit may cut a character in half.
        Ok(String::from_utf8_lossy(told).into_owned())
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        self.text()?.parse().map_err(|_| strange())
    }

    pub(super) fn list(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        let Some(Value::Array(items)) = self.0.next() else {
            return Err(strange());
        };
        let mut items = Self(items.into_iter());
        (0..items.0.len()).map(|_| items.bytes()).collect()
    }

    pub(super) fn principal(&mut self) -> Result<Principal, StoreError> {
        self.text().map(Principal::named)
    }

    /// `None`: no node.
    pub(super) fn node(&mut self) -> Result<Option<NodeId>, StoreError> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        NodeId::parse(&text)
            .map(Some)
            .map_err(|_| StoreError::Corrupt(format!("its node id is invalid: {}", shown(&text))))
    }

    pub(super) fn commit(&mut self) -> Result<Option<CommitId>, StoreError> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        CommitId::parse(&text).map(Some).map_err(|_| {
            StoreError::Corrupt(format!(
                "the id of its last commit is invalid: {}",
                shown(&text)
            ))
        })
    }
}

/// The beginning of a damaged text: two answers that were damaged differently must not read alike.
fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    let shown: String = text.chars().take(SHOWN).collect();
    format!("{shown:?}")
}

/// No stored value makes a script answer like this: the answer was damaged on the way, and says nothing about a
/// session.
pub(super) fn strange() -> StoreError {
    StoreError::Unavailable("its answer arrived damaged".to_owned())
}

/// The first words of script answers.
const WORDS: [&[u8]; 12] = [
    b"ok",
    b"missing",
    b"deleted",
    b"expired",
    b"fenced",
    b"overtaken",
    b"lapsed",
    b"limit",
    b"quarantined",
    b"held",
    b"regressed",
    b"corrupt",
];

/// Whether an answer has the form of a script's answer.
pub(super) fn is_whole(answer: &RedisResult<Value>) -> bool {
    let Ok(Value::Array(parts)) = answer else {
        // Every server error begins with a word in capitals.
        let code = answer.as_ref().err().and_then(redis::RedisError::code);
        return code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_uppercase()));
    };
    let plain =
        |part: &Value| matches!(part, Value::BulkString(_) | Value::Int(_) | Value::Array(_));
    let begins =
        matches!(parts.first(), Some(Value::BulkString(word)) if WORDS.contains(&word.as_slice()));
    begins && parts.iter().all(plain)
}

/// The number in an answer that is one number or begins with one.
pub(super) fn first_number(answers: &[Value]) -> Option<i64> {
    let first = answers.first()?;
    if let Value::Array(parts) = first {
        return first_number(parts);
    }
    redis::from_redis_value(first.clone()).ok()
}

/// Parses a session's list row. The script returns the remaining time, because its clock may differ from this node's.
pub(super) fn row(id: SessionId, reply: &mut Reply, now_ms: u64) -> Result<Row, StoreError> {
    let (principal, label) = (reply.principal()?, reply.text()?);
    let (created_ms, left_ms) = (reply.number()?, reply.number()?);
    let expires_ms = now_ms.saturating_add(left_ms);
    let (quarantined, reason) = (reply.number()? == 1, reply.reason()?);
    Ok(Row {
        id,
        principal,
        label: Some(label).filter(|label| !label.is_empty()),
        created_ms,
        expires_ms,
        closed: false,
        quarantine: quarantined.then_some(reason),
        node: reply.node()?,
    })
}
