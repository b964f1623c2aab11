//! The Redis that sessions live in: how it is reached, and what stands between it and them.

use std::sync::Arc;

use actors::Clock;
use actors::ids::NodeId;
use actors::operator::Operator;
use actors::sessions::Backing;
use actors::store::redis::{Level, RedisError, RedisOptions, RedisStore};
use actors::store::shelter::{Shelter, ShelterOptions, WhenAway};

use super::Error;
use crate::config;
use crate::config::store::{Durability, Redis};

/// The store that sessions live in. One that is there and not set up for what is asked ends the start; one that is
/// away does not.
pub(super) async fn in_redis(redis: &Redis, node: NodeId, clock: Clock) -> Result<Backing, Error> {
    let options = redis_options(redis, node)?;
    let store = open(redis, options.clone(), clock)?;
    let away = match store.check().await {
        Ok(()) => None,
        Err(RedisError::Away(why)) => Some(why),
        Err(other) => return Err(unusable(redis, other)),
    };
    let relay = store.relay();
    let shelter = ShelterOptions {
        when_away: match redis.when_away {
            config::store::WhenAway::Degrade => WhenAway::Degrade,
            config::store::WhenAway::Refuse => WhenAway::Refuse,
        },
        single_node: redis.single_node,
        ..ShelterOptions::new(node, options.lease)
    };
    let shelter = Shelter::over(Arc::new(store), shelter, clock);
    if let Some(why) = away {
        tracing::error!(address = %redis.url, why, "Redis is away: sessions are kept in memory until it is there");
        shelter.is_away(&why);
    }
    Ok(Backing {
        store: shelter,
        relay: Some(relay),
    })
}

/// For whoever operates it: straight to Redis, which must be there.
pub(super) async fn operator(redis: &Redis, clock: Clock) -> Result<Operator, Error> {
    let node = NodeId::random();
    let store = open(redis, redis_options(redis, node)?, clock)?;
    store
        .check()
        .await
        .map_err(|error| unusable(redis, error))?;
    Ok(Operator::new(Arc::new(store), node))
}

fn open(redis: &Redis, options: RedisOptions, clock: Clock) -> Result<RedisStore, Error> {
    RedisStore::open(options, clock).map_err(|error| unusable(redis, error))
}

fn unusable(redis: &Redis, error: RedisError) -> Error {
    let address = redis.url.to_string();
    let cause = error.to_string();
    match error {
        RedisError::Away(_) => Error::Away { address, cause },
        RedisError::Url(_) | RedisError::Misfit(_) => Error::Misfit { address, cause },
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
