//! Every setting of the program, parsed once: flag, then environment (`MCA_` + the flag in upper case), then the keys
//! of `--config FILE` (TOML), then the default. An unknown flag, variable or key is an error.
//!
//! The three sources are one type, [`Layer`]: a setting is listed once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use thiserror::Error;

pub mod units;

use units::{Bytes, Count, Period};

/// Starts the name of every environment variable that is ours.
pub const ENV_PREFIX: &str = "MCA_";
/// A configuration file is a page of text; anything larger was meant for somebody else.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What the program runs with. Immutable once made.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// As given; `Workspace::open` canonicalises. At least one.
    pub roots: Vec<PathBuf>,
    pub store: StoreKind,
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

/// Where sessions are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// In this process: sessions survive any actor, not the process.
    #[default]
    Memory,
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
        Ok(above.over(file).into_config())
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
            session_ttl: self.session_ttl.or(lower.session_ttl),
            call_deadline: self.call_deadline.or(lower.call_deadline),
            workers: self.workers.or(lower.workers),
            cache_bytes: self.cache_bytes.or(lower.cache_bytes),
            max_file_bytes: self.max_file_bytes.or(lower.max_file_bytes),
            log: self.log.or(lower.log),
        }
    }

    fn into_config(self) -> Config {
        let roots = self.root.unwrap_or_default();
        Config {
            roots: if roots.is_empty() {
                vec![PathBuf::from(".")]
            } else {
                roots
            },
            store: self.store.unwrap_or_default(),
            log: self.log,
            limits: Limits {
                session_ttl: self.session_ttl.map(|ttl| ttl.0),
                call_deadline: self.call_deadline.map(|deadline| deadline.0),
                workers: self.workers.map(|workers| workers.0),
                cache_bytes: self.cache_bytes.map(|size| size.0),
                max_file_bytes: self.max_file_bytes.map(|size| size.0 as u64),
            },
        }
    }

    /// Each variable by itself, so that an error can name it.
    fn from_environment(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        let mut layer = Self::default();
        for (name, value) in variables {
            let Some(name) = name
                .to_str()
                .filter(|name| name.starts_with(ENV_PREFIX))
                .map(str::to_owned)
            else {
                continue;
            };
            layer = layer.over(Self::from_variable(&name, value)?);
        }
        Ok(layer)
    }

    fn from_variable(name: &str, value: OsString) -> Result<Self, Error> {
        let key = name[ENV_PREFIX.len()..].to_lowercase();
        if !Self::keys().contains(&key) {
            return Err(Error::UnknownVariable {
                name: name.to_owned(),
                nearest: nearest_variable(&key),
            });
        }
        let bad = |cause: String| Error::Variable {
            name: name.to_owned(),
            cause,
        };
        // Paths may hold any bytes; the other settings are text.
        if key == "root" {
            let root = Some(units::split_roots(&value));
            return Ok(Self {
                root,
                ..Self::default()
            });
        }
        if key == "config" {
            let config = Some(PathBuf::from(value));
            return Ok(Self {
                config,
                ..Self::default()
            });
        }
        let text = value
            .into_string()
            .map_err(|_| bad("is not text".to_owned()))?;
        let table = BTreeMap::from([(key, text)]);
        let table = toml::Table::try_from(table).map_err(|error| bad(error.to_string()))?;
        table
            .try_into()
            .map_err(|error: toml::de::Error| bad(error.message().to_owned()))
    }

    fn from_file(path: &Path) -> Result<Self, Error> {
        let unreadable = |cause| Error::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_CONFIG_BYTES {
            let path = path.to_owned();
            return Err(Error::TooLarge { path, size });
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mut layer: Self = toml::from_str(&text).map_err(|error| Error::File {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        if layer.config.is_some() {
            let path = path.to_owned();
            return Err(Error::Nested { path });
        }
        // A file means the folders beside it, wherever the program was started.
        if let (Some(roots), Some(folder)) = (&mut layer.root, path.parent()) {
            for root in roots {
                *root = folder.join(&*root);
            }
        }
        Ok(layer)
    }

    /// Every setting, as it is called in a file.
    fn keys() -> Vec<String> {
        Self::augment_args(clap::Command::new("keys"))
            .get_arguments()
            .map(|argument| argument.get_id().to_string())
            .collect()
    }
}

fn nearest_variable(key: &str) -> Option<String> {
    /// Below this the names have nothing in common.
    const ALIKE: f64 = 0.7;
    Layer::keys()
        .into_iter()
        .map(|known| (strsim::jaro_winkler(key, &known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| format!("{ENV_PREFIX}{}", known.to_uppercase()))
}

#[cfg(test)]
mod tests;
