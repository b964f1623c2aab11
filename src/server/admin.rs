//! The operator's port: is it alive, is it ready, how are actors, sessions and store; and, where the operator asked
//! for it in as many words, the control that hurts actors. Never on the port that agents reach. It keeps nothing: a
//! crash of any actor is seen with the next look.

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
mod sessions;
mod store;

/// The one body that is read names an actor and what befalls it.
const MAX_BODY_BYTES: usize = 4 << 10;
/// Of every answer: how things are now is no use to anybody later, and is never to be taken for a page.
const HEADERS: [(HeaderName, &str); 2] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Anyone who gets this far may panic, kill and stall actors.
    pub chaos: bool,
    /// Calls are refused while the store is away: without it this node is not ready.
    pub needs_store: bool,
}

/// What the routes know. Cheap to clone.
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

    /// Why the tree is beyond repair; the process is about to end then.
    async fn failed(&self) -> Option<String> {
        tokio::select! {
            biased;
            cause = self.0.service.sessions.failed() => Some(cause),
            () = ready(()) => None,
        }
    }
}

/// Every route, behind `access`; but for the two that probes ask, which cannot bear a token: these say a state and no
/// more, to whoever calls the server by its name. Without a token not even the names of the other routes are told.
pub fn router(state: State, access: &Access) -> Router {
    let open = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::readiness))
        .method_not_allowed_fallback(wrong_method);
    let mut guarded = Router::new()
        .route("/admin/actors", get(actors::tree))
        .route("/admin/sessions", get(sessions::page))
        .route("/admin/store", get(store::status))
        .route("/admin/cache", delete(cache::forget));
    if state.0.options.chaos {
        tracing::warn!(
            "CHAOS IS ON: whoever reaches the admin port may panic, kill and stall every actor of this process"
        );
        guarded = guarded.route("/admin/chaos/actors", post(chaos::strike));
    }
    let guarded = guarded
        .fallback(unknown)
        // Before the guard, so that this too is told to bearers only.
        .method_not_allowed_fallback(wrong_method)
        .with_state(state.clone());
    let open = access.for_anybody().protect(open.with_state(state));
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
    let message = format!("nothing is at {}; see docs/operations.md", uri.path());
    refused(StatusCode::NOT_FOUND, "unknown_route", &message)
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!(
        "{} does not take {method}; `Allow` says what it takes",
        uri.path()
    );
    refused(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", &message)
}

#[cfg(test)]
mod tests;
