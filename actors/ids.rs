//! The names of things, parsed once at the edge. Nobody below the edge sees a bare string.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest id that is looked at; anything longer is no id of ours.
const MAX_ID_LEN: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a valid {what}: expected `{prefix}` followed by 32 lower-case hexadecimal digits")]
pub struct InvalidId {
    pub what: &'static str,
    pub prefix: &'static str,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u128);

        impl $name {
            /// 128 bits from the operating system: not to be guessed.
            pub fn random() -> Self {
                Self(random_u128())
            }

            pub const fn from_u128(bits: u128) -> Self {
                Self(bits)
            }

            pub const fn as_u128(self) -> u128 {
                self.0
            }

            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { what: $what, prefix: $prefix };
                if text.len() > MAX_ID_LEN {
                    return Err(invalid);
                }
                let digits = text.strip_prefix($prefix).ok_or(invalid.clone())?;
                let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if digits.len() != 32 || !digits.bytes().all(is_hex) {
                    return Err(invalid);
                }
                u128::from_str_radix(digits, 16).map(Self).map_err(|_| invalid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:032x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// A session: minted by the server, a handle that clients pass back.
    SessionId, "session id", "ses_"
);
hex_id!(
    /// One call, whatever becomes of the actor that runs it: every retry carries the same one.
    RequestId, "request id", "req_"
);
hex_id!(
    /// One stored result of a session.
    ResultId, "result id", "res_"
);
hex_id!(
    /// One attempt to change a stored session; a commit of unknown fate is looked up by it.
    CommitId, "commit id", "cmt_"
);
hex_id!(
    /// One start of one node.
    NodeId, "node id", "node_"
);
hex_id!(
    /// A transport session of an old revision of the protocol: minted by the server, sent along by its client.
    ConnectionId, "connection id", "con_"
);
hex_id!(
    /// One stream of events within a connection. Its text is the digits alone: it travels in the ids of events.
    StreamId, "stream id", ""
);

/// Who calls. Sessions, results and lists belong to one principal each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(String);

impl Principal {
    /// Where nobody says who they are: stdio and the command line.
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn random_u128() -> u128 {
    let mut bytes = [0_u8; 16];
    // Without a source of randomness no id may be minted; the operating systems we run on cannot fail here.
    #[expect(
        clippy::expect_used,
        reason = "an id that could be guessed would be worse than stopping"
    )]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_written() {
        let id = SessionId::random();
        assert_eq!(SessionId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        let id = SessionId::random().to_string();
        for bad in [
            "",
            "ses_",
            "ses_xyz",
            &id[1..],
            &id.to_uppercase(),
            &format!("{id}0"),
            &"a".repeat(10_000),
        ] {
            assert!(
                SessionId::parse(bad).is_err(),
                "{bad:.80} was taken for an id"
            );
        }
        assert!(ResultId::parse(&id).is_err());
    }
}
