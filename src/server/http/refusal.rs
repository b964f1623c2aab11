//! Answers to requests that were refused before any call: a status, and a JSON-RPC error in the body, which clients
//! read.

use std::time::Duration;

use actors::connections::ConnectionError;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use rmcp::model::{ErrorData, JsonRpcError};

/// Suggested retry time: connections are freed, and stores recover.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Refuses a whole request.
pub(crate) fn refuse(status: StatusCode, message: String) -> Response {
    answer(status, ErrorData::invalid_request(message, None))
}

/// The body is not valid JSON.
pub(crate) fn no_json(message: String) -> Response {
    answer(
        StatusCode::BAD_REQUEST,
        ErrorData::parse_error(message, None),
    )
}

/// Refuses a request that may succeed later.
pub(crate) fn not_now(status: StatusCode, message: String, after: Duration) -> Response {
    let data = serde_json::json!({
        "code": "RESOURCE_EXHAUSTED",
        "retry_after_ms": u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
    });
    let mut response = answer(status, ErrorData::invalid_request(message, Some(data)));
    let seconds = after.as_secs_f64().ceil().max(1.0);
    if let Ok(seconds) = HeaderValue::from_str(&format!("{seconds:.0}")) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// There are too many connections, or they cannot be looked up.
pub(crate) fn not_connected(error: &ConnectionError) -> Response {
    let status = match error {
        ConnectionError::Limit(_) => StatusCode::TOO_MANY_REQUESTS,
        ConnectionError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    not_now(status, error.to_string(), TRY_AGAIN_AFTER)
}

/// The answer to a request that shutdown interrupted: the same message, with a status that makes proxies and clients
/// retry elsewhere.
pub(crate) fn left(body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn answer(status: StatusCode, error: ErrorData) -> Response {
    let body = serde_json::to_vec(&JsonRpcError::new(None, error)).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
