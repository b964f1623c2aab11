//! Opens the Redis of the sessions, and the layers in front of it.

use std::sync::Arc;

use actors::Clock;
use actors::cache::Shared;
use actors::ids::NodeId;
use actors::operator::Operator;
use actors::sessions::Backing;
use actors::store::Store as _;
use actors::store::fallback::{self, FallbackStore, ShelterOptions};
use actors::store::memory::LEASE;
use actors::store::redis::{Level, RedisCache, RedisError, RedisOptions, RedisStore};

use super::Error;
use crate::config;
use crate::config::store::{Durability, Redis, WhenAway};
use crate::tools;

/// Opens the store of the sessions. If Redis is down, the server starts anyway, unless it is configured to refuse calls
/// then.
pub(super) async fn in_redis(redis: &Redis, node: NodeId, clock: Clock) -> Result<Backing, Error> {
    let store = open(redis, node, clock)?;
    let away = match check(redis, &store).await {
        Ok(()) => {
            for warning in store.health().warnings {
                tracing::warn!(redis = %redis.url, warning, "the configuration of Redis can cost stored sessions");
            }
            None
        }
        Err(away @ Error::Away { .. }) if redis.when_away == WhenAway::Degrade => {
            tracing::warn!(error = %away, "the store is down at the start: connecting is retried, and nothing is durable until it answers");
            Some(away.to_string())
        }
        Err(error) => return Err(error),
    };
    let (relay, connections) = (store.relay(), store.connections());
    let options = ShelterOptions {
        when_away: match redis.when_away {
            WhenAway::Degrade => fallback::WhenAway::Degrade,
            WhenAway::Refuse => fallback::WhenAway::Refuse,
        },
        single_node: redis.single_node,
        ..ShelterOptions::new(node, LEASE)
    };
    let fallback = FallbackStore::over(Arc::new(store), options, clock);
    if let Some(why) = away {
        fallback.is_away(&why);
    }
    Ok(Backing {
        relay: Some(relay),
        store: fallback,
        shared_cache: Some(shared_cache(redis, node)?),
        connections: Some(connections),
    })
}

/// Opens the cache of analyses that nodes share: in its own Redis if one is configured, otherwise in that of the
/// sessions.
fn shared_cache(redis: &Redis, node: NodeId) -> Result<Shared, Error> {
    let sessions = redis_options(redis, node)?;
    let options = match &redis.cache_url {
        None => sessions,
        Some(url) => RedisOptions {
            url: url.secret().to_owned(),
            ..sessions
        },
    };
    let budget = redis.shared_cache_bytes.map(|bytes| bytes as u64);
    let cache = RedisCache::open(&options, &tools::namespace(), budget);
    Ok(Shared {
        cache: Arc::new(cache.map_err(|error| told(redis, error))?),
        codec: Arc::new(tools::AnalysisCodec),
    })
}

/// Opens the store for an operator's command. Fails if Redis is down.
pub(super) async fn operator(redis: &Redis, clock: Clock) -> Result<Operator, Error> {
    let node = NodeId::random();
    let store = open(redis, node, clock)?;
    check(redis, &store).await?;
    Ok(Operator::new(Arc::new(store), node))
}

fn open(redis: &Redis, node: NodeId, clock: Clock) -> Result<RedisStore, Error> {
    let options = redis_options(redis, node)?;
    RedisStore::open(options, clock).map_err(|error| told(redis, error))
}

async fn check(redis: &Redis, store: &RedisStore) -> Result<(), Error> {
    let checked = store.check().await;
    checked.map_err(|error| told(redis, error))
}

fn told(redis: &Redis, error: RedisError) -> Error {
    let address = redis.url.to_string();
    match error {
        RedisError::Url(cause) | RedisError::Misfit(cause) => Error::Misfit { address, cause },
        RedisError::Away(cause) => Error::Away { address, cause },
    }
}

/// Connection options of the sessions' Redis.
///
/// # Errors
/// The certificates cannot be read.
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
