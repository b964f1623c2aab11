//! Limits per principal, so that no principal uses up the resources of all. The principal `local`, a person who runs
//! the program for themselves, has no limits by default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

use super::http::Http;
use super::units::{Amount, Bytes};
use super::{Layer, units};

/// The principal of unauthenticated callers: stdin and stdout, the command line, HTTP without tokens.
pub const LOCAL: &str = "local";

/// A day's connections of a large team under one name; a tenth of what the memory store holds.
pub const SESSIONS: u32 = 10_000;
/// A quarter of the calls that the server runs at once.
pub const CALLS: u32 = 256;
/// Requests per second: enough for hundreds of agents under one name, far below what one core can answer.
pub const RATE: u32 = 200;
/// Agents send requests in bursts: a burst may be this many seconds' worth of requests.
pub const BURST_SECONDS: u32 = 2;

/// Half of what the memory store holds: a few sessions at their limit, or hundreds of ordinary ones.
pub const BYTES: u64 = 256 << 20;

/// A name is short, and appears in logs.
const NAME_MAX: usize = 64;

/// Limits and roots of all principals.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Principals {
    /// For principals without their own entry. `local` has no limits, unless other machines can connect as `local`.
    pub everybody: Limits,
    pub local: Limits,
    /// Principals with their own entry.
    pub named: BTreeMap<Name, Own>,
}

/// The entry of one principal.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// `None`: all of the server's roots. Otherwise directories inside them.
    pub roots: Option<Vec<PathBuf>>,
    pub limits: Limits,
}

/// `None`: only the limits of the whole server apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub sessions: Option<u32>,
    /// Calls running at once.
    pub calls: Option<u32>,
    /// Requests per second; a burst may be [`BURST_SECONDS`] times as many.
    pub rate: Option<u32>,
    /// Bytes stored in sessions.
    pub bytes: Option<u64>,
}

/// `[principals.NAME]` of a file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Override {
    #[serde(deserialize_with = "units::roots")]
    pub roots: Option<Vec<PathBuf>>,
    pub sessions: Option<Amount>,
    pub calls: Option<Amount>,
    pub rate: Option<Amount>,
    pub bytes: Option<Bytes>,
}

/// The name of a principal in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a principal's name is 1 to {NAME_MAX} letters, digits, `-`, `_`, `.` or `@`")]
pub struct NoName;

impl Limits {
    const DEFAULT: Self = Self {
        sessions: Some(SESSIONS),
        calls: Some(CALLS),
        rate: Some(RATE),
        bytes: Some(BYTES),
    };

    fn or(self, lower: Self) -> Self {
        Self {
            sessions: self.sessions.or(lower.sessions),
            calls: self.calls.or(lower.calls),
            rate: self.rate.or(lower.rate),
            bytes: self.bytes.or(lower.bytes),
        }
    }
}

impl Principals {
    pub(super) fn of(layer: &Layer, http: Option<&Http>) -> Self {
        let given = Limits {
            sessions: layer.principal_sessions.map(|amount| amount.0),
            calls: layer.principal_calls.map(|amount| amount.0),
            rate: layer.principal_rate.map(|amount| amount.0),
            bytes: layer.principal_bytes.map(|size| size.0 as u64),
        };
        let everybody = given.or(Limits::DEFAULT);
        let local_is_public = http.is_some_and(|http| http.is_public() && http.no_auth);
        let local = if local_is_public {
            everybody
        } else {
            Limits::default()
        };
        let overrides = layer.principals.iter().flatten();
        let named = overrides.map(|(name, own)| {
            let lower = if name.0 == LOCAL { local } else { everybody };
            let own = Own {
                roots: own.roots.clone(),
                limits: own.limits().or(lower),
            };
            (name.clone(), own)
        });
        Self {
            everybody,
            local,
            named: named.collect(),
        }
    }

    pub fn limits(&self, principal: &str) -> Limits {
        match self.own(principal) {
            Some(own) => own.limits,
            None if principal == LOCAL => self.local,
            None => self.everybody,
        }
    }

    fn own(&self, principal: &str) -> Option<&Own> {
        self.named.get(&Name(principal.to_owned()))
    }
}

impl Override {
    fn limits(&self) -> Limits {
        Limits {
            sessions: self.sessions.map(|amount| amount.0),
            calls: self.calls.map(|amount| amount.0),
            rate: self.rate.map(|amount| amount.0),
            bytes: self.bytes.map(|size| size.0 as u64),
        }
    }
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        let fits = (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned())).ok_or(NoName)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
