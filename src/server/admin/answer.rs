//! Answers of the admin port, always JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub(super) fn json(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

/// `reason` is stable; `message` says what to do.
pub(super) fn refused(status: StatusCode, reason: &str, message: &str) -> Response {
    let error = serde_json::json!({"error": {"reason": reason, "message": message}});
    json(status, error)
}
