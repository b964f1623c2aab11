//! `/mcp`: passes each message to the library's service, bound to its caller.

use std::sync::Arc;

use actors::ids::Principal;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use rmcp::ServerHandler;
use rmcp::transport::StreamableHttpService;

use super::refusal::{self, not_connected};
use super::{Edge, batch, body};
use crate::server::connections::manager::Bound;
use crate::server::left::Left;

/// Handles one HTTP request; a batch is answered message by message.
pub(super) async fn answer<H: ServerHandler>(
    State(edge): State<Edge<H>>,
    Extension(principal): Extension<Principal>,
    request: Request<Body>,
) -> Response {
    if request.method() != Method::POST {
        return one(&edge, &principal, request).await;
    }
    let (parts, body) = request.into_parts();
    let body = match body::read(body, &edge.0.room).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    if batch::is_batch(&body.bytes) {
        return batch::answer(&edge, &principal, parts, &body.bytes).await;
    }
    let request = Request::from_parts(parts, Body::from(body.bytes.clone()));
    let response = one(&edge, &principal, request).await;
    if response.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return response;
    }
    // The library also answers this for a body that is no message; then report the actual problem.
    match batch::messages(&body.bytes) {
        Err(unfit) => unfit.refuse(),
        Ok(_) => response,
    }
}

pub(super) async fn one<H: ServerHandler>(
    edge: &Edge<H>,
    principal: &Principal,
    mut request: Request<Body>,
) -> Response {
    let inner = &edge.0;
    let left = Left::default();
    request.extensions_mut().insert(left.clone());
    let handler = Arc::clone(&inner.handler);
    let bound = Arc::new(Bound::new(
        inner.table.clone(),
        principal.clone(),
        inner.closing.clone(),
        Arc::clone(&handler),
    ));
    let service = StreamableHttpService::new(
        move || Ok(handler()),
        Arc::clone(&bound),
        inner.config.clone(),
    );
    let closes = request.method() == Method::DELETE;
    let mut response = service.handle(request).await.map(Body::new);
    if let Some(error) = bound.not_now() {
        return not_connected(error);
    }
    if let Some(answer) = bound.left() {
        return refusal::left(Body::from(serde_json::to_vec(answer).unwrap_or_default()));
    }
    let whole = HeaderValue::from_static("application/json");
    if left.is_noted() && response.headers().get(header::CONTENT_TYPE) == Some(&whole) {
        return refusal::left(response.into_body());
    }
    // The specification names no status, but some clients accept only this and 200.
    if closes && response.status() == StatusCode::ACCEPTED {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// Builds a request with a complete body.
pub(super) fn with_body(parts: &axum::http::request::Parts, body: Bytes) -> Request<Body> {
    let mut request = Request::from_parts(parts.clone(), Body::from(body));
    // It is the length of the original body.
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request
}
