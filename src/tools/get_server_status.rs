//! `get_server_status`: features with their states and reasons; store, cache, versions, limits. Answered by the
//! service.

use std::sync::LazyLock;
use std::time::Duration;

use actors::status::{ActorStatus, CacheStatus, PoolStatus, Status, StoreStatus};
use actors::tool::Root;
use otel::visible::line;
use serde_json::{Value, json};

use super::session_data::{root_schema, roots};
use super::shared::detail;
use super::text::counted;
use super::{COMPACT_CAP, Kind, MAX_CALLS, MAX_CONCURRENT, Spec, WHOLE_CAP};
use crate::analysis::{ENGINE_VERSION, Language, Profile};
use crate::answer::envelope::{count, list, or_null, strict, string};
use crate::answer::lean::{Detail, Field, Shape};
use crate::answer::page::{
    DEFAULT_LIMIT, DEFAULT_MAX_BYTES, MAX_LIMIT, MAX_MAX_BYTES, MIN_MAX_BYTES,
};
use crate::answer::{Finding, object};
use crate::service::MAX_ARGUMENT_BYTES;

mod store;

pub(crate) const NAME: &str = "get_server_status";

/// The fields of `data` in a lean answer.
const LEAN: &[Field] = &[
    (
        "server",
        &[
            "version",
            "uptime_seconds",
            "draining",
            "log_messages_dropped",
        ],
    ),
    ("features", &["name", "state", "why"]),
    ("store", &[]),
    ("nodes", &[]),
    ("cache", &[]),
    ("pool", &["workers", "running", "queued"]),
    ("sessions", &[]),
    ("actors", &[]),
    ("roots", &["name"]),
    ("languages", &["name"]),
    ("limits", &[]),
];

/// A feature, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    pub state: FeatureState,
    /// The cause, with advice; empty if the feature is available without restrictions.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureState {
    Available,
    Degraded,
    Off,
}

impl FeatureState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Degraded => "degraded",
            Self::Off => "off",
        }
    }
}

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Get server status",
        description: "Which features are available, degraded or off, and why; roots, languages, store, cache, versions, \
                      limits.",
        category: "server",
        tags: &["status", "health", "limits", "version"],
        words: &[
            "healthy",
            "alive",
            "up",
            "running",
            "working",
            "broken",
            "degraded",
            "memory",
            "uptime",
            "load",
            "config",
            "capability",
            "supported",
            "language",
            "root",
            "quota",
            "diagnose",
        ],
        kind: Kind::Control,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "low",
        arguments: vec![detail()],
        data: data_schema(),
        lean: LEAN,
        grouped: false,
        returns: "`features` with their states and why; `server`, `store`, the `nodes` that share it, `cache`, `pool`, \
                  `sessions`, `actors`; what may be read (`roots`), `languages` and `limits`; in full also `profiles`.",
        examples: vec![super::Example::new("Does everything work", json!({}))],
        reasons: &[],
    }
}

fn data_schema() -> Value {
    strict(json!({
        "server": strict(json!({
            "name": string(), "version": string(), "engine_version": count(),
            "uptime_seconds": {"type": "number", "minimum": 0}, "draining": {"type": "boolean"},
            "log_messages_dropped": count(),
        })),
        "features": list(strict(json!({
            "name": string(), "state": {"enum": ["available", "degraded", "off"]}, "why": or_null("string"),
        }))),
        "store": store::schema(),
        "nodes": list(store::node_schema()),
        "cache": strict(json!({
            "available": {"type": "boolean"}, "entries": count(), "bytes": count(), "limit_bytes": count(),
            "hits": count(), "misses": count(), "evictions": count(), "shared": store::shared_cache_schema(),
        })),
        "pool": strict(json!({
            "workers": count(), "running": count(), "queued": count(), "queue_limit": count(), "panics": count(),
        })),
        "sessions": strict(json!({"awake": count(), "quarantined": count(), "calls_in_flight": count()})),
        "actors": strict(json!({"up": count(), "down": count(), "restarts": count()})),
        "roots": list(root_schema()),
        "languages": list(strict(json!({"name": string(), "extensions": list(string())}))),
        "profiles": list(string()),
        "limits": {"type": "object", "additionalProperties": count()},
    }))
}

/// The facts that do not change while the program runs.
static LANGUAGES: LazyLock<Value> = LazyLock::new(|| {
    let languages = Language::ALL.map(|language| {
        json!({
            "name": language.name(),
            "extensions": language.facts().extensions,
        })
    });
    languages.into_iter().collect()
});

pub(crate) fn finding(status: &Status, readable: &[Root], more: &[Feature]) -> Finding {
    let features: Vec<Feature> = own_features(status)
        .into_iter()
        .chain(more.iter().cloned())
        .collect();
    let actors = census(&status.tree);
    let data = object([
        (
            "server",
            json!({
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
                "engine_version": ENGINE_VERSION,
                "uptime_seconds": seconds(status.uptime),
                "draining": status.draining,
                "log_messages_dropped": otel::stderr::dropped(),
            }),
        ),
        ("features", features_data(&features)),
        ("store", store::data(&status.store)),
        ("nodes", store::nodes(status)),
        ("cache", cache_data(&status.cache)),
        ("pool", pool_data(&status.pool)),
        (
            "sessions",
            json!({
                "awake": status.sessions.awake,
                "quarantined": status.sessions.quarantined,
                "calls_in_flight": status.sessions.calls_in_flight,
            }),
        ),
        (
            "actors",
            json!({
                "up": actors.running,
                "down": actors.not_running,
                "restarts": actors.restarts,
            }),
        ),
        ("roots", roots(readable)),
        ("languages", LANGUAGES.clone()),
        ("profiles", json!(Profile::ALL.map(Profile::name))),
        ("limits", limits()),
    ]);
    let text = text(status, readable, &features);
    Finding::plain(data, text)
}

/// As in the answer, for the admin port.
pub(crate) fn features(status: &Status, more: &[Feature]) -> Value {
    let mut features = own_features(status);
    features.extend_from_slice(more);
    features_data(&features)
}

fn features_data(features: &[Feature]) -> Value {
    let data = features.iter().map(|feature| {
        json!({
            "name": feature.name,
            "state": feature.state.name(),
            "why": (!feature.why.is_empty()).then_some(&feature.why),
        })
    });
    data.collect()
}

pub(crate) fn cache_data(cache: &CacheStatus) -> Value {
    json!({
        "available": cache.available,
        "entries": cache.entries,
        "bytes": cache.bytes,
        "limit_bytes": cache.limit_bytes,
        "hits": cache.hits,
        "misses": cache.misses,
        "evictions": cache.evictions,
        "shared": store::shared_cache(cache.shared.as_ref()),
    })
}

pub(crate) fn pool_data(pool: &PoolStatus) -> Value {
    json!({
        "workers": pool.workers,
        "running": pool.running,
        "queued": pool.queued,
        "queue_limit": pool.queue_limit,
        "panics": pool.panics,
    })
}

/// The requested fields.
pub(crate) fn shown(finding: Finding, arguments: &Value) -> Finding {
    let shape = Shape::new(Detail::of(arguments), LEAN);
    Finding {
        data: shape.value(finding.data),
        ..finding
    }
}

/// The data about the store, also for the admin port.
pub(crate) fn store_data(status: &StoreStatus) -> Value {
    store::data(status)
}

/// The nodes that share the store.
pub(crate) fn nodes_data(status: &Status) -> Value {
    store::nodes(status)
}

/// Every limit that a caller can reach, by name.
pub(crate) fn limits() -> Value {
    json!({
        "rows_default": DEFAULT_LIMIT,
        "rows_max": MAX_LIMIT,
        "max_bytes_default": DEFAULT_MAX_BYTES,
        "max_bytes_min": MIN_MAX_BYTES,
        "max_bytes_max": MAX_MAX_BYTES,
        "batch_calls": MAX_CALLS,
        "batch_concurrent": MAX_CONCURRENT,
        "argument_bytes": MAX_ARGUMENT_BYTES,
        "stored_result_bytes": WHOLE_CAP,
        "compact_result_bytes": COMPACT_CAP,
    })
}

fn own_features(status: &Status) -> Vec<Feature> {
    let feature = |name, state, why: &str| Feature {
        name,
        state,
        why: why.to_owned(),
    };
    let analysis = if status.draining {
        feature(
            "analysis",
            FeatureState::Off,
            "the service is shutting down",
        )
    } else if status.pool.queued >= status.pool.queue_limit && status.pool.queue_limit > 0 {
        feature(
            "analysis",
            FeatureState::Degraded,
            "the queue is full: calls are refused with `busy`",
        )
    } else {
        feature("analysis", FeatureState::Available, "")
    };
    let cache = if status.cache.available {
        feature("cache", FeatureState::Available, "")
    } else {
        feature(
            "cache",
            FeatureState::Degraded,
            "the cache does not answer: calls analyse every file again",
        )
    };
    let mut features = vec![analysis];
    features.extend(store::features(&status.store));
    features.push(cache);
    features.push(store::shared_cache_feature(status.cache.shared.as_ref()));
    features
}

struct Census {
    running: u64,
    not_running: u64,
    restarts: u64,
}

/// Only counts, because names contain the ids of sessions, which only their owners may see.
fn census(tree: &ActorStatus) -> Census {
    let mut census = Census {
        running: 0,
        not_running: 0,
        restarts: 0,
    };
    let mut left = vec![tree];
    while let Some(actor) = left.pop() {
        match actor.status {
            "running" => census.running += 1,
            _ => census.not_running += 1,
        }
        census.restarts += u64::from(actor.restarts);
        left.extend(&actor.children);
    }
    census
}

fn text(status: &Status, readable: &[Root], features: &[Feature]) -> String {
    let mut text = format!(
        "{} {}, up {} s\n",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        seconds(status.uptime)
    );
    for feature in features {
        let why = if feature.why.is_empty() { "" } else { ": " };
        text.push_str(&format!(
            "{} {}{why}{}\n",
            feature.name,
            feature.state.name(),
            line(&feature.why)
        ));
    }
    let dropped = otel::stderr::dropped();
    if dropped > 0 {
        text.push_str(&format!(
            "{} dropped, because stderr is not read\n",
            counted(dropped, "log message")
        ));
    }
    let names: Vec<&str> = readable.iter().map(|root| root.name.as_str()).collect();
    let languages: Vec<&str> = Language::ALL.map(Language::name).into();
    text.push_str(&format!(
        "roots: {}\nlanguages: {}\n",
        line(&names.join(", ")),
        languages.join(", ")
    ));
    text.push_str(&store::text(status));
    text.push_str(&format!(
        "cache {}, {} of {} bytes; pool {} of {} running, {} queued; {} awake\n",
        counted(status.cache.entries, "entry"),
        status.cache.bytes,
        status.cache.limit_bytes,
        status.pool.running,
        counted(status.pool.workers as u64, "worker"),
        status.pool.queued,
        counted(status.sessions.awake, "session"),
    ));
    text
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
