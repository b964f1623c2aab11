//! The version and configuration of a Redis server, and whether they fit the configured durability.

use std::collections::HashMap;
use std::time::Instant;

use redis::{Pipeline, RedisError, RedisResult, Value, from_redis_value, pipe};

use super::Level;
use crate::store::{Link, Shortfall};

/// Older servers lack commands that the scripts use, and ACL rules that the documentation names.
pub(super) const OLDEST: (u32, u32) = (6, 2);
/// Since this version WAITAOF reports whether a commit is on disk, for any value of `appendfsync`.
pub(super) const WAITAOF_SINCE: (u32, u32) = (7, 2);

/// A server, as last queried.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Server {
    pub(super) link: Link,
    /// `None`: unknown (an ACL may forbid CONFIG).
    config: Option<Config>,
    /// `None`: unknown.
    policy: Option<String>,
    loading: bool,
    /// Keys evicted since the server started, or since its statistics were reset.
    evicted_keys: u64,
    uptime_seconds: u64,
    /// When it was queried. `None`: the time was not recorded.
    pub(super) seen: Option<Instant>,
}

/// The policy that never evicts a key before it expires.
const KEEPS_ALL: &str = "noeviction";

#[derive(Debug, Clone, PartialEq)]
struct Config {
    appendonly: bool,
    appendfsync: String,
}

/// How a commit is known to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDisk {
    /// Before it is acknowledged.
    WithCommit,
    /// When WAITAOF confirms it.
    WhenAsked,
}

/// The queries, in one round trip; [`Server::read`] takes the answers in this order.
pub(super) fn questions() -> Pipeline {
    let mut questions = pipe();
    questions
        .cmd("INFO")
        .cmd("CONFIG")
        .arg("GET")
        .arg("append*")
        .cmd("CONFIG")
        .arg("GET")
        .arg("maxmemory-policy");
    questions.ignore_errors();
    questions
}

impl Server {
    pub(super) fn read(answers: Vec<RedisResult<Value>>) -> Result<Self, RedisError> {
        let mut answers = answers.into_iter();
        let mut next = || -> RedisResult<Value> { answers.next().unwrap_or(Ok(Value::Nil)) };
        let info: String = from_redis_value(next()?)?;
        let info: HashMap<&str, &str> = info
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .collect();
        let text = |name: &str| info.get(name).copied().unwrap_or_default().to_owned();
        let number = |name: &str| info.get(name).and_then(|text| text.parse().ok());
        let mut config = HashMap::<String, String>::new();
        let mut denied = false;
        for answer in [next(), next()] {
            match answer.and_then(|answer| Ok(from_redis_value::<HashMap<_, _>>(answer)?)) {
                Ok(part) => config.extend(part),
                Err(_) => denied = true,
            }
        }
        let setting = |name: &str| config.get(name).cloned().unwrap_or_default();
        // INFO reports it too, where CONFIG is denied.
        let policy = [text("maxmemory_policy"), setting("maxmemory-policy")];
        Ok(Self {
            link: Link {
                role: text("role"),
                version: text("redis_version"),
                run_id: text("run_id"),
                replication_offset: number("master_repl_offset").unwrap_or(0),
                replicas: number("connected_slaves").unwrap_or(0),
                ..Link::default()
            },
            config: (!denied).then(|| Config {
                appendonly: setting("appendonly") == "yes",
                appendfsync: setting("appendfsync"),
            }),
            policy: policy.into_iter().find(|policy| !policy.is_empty()),
            loading: text("loading") == "1",
            evicted_keys: number("evicted_keys").unwrap_or(0),
            uptime_seconds: number("uptime_in_seconds").unwrap_or(0),
            seen: None,
        })
    }

    /// Whether it can serve requests now.
    pub(super) fn serves(&self) -> Result<(), String> {
        if self.loading {
            return Err("it is loading its data".to_owned());
        }
        if self.link.role != "master" {
            return Err(format!(
                "it is a {}, and only a master can be written to",
                self.link.role
            ));
        }
        Ok(())
    }

    /// Why it cannot be used at all, and what to do.
    pub(super) fn unusable(&self) -> Option<String> {
        if version(&self.link.version).is_some_and(|version| version < OLDEST) {
            return Some(format!(
                "it is Redis {}, which is too old: run Redis {}.{} or newer",
                self.link.version, OLDEST.0, OLDEST.1
            ));
        }
        None
    }

    /// Why its configuration does not fit the durability level. A node refuses to start with such a server.
    pub(super) fn misfit(&self, level: Level) -> Option<String> {
        let short = || self.shortfall(level).map(|short| short.message);
        self.unusable().or_else(short)
    }

    /// Why acknowledged commits are not durable at that level, and what to do. A running node continues with it.
    pub(super) fn shortfall(&self, level: Level) -> Option<Shortfall> {
        if let Some(policy) = self.evicts() {
            return Some(Shortfall {
                reason: "store_evicts",
                message: format!(
                    "its maxmemory-policy is {policy}, which deletes sessions when memory is short: set \
                     maxmemory-policy noeviction"
                ),
            });
        }
        let message = self.below(level)?;
        Some(Shortfall {
            reason: "level_not_reached",
            message,
        })
    }

    fn below(&self, level: Level) -> Option<String> {
        if let Level::Replicated(wanted) = level
            && self.link.replicas < u64::from(wanted)
        {
            return Some(format!(
                "durability replicated:{wanted} needs {wanted} replicas, and {} are connected: connect more, or ask \
                 for less",
                self.link.replicas
            ));
        }
        let config = self.config.as_ref()?;
        if level == Level::Fsync && self.on_disk().is_none() {
            return Some(format!(
                "durability fsync needs appendonly yes and appendfsync always (or a server of version 7.2 or later), \
                 and it has appendonly {} and appendfsync {}",
                if config.appendonly { "yes" } else { "no" },
                config.appendfsync
            ));
        }
        None
    }

    /// Its policy, if that evicts keys that have not expired.
    pub(super) fn evicts(&self) -> Option<&str> {
        self.policy().filter(|policy| *policy != KEEPS_ALL)
    }

    pub(super) fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// Keys evicted since `before` was queried.
    pub(super) fn evicted_since(&self, before: &Self) -> u64 {
        if self.link.run_id == before.link.run_id {
            // The count restarts at zero when the statistics are reset.
            let more = self.evicted_keys.checked_sub(before.evicted_keys);
            return more.unwrap_or(self.evicted_keys);
        }
        let between = match (self.seen, before.seen) {
            (Some(now), Some(then)) => now.saturating_duration_since(then).as_secs(),
            _ => 0,
        };
        // The server was restarted in between, so all of these count. Another server with a longer uptime evicted them
        // earlier.
        if self.uptime_seconds <= between {
            return self.evicted_keys;
        }
        0
    }

    /// How level `fsync` is reached; `None`: it is not.
    pub(super) fn on_disk(&self) -> Option<OnDisk> {
        let Some(config) = &self.config else {
            // The configuration cannot be read, so trust the operator.
            return Some(OnDisk::WithCommit);
        };
        if config.appendonly && config.appendfsync == "always" {
            return Some(OnDisk::WithCommit);
        }
        let asks = version(&self.link.version).is_some_and(|version| version >= WAITAOF_SINCE);
        (config.appendonly && asks).then_some(OnDisk::WhenAsked)
    }

    /// Warnings that the server is less durable than expected. Includes problems that arose after the start and would have
    /// prevented it.
    pub(super) fn warnings(&self, level: Level) -> Vec<String> {
        let mut warnings = self.of_its_configuration();
        warnings.extend(self.misfit(level));
        warnings
    }

    fn of_its_configuration(&self) -> Vec<String> {
        match &self.config {
            None => vec![
                "its configuration is unknown (CONFIG is denied): it is assumed to fit"
                    .to_owned(),
            ],
            Some(config) if !config.appendonly => vec![
                "it has no append-only file (appendonly no): acknowledged changes are lost when it stops".to_owned(),
            ],
            Some(_) => Vec::new(),
        }
    }
}

/// The first two numbers of a version string. `None`: it has none.
pub(super) fn version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(info: &str, config: Option<[(&str, &str); 3]>) -> Server {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let denied = || RedisError::from((redis::ErrorKind::Client, "denied"));
        let part = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .flat_map(|(name, value)| [bulk(name), bulk(value)]);
            Ok(Value::Array(pairs.collect()))
        };
        let config = config.map_or([Err(denied()), Err(denied())], |all| {
            [part(&all[..2]), part(&all[2..])]
        });
        let answers = std::iter::once(Ok(bulk(info))).chain(config).collect();
        Server::read(answers).unwrap()
    }

    fn configured(
        appendonly: &'static str,
        fsync: &'static str,
        policy: &'static str,
    ) -> Option<[(&'static str, &'static str); 3]> {
        Some([
            ("appendonly", appendonly),
            ("appendfsync", fsync),
            ("maxmemory-policy", policy),
        ])
    }

    const INFO: &str = "role:master\r\nredis_version:7.0.15\r\nconnected_slaves:1\r\n";

    #[test]
    fn a_level_is_reported_only_if_the_server_is_configured_for_it() {
        let everysec = server(INFO, configured("yes", "everysec", "noeviction"));
        assert_eq!(everysec.misfit(Level::Redis), None);
        assert!(
            everysec
                .misfit(Level::Fsync)
                .unwrap()
                .contains("appendfsync always")
        );
        assert_eq!(everysec.misfit(Level::Replicated(1)), None);
        assert!(
            everysec
                .misfit(Level::Replicated(2))
                .unwrap()
                .contains("1 are connected")
        );
        let always = server(INFO, configured("yes", "always", "noeviction"));
        assert_eq!(always.misfit(Level::Fsync), None);
        assert_eq!(always.on_disk(), Some(OnDisk::WithCommit));
        let newer = server(
            &INFO.replace("7.0.15", "7.4.1"),
            configured("yes", "everysec", "noeviction"),
        );
        assert_eq!(newer.on_disk(), Some(OnDisk::WhenAsked));
        let evicts = server(INFO, configured("yes", "always", "volatile-lru"));
        assert!(evicts.misfit(Level::Redis).unwrap().contains("noeviction"));
        assert_eq!(server(INFO, None).misfit(Level::Fsync), None, "on trust");
        assert_eq!(server(INFO, None).warnings(Level::Redis).len(), 1);
        assert_eq!(
            server(INFO, configured("no", "everysec", "noeviction"))
                .warnings(Level::Redis)
                .len(),
            1
        );
    }

    /// INFO reports the policy where CONFIG is denied.
    #[test]
    fn a_policy_that_evicts_is_known_without_config() {
        let info = format!("{INFO}maxmemory_policy:allkeys-lfu\r\n");
        let short = server(&info, None).shortfall(Level::Redis).unwrap();
        assert_eq!(short.reason, "store_evicts");
        let keeps = format!("{INFO}maxmemory_policy:noeviction\r\n");
        assert_eq!(server(&keeps, None).shortfall(Level::Redis), None);
    }

    #[test]
    fn keys_evicted_since_the_last_query_are_counted() {
        let now = Instant::now();
        let at = |run: &str, seconds: u64, evicted: u64, uptime: u64| {
            let info = format!(
                "{INFO}run_id:{run}\r\nevicted_keys:{evicted}\r\nuptime_in_seconds:{uptime}\r\n"
            );
            Server {
                seen: Some(now + std::time::Duration::from_secs(seconds)),
                ..server(&info, None)
            }
        };
        let before = at("a", 0, 10, 100);
        for (after, wanted, why) in [
            (at("a", 10, 17, 110), 7, "the same server"),
            (at("a", 10, 3, 110), 3, "its statistics were reset"),
            (at("b", 10, 5, 8), 5, "it was started anew"),
            (at("b", 10, 5, 800), 0, "another, which counted before"),
        ] {
            assert_eq!(after.evicted_since(&before), wanted, "{why}");
        }
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_by_its_version() {
        let of = |version: &str| {
            let info = INFO.replace("7.0.15", version);
            let told = server(&info, configured("yes", "always", "noeviction"));
            let denied = server(&info, None);
            assert_eq!(told.misfit(Level::Redis), denied.misfit(Level::Redis));
            denied.misfit(Level::Redis)
        };
        for old in ["2.8.24", "5.0.7", "6.0.16", "6.1.240"] {
            let misfit = of(old).expect(old);
            assert!(misfit.contains(old) && misfit.contains("6.2"), "{misfit}");
        }
        for fits in ["6.2.0", "7.0.15", "8.2.1", "10.0.0", "", "unknown"] {
            assert_eq!(of(fits), None, "{fits}");
        }
    }

    #[test]
    fn only_a_loaded_master_is_used() {
        assert_eq!(server(INFO, None).serves(), Ok(()));
        assert!(
            server("role:slave\r\n", None)
                .serves()
                .unwrap_err()
                .contains("slave")
        );
        assert!(
            server("role:master\r\nloading:1\r\n", None)
                .serves()
                .is_err()
        );
    }
}
