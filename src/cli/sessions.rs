//! `sessions`: lets operators manage the sessions in Redis. It connects to Redis directly, and works while nodes are
//! running. Reading does not take a session from its node. A change first acquires the session's lease, as a node does.

use std::path::PathBuf;
use std::time::Duration;

use actors::ids::SessionId;
use actors::operator::{Operator, OperatorError};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{Exit, complain, complain_at_length, print};
use crate::config::store::{StoreKind, Url};
use crate::config::units::Period;
use crate::config::{Config, Layer};
use crate::startup;

mod change;
mod export;
mod input;
mod list;
mod show;
mod validate;

pub(super) use crate::tools::session_data::node;

#[derive(Debug, Args)]
pub struct Sessions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the sessions of all principals, newest first; or the nodes
    List(list::List),
    /// Show one session, without taking it from its node
    Show(show::Show),
    /// End sessions and delete their data
    Close(change::Close),
    /// Write sessions as JSON lines
    Export(export::Export),
    /// Restore exported sessions
    Import(change::Import),
    /// Check exported sessions: against the JSON Schema, and whether they can run
    Validate(validate::Validate),
    /// Let a quarantined session run again
    Release(change::Release),
}

/// The Redis of the sessions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
struct Reach {
    /// Read settings from this TOML file [env: MCA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// URL of the Redis: redis://, rediss:// (TLS) or unix:// [env: MCA_REDIS_URL] [default: redis://127.0.0.1:6379]
    #[arg(long, value_name = "URL")]
    redis_url: Option<Url>,
    /// Prefix of every key in Redis [env: MCA_REDIS_PREFIX] [default: mca]
    #[arg(long, value_name = "PREFIX")]
    redis_prefix: Option<String>,
    /// CA certificates (PEM) that Redis's certificate is checked against [default: those of the system]
    #[arg(long, value_name = "FILE")]
    redis_ca: Option<PathBuf>,
    /// Log filter for stderr [default: warn]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// How long to wait for the node that holds a session.
#[derive(Debug, Clone, Copy, Args)]
struct Patience {
    /// Wait this long for a session that a node holds [default: no wait]
    #[arg(long, value_name = "TIME")]
    wait: Option<Period>,
}

impl Patience {
    fn time(self) -> Duration {
        self.wait.map_or(Duration::ZERO, |wait| wait.0)
    }
}

/// The output format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
}

impl Sessions {
    /// The settings given as flags; `None`: the command needs no Redis.
    pub fn layer(&self) -> Option<Layer> {
        let reach = match &self.verb {
            Verb::List(verb) => &verb.reach,
            Verb::Show(verb) => &verb.reach,
            Verb::Close(verb) => &verb.reach,
            Verb::Export(verb) => &verb.reach,
            Verb::Import(verb) => &verb.reach,
            Verb::Release(verb) => &verb.reach,
            Verb::Validate(_) => return None,
        };
        Some(Layer {
            config: reach.config.clone(),
            // Only their own process can access sessions in memory.
            store: Some(StoreKind::Redis),
            redis_url: reach.redis_url.clone(),
            redis_prefix: reach.redis_prefix.clone(),
            redis_ca: reach.redis_ca.clone(),
            log: reach.log.clone(),
            ..Layer::default()
        })
    }

    /// Runs the command and prints the result. `config`: resolved from [`Sessions::layer`].
    pub async fn run(&self, config: Option<Config>) -> Exit {
        if let Verb::Validate(validate) = &self.verb {
            return validate.run();
        }
        let operator = match config.as_ref().map(startup::operator) {
            Some(starting) => match starting.await {
                Ok(operator) => operator,
                Err(error) => {
                    complain(&error.to_string());
                    return Exit::of_startup(&error);
                }
            },
            None => return Exit::Config,
        };
        self.within(&operator).await
    }

    async fn within(&self, operator: &Operator) -> Exit {
        let text = match &self.verb {
            Verb::List(verb) => verb.run(operator).await,
            Verb::Show(verb) => verb.run(operator).await,
            Verb::Close(verb) => return verb.run(operator).await,
            Verb::Export(verb) => return verb.run(operator).await,
            Verb::Import(verb) => return verb.run(operator).await,
            Verb::Release(verb) => return verb.run(operator).await,
            Verb::Validate(verb) => return verb.run(),
        };
        match text {
            Ok(text) => print(&text),
            Err(error) => refused(&error),
        }
    }
}

/// Prints an error with advice, and returns the exit code.
fn refused(error: &OperatorError) -> Exit {
    let (advice, exit) = match error {
        OperatorError::Unknown(_) => ("`sessions list` shows all", Exit::NoInput),
        OperatorError::Held { .. } => (
            "wait for it with --wait, or stop the node, which then releases its sessions",
            Exit::Usage,
        ),
        OperatorError::NotQuarantined(_) => (
            "`sessions list --quarantined` shows the quarantined sessions",
            Exit::Usage,
        ),
        OperatorError::Exists(_) => ("overwrite it with --replace", Exit::Usage),
        OperatorError::Closed(_) => ("restore it anyway with --replace", Exit::Usage),
        OperatorError::OtherOwner { .. } => ("close that one first", Exit::Usage),
        OperatorError::Unfit { .. } => ("`sessions validate` says what is wrong", Exit::Finding),
        OperatorError::Unreadable { .. } => (
            "`sessions list` shows what can be read of it; `sessions close` deletes it",
            Exit::NoInput,
        ),
        OperatorError::Store(_) => ("`doctor --store redis` finds the cause", Exit::Unavailable),
    };
    complain_at_length(&error.to_string(), &format!("  {advice}"));
    exit
}

/// The first exit code that is not `Ok`, after several attempts.
fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    exits
        .into_iter()
        .find(|exit| *exit != Exit::Ok)
        .unwrap_or(Exit::Ok)
}

fn parse_id(text: &str) -> Result<SessionId, String> {
    SessionId::parse(text).map_err(|error| error.to_string())
}

fn pretty(value: &Value) -> String {
    // All keys are strings, so this cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests;
