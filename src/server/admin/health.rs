//! Liveness and readiness probes. They need no token, so they reveal no addresses and no ids; `/admin/store` has the
//! details.

use std::borrow::Cow;

use actors::status::Status;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{State, answer};
use crate::server::lifecycle;

/// Returns 200 unless restarting the process would help.
pub(super) async fn alive(Shared(state): Shared<State>) -> Response {
    match state.failed().await {
        None => answer::json(StatusCode::OK, json!({"alive": true})),
        Some(_) => answer::json(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"alive": false, "reasons": [FAILED.value()]}),
        ),
    }
}

/// Returns 200 if calls are answered, even with weaker guarantees (`degraded`), and 503 with reasons if not.
pub(super) async fn readiness(Shared(state): Shared<State>) -> Response {
    let failed = state.failed().await.is_some();
    let status = state.0.looks.recent(&state.0.service).await;
    let stage = state.0.lifecycle.state();
    let reasons = reasons(stage, failed, &status, state.0.options.needs_store);
    let degraded = degraded(&status, state.0.options.needs_store);
    let is_ready = reasons.is_empty();
    let code = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let values = |causes: Vec<Cause>| causes.iter().map(Cause::value).collect::<Vec<_>>();
    let body = json!({
        "ready": is_ready,
        "state": stage.name(),
        "reasons": values(reasons),
        "degraded": values(degraded),
    });
    answer::json(code, body)
}

pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) message: Cow<'static, str>,
}

const STARTING: Cause = Cause {
    reason: "starting",
    message: Cow::Borrowed("not every port is listening yet"),
};
const DRAINING: Cause = Cause {
    reason: "draining",
    message: Cow::Borrowed("shutting down: running requests may finish, new ones are refused"),
};
const FAILED: Cause = Cause {
    reason: "failed",
    message: Cow::Borrowed(
        "the supervision tree has failed: the process ends and must be restarted",
    ),
};
const STORE_AWAY: Cause = Cause {
    reason: "store_away",
    message: Cow::Borrowed("the store is down: calls are refused until it is back"),
};
const NOT_DURABLE: Cause = Cause {
    reason: "store_away",
    message: Cow::Borrowed(
        "the store is down: calls are answered, but nothing is durable until it is back",
    ),
};
const NOT_ALONE: Cause = Cause {
    reason: "not_alone",
    message: Cow::Borrowed(
        "--single-node is set, and another node uses the same Redis and prefix: remove --single-node, stop that node, or give one of them its own --redis-prefix",
    ),
};
const STORE_RESTARTS: Cause = Cause {
    reason: "store_restarting",
    message: Cow::Borrowed("the store's actors are being restarted: calls take longer"),
};

impl Cause {
    fn value(&self) -> Value {
        json!({"reason": self.reason, "message": self.message})
    }
}

/// Reasons to send no traffic.
pub(super) fn reasons(
    stage: lifecycle::State,
    failed: bool,
    status: &Status,
    needs_store: bool,
) -> Vec<Cause> {
    use lifecycle::State::{Draining, Ready, Starting, Stopped};
    let mut reasons = Vec::new();
    match stage {
        Starting => reasons.push(STARTING),
        Ready if status.draining => reasons.push(DRAINING),
        Ready => {}
        Draining | Stopped => reasons.push(DRAINING),
    }
    if failed {
        reasons.push(FAILED);
    }
    if needs_store && status.store.health.away.is_some() {
        reasons.push(STORE_AWAY);
    }
    reasons
}

/// What works, but less well than usual. A store actor that does not answer is no reason to stop traffic: it restarts
/// within milliseconds, and calls wait for it.
pub(super) fn degraded(status: &Status, needs_store: bool) -> Vec<Cause> {
    let mut degraded = Vec::new();
    if !needs_store && status.store.health.away.is_some() {
        degraded.push(NOT_DURABLE);
    }
    if status.store.health.beside.is_some() {
        degraded.push(NOT_ALONE);
    }
    // While the store is down, nothing is durable anyway.
    if let (Some(short), None) = (&status.store.health.shortfall, &status.store.health.away) {
        degraded.push(Cause {
            reason: short.reason,
            message: Cow::Owned(format!("answers are not durable: {}", short.message)),
        });
    }
    if !status.store.available {
        degraded.push(STORE_RESTARTS);
    }
    degraded
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actors::sessions::Sessions;
    use actors::store::Shortfall;
    use actors::store::memory::{Limits, MemoryStore};
    use actors::tool::Catalogue;
    use actors::{Clock, Options};
    use lifecycle::State::Ready;

    use super::*;

    async fn well() -> Status {
        let store = Arc::new(MemoryStore::new(Clock::system(), Limits::default()));
        let started = Sessions::start(Options::default(), store, Catalogue::default()).await;
        started.expect("starts").status().await
    }

    fn names(causes: &[Cause]) -> Vec<&str> {
        causes.iter().map(|cause| cause.reason).collect()
    }

    #[tokio::test]
    async fn a_store_that_is_down_stops_traffic_only_if_calls_need_it() {
        let mut status = well().await;
        for needs_store in [false, true] {
            assert!(reasons(Ready, false, &status, needs_store).is_empty());
            assert!(degraded(&status, needs_store).is_empty());
        }
        status.store.health.away = Some("connection refused at 10.0.0.7".to_owned());
        assert!(reasons(Ready, false, &status, false).is_empty());
        assert_eq!(names(&degraded(&status, false)), ["store_away"]);
        assert_eq!(names(&reasons(Ready, false, &status, true)), ["store_away"]);
        assert!(degraded(&status, true).is_empty());
        for cause in degraded(&status, false) {
            assert!(!cause.value().to_string().contains("10.0.0.7"));
        }
    }

    #[tokio::test]
    async fn weaker_durability_is_listed_and_stops_no_traffic() {
        let mut status = well().await;
        status.store.health.shortfall = Some(Shortfall {
            reason: "store_evicts",
            message: "its maxmemory-policy is allkeys-lru".to_owned(),
        });
        for needs_store in [false, true] {
            assert!(reasons(Ready, false, &status, needs_store).is_empty());
            let degraded = degraded(&status, needs_store);
            assert_eq!(names(&degraded), ["store_evicts"]);
            assert!(
                degraded[0].value()["message"]
                    .to_string()
                    .contains("allkeys-lru")
            );
        }
    }

    #[tokio::test]
    async fn restarting_store_actors_stop_no_traffic() {
        let mut status = well().await;
        status.store.available = false;
        for needs_store in [false, true] {
            assert!(reasons(Ready, false, &status, needs_store).is_empty());
            assert_eq!(names(&degraded(&status, needs_store)), ["store_restarting"]);
        }
    }
}
