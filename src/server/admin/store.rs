//! The store as this node sees it: durability, server, pending commits, and the nodes that share it.

use actors::status::{Status, StoreStatus};
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{State, answer};
use crate::tools::get_server_status;

pub(super) async fn status(Shared(state): Shared<State>) -> Response {
    let status = state.0.looks.recent(&state.0.service).await;
    answer::json(StatusCode::OK, body(&status))
}

pub(super) fn body(status: &Status) -> Value {
    let mut body = get_server_status::store_data(&status.store);
    body["breaker"] = json!(status.store.health.breaker);
    body["pool"] = pool(&status.store);
    body["nodes"] = get_server_status::nodes_data(status);
    body
}

/// Null if the store is not on a network.
fn pool(store: &StoreStatus) -> Value {
    let Some(link) = &store.health.link else {
        return Value::Null;
    };
    json!({
        "limit": link.pool.limit,
        "open": link.pool.open,
        "idle": link.pool.idle,
        "waiting": link.pool.waiting,
    })
}
