//! The store that nodes share: sessions in Redis, each in the keys of one slot, every change one script.

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, RedisResult, TlsCertificates};

use crate::ids::NodeId;
use crate::store::memory::LEASE;

pub mod doctor;

/// How to reach a Redis, and what to ask of it.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` (TLS) or `unix://`, with user and password where they are needed.
    pub url: String,
    /// Certificates (PEM) that the server's is checked against, in place of the system's.
    pub ca: Option<Arc<[u8]>>,
    /// Starts every key.
    pub prefix: String,
    pub level: Level,
    pub lease: Duration,
    /// Of this process.
    pub node: NodeId,
}

/// What a commit must have reached before its answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Acknowledged.
    Redis,
    /// On disk.
    Fsync,
    /// Acknowledged by so many replicas.
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

/// Parses; does no I/O.
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
