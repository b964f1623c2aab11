//! The supervision tree as JSON. Each session supervisor shows only its newest sessions; `/admin/sessions` lists all.

use actors::status::{ActorStatus, InProgress};
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{State, answer};
use crate::answer::rfc3339;

pub(super) async fn tree(Shared(state): Shared<State>) -> Response {
    let status = state.0.looks.recent(&state.0.service).await;
    answer::json(StatusCode::OK, actor(&status.tree))
}

pub(super) fn actor(status: &ActorStatus) -> Value {
    json!({
        "name": status.name,
        "kind": status.kind,
        "status": status.status,
        "restarts": status.restarts,
        "last_failure": status.last_failure,
        "mailbox": status.doing.mailbox,
        "messages": status.doing.messages,
        "busy_ms": u64::try_from(status.doing.busy.as_millis()).unwrap_or(u64::MAX),
        "now": status.doing.now.map(now),
        "since": rfc3339(status.since_ms),
        "children": status.children.iter().map(actor).collect::<Vec<_>>(),
    })
}

fn now(now: InProgress) -> Value {
    json!({
        "message": now.message,
        "since_ms": u64::try_from(now.elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Whether the tree has an actor of this name.
pub(super) fn names(tree: &ActorStatus, name: &str) -> bool {
    tree.name == name || tree.children.iter().any(|child| names(child, name))
}
