//! Every setting of the program, parsed once: flag, then environment (`MCA_` + the flag in upper case), then the keys
//! of `--config FILE` (TOML), then the default. An unknown flag, variable or key is an error.
//!
//! The three sources are one type, [`Layer`]: a setting is listed once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub mod authority;
pub mod http;
pub mod principals;
pub mod store;
pub mod tokens;
pub mod units;

mod layer;
mod sources;

use http::{Admin, Http};
pub use layer::Layer;
use principals::Principals;
pub use sources::{certificates, private_key};
use store::{Misfit, Store};

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
    /// Whether MCP is spoken over stdin and stdout.
    pub stdio: bool,
    /// `None`: MCP is not spoken over HTTP.
    pub http: Option<Http>,
    /// `None`: there is no admin port.
    pub admin: Option<Admin>,
    /// What holds for whom.
    pub principals: Principals,
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
    /// What analyses may take together. `None`: the default of `tools`.
    pub memory: Option<usize>,
    /// `None`: the default of `workspace::Limits`.
    pub max_file_bytes: Option<u64>,
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
    #[error(transparent)]
    Http(#[from] http::Misfit),
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

#[cfg(test)]
mod tests;
