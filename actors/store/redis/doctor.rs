//! Compares a Redis with what the configuration requires: everything that an operator could have set up differently,
//! with advice. It uses its own connection and shares nothing with the store, so that it can explain connection
//! failures.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError as Refused, cmd};

use super::server::{OLDEST, WAITAOF_SINCE, version};
use super::{Level, RedisOptions};

mod commands;
mod keys;
pub(super) mod repair;
mod trouble;

pub use repair::repair;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub name: &'static str,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Good(String),
    /// It works, but less well than the operator may expect.
    Warning {
        what: String,
        advice: String,
    },
    /// It does not meet the requirements of the configuration.
    Misfit {
        what: String,
        advice: String,
    },
    /// It cannot be reached.
    Away {
        what: String,
        advice: String,
    },
}

/// Longest wait for a connection, and for one answer: a person waits for the result.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Round trips to measure.
const PINGS: usize = 9;
/// Every call needs a few round trips; slower ones are noticeable.
const SLOW: Duration = Duration::from_millis(10);
/// Only Redis's clock decides about leases; a difference only confuses people who compare times.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// Runs all checks, as far as possible.
pub async fn examine(options: &RedisOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut connection = match connect(options).await {
        Ok(connection) => connection,
        Err(outcome) => return vec![finding("connection", outcome)],
    };
    match latency(&mut connection).await {
        Ok(outcome) => findings.push(finding("connection", outcome)),
        Err(refused) => {
            findings.push(finding("connection", trouble::of_answer(&refused, "PING")));
            return findings;
        }
    }
    let info = Info::read(&mut connection).await;
    match info {
        Ok(info) => {
            findings.extend([
                finding("version", info.version()),
                finding("role", info.role(options.level)),
                finding("append-only file", info.aof(options.level)),
            ]);
            let setting = config(&mut connection, "appendfsync").await;
            let since = version(info.get("redis_version"));
            let asks = since.is_some_and(|version| version >= WAITAOF_SINCE);
            let outcome = fsync(setting.as_deref(), asks, options.level);
            findings.push(finding("fsync", outcome));
            findings.push(finding("memory", memory(&mut connection, &info).await));
        }
        Err(refused) => findings.push(finding("server", trouble::of_answer(&refused, "INFO"))),
    }
    findings.push(finding("clock", clock(&mut connection).await));
    let permissions = commands::check(&mut connection, &options.prefix).await;
    findings.push(finding("permissions", permissions));
    let walked = keys::walk(&mut connection, &options.prefix, 0, keys::LOOKS_FOR).await;
    findings.push(finding(
        "keys",
        walked.map_or_else(|refused| refused, |walk| walk.told()),
    ));
    findings
}

fn finding(name: &'static str, outcome: Outcome) -> Finding {
    Finding { name, outcome }
}

/// Connects without credentials and then authenticates, to get the exact error.
async fn connect(options: &RedisOptions) -> Result<MultiplexedConnection, Outcome> {
    let client = super::client(options).map_err(|error| trouble::of_address(&error.to_string()))?;
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings();
    let user = settings.username().map(str::to_owned);
    let password = settings.password().map(str::to_owned);
    let bare = redis::RedisConnectionInfo::default();
    let client = Client::open(info.clone().set_redis_settings(bare));
    let client = client.map_err(|error| trouble::of_address(&error.to_string()))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN));
    let connected = client.get_multiplexed_async_connection_with_config(&config);
    let connected = tokio::time::timeout(CONNECT_WITHIN * 2, connected).await;
    let mut connection = match connected {
        Ok(Ok(connection)) => connection,
        Ok(Err(refused)) => return Err(trouble::of_connection(&refused, info.addr())),
        Err(_) => return Err(trouble::silent(info.addr())),
    };
    if let Some(password) = password {
        let mut auth = cmd("AUTH");
        if let Some(user) = &user {
            auth.arg(user);
        }
        let given = auth.arg(password).exec_async(&mut connection).await;
        given.map_err(|refused| trouble::of_credentials(&refused, info.addr()))?;
    }
    if let Err(refused) = cmd("PING").exec_async(&mut connection).await {
        return Err(trouble::of_first_answer(&refused, info.addr()));
    }
    let database = settings.db();
    if database != 0 {
        let selected = cmd("SELECT")
            .arg(database)
            .exec_async(&mut connection)
            .await;
        selected.map_err(|refused| trouble::of_answer(&refused, "SELECT"))?;
    }
    Ok(connection)
}

async fn latency(connection: &mut MultiplexedConnection) -> Result<Outcome, Refused> {
    let mut took = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let started = Instant::now();
        cmd("PING").exec_async(connection).await?;
        took.push(started.elapsed());
    }
    took.sort();
    let median = took[PINGS / 2];
    let said = format!("answers within {:.1} ms", median.as_secs_f64() * 1000.0);
    Ok(if median > SLOW {
        Outcome::Warning {
            what: said,
            advice: "every call waits for several answers: run nodes close to their Redis, and look for slow commands \
                     (SLOWLOG GET) or a disk that cannot keep up"
                .to_owned(),
        }
    } else {
        Outcome::Good(said)
    })
}

// === INFO ===

struct Info(HashMap<String, String>);

impl Info {
    async fn read(connection: &mut MultiplexedConnection) -> Result<Self, Refused> {
        let text: String = cmd("INFO").query_async(connection).await?;
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Self(
            pairs
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        ))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }

    fn version(&self) -> Outcome {
        let said = self.get("redis_version");
        match version(said) {
            Some(found) if found < OLDEST => Outcome::Misfit {
                what: format!("Redis {said} is too old"),
                advice: format!("run Redis {}.{} or newer", OLDEST.0, OLDEST.1),
            },
            Some(_) => Outcome::Good(format!("Redis {said}")),
            None => Outcome::Warning {
                what: "its version is unknown".to_owned(),
                advice: format!("Redis {}.{} or newer is needed", OLDEST.0, OLDEST.1),
            },
        }
    }

    fn role(&self, level: Level) -> Outcome {
        if self.get("role") != "master" {
            let primary = format!("{}:{}", self.get("master_host"), self.get("master_port"));
            return Outcome::Misfit {
                what: format!("it is a replica of {primary}, and accepts no writes"),
                advice: format!("use the primary: --redis-url redis://{primary}"),
            };
        }
        let replicas = self.number("connected_slaves");
        let wanted = match level {
            Level::Replicated(wanted) => u64::from(wanted),
            Level::Redis | Level::Fsync => 0,
        };
        if replicas < wanted {
            return Outcome::Misfit {
                what: format!("{replicas} replicas are connected, and {wanted} are required"),
                advice: "start more replicas (replicaof), or ask for fewer with --durability"
                    .to_owned(),
            };
        }
        Outcome::Good(format!("primary with {replicas} replicas"))
    }

    fn aof(&self, level: Level) -> Outcome {
        if self.get("aof_enabled") != "1" {
            let what = "it is off: acknowledged changes are lost when Redis stops".to_owned();
            let advice =
                "set `appendonly yes` in redis.conf, or now: CONFIG SET appendonly yes, CONFIG REWRITE".to_owned();
            return match level {
                Level::Fsync => Outcome::Misfit { what, advice },
                Level::Redis | Level::Replicated(_) => Outcome::Warning { what, advice },
            };
        }
        match self.get("aof_last_write_status") {
            "" | "ok" => Outcome::Good("on".to_owned()),
            status => Outcome::Misfit {
                what: format!("the last write to it failed ({status})"),
                advice: "check the disk of Redis: it may be full, read-only or broken; its log says which"
                    .to_owned(),
            },
        }
    }
}

/// A setting from CONFIG; `None` if that is not allowed.
async fn config(connection: &mut MultiplexedConnection, name: &str) -> Option<String> {
    let asked = cmd("CONFIG").arg("GET").arg(name).to_owned();
    let pairs: HashMap<String, String> = asked.query_async(connection).await.ok()?;
    pairs.into_values().next()
}

/// `asks`: the server reports when a change is on disk, for any value of `appendfsync`.
fn fsync(setting: Option<&str>, asks: bool, level: Level) -> Outcome {
    match (setting, level) {
        (Some("always"), _) => Outcome::Good("always".to_owned()),
        (Some(setting), Level::Fsync) if asks => Outcome::Good(format!("{setting}: each answer waits until it is on disk")),
        (Some("everysec"), Level::Redis | Level::Replicated(_)) => {
            Outcome::Good("every second: a power failure may cost the last one".to_owned())
        }
        (Some(other), Level::Fsync) => Outcome::Misfit {
            what: format!("`appendfsync` is {other}: an acknowledged change may not be on disk yet"),
            advice: "set `appendfsync always`, or ask for less with --durability redis".to_owned(),
        },
        (Some(other), Level::Redis | Level::Replicated(_)) => Outcome::Warning {
            what: format!("`appendfsync` is {other}: the system decides when changes reach the disk"),
            advice: "set `appendfsync everysec`, or `always` for --durability fsync".to_owned(),
        },
        (None, _) => Outcome::Warning {
            what: "it is unknown: CONFIG is not allowed".to_owned(),
            advice: "allow this user +config|get, or make sure that `appendfsync` is what --durability needs".to_owned(),
        },
    }
}

async fn memory(connection: &mut MultiplexedConnection, info: &Info) -> Outcome {
    let policy = match info.get("maxmemory_policy") {
        "" => config(connection, "maxmemory-policy")
            .await
            .unwrap_or_default(),
        told => told.to_owned(),
    };
    let (used, limit) = (info.number("used_memory"), info.number("maxmemory"));
    if policy != "noeviction" {
        return Outcome::Misfit {
            what: format!(
                "`maxmemory-policy` is {policy:?}: when memory is short, Redis evicts sessions ({} keys so far, \
                 of any kind)",
                info.number("evicted_keys")
            ),
            advice: "set `maxmemory-policy noeviction` in redis.conf, or now: CONFIG SET maxmemory-policy noeviction"
                .to_owned(),
        };
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    if limit == 0 {
        return Outcome::Warning {
            what: format!(
                "{} MiB used, without a limit: Redis grows until the system kills it",
                mib(used)
            ),
            advice:
                "set `maxmemory` below the memory of the machine; Redis then refuses writes with an error"
                    .to_owned(),
        };
    }
    let said = format!(
        "{} of {} MiB used, nothing is evicted",
        mib(used),
        mib(limit)
    );
    // Less than a tenth is left.
    if used.saturating_mul(10) > limit.saturating_mul(9) {
        return Outcome::Warning {
            what: said,
            advice: "raise `maxmemory`, shorten --session-ttl, reduce the shared cache (--shared-cache-bytes) or move it to another Redis (--cache-redis-url)"
                .to_owned(),
        };
    }
    Outcome::Good(said)
}

async fn clock(connection: &mut MultiplexedConnection) -> Outcome {
    let told: Result<(u64, u64), Refused> = cmd("TIME").query_async(connection).await;
    let theirs = match told {
        Ok((seconds, micros)) => Duration::from_secs(seconds) + Duration::from_micros(micros),
        Err(refused) => return trouble::of_answer(&refused, "TIME"),
    };
    let ours = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let apart = ours.abs_diff(theirs);
    let said = format!("{:.1} s apart from this machine's", apart.as_secs_f64());
    if apart > CLOCKS_APART {
        return Outcome::Warning {
            what: said,
            advice: "leases follow Redis's clock alone, so nothing breaks; times in lists and logs will not agree: synchronise \
                     both by NTP"
                .to_owned(),
        };
    }
    Outcome::Good(said)
}

/// Runs a command only to see whether it is refused.
async fn refusal(connection: &mut MultiplexedConnection, command: &Cmd) -> Option<Refused> {
    command.exec_async(connection).await.err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_fsync_is_judged_as_the_store_judges_it() {
        let good =
            |setting, asks| matches!(fsync(Some(setting), asks, Level::Fsync), Outcome::Good(_));
        assert!(good("always", false) && good("everysec", true) && !good("everysec", false));
    }
}
