//! Every route, in this process, over a real tree.

use std::time::{Duration, Instant};

use ::actors::InjectedFault;
use ::actors::ids::{Principal, SessionId};
use ::actors::sessions::CreateRequest;
use ::actors::tool::ProgressSink;
use axum::body::{Body, to_bytes};
use axum::http::Response as HttpResponse;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::config::http::Names;
use crate::config::{Config, Layer};
use crate::server::access::{Admitted, Allowed, Anonymous, Authenticator, Refused};
use crate::service::Caller;
use crate::startup;

/// Longer than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const ANSWER_BYTES: usize = 4 << 20;

mod chaos;
mod overview;
mod shapes;

struct World {
    service: Service,
    lifecycle: Lifecycle,
    router: Router,
}

impl World {
    async fn start(options: Options) -> Self {
        Self::guarded(options, Anonymous).await
    }

    async fn guarded(options: Options, who: impl Authenticator) -> Self {
        let config = Config::resolve(Layer::default(), std::iter::empty()).expect("defaults");
        let service = startup::start(&config).await.expect("starts");
        let lifecycle = Lifecycle::new();
        let address = ([127, 0, 0, 1], 8643).into();
        let access = Access::new(Allowed::new(address, &Names::default()), who);
        let state = State::new(service.clone(), lifecycle.clone(), options);
        Self {
            service,
            lifecycle,
            router: router(state, &access),
        }
    }

    async fn send(&self, request: axum::http::request::Builder, body: &str) -> HttpResponse<Body> {
        let mut request = request
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let host = request.headers_mut().entry("host");
        host.or_insert(header::HeaderValue::from_static("127.0.0.1:8643"));
        let response = self.router.clone().oneshot(request).await;
        response.expect("a router cannot fail")
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.send(Request::get(path), "").await).await
    }

    /// Polls `path` until it answers as wanted, because actors take time.
    async fn eventually(&self, path: &str, wanted: impl Fn(StatusCode, &Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.get(path).await;
            if wanted(status, &body) {
                return body;
            }
            assert!(Instant::now() < until, "{path}: {status} {body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn session(&self) -> SessionId {
        let request = CreateRequest {
            principal: Principal::local(),
            label: None,
            roots: Vec::new(),
            ttl: None,
            idempotency_key: None,
            provisional: false,
        };
        self.service
            .sessions
            .create(request)
            .await
            .expect("made")
            .id
    }

    /// A call that uses every actor with faults: registry, session, pool, cache, persistence.
    async fn call(&self, session: SessionId) -> Value {
        let caller = Caller {
            principal: Principal::local(),
            default_session: None,
            request: None,
        };
        let arguments =
            json!({"session_id": session, "path": ".", "limit": 1, "include": ["src/main.rs"]});
        let cancel = CancellationToken::new();
        let sink = ProgressSink::default();
        let answer = self
            .service
            .call(&caller, "analyze_complexity", arguments, cancel, sink)
            .await;
        answer.expect("a tool").structured
    }

    async fn stop(self) {
        self.service.sessions.shutdown(Duration::ZERO).await;
    }
}

async fn read(response: HttpResponse<Body>) -> (StatusCode, Value) {
    let (parts, body) = response.into_parts();
    assert_eq!(parts.headers["content-type"], "application/json");
    assert_eq!(parts.headers["cache-control"], "no-store");
    assert_eq!(parts.headers["x-content-type-options"], "nosniff");
    let body = to_bytes(body, ANSWER_BYTES).await.expect("a body");
    let body = serde_json::from_slice(&body).expect("JSON");
    (parts.status, body)
}

fn reasons(body: &Value, of: &str) -> Vec<String> {
    let causes = body[of].as_array().expect("a list");
    let reason = |cause: &Value| cause["reason"].as_str().expect("a text").to_owned();
    causes.iter().map(reason).collect()
}

#[tokio::test]
async fn ready_from_the_start_until_the_drain() {
    let world = World::start(Options::default()).await;
    let (status, body) = world.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&body["ready"], &body["state"]),
        (&json!(false), &json!("starting"))
    );
    assert_eq!(reasons(&body, "reasons"), ["starting"]);

    world.lifecycle.ready();
    let (status, body) = world.get("/readyz").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        body,
        json!({"ready": true, "state": "ready", "reasons": [], "degraded": []})
    );

    world.lifecycle.drain();
    let (status, body) = world.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reasons(&body, "reasons"), ["draining"]);
    let (status, body) = world.get("/healthz").await;
    assert_eq!((status, body), (StatusCode::OK, json!({"alive": true})));
    world.stop().await;
}

#[tokio::test]
async fn a_node_whose_sessions_stop_is_not_ready() {
    let world = World::start(Options::default()).await;
    world.lifecycle.ready();
    world.service.sessions.shutdown(Duration::ZERO).await;
    let (status, body) = world.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        reasons(&body, "reasons").contains(&"draining".to_owned()),
        "{body}"
    );
}

#[tokio::test]
async fn a_failed_tree_is_neither_alive_nor_ready() {
    let world = World::start(Options::default()).await;
    world.lifecycle.ready();
    assert!(
        world
            .service
            .sessions
            .strike("root", InjectedFault::Kill)
            .await
    );
    let gone = |status, _: &Value| status == StatusCode::SERVICE_UNAVAILABLE;
    let body = world.eventually("/healthz", gone).await;
    assert_eq!(body["alive"], false);
    assert_eq!(reasons(&body, "reasons"), ["failed"]);
    let body = world.eventually("/readyz", gone).await;
    assert_eq!(reasons(&body, "reasons"), ["failed"]);
}

/// Refuses every caller.
struct RefuseAll;

impl Authenticator for RefuseAll {
    fn admit(&self, _headers: &axum::http::HeaderMap) -> Result<Admitted, Refused> {
        Err(Refused::Missing)
    }
}

#[tokio::test]
async fn every_route_refuses_dns_rebinding() {
    let options = Options {
        chaos: true,
        ..Options::default()
    };
    let world = World::start(options).await;
    world.lifecycle.ready();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/",
        "/page.css",
        "/page.js",
        "/admin/overview",
        "/admin/actors",
        "/admin/store",
        "/admin/cache",
        "/admin/chaos/actors",
        "/x",
    ] {
        let foreign = [
            Request::get(path).header("host", "evil.example:8643"),
            Request::get(path).header("origin", "http://evil.example"),
            Request::get(path).header("origin", "null"),
        ];
        for request in foreign {
            let (status, body) = read(world.send(request, "").await).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {body}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn every_route_but_the_two_probes_is_guarded() {
    let options = Options {
        chaos: true,
        ..Options::default()
    };
    let world = World::guarded(options, RefuseAll).await;
    world.lifecycle.ready();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(world.get(path).await.0, StatusCode::OK, "{path}");
    }
    for path in [
        "/",
        "/metrics",
        "/page.js",
        "/admin/overview",
        "/admin/actors",
        "/admin/sessions",
        "/admin/store",
        "/admin/cache",
        "/admin/chaos/actors",
        "/nothing/here",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let request = Request::builder().method(method.clone()).uri(path);
            let (status, _) = read(world.send(request, "").await).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn unknown_routes_and_methods_are_reported() {
    let world = World::start(Options::default()).await;
    for path in ["/admin", "/admin/actors/x", "/admin/chaos/actors", "/mcp"] {
        let (status, body) = world.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(body["error"]["reason"], "unknown_route");
    }
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/admin/actors",
        "/admin/sessions",
        "/admin/store",
    ] {
        let response = world.send(Request::post(path), "{}").await;
        assert_eq!(response.headers()["allow"], "GET,HEAD", "{path}");
        let (status, body) = read(response).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(body["error"]["reason"], "wrong_method");
    }
    world.stop().await;
}
