//! The store in the status: durability, pending data, state of its server, and the nodes that share it.

use actors::sessions::DurabilityLevel;
use actors::status::{SharedCacheStatus, Status, StoreStatus};
use actors::store::{Link, NodeRecord};
use serde_json::{Value, json};

use super::super::session_data;
use otel::visible::line;

use super::super::text::counted;
use super::{Feature, FeatureState};
use crate::answer::envelope::{count, list, or_null, strict, string};
use crate::answer::rfc3339;

pub(super) fn schema() -> Value {
    let link = strict(json!({
        "address": string(), "role": string(), "version": string(), "run_id": string(),
        "replication_offset": count(), "replicas": count(), "latency_ms": {"type": "number", "minimum": 0},
        "connections": count(), "reconnects": count(),
    }));
    let eviction = strict(json!({
        "policy": or_null("string"), "keys": count(), "sessions": count(), "stored_again": count(),
    }));
    strict(json!({
        "kind": string(),
        "level": {"enum": ["memory", "redis", "fsync", "replicated"]},
        "durable": {"type": "boolean"},
        "available": {"type": "boolean"},
        "away": or_null("string"),
        "detail": or_null("string"),
        "warnings": list(string()),
        "pending_commits": count(),
        "link": {"anyOf": [{"type": "null"}, link]},
        "eviction": {"anyOf": [{"type": "null"}, eviction]},
        "sheltered": strict(json!({
            "sessions": count(), "changes": count(), "bytes": count(), "since": or_null("string"), "lost": count(),
            "not_kept": count(),
        })),
    }))
}

pub(super) fn node_schema() -> Value {
    strict(json!({
        "node": string(), "this": {"type": "boolean"}, "version": string(), "address": string(),
        "started": string(), "seen": string(), "sessions": count(), "calls_in_flight": count(),
        "features": list(string()), "draining": {"type": "boolean"},
    }))
}

pub(super) fn data(store: &StoreStatus) -> Value {
    let sheltered = store.health.sheltered;
    json!({
        "kind": store.kind,
        "level": store.level.name(),
        "durable": is_durable(store),
        "available": store.available,
        "away": store.health.away,
        "detail": store.detail,
        "warnings": store.health.warnings,
        "pending_commits": store.pending_commits,
        "link": store.health.link.as_ref().map(link),
        "eviction": store.health.eviction.as_ref().map(|eviction| json!({
            "policy": eviction.policy,
            "keys": eviction.keys,
            "sessions": eviction.sessions,
            "stored_again": eviction.stored_again,
        })),
        "sheltered": {
            "sessions": sheltered.sessions,
            "changes": sheltered.changes,
            "bytes": sheltered.bytes,
            "since": sheltered.since_ms.map(rfc3339),
            "lost": sheltered.lost,
            "not_kept": sheltered.not_kept,
        },
    })
}

fn link(link: &Link) -> Value {
    json!({
        "address": link.address,
        "role": link.role,
        "version": link.version,
        "run_id": link.run_id,
        "replication_offset": link.replication_offset,
        "replicas": link.replicas,
        "latency_ms": millis(link.latency_us),
        "connections": link.connections,
        "reconnects": link.reconnects,
    })
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

pub(super) fn nodes(status: &Status) -> Value {
    let told = |node: &NodeRecord| {
        let mut told = session_data::node(node);
        told["this"] = json!(node.node == status.node);
        told
    };
    status.nodes.iter().map(told).collect()
}

/// Whether answers now have the durability that the operator configured.
fn is_durable(store: &StoreStatus) -> bool {
    let health = &store.health;
    let promises = health.away.is_none() && health.shortfall.is_none();
    store.level != DurabilityLevel::Memory && store.available && promises
}

pub(super) fn features(store: &StoreStatus) -> Vec<Feature> {
    use FeatureState::{Available, Degraded, Off};
    let feature = |name, state, why: String| Feature { name, state, why };
    if !store.available {
        let why = store.detail.clone();
        let why = why.unwrap_or_else(|| "the store does not answer".to_owned());
        let names = ["sessions", "durable_sessions", "relay"];
        return names.map(|name| feature(name, Off, why.clone())).into();
    }
    if store.level == DurabilityLevel::Memory {
        let ends = "sessions are kept in memory: they survive a crash of any actor, but not of this process";
        let alone = "this node does not share its sessions: use --store redis to share them";
        return vec![
            feature("sessions", Available, String::new()),
            feature("durable_sessions", Degraded, ends.to_owned()),
            feature("relay", Off, alone.to_owned()),
        ];
    }
    if let Some(why) = &store.health.away {
        let kept = format!("the store is down ({why}): calls are answered from memory, or refused");
        return vec![
            feature("sessions", Degraded, kept),
            feature("durable_sessions", Off, why.clone()),
            feature("relay", Off, why.clone()),
        ];
    }
    let durable = if store.health.warnings.is_empty() {
        feature("durable_sessions", Available, String::new())
    } else {
        feature(
            "durable_sessions",
            Degraded,
            store.health.warnings.join("; "),
        )
    };
    vec![
        feature("sessions", Available, String::new()),
        durable,
        feature("relay", Available, String::new()),
    ]
}

pub(super) fn text(status: &Status) -> String {
    let store = &status.store;
    let mut text = format!(
        "store {}, {} pending",
        store.kind,
        counted(store.pending_commits, "commit")
    );
    if let Some(link) = &store.health.link {
        text.push_str(&format!(
            "; {} {} at {}, {} ms",
            line(&link.role),
            line(&link.version),
            line(&link.address),
            millis(link.latency_us)
        ));
    }
    let sheltered = &store.health.sheltered;
    if sheltered.changes > 0 || sheltered.lost > 0 {
        text.push_str(&format!(
            "; kept in memory for it: {} of {}; lost so far: {}",
            counted(sheltered.changes, "change"),
            counted(sheltered.sessions, "session"),
            sheltered.lost
        ));
    }
    if sheltered.not_kept > 0 {
        text.push_str(&format!(
            "; {} not available while it is down: no room in memory",
            counted(sheltered.not_kept, "session")
        ));
    }
    if let Some(eviction) = store.health.eviction.as_ref().filter(|it| it.keys > 0) {
        let evicted = counted(eviction.keys, "key");
        text.push_str(&format!(
            "; it evicted {evicted} of any kind; {} evicted before they expired, {} restored",
            counted(eviction.sessions, "session"),
            eviction.stored_again
        ));
    }
    if !status.nodes.is_empty() {
        text.push_str(&format!("; {}", counted(status.nodes.len() as u64, "node")));
    }
    text.push('\n');
    text
}

/// The cache that nodes share; null if this node shares nothing.
pub(super) fn shared_cache_schema() -> Value {
    let shared = strict(json!({
        "available": {"type": "boolean"}, "away": or_null("string"), "hits": count(), "misses": count(),
        "skipped": count(), "errors": count(), "dropped": count(),
        "bytes": or_null("integer"), "budget": or_null("integer"), "short": or_null("string"),
    }));
    json!({"anyOf": [{"type": "null"}, shared]})
}

pub(super) fn shared_cache(shared: Option<&SharedCacheStatus>) -> Value {
    let Some(shared) = shared else {
        return Value::Null;
    };
    json!({
        "available": shared.away.is_none(),
        "away": shared.away,
        "hits": shared.hits,
        "misses": shared.misses,
        "skipped": shared.skipped,
        "errors": shared.errors,
        "dropped": shared.dropped,
        "bytes": shared.bytes,
        "budget": shared.budget,
        "short": shared.short,
    })
}

pub(super) fn shared_cache_feature(shared: Option<&SharedCacheStatus>) -> Feature {
    let (state, why) = match shared {
        None => (
            FeatureState::Off,
            "sessions are kept in memory: there are no other nodes to share with".to_owned(),
        ),
        Some(SharedCacheStatus {
            away: Some(away), ..
        }) => (
            FeatureState::Degraded,
            format!(
                "its Redis is down ({away}): this node analyses files itself until it answers again"
            ),
        ),
        Some(SharedCacheStatus {
            short: Some(why), ..
        }) => (FeatureState::Degraded, why.clone()),
        Some(_) => (FeatureState::Available, String::new()),
    };
    Feature {
        name: "shared_cache",
        state,
        why,
    }
}
