//! The store that nodes share: sessions in Redis, each in keys of one slot, every change one script.
//!
//! ```text
//! mca:{ses_…}:m   HASH   version, fence, epoch, lease, last commit, snapshot, principal, ends, quarantine or tombstone
//! mca:{ses_…}:j   LIST   deltas after the snapshot
//! mca:{ses_…}:d   HASH   results, by id and part
//! mca:{ix:NN}:l   ZSET   the index of sessions: principal, time of creation and id, in order;  :x the same by end
//!                        :b HASH bytes of each session;  :p HASH bytes of each principal
//! mca:{ck:…}      HASH   the session that was created under an idempotency key
//! mca:{con_…}:c   HASH   a transport session: principal, opening message, node, end
//! mca:{con_…}:s   HASH   its streams: numbers, bytes and whether they have ended;  :e HASH their events
//! mca:{cp:…}      ZSET   a principal's transport sessions by end, to be counted
//! mca:nodes       ZSET   nodes by time of their last announcement;  mca:node:… state of each
//! mca:inbox:…     LIST   messages to a node
//! mca:{cache}:s0  HASH   shared analyses, s0 to s7: a ring, evicted segment by segment;  :m HASH its state
//! ```
//! A commit is atomic because its script checks everything before its first write, and safe to repeat because the
//! session remembers the id of the last commit. Only the server's clock decides about leases and expiries. The index is
//! in other slots, so it is written separately, and sessions it lists are looked up before they are shown.
//!
//! Commits and other small requests use four long-lived connections; a session always uses the same one. Leases are
//! extended over a separate connection on the keeper's thread, and transport sessions have two of their own. Blocking
//! or large requests use a connection from the pool.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_redis::{Manager, Pool, Runtime};
use redis::{Client, RedisResult, TlsCertificates};
use thiserror::Error;

use crate::clock::Clock;
use crate::connections::ConnectionStore;
use crate::ids::{NodeId, SessionId};
use crate::relay::Relay;
use crate::sessions::DurabilityLevel;
use crate::store::memory::LEASE;
use crate::store::{Eviction, Health, LinkPool, Reached, StoreError};

mod archive;
mod cache;
mod commits;
mod connections;
mod creating;
pub mod doctor;
mod frame;
mod index;
mod keys;
mod link;
mod listing;
mod measured;
mod nodes;
mod pooled;
mod relay;
mod reply;
mod script;
mod second_look;
mod server;
mod sessions;

pub use cache::RedisCache;
use keys::Keys;
use link::{Counts, Lane};
use measured::Place;
use server::{OnDisk, Server};

/// Connections that sessions share: several, so that a large value delays only a quarter of them.
const LANES: usize = 4;
/// Connections for transport sessions, whose events may be large.
const CONNECTION_LANES: usize = 2;
/// Connections for blocking or large requests.
const POOL_MAX: usize = 8;
/// Longest wait for a pool connection.
const POOL_WITHIN: Duration = Duration::from_secs(2);

/// Connection settings and required durability of a Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` (TLS) or `unix://`, with user and password if needed.
    pub url: String,
    /// Certificates (PEM) to verify the server's with, instead of the system's.
    pub ca: Option<Arc<[u8]>>,
    /// The prefix of every key.
    pub prefix: String,
    pub level: Level,
    pub lease: Duration,
    /// The id of this process.
    pub node: NodeId,
}

/// What a commit must reach before it is answered as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Acknowledged.
    Redis,
    /// On disk.
    Fsync,
    /// Acknowledged by this many replicas.
    Replicated(u8),
}

impl RedisOptions {
    pub fn new(url: impl Into<String>, node: NodeId) -> Self {
        Self {
            url: url.into(),
            ca: None,
            prefix: "mca".to_owned(),
            level: Level::Redis,
            lease: LEASE,
            node,
        }
    }
}

/// Parses the URL; does no I/O.
fn client(options: &RedisOptions) -> RedisResult<Client> {
    let Some(ca) = &options.ca else {
        return Client::open(options.url.as_str());
    };
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(ca.to_vec()),
    };
    Client::build_with_tls(options.url.as_str(), certificates)
}

/// Why a Redis cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RedisError {
    #[error("the Redis URL cannot be read: {0}")]
    Url(String),
    /// It is up, but does not fit the configuration.
    #[error("{0}")]
    Misfit(String),
    #[error("Redis cannot be reached: {0}")]
    Away(String),
}

/// See the module documentation. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    options: RedisOptions,
    keys: Keys,
    clock: Clock,
    lanes: Vec<Lane>,
    /// Used by the lease keeper only: its connection lives on the keeper's thread.
    keeper: Lane,
    inbox: Lane,
    connections: Vec<Lane>,
    pool: Pool,
    shared: Arc<Shared>,
    round: Mutex<listing::Round>,
}

/// What all connections share.
struct Shared {
    address: String,
    place: Place,
    counts: Counts,
    server: Mutex<Option<Server>>,
    /// How often another run id was seen than before.
    runs: AtomicU64,
    /// When a connection last broke or could not be opened.
    broken: Mutex<Option<Instant>>,
}

impl Shared {
    /// Returns the number of the server's run.
    fn saw(&self, mut server: Server, took: Duration) -> u64 {
        server.link.latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        server.seen = Some(Instant::now());
        let mut known = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.as_ref() {
            if before.link.run_id != server.link.run_id {
                self.runs.fetch_add(1, Ordering::SeqCst);
            }
            let evicted = server.evicted_since(before);
            self.counts
                .evicted_keys
                .fetch_add(evicted, Ordering::Relaxed);
        }
        *known = Some(server);
        self.run()
    }

    fn run(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }

    fn broke(&self) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn broken(&self) -> Option<Instant> {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> Option<Server> {
        self.ask(Server::clone)
    }

    /// Reads the last known state of the server; `None` if it is not known yet.
    fn ask<R>(&self, question: impl FnOnce(&Server) -> R) -> Option<R> {
        let known = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(question)
    }
}

impl RedisStore {
    /// Does no I/O: the server may be down.
    ///
    /// # Errors
    /// The URL or the certificates cannot be read.
    pub fn open(options: RedisOptions, clock: Clock) -> Result<Self, RedisError> {
        let unreadable = |error: redis::RedisError| RedisError::Url(error.to_string());
        let parsed = client(&options).map_err(unreadable)?;
        let info = link::tuned(parsed.get_connection_info());
        let client = Client::open(info.clone()).map_err(unreadable)?;
        let manager = Manager::new_with_config(info.clone(), link::connection_config())
            .map_err(unreadable)?;
        let pool = Pool::builder(manager)
            .max_size(POOL_MAX)
            .wait_timeout(Some(POOL_WITHIN))
            .create_timeout(Some(link::CONNECT_WITHIN))
            .recycle_timeout(Some(link::ANSWER_WITHIN))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| RedisError::Url(error.to_string()))?;
        let shared = Arc::new(Shared {
            address: info.addr().to_string(),
            place: info.addr().into(),
            counts: Counts::default(),
            server: Mutex::default(),
            runs: AtomicU64::default(),
            broken: Mutex::default(),
        });
        let lane = || Lane::new(client.clone(), Arc::clone(&shared));
        Ok(Self(Arc::new(Inner {
            keys: Keys::new(&options.prefix),
            lanes: (0..LANES).map(|_| lane()).collect(),
            keeper: lane(),
            inbox: lane(),
            connections: (0..CONNECTION_LANES).map(|_| lane()).collect(),
            options,
            clock,
            pool,
            shared,
            round: Mutex::default(),
        })))
    }

    /// Checks whether the server is up and fits the configuration.
    ///
    /// # Errors
    /// `Misfit`: it is up and does not fit. `Away`: it cannot be reached.
    pub async fn check(&self) -> Result<(), RedisError> {
        let asked = self.ask_server().await;
        let level = self.0.options.level;
        let misfit = self.0.shared.ask(|server| server.misfit(level)).flatten();
        match (misfit, asked) {
            (Some(misfit), _) => Err(RedisError::Misfit(misfit)),
            (None, Err(error)) => Err(RedisError::Away(error.to_string())),
            (None, Ok(())) => Ok(()),
        }
    }

    /// Messages to the other nodes that share this server.
    pub fn relay(&self) -> Arc<dyn Relay> {
        Arc::new(relay::RedisRelay(self.clone()))
    }

    /// Transport sessions, shared by the nodes on this server.
    pub fn connections(&self) -> Arc<dyn ConnectionStore> {
        Arc::new(connections::RedisConnections(self.clone()))
    }

    async fn ask_server(&self) -> Result<(), StoreError> {
        let asked = Instant::now();
        let answers = self.0.lanes[0].ask(&mut server::questions()).await?;
        let server = Server::read(answers).map_err(|error| link::unavailable(&error))?;
        let (serves, unusable) = (server.serves(), server.unusable());
        self.0.shared.saw(server, asked.elapsed());
        serves.map_err(StoreError::Unavailable)?;
        unusable.map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }

    fn lane(&self, id: SessionId) -> &Lane {
        let lanes = self.0.lanes.len() as u128;
        &self.0.lanes[usize::try_from(id.as_u128() % lanes).unwrap_or(0)]
    }

    fn health(&self) -> Health {
        let server = self.0.shared.server();
        let counts = &self.0.shared.counts;
        let mut link = server
            .as_ref()
            .map(|server| server.link.clone())
            .unwrap_or_default();
        link.address.clone_from(&self.0.shared.address);
        let pool = self.0.pool.status();
        link.connections = counts.open.load(Ordering::Relaxed) + pool.size as u64;
        link.pool = LinkPool {
            limit: pool.max_size as u64,
            open: pool.size as u64,
            idle: pool.available as u64,
            waiting: pool.waiting as u64,
        };
        link.reconnects = counts.made_anew.load(Ordering::Relaxed);
        let level = self.0.options.level;
        let eviction = server.as_ref().map(|server| Eviction {
            policy: server.policy().map(str::to_owned),
            keys: counts.evicted_keys.load(Ordering::Relaxed),
            sessions: counts.evicted_sessions.load(Ordering::Relaxed),
            stored_again: counts.stored_again.load(Ordering::Relaxed),
        });
        Health {
            shortfall: server.as_ref().and_then(|server| server.shortfall(level)),
            eviction,
            warnings: server
                .map(|server| server.warnings(level))
                .unwrap_or_default(),
            link: Some(link),
            ..Health::default()
        }
    }

    /// The durability of a commit that the server acknowledged, without asking further.
    fn acknowledged(&self) -> Reached {
        let asked = self
            .0
            .shared
            .ask(|server| (server.evicts().is_some(), server.on_disk()));
        let (evicts, on_disk) = asked.unwrap_or_default();
        if evicts {
            return Reached {
                evictable: true,
                ..NOT_MORE
            };
        }
        match self.0.options.level {
            Level::Redis => Reached {
                durable: true,
                ..NOT_MORE
            },
            Level::Fsync => match on_disk {
                Some(OnDisk::WithCommit) => Reached {
                    level: DurabilityLevel::Fsync,
                    durable: true,
                    ..NOT_MORE
                },
                Some(OnDisk::WhenAsked) | None => NOT_MORE,
            },
            Level::Replicated(_) => NOT_MORE,
        }
    }

    /// The durability that commits just acknowledged have reached, queried if necessary.
    async fn reached(&self) -> Reached {
        let reached = self.acknowledged();
        if reached.evictable {
            return reached;
        }
        let question = match self.0.options.level {
            Level::Replicated(wanted) => Some((
                redis::cmd("WAIT").arg(wanted).arg(WAIT_MS).to_owned(),
                i64::from(wanted),
                DurabilityLevel::Replicated,
            )),
            Level::Fsync if !reached.durable => Some((
                redis::cmd("WAITAOF").arg(1).arg(0).arg(WAIT_MS).to_owned(),
                1,
                DurabilityLevel::Fsync,
            )),
            Level::Redis | Level::Fsync => None,
        };
        let Some((question, wanted, level)) = question else {
            return reached;
        };
        // The server answers for everything before the connection's last command, so one command is sent after the
        // commits were acknowledged.
        let mut both = redis::pipe();
        both.cmd("PING").add_command(question);
        let answered = self.ask_apart(&mut both).await;
        let last = answered.map(|mut answers| answers.pop().and_then(Result::ok));
        match last {
            Ok(Some(answer))
                if reply::first_number(std::slice::from_ref(&answer)) >= Some(wanted) =>
            {
                Reached {
                    level,
                    durable: true,
                    ..NOT_MORE
                }
            }
            Ok(_) => reached,
            Err(error) => {
                tracing::debug!(%error, "the durability of commits could not be confirmed");
                reached
            }
        }
    }
}

/// Longest wait for replicas or the disk, in ms: shorter than the timeout of an answer.
const WAIT_MS: u64 = 1000;
const NOT_MORE: Reached = Reached {
    level: DurabilityLevel::Redis,
    durable: false,
    evictable: false,
};

#[cfg(test)]
pub(crate) mod tests;
