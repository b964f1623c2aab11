//! Typed ids, parsed once at the edge. Code below the edge never handles an id as a bare string.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest id that is parsed; longer text is never a valid id.
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
            /// 128 random bits from the operating system, so ids cannot be guessed.
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
    /// A session. The server mints it, and clients pass it back.
    SessionId, "session id", "ses_"
);
hex_id!(
    /// One call. Every retry carries the same id, also after the actor that runs the call crashes.
    RequestId, "request id", "req_"
);
hex_id!(
    /// One stored result of a session.
    ResultId, "result id", "res_"
);
hex_id!(
    /// One attempt to change a stored session. A commit of unknown fate is looked up by this id.
    CommitId, "commit id", "cmt_"
);
hex_id!(
    /// One run of a node, from start to exit.
    NodeId, "node id", "node_"
);
hex_id!(
    /// A transport session of an old protocol revision. The server mints it, and the client sends it along.
    ConnectionId, "connection id", "con_"
);
hex_id!(
    /// One stream of events within a connection. Its text form is digits only, because it is part of event ids.
    StreamId, "stream id", ""
);

/// The authenticated caller. Each session, result and list belongs to one principal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(String);

impl Principal {
    /// The principal of unauthenticated transports: stdio and the command line.
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
    // No id may be minted without randomness; `getrandom` cannot fail here on the supported operating systems.
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
    fn an_id_round_trips() {
        let id = SessionId::random();
        assert_eq!(SessionId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn invalid_ids_are_refused() {
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
