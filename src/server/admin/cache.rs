//! Drops cached analyses, so that a wrong one is not returned again before its file changes.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::{State, answer};

/// Clears this node's cache, the shared cache, and the caches of all nodes that share the store.
pub(super) async fn forget(Shared(state): Shared<State>) -> Response {
    let forgotten = state.0.service.sessions.forget_cache().await;
    state.0.looks.forget().await;
    match forgotten {
        Ok(()) => {
            tracing::info!("the cache was cleared on every node");
            answer::json(StatusCode::OK, json!({"forgotten": true}))
        }
        Err(error) => {
            tracing::warn!(%error, "the cache was cleared on this node only: repeat the request for the others");
            let message =
                format!("{error}; this node's cache is cleared: repeat the request for the others");
            answer::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "forgotten_here_alone",
                &message,
            )
        }
    }
}
