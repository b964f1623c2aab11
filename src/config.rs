//! Every setting of the program, parsed once: flag, then environment (`MCA_` + the flag in upper case), then the keys
//! of `--config FILE` (TOML), then the default. An unknown flag, variable or key is an error.
//!
//! The three sources are one type, [`Layer`]: a setting is listed once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use thiserror::Error;

mod sources;
pub mod store;
pub mod units;

pub use sources::certificates;
use store::{Durability, Misfit, Store, StoreKind, Url, WhenAway};
use units::{Bytes, Count, Period, Switch};

/// Starts the name of every environment variable that is ours.
pub const ENV_PREFIX: &str = "MCA_";
/// A configuration file is a page of text; anything larger was meant for somebody else.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What the program runs with. Immutable once made.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// As given; `Workspace::open` canonicalises. At least one.
    pub roots: Vec<PathBuf>,
    pub store: Store,
    /// `None`: `otel::DEFAULT_FILTER`.
    pub log: Option<String>,
    pub limits: Limits,
}

/// The limits that an operator may set. `None`: the default of `actors::Options`, where each has its reason.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    pub session_ttl: Option<Duration>,
    pub call_deadline: Option<Duration>,
    /// How many tools run at once.
    pub workers: Option<usize>,
    /// Of analyses that may be used again.
    pub cache_bytes: Option<usize>,
    /// `None`: the default of `workspace::Limits`.
    pub max_file_bytes: Option<u64>,
}

/// The settings of one source; what it leaves out is for the next.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// Read settings from this TOML file [env: MCA_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory that may be read; may be given more than once [default: the current one]
    #[arg(long, value_name = "DIR")]
    #[serde(deserialize_with = "units::roots")]
    pub root: Option<Vec<PathBuf>>,
    /// Where sessions are kept [default: memory]
    #[arg(long, value_name = "STORE")]
    pub store: Option<StoreKind>,
    /// Redis of the sessions: redis://, rediss:// (TLS) or unix:// [default: redis://127.0.0.1:6379]
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<Url>,
    /// Starts every key in Redis [default: mca]
    #[arg(long, value_name = "PREFIX")]
    pub redis_prefix: Option<String>,
    /// Redis of the shared cache [default: that of the sessions]
    #[arg(long, value_name = "URL")]
    pub cache_redis_url: Option<Url>,
    /// What an answer must have survived to be durable: redis, fsync or replicated:N [default: redis]
    #[arg(long, value_name = "LEVEL")]
    pub durability: Option<Durability>,
    /// Whether calls are answered, and say that they are not durable, or refused [default: degrade]
    #[arg(long, value_name = "WHAT")]
    pub when_redis_is_away: Option<WhenAway>,
    /// No other node uses this Redis: record for as long as it is away
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub single_node: Option<Switch>,
    /// Check Redis's certificate against those in this file (PEM) [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// How long a session is kept after its last call [default: 24h]
    #[arg(long, value_name = "TIME")]
    pub session_ttl: Option<Period>,
    /// How long one call may run [default: 5m; analyze: 1h]
    #[arg(long, value_name = "TIME")]
    pub call_deadline: Option<Period>,
    /// How many tools run at once [default: one for each core]
    #[arg(long, value_name = "N")]
    pub workers: Option<Count>,
    /// Memory for analyses that may be used again [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub cache_bytes: Option<Bytes>,
    /// Larger files are skipped, and counted [default: 10MiB]
    #[arg(long, value_name = "SIZE")]
    pub max_file_bytes: Option<Bytes>,
    /// What is logged to stderr, as in `debug` or `info,actors=trace`
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

/// What is wrong with the configuration. Bad flags never get here: the command line refuses them.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read the configuration file {path}: {cause}", path = path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("the configuration file {path} has {size} bytes, more than the {MAX_CONFIG_BYTES} that are read", path = path.display())]
    TooLarge { path: PathBuf, size: u64 },
    #[error("configuration file {path}: {cause}", path = path.display())]
    File { path: PathBuf, cause: String },
    #[error("configuration file {path}: `config` cannot be set in a file", path = path.display())]
    Nested { path: PathBuf },
    #[error("environment variable {name}: {cause}")]
    Variable { name: String, cause: String },
    #[error("environment variable {name} is no setting{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownVariable {
        name: String,
        nearest: Option<String>,
    },
    #[error(transparent)]
    Store(#[from] Misfit),
}

impl Config {
    /// `flags` over `environment` over the file that they name over the defaults.
    ///
    /// # Errors
    /// A file that cannot be read, and any unknown or unreadable setting in it or in the environment.
    pub fn resolve(
        flags: Layer,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        let above = flags.over(Layer::from_environment(environment)?);
        let file = match &above.config {
            Some(path) => Layer::from_file(path)?,
            None => Layer::default(),
        };
        above.over(file).into_config()
    }
}

// === impl Layer ===

impl Layer {
    /// This layer's settings, and those of `lower` where it has none.
    fn over(self, lower: Self) -> Self {
        Self {
            config: self.config.or(lower.config),
            root: self.root.or(lower.root),
            store: self.store.or(lower.store),
            redis_url: self.redis_url.or(lower.redis_url),
            redis_prefix: self.redis_prefix.or(lower.redis_prefix),
            cache_redis_url: self.cache_redis_url.or(lower.cache_redis_url),
            durability: self.durability.or(lower.durability),
            when_redis_is_away: self.when_redis_is_away.or(lower.when_redis_is_away),
            single_node: self.single_node.or(lower.single_node),
            redis_ca: self.redis_ca.or(lower.redis_ca),
            session_ttl: self.session_ttl.or(lower.session_ttl),
            call_deadline: self.call_deadline.or(lower.call_deadline),
            workers: self.workers.or(lower.workers),
            cache_bytes: self.cache_bytes.or(lower.cache_bytes),
            max_file_bytes: self.max_file_bytes.or(lower.max_file_bytes),
            log: self.log.or(lower.log),
        }
    }

    fn into_config(self) -> Result<Config, Error> {
        let store = Store::of(&self)?;
        let roots = self.root.unwrap_or_default();
        Ok(Config {
            roots: if roots.is_empty() {
                vec![PathBuf::from(".")]
            } else {
                roots
            },
            store,
            log: self.log,
            limits: Limits {
                session_ttl: self.session_ttl.map(|ttl| ttl.0),
                call_deadline: self.call_deadline.map(|deadline| deadline.0),
                workers: self.workers.map(|workers| workers.0),
                cache_bytes: self.cache_bytes.map(|size| size.0),
                max_file_bytes: self.max_file_bytes.map(|size| size.0 as u64),
            },
        })
    }
}

#[cfg(test)]
mod tests;
