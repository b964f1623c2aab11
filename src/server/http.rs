//! MCP over HTTP: Streamable HTTP at `/mcp` for every revision, and HTTP+SSE at `/sse` and `/messages` for older
//! clients. The state between requests is in the store, so a crash here loses only running requests, and another node
//! can answer the next one.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get, post};
use rmcp::ServerHandler;
use rmcp::transport::StreamableHttpServerConfig;
use tokio_util::sync::CancellationToken;

use super::connections::Table;
use super::lifecycle::Lifecycle;
use crate::service::Service;

mod batch;
mod body;
pub mod listener;
pub(crate) mod refusal;
mod sse;
mod streamable;
pub(super) mod traced;

/// Interval of keep-alive comments on a silent stream: proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// State of all routes. Cheap to clone.
pub struct Edge<H>(Arc<Inner<H>>);

struct Inner<H> {
    service: Service,
    handler: Arc<dyn Fn() -> H + Send + Sync>,
    table: Table,
    lifecycle: Lifecycle,
    room: body::Room,
    /// Cancelled when idle streams should end.
    closing: CancellationToken,
    config: StreamableHttpServerConfig,
}

impl<H> Clone for Edge<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: ServerHandler> Edge<H> {
    /// `handler` creates the handler of one request, or of one HTTP+SSE stream.
    pub fn new(
        service: Service,
        lifecycle: Lifecycle,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> Self {
        let stopped = CancellationToken::new();
        let closing = CancellationToken::new();
        let config = StreamableHttpServerConfig::default()
            // Checked before any route.
            .disable_allowed_hosts()
            .with_sse_keep_alive(Some(KEEP_ALIVE))
            // Each stream sends it, if its revision supports it.
            .with_sse_retry(None)
            // For an answer without earlier events.
            .with_json_response(true)
            .with_cancellation_token(stopped.clone());
        let table = Table::new(service.sessions.node(), service.sessions.connections());
        tokio::spawn(end_streams(lifecycle.clone(), closing.clone(), stopped));
        Self(Arc::new(Inner {
            service,
            handler: Arc::new(handler),
            table,
            lifecycle,
            room: body::Room::default(),
            closing,
            config,
        }))
    }

    /// The routes, without access control.
    pub fn router(self) -> Router {
        Router::new()
            .route("/mcp", any(streamable::answer::<H>))
            .route("/sse", get(sse::open::<H>))
            .route("/messages", post(sse::take::<H>))
            .fallback(nothing_here)
            .with_state(self)
    }
}

async fn end_streams(lifecycle: Lifecycle, closing: CancellationToken, stopped: CancellationToken) {
    lifecycle.draining().await;
    closing.cancel();
    lifecycle.stopped().await;
    stopped.cancel();
}

async fn nothing_here() -> axum::response::Response {
    let message = "no such route: MCP is at /mcp (Streamable HTTP) and /sse (HTTP+SSE)";
    refusal::refuse(StatusCode::NOT_FOUND, message.to_owned())
}

#[cfg(test)]
mod tests;
