//! Puts the service together: roots, store, actors. The same for the server, the command line and the tests.

use std::path::PathBuf;
use std::sync::Arc;

use actors::ids::NodeId;
use actors::sessions::{Backing, Sessions};
use actors::store::Store;
use actors::store::memory::{self, MemoryStore};
use actors::store::redis::{Level, RedisOptions};
use actors::{Clock, Options};
use thiserror::Error;

use crate::config::store::{Durability, Redis, Store as StoreConfig};
use crate::config::{self, Config, Limits};
use crate::service::Service;
use crate::tools;
use crate::workspace::{self, Workspace};

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the roots cannot be used: {0}")]
    Roots(#[from] workspace::Error),
    #[error("the sessions did not start: {0}")]
    Sessions(String),
    #[error("cannot read the certificates in {path}: {cause}", path = path.display())]
    Certificates {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
}

/// How the Redis of the sessions is reached, and what is asked of it.
///
/// # Errors
/// Certificates that cannot be read.
pub fn redis_options(redis: &Redis, node: NodeId) -> Result<RedisOptions, Error> {
    let ca = match &redis.ca {
        None => None,
        Some(path) => {
            let unreadable = |cause| Error::Certificates {
                path: path.clone(),
                cause,
            };
            Some(config::certificates(path).map_err(unreadable)?.into())
        }
    };
    let level = match redis.durability {
        Durability::Redis => Level::Redis,
        Durability::Fsync => Level::Fsync,
        Durability::Replicated(replicas) => Level::Replicated(replicas),
    };
    Ok(RedisOptions {
        ca,
        prefix: redis.prefix.clone(),
        level,
        ..RedisOptions::new(redis.url.secret(), node)
    })
}

/// Nothing is scanned here: a server answers `initialize` at once.
///
/// # Errors
/// Roots that cannot be read, and actors that do not start.
pub async fn start(config: &Config) -> Result<Service, Error> {
    let workspace = Workspace::open(&config.roots)?.with_limits(readable(&config.limits));
    let clock = Clock::system();
    let options = options(&config.limits);
    let store = store(&config.store, clock);
    let tools = tools::analysis_tools(workspace.limits);
    let sessions = Sessions::start_at(options, Backing::alone(store), tools, clock)
        .await
        .map_err(Error::Sessions)?;
    Ok(Service::new(sessions, Arc::new(workspace)))
}

/// Goes straight to the store that nodes share.
///
/// # Errors
/// A store that is no Redis.
pub async fn operator(_config: &Config) -> Result<actors::operator::Operator, Error> {
    Err(Error::Sessions(
        "the store of this build is not shared".to_owned(),
    ))
}

/// The store that sessions live in.
fn store(config: &StoreConfig, clock: Clock) -> Arc<dyn Store> {
    match config {
        StoreConfig::Memory | StoreConfig::Redis(_) => {
            Arc::new(MemoryStore::new(clock, memory::Limits::default()))
        }
    }
}

/// The operator's limits on what is read, over the workspace's own.
fn readable(limits: &Limits) -> workspace::Limits {
    let own = workspace::Limits::default();
    workspace::Limits {
        max_file_bytes: limits.max_file_bytes.unwrap_or(own.max_file_bytes),
        ..own
    }
}

/// The operator's limits, over the actors' own.
fn options(limits: &Limits) -> Options {
    let own = Options::default();
    Options {
        session_ttl: limits.session_ttl.unwrap_or(own.session_ttl),
        call_deadline: limits.call_deadline.unwrap_or(own.call_deadline),
        pool_workers: limits.workers.unwrap_or(own.pool_workers),
        cache_bytes: limits.cache_bytes.unwrap_or(own.cache_bytes),
        ..own
    }
}
