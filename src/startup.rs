//! Starts the service: roots, store, actors. The server, the command line and the tests all use it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actors::ids::Principal;
use actors::operator::Operator;
use actors::sessions::{Backing, Sessions};
use actors::store::Store;
use actors::store::memory::{self, MemoryStore};
use actors::{Announcement, Clock, Options};
use thiserror::Error;

use crate::analysis::ENGINE_VERSION;
use crate::config::principals::Principals;
use crate::config::store::Store as StoreConfig;
use crate::config::{Config, Limits};
use crate::service::{Quotas, Service};
use crate::tools;
use crate::tools::read_access::ReadAccess;
use crate::workspace::{self, Workspace};

mod backing;
mod measured;

pub use backing::redis_options;

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the roots cannot be used: {0}")]
    Roots(#[from] workspace::Error),
    #[error("the roots of the principal {principal} cannot be used: {cause}")]
    Narrowed {
        principal: String,
        #[source]
        cause: workspace::Error,
    },
    #[error("the sessions did not start: {0}")]
    Sessions(String),
    #[error("cannot read the certificates in {path}: {cause}", path = path.display())]
    Certificates {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    /// Redis answers, but does not fit the configuration.
    #[error("the Redis at {address} does not fit the configuration: {cause}")]
    Misfit { address: String, cause: String },
    #[error("the Redis at {address} cannot be reached: {cause}")]
    Away { address: String, cause: String },
}

/// Starts the service. It scans nothing, so a server answers `initialize` at once.
///
/// # Errors
/// The roots cannot be read, or the actors do not start.
pub async fn start(config: &Config) -> Result<Service, Error> {
    start_as(config, Some(announcement(config))).await
}

/// As [`start`], but the node is not announced to other nodes. For checks that only test whether the service starts.
///
/// # Errors
/// As [`start`].
pub async fn start_unannounced(config: &Config) -> Result<Service, Error> {
    start_as(config, None).await
}

async fn start_as(config: &Config, announced: Option<Announcement>) -> Result<Service, Error> {
    let workspace = Workspace::open(&config.roots)?.with_limits(readable(&config.limits));
    let clock = Clock::system();
    let mut options = options(&config.limits);
    let backing = match &config.store {
        StoreConfig::Memory => Backing::alone(in_memory(clock)),
        StoreConfig::Redis(redis) => {
            options.announcement = announced;
            backing::in_redis(redis, options.node, clock).await?
        }
    };
    let memory = config.limits.memory.unwrap_or(tools::DEFAULT_MEMORY);
    let reach = reach(&workspace, &config.principals)?.with_memory(memory);
    let tools = tools::analysis_tools(&reach);
    let sessions = Sessions::start_at(options, backing, tools, clock)
        .await
        .map_err(Error::Sessions)?;
    let measured = measured::start(&sessions);
    let mut service = Service::new(sessions, reach);
    service.trace_arguments = config.trace_arguments;
    Ok(service
        .with_quotas(Quotas::new(config.principals.clone()))
        .measured(measured))
}

/// The directories that each principal may read.
fn reach(workspace: &Workspace, principals: &Principals) -> Result<ReadAccess, Error> {
    let mut narrowed = Vec::new();
    for (name, own) in &principals.named {
        if let Some(roots) = &own.roots {
            let principal = Principal::named(name.as_str());
            let roots = workspace
                .narrow_to(roots)
                .map_err(|cause| Error::Narrowed {
                    principal: name.to_string(),
                    cause,
                })?;
            narrowed.push((principal, roots));
        }
    }
    Ok(ReadAccess::of(workspace).narrowed(narrowed))
}

/// Opens the shared store for an operator's command, without a service.
///
/// # Errors
/// The store is not shared, or cannot be used.
pub async fn operator(config: &Config) -> Result<Operator, Error> {
    match &config.store {
        StoreConfig::Memory => Err(Error::Sessions(
            "only their own process can access sessions in memory: configure a Redis".to_owned(),
        )),
        StoreConfig::Redis(redis) => backing::operator(redis, Clock::system()).await,
    }
}

fn in_memory(clock: Clock) -> Arc<dyn Store> {
    // No other node can take a session over, so the lease need not end; after it an idle session would be loaded again.
    let limits = memory::Limits {
        lease: Duration::MAX,
        ..memory::Limits::default()
    };
    Arc::new(MemoryStore::new(clock, limits))
}

/// The announced feature of a node with `--single-node`.
pub(crate) const SINGLE_NODE: &str = "single-node";

/// Whether the node runs with `--single-node`.
pub(crate) fn is_single(config: &Config) -> bool {
    match &config.store {
        StoreConfig::Redis(redis) => redis.single_node,
        StoreConfig::Memory => false,
    }
}

fn announcement(config: &Config) -> Announcement {
    let address = match &config.http {
        Some(http) => http.address.to_string(),
        None => "stdio".to_owned(),
    };
    Announcement {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address,
        features: std::iter::once(format!("engine-{ENGINE_VERSION}"))
            .chain(is_single(config).then(|| SINGLE_NODE.to_owned()))
            .collect(),
    }
}

/// The workspace's default limits, overridden by the operator's.
fn readable(limits: &Limits) -> workspace::Limits {
    let own = workspace::Limits::default();
    workspace::Limits {
        max_file_bytes: limits.max_file_bytes.unwrap_or(own.max_file_bytes),
        ..own
    }
}

/// The actors' default options, overridden by the operator's.
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

#[cfg(test)]
mod tests {
    use actors::ids::{NodeId, SessionId};
    use actors::store::NewSession;

    use super::*;

    /// Longer than the lease of a shared store, shorter than the session's own time.
    const IDLE: Duration = Duration::from_secs(1800);

    #[tokio::test(start_paused = true)]
    async fn the_lease_of_an_idle_session_in_memory_does_not_end() {
        let store = in_memory(Clock::starting_at(1_000_000));
        let (id, node) = (SessionId::random(), NodeId::random());
        let session = NewSession {
            id,
            principal: Principal::local(),
            label: None,
            snapshot: b"{}".as_slice().into(),
            ttl_ms: 3_600_000,
            key: None,
        };
        store.create(session).await.expect("made");
        let acquired = store.acquire(id, node).await.expect("acquired");
        tokio::time::sleep(IDLE).await;
        let renewed = store.renew(id, acquired.fence).await;
        assert!(renewed.is_ok(), "{renewed:?}");
    }
}
