//! The Redis that sessions live in: how it is reached, and what stands between it and them.

use actors::Clock;
use actors::ids::NodeId;
use actors::operator::Operator;
use actors::sessions::Backing;
use actors::store::redis::{Level, RedisOptions};

use super::Error;
use crate::config;
use crate::config::store::{Durability, Redis};

/// The store that sessions live in.
pub(super) async fn in_redis(redis: &Redis, node: NodeId, _: Clock) -> Result<Backing, Error> {
    redis_options(redis, node)?;
    Err(not_yet(redis))
}

/// For whoever operates it.
pub(super) async fn operator(redis: &Redis, _: Clock) -> Result<Operator, Error> {
    redis_options(redis, NodeId::random())?;
    Err(not_yet(redis))
}

fn not_yet(redis: &Redis) -> Error {
    Error::Away {
        address: redis.url.to_string(),
        cause: "this build has no store for it".to_owned(),
    }
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
