//! Every setting of the program, parsed once. A flag wins over an environment variable (`MCA_` + the flag in upper
//! case), that over the keys of `--config FILE` (TOML), and that over the default. An unknown flag or key is an error,
//! and so is a variable that is almost a setting; other variables that begin with `MCA_` are reported ([`foreign`]).
//!
//! All three sources use one type, [`Layer`], so each setting is listed once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub mod authority;
pub mod http;
pub mod pid_file;
pub mod principals;
pub mod store;
pub mod telemetry;
pub mod tokens;
pub mod units;

mod environment;
mod layer;
mod scope;
mod sources;

pub use environment::{check, foreign};
use http::{Admin, Http};
pub use layer::Layer;
use principals::Principals;
pub use scope::Scope;
pub use sources::{certificates, private_key};
use store::{Misfit, Store};
use telemetry::LogFormat;

/// The prefix of the program's environment variables.
pub const ENV_PREFIX: &str = "MCA_";
/// A configuration file is about a page of text; a larger file is not one.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The settings of the program. Immutable once built.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// As given; `Workspace::open` makes them canonical. At least one.
    pub roots: Vec<PathBuf>,
    pub store: Store,
    /// Whether to serve MCP over stdin and stdout.
    pub stdio: bool,
    /// `None`: no MCP over HTTP.
    pub http: Option<Http>,
    /// `None`: no admin port.
    pub admin: Option<Admin>,
    /// Limits and roots per principal.
    pub principals: Principals,
    /// `None`: `otel::DEFAULT_FILTER`.
    pub log: Option<String>,
    pub log_format: LogFormat,
    /// Whether traces have the arguments of calls.
    pub trace_arguments: bool,
    /// Holds the id of the process while it serves.
    pub pid_file: Option<PathBuf>,
    /// Settings of variables and files that have no effect; only [`Scope::Doctor`] accepts them.
    pub idle: Vec<&'static str>,
    pub limits: Limits,
}

/// Limits that an operator can set. `None`: the default of `actors::Options`, which gives the reasons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    pub session_ttl: Option<Duration>,
    pub call_deadline: Option<Duration>,
    /// Tools that run at once.
    pub workers: Option<usize>,
    /// Bytes of the analysis cache.
    pub cache_bytes: Option<usize>,
    /// Bytes of memory for all running analyses together. `None`: the default of `tools`.
    pub memory: Option<usize>,
    /// `None`: the default of `workspace::Limits`.
    pub max_file_bytes: Option<u64>,
}

/// Errors in the configuration. Invalid flags never get here: the command line refuses them.
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
    #[error("environment variable {name} is not a setting; did you mean {nearest}?")]
    UnknownVariable { name: String, nearest: String },
    #[error(transparent)]
    Store(#[from] Misfit),
    #[error(transparent)]
    Http(#[from] http::Misfit),
}

impl Config {
    /// The configuration of `serve`: see [`Config::resolve_for`].
    ///
    /// # Errors
    /// As there.
    pub fn resolve(
        flags: Layer,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        Self::resolve_for(Scope::Serve, flags, environment)
    }

    /// Merges `flags`, `environment`, the file that they name, and the defaults, in this order of precedence, as far as
    /// `scope` uses them.
    ///
    /// # Errors
    /// A file that cannot be read, and any unknown or unreadable setting in it or in the environment.
    pub fn resolve_for(
        scope: Scope,
        flags: Layer,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        let variables = Layer::from_environment(environment, scope)?;
        let file = match flags.config.as_ref().or(variables.config.as_ref()) {
            Some(path) => Layer::from_file(path)?.within(scope),
            None => Layer::default(),
        };
        let below = variables.over(file);
        if scope != Scope::Doctor {
            return flags.over(below).into_config();
        }
        let (below, idle) = below.without_idle(&flags);
        let config = flags.over(below).into_config()?;
        Ok(Self { idle, ..config })
    }
}

#[cfg(test)]
mod tests;
