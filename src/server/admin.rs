//! The operator's port: a page for people, liveness, readiness, metrics, and the state of actors, sessions and store. With
//! `--chaos` it can also make actors fail. It is never on the port of MCP clients. It keeps no state: the next request
//! shows the crash of any actor.

use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{delete, get, post};

use super::access::Access;
use super::lifecycle::Lifecycle;
use crate::service::Service;
use answer::refused;
use look::Looks;

mod actors;
mod answer;
mod cache;
mod chaos;
mod health;
mod look;
mod metrics;
mod overview;
mod page;
mod sessions;
mod store;

/// Size of a request body. The only one names an actor and a fault.
const MAX_BODY_BYTES: usize = 4 << 10;
/// Headers of every answer: not cached, of the declared type, and nothing of it is told to other sites.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, page::POLICY),
];

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Callers of this port can make actors panic, stall and be killed.
    pub chaos: bool,
    /// The server refuses calls while the store is down, so it is then not ready.
    pub needs_store: bool,
}

/// The state of the routes. Cheap to clone.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    service: Service,
    lifecycle: Lifecycle,
    options: Options,
    looks: Looks,
}

impl State {
    pub fn new(service: Service, lifecycle: Lifecycle, options: Options) -> Self {
        Self(Arc::new(Inner {
            service,
            lifecycle,
            options,
            looks: Looks::default(),
        }))
    }

    /// Why the tree has failed for good; the process is about to end then.
    async fn failed(&self) -> Option<String> {
        tokio::select! {
            biased;
            cause = self.0.service.sessions.failed() => Some(cause),
            () = ready(()) => None,
        }
    }
}

/// Every route is behind `access`, except the two health probes, which cannot send a token. The probes report a state
/// and nothing else, to any caller with an allowed `Host`. Without a token, even the names of other routes stay hidden.
pub fn router(state: State, access: &Access) -> Router {
    let open = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::readiness))
        .method_not_allowed_fallback(wrong_method);
    let mut guarded = Router::new()
        .route("/metrics", get(metrics::page))
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/admin/overview", get(overview::overview))
        .route("/admin/actors", get(actors::tree))
        .route("/admin/sessions", get(sessions::page))
        .route("/admin/store", get(store::status))
        .route("/admin/cache", delete(cache::forget));
    if state.0.options.chaos {
        tracing::warn!(
            "CHAOS IS ON: callers of the admin port can panic, kill and stall every actor of this process"
        );
        guarded = guarded.route("/admin/chaos/actors", post(chaos::strike));
    }
    let guarded = guarded
        .fallback(unknown)
        // Inside the guard, so that only authenticated callers see it.
        .method_not_allowed_fallback(wrong_method)
        .with_state(state.clone());
    let open = access
        .without_authentication()
        .protect(open.with_state(state));
    open.merge(access.protect(guarded))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(with_headers))
}

async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

async fn unknown(uri: Uri) -> Response {
    let message = format!("no route {}; see docs/operations.md", uri.path());
    refused(StatusCode::NOT_FOUND, "unknown_route", &message)
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!(
        "{} does not accept {method}; the header `Allow` lists the methods that it accepts",
        uri.path()
    );
    refused(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", &message)
}

#[cfg(test)]
mod tests;
