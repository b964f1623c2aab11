//! The settings of the store. Settings that do not fit together are refused here, with advice.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde::Deserialize;
use thiserror::Error;

use super::Layer;

/// Redis's default address.
pub const DEFAULT_REDIS_URL: &str = "redis://127.0.0.1:6379";
/// The default prefix of every key.
pub const DEFAULT_PREFIX: &str = "mca";
/// The prefix is part of every key, so it costs memory for each session.
const PREFIX_MAX: usize = 32;
/// A Redis has a handful of replicas; a larger number is a typing error.
const REPLICAS_MAX: u8 = 16;

/// The store of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Store {
    /// In this process: sessions survive the crash of an actor, but not of the process.
    #[default]
    Memory,
    /// In Redis, shared by every node with the same Redis.
    Redis(Redis),
}

/// A Redis, and the guarantees required of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    pub url: Url,
    pub prefix: String,
    /// A separate Redis for shared analyses, so that they never compete with sessions for memory.
    pub cache_url: Option<Url>,
    /// Bytes for shared analyses in that Redis. `None`: derived from its `maxmemory`.
    pub shared_cache_bytes: Option<usize>,
    pub durability: Durability,
    pub when_away: WhenAway,
    /// No other node uses this Redis, so changes during an outage are kept even after the lease ends.
    pub single_node: bool,
    /// Certificates (PEM) to verify Redis's certificate with, instead of the system's.
    pub ca: Option<PathBuf>,
}

/// The value of the flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// In this process
    Memory,
    /// In Redis, shared by every node that names the same one
    Redis,
}

/// What a write must have reached before its answer is reported as durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Redis acknowledged it.
    #[default]
    Redis,
    /// It is on Redis's disk.
    Fsync,
    /// This many replicas acknowledged it.
    Replicated(u8),
}

/// What to do with calls while Redis is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenAway {
    /// They are answered, and say that they are not durable
    #[default]
    Degrade,
    /// They are refused
    Refuse,
}

/// The URL of a Redis. It may contain a password, so it is never printed in full.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Url(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a durability: write redis, fsync or replicated:N, with N from 1 to {REPLICAS_MAX}"
)]
pub struct NoDurability(String);

/// Settings that are invalid, alone or together. Never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misfit {
    #[error("{setting} is set, but sessions are kept in memory: add --store redis, or remove it")]
    WithoutRedis { setting: &'static str },
    #[error(
        "{setting} is not the URL of a Redis: write redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH, with \
         USER:PASSWORD@ before the host if Redis requires them"
    )]
    Url { setting: &'static str },
    #[error(
        "--redis-ca is for connections with TLS: write the URL as rediss://…, or remove --redis-ca"
    )]
    CaWithoutTls,
    #[error(
        "--redis-prefix must be 1 to {PREFIX_MAX} letters, digits, `-`, `_`, `.` or `:`: it starts every key, and braces \
         would move keys between slots"
    )]
    Prefix,
    #[error(
        "--single-node keeps sessions writable while Redis is down, but --when-redis-is-away refuse fails all calls then: \
         remove one of them"
    )]
    NothingToRecord,
    #[error(
        "--cache-redis-url names the Redis of the sessions: remove it (the cache then shares that Redis), or name another"
    )]
    SameRedis,
}

impl Store {
    /// # Errors
    /// Settings that do not fit together.
    pub(super) fn of(layer: &Layer) -> Result<Self, Misfit> {
        match layer.store.unwrap_or(StoreKind::Memory) {
            StoreKind::Memory => match layer.only_for_redis() {
                Some(setting) => Err(Misfit::WithoutRedis { setting }),
                None => Ok(Self::Memory),
            },
            StoreKind::Redis => Redis::of(layer).map(Self::Redis),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis(_) => "redis",
        }
    }
}

impl Layer {
    /// The first setting that needs Redis.
    fn only_for_redis(&self) -> Option<&'static str> {
        [
            ("--redis-url", self.redis_url.is_some()),
            ("--redis-prefix", self.redis_prefix.is_some()),
            ("--cache-redis-url", self.cache_redis_url.is_some()),
            ("--shared-cache-bytes", self.shared_cache_bytes.is_some()),
            ("--durability", self.durability.is_some()),
            ("--when-redis-is-away", self.when_redis_is_away.is_some()),
            ("--single-node", self.single_node.is_some_and(|on| on.0)),
            ("--redis-ca", self.redis_ca.is_some()),
        ]
        .into_iter()
        .find_map(|(setting, is_set)| is_set.then_some(setting))
    }
}

impl Redis {
    fn of(layer: &Layer) -> Result<Self, Misfit> {
        let default = || Url(DEFAULT_REDIS_URL.to_owned());
        let redis = Self {
            url: layer.redis_url.clone().unwrap_or_else(default),
            prefix: layer
                .redis_prefix
                .clone()
                .unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
            cache_url: layer.cache_redis_url.clone(),
            shared_cache_bytes: layer.shared_cache_bytes.map(|size| size.0),
            durability: layer.durability.unwrap_or_default(),
            when_away: layer.when_redis_is_away.unwrap_or_default(),
            single_node: layer.single_node.is_some_and(|on| on.0),
            ca: layer.redis_ca.clone(),
        };
        redis.url.check("--redis-url")?;
        if let Some(url) = &redis.cache_url {
            url.check("--cache-redis-url")?;
            if *url == redis.url {
                return Err(Misfit::SameRedis);
            }
        }
        let with_tls = |url: &Url| url.scheme() == Some("rediss");
        if redis.ca.is_some()
            && !with_tls(&redis.url)
            && !redis.cache_url.as_ref().is_some_and(with_tls)
        {
            return Err(Misfit::CaWithoutTls);
        }
        if redis.single_node && redis.when_away == WhenAway::Refuse {
            return Err(Misfit::NothingToRecord);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if redis.prefix.is_empty()
            || redis.prefix.len() > PREFIX_MAX
            || !redis.prefix.chars().all(allowed)
        {
            return Err(Misfit::Prefix);
        }
        Ok(redis)
    }
}

// === impl Url ===

impl Url {
    /// The full URL, with the password, for connecting.
    pub fn secret(&self) -> &str {
        &self.0
    }

    fn scheme(&self) -> Option<&str> {
        self.0.split_once(':').map(|(scheme, _)| scheme)
    }

    /// The part after the scheme and its slashes.
    fn rest(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, rest)| rest)
    }

    fn check(&self, setting: &'static str) -> Result<(), Misfit> {
        let wrong = || Misfit::Url { setting };
        if self.0.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong());
        }
        match self.scheme() {
            Some("redis" | "rediss") if self.host().is_some_and(has_host) => Ok(()),
            Some("unix" | "redis+unix") if self.rest().starts_with('/') => Ok(()),
            _ => Err(wrong()),
        }
    }

    /// Host and port, without user and password. A password may contain any character except `/`, `?` and `#`, even
    /// `@`.
    fn host(&self) -> Option<&str> {
        let authority = self.rest().split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        (!host.is_empty()).then_some(host)
    }
}

/// `host`, `host:port`, `[::1]:port`.
fn has_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    !name.is_empty() && port_is_one
}

impl FromStr for Url {
    type Err = std::convert::Infallible;

    /// Validated later, by `Store::of`, because an error of the command line parser would show the password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Url {
    /// Without user and password, and without the parameters of a socket, which may contain them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme().unwrap_or("?");
        match scheme {
            "redis" | "rediss" => {
                let path = self.rest().split(['?', '#']).next().unwrap_or_default();
                let database = path.rsplit_once('/').map_or("", |(_, name)| name);
                let host = self.host().unwrap_or("?");
                write!(f, "{scheme}://{host}")?;
                if database.is_empty() || database.contains('@') {
                    return Ok(());
                }
                write!(f, "/{database}")
            }
            "unix" | "redis+unix" => {
                let path = self.rest().split(['?', '#']).next().unwrap_or_default();
                write!(f, "{scheme}://{path}")
            }
            _ => f.write_str("an invalid URL"),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl Durability ===

impl FromStr for Durability {
    type Err = NoDurability;

    fn from_str(text: &str) -> Result<Self, NoDurability> {
        let replicas = |count: &str| {
            let count = count.parse().ok()?;
            (1..=REPLICAS_MAX)
                .contains(&count)
                .then_some(Self::Replicated(count))
        };
        match text {
            "redis" => Some(Self::Redis),
            "fsync" => Some(Self::Fsync),
            other => other.strip_prefix("replicated:").and_then(replicas),
        }
        .ok_or_else(|| NoDurability(text.to_owned()))
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis"),
            Self::Fsync => f.write_str("fsync"),
            Self::Replicated(count) => write!(f, "replicated:{count}"),
        }
    }
}

impl<'de> Deserialize<'de> for Durability {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
