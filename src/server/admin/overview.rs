//! Everything that the page for people shows, in one answer, so that all of it is of one moment.

use std::time::Duration;

use ::actors::status::{ActorActivity, ActorStatus, Status, Stuck};
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{State, actors, answer, store};
use crate::answer::rfc3339;
use crate::service::recent::{Noted, Rate, Recent};
use crate::tools::get_server_status;
use verdict::Verdict;

mod verdict;

pub(super) async fn overview(Shared(state): Shared<State>) -> Response {
    let failed = state.failed().await.is_some();
    let inner = &state.0;
    let status = inner.looks.recent(&inner.service).await;
    let stuck = inner.service.sessions.stuck();
    let stage = inner.lifecycle.state();
    let features = get_server_status::features(&status, &inner.service.features);
    let verdict = Verdict::of(
        stage,
        failed,
        &status,
        &stuck.now,
        inner.options.needs_store,
    );
    let mut body = facts(&status);
    body["verdict"] = verdict.value();
    body["state"] = json!(stage.name());
    body["features"] = features;
    body["calls"] = calls(inner.service.recent());
    body["activity"] = inner
        .service
        .sessions
        .activity()
        .iter()
        .map(activity)
        .collect();
    body["stuck"] = json!({
        "now": stuck.now.iter().map(shown).collect::<Vec<_>>(),
        "ended": stuck.ended.iter().map(shown).collect::<Vec<_>>(),
        "totals": stuck.totals.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
    });
    answer::json(StatusCode::OK, body)
}

fn facts(status: &Status) -> Value {
    json!({
        "node": status.node,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_ms": ms(status.uptime),
        "tree": actors::actor(&status.tree),
        "sessions": sessions(status),
        "store": store::body(status),
        "cache": get_server_status::cache_data(&status.cache),
        "pool": get_server_status::pool_data(&status.pool),
        "log_messages_dropped": otel::stderr::dropped(),
    })
}

/// By the state of their actors. The supervisors show their newest sessions only, so `restarting` may be more.
fn sessions(status: &Status) -> Value {
    let supervisors = &status.tree.children;
    let restarting = |actor: &&ActorStatus| actor.kind == "session" && actor.status == "restarting";
    let shown = supervisors
        .iter()
        .flat_map(|supervisor| &supervisor.children);
    json!({
        "awake": status.sessions.awake,
        "restarting": shown.filter(restarting).count(),
        "quarantined": status.sessions.quarantined,
        "calls_in_flight": status.sessions.calls_in_flight,
    })
}

fn calls(recent: &Recent) -> Value {
    json!({
        "covered_ms": ms(recent.covered()),
        "tools": recent.rates().iter().map(rate).collect::<Vec<_>>(),
        "noted": recent.noted().iter().map(noted).collect::<Vec<_>>(),
    })
}

fn rate(rate: &Rate) -> Value {
    json!({
        "tool": rate.tool,
        "calls": rate.calls,
        "per_minute": rate.per_minute,
        "callers": rate.callers,
        "servers": rate.servers,
        "p50_ms": fine_ms(rate.p50),
        "p95_ms": fine_ms(rate.p95),
    })
}

fn noted(noted: &Noted) -> Value {
    json!({
        "at": rfc3339(noted.at_ms),
        "tool": noted.tool,
        "ms": fine_ms(noted.took),
        "session_id": noted.session,
        "reason": noted.failed.map(|(reason, _)| reason),
        "fault": noted.failed.map(|(_, fault)| fault.name()),
        "message": noted.message,
        "trace": noted.trace,
    })
}

fn activity(activity: &ActorActivity) -> Value {
    json!({
        "kind": activity.kind,
        "actors": activity.actors,
        "working": activity.working,
        "mailbox": activity.mailbox,
        "messages": activity.messages,
        "busy_ms": ms(activity.busy),
        "restarts": activity.restarts,
    })
}

fn shown(stuck: &Stuck) -> Value {
    json!({
        "name": stuck.name,
        "kind": stuck.kind,
        "doing": stuck.doing,
        "since": rfc3339(stuck.since_ms),
        "ms": ms(stuck.lasted),
        "mailbox": stuck.mailbox,
    })
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// With three decimals: most calls take less than a millisecond.
fn fine_ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
