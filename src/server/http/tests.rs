//! Random requests: each gets an answer, at worst a 4xx status with a message, and unauthenticated ones reach nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use futures_util::stream::{self, StreamExt};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::{Edge, Lifecycle, body};
use crate::config::http::Names;
use crate::config::{Config, Layer};
use crate::server::Handler;
use crate::server::access::{Access, Allowed, Bearer};
use crate::startup;

mod formats;

/// Longer than a slow machine needs for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// No refusal is longer, because it never repeats the request.
const REFUSAL_BYTES: usize = 4 << 10;
const ANSWER_BYTES: usize = 16 << 20;
/// `printf %s open-sesame | sha256sum`
const TOKENS: &str = "alice: d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7\n";
const TOKEN: &str = "Bearer open-sesame";

/// One server in this process, shared by all cases.
struct World {
    runtime: Runtime,
    router: Router,
    /// Handlers created: none for an unauthenticated request.
    made: Arc<AtomicUsize>,
}

static WORLD: LazyLock<World> = LazyLock::new(World::start);

impl World {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let made = Arc::new(AtomicUsize::new(0));
        let config = Config::resolve(Layer::default(), std::iter::empty()).expect("defaults");
        let router = runtime.block_on(router(&config, Arc::clone(&made)));
        Self {
            runtime,
            router,
            made,
        }
    }

    /// Opens a connection.
    fn connection(&self) -> String {
        let opened = self.runtime.block_on(send(&self.router, initialize()));
        let id = opened.headers()["mcp-session-id"].to_str();
        id.expect("text").to_owned()
    }
}

async fn router(config: &Config, made: Arc<AtomicUsize>) -> Router {
    let service = startup::start(config).await.expect("starts");
    let lifecycle = Lifecycle::new();
    lifecycle.ready();
    let edge = Edge::new(service.clone(), lifecycle, move || {
        made.fetch_add(1, Ordering::SeqCst);
        Handler::new(service.clone())
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), TOKENS).expect("written");
    let allowed = Allowed::new(([127, 0, 0, 1], 8642).into(), &Names::default());
    let bearer = Bearer::open(file.path()).expect("tokens");
    Access::new(allowed, bearer).protect(edge.router())
}

fn initialize() -> Request<Body> {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"},
    }});
    let request = Request::post("/mcp")
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, TOKEN)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    request.body(message.to_string().into()).expect("a request")
}

async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    let answer = tokio::time::timeout(PATIENCE, router.clone().oneshot(request)).await;
    answer.expect("in time").expect("a router cannot fail")
}

/// A request.
#[derive(Debug, Clone)]
struct Sent {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, in chunks.
    body: Vec<Vec<u8>>,
}

impl Sent {
    fn request(&self, connection: &str) -> Request<Body> {
        let pieces = self.body.clone().into_iter();
        let pieces = pieces.map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let mut request = Request::new(Body::from_stream(stream::iter(pieces)));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().unwrap_or_default();
        for (name, value) in &self.headers {
            let open = value == "open" && name == "mcp-session-id";
            let value = if open {
                HeaderValue::from_str(connection).expect("an id")
            } else {
                value.clone()
            };
            request.headers_mut().append(name, value);
        }
        request
    }

    /// Whether the request is authenticated.
    fn is_known(&self) -> bool {
        let mut said = self
            .headers
            .iter()
            .filter(|(name, _)| name == header::AUTHORIZATION);
        said.next().is_some_and(|(_, value)| value == TOKEN) && said.next().is_none()
    }
}

fn methods() -> impl Strategy<Value = Method> {
    prop_oneof![
        8 => Just(Method::POST),
        3 => Just(Method::GET),
        1 => Just(Method::DELETE),
        1 => Just(Method::OPTIONS),
        1 => Just(Method::HEAD),
        1 => Just(Method::PUT),
        1 => "[A-Z]{1,9}".prop_map(|name| name.parse().unwrap_or(Method::TRACE)),
    ]
}

fn paths() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just("/mcp".to_owned()),
        2 => Just("/sse".to_owned()),
        2 => Just("/messages".to_owned()),
        2 => "/messages\\?sessionId=(con_[0-9a-f]{32}|[a-z%=&]{0,12})",
        1 => "/mcp\\?[a-z=&%0-9]{0,20}",
        1 => "/[a-z/.%0-9]{0,20}",
        1 => "http://[a-z]{1,9}/mcp",
    ]
}

/// Headers with a meaning here, with valid and almost valid values.
fn headers() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let of = |name: &'static str, values: &'static [&'static str]| {
        let value = prop_oneof![
            4 => prop::sample::select(values).prop_map(HeaderValue::from_static),
            1 => prop::collection::vec(any::<u8>(), 0..24)
                .prop_filter_map("a value", |bytes| HeaderValue::from_bytes(&bytes).ok()),
        ];
        value.prop_map(move |value| (HeaderName::from_static(name), value))
    };
    prop_oneof![
        of(
            "content-type",
            &[
                "text/plain",
                "application/json; charset=x",
                "multipart/form-data"
            ]
        ),
        of(
            "accept",
            &[
                "*/*",
                "text/html",
                "application/json",
                "text/event-stream;q=0"
            ]
        ),
        of(
            "mcp-session-id",
            &["open", "open", "con_00000000000000000000000000000000", ""]
        ),
        of(
            "mcp-protocol-version",
            &[
                "2024-11-05",
                "2025-03-26",
                "2025-06-18",
                "2025-11-25",
                "2026-07-28",
                "9"
            ]
        ),
        of("mcp-method", &["tools/call", "ping", ""]),
        of("mcp-name", &["find_tools", "=?base64?eA==?=", ""]),
        of(
            "last-event-id",
            &["0", "str_00000000000000000000000000000000.1", "..", ""]
        ),
        of(
            "origin",
            &["http://localhost:3000", "null", "https://evil.example"]
        ),
        of("host", &["localhost", "evil.example"]),
        of("authorization", &[TOKEN, "Bearer x", "Basic x"]),
        of("content-length", &["0", "99999999999", "x"]),
        of("expect", &["100-continue"]),
    ]
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![
        Just(json!(1)),
        Just(json!("a\n\u{2028}b")),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        Just(json!(1.5)),
        Just(json!({})),
    ];
    let method = prop_oneof![
        prop::sample::select(
            &[
                "ping",
                "tools/list",
                "tools/call",
                "initialize",
                "notifications/initialized",
                "server/discover",
                "notifications/cancelled",
                "resources/read",
                "prompts/get",
                "completion/complete",
                "subscriptions/listen",
                "logging/setLevel",
            ][..]
        )
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let params = prop_oneof![
        Just(json!({"name": "find_tools", "arguments": {"query": "x"}})),
        Just(json!({"name": "get_session", "arguments": {"session_id": "\r\n\r\nevent: x"}})),
        Just(
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "0"}})
        ),
        Just(json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}})),
        Just(json!({"requestId": 1})),
        Just(json!({"uri": "analysis://sessions/../results/x"})),
        Just(json!([])),
        Just(json!("x")),
        anything(),
    ];
    let message = (id, method, params, 0_u8..16).prop_map(|(id, method, params, kind)| match kind {
        0 => json!({"jsonrpc": "2.0", "method": method, "params": params}),
        1 => json!({"jsonrpc": "2.0", "id": id, "result": params}),
        2 => json!({"jsonrpc": "2.0", "id": id, "error": {"code": 1, "message": method}}),
        3 => json!({"jsonrpc": "1.0", "id": id, "method": method}),
        4 => json!([{"jsonrpc": "2.0", "id": id, "method": method, "params": params}, {"jsonrpc": "2.0", "id": 2, "method": "ping"}]),
        _ => json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}),
    });
    let bytes = message.prop_map(|message| message.to_string().into_bytes());
    let damaged = (bytes, any::<prop::sample::Index>(), any::<u8>(), 0_u8..6);
    prop_oneof![
        8 => damaged.prop_map(|(mut bytes, at, byte, how)| {
            let at = at.index(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => bytes[at] = byte,
                _ => {}
            }
            bytes
        }),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => anything().prop_map(|value| value.to_string().into_bytes()),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn sent()(
        method in methods(),
        path in paths(),
        more in prop::collection::vec(headers(), 0..4),
        // Mostly valid headers: otherwise few requests would pass the first checks.
        usual in prop::bits::u8::between(0, 5),
        body in messages(),
        cut in any::<prop::sample::Index>(),
    ) -> Sent {
        let known = [
            (header::HOST, "localhost"),
            (header::AUTHORIZATION, TOKEN),
            (header::CONTENT_TYPE, "application/json"),
            (header::ACCEPT, "application/json, text/event-stream"),
            (HeaderName::from_static("mcp-session-id"), "open"),
        ];
        let mut headers = more;
        for (at, (name, value)) in known.into_iter().enumerate() {
            let left_out = usual == 1 << at;
            if !left_out && headers.iter().all(|(known, _)| *known != name) {
                headers.push((name, HeaderValue::from_static(value)));
            }
        }
        let at = cut.index(body.len() + 1);
        let body = vec![body[..at].to_vec(), body[at..].to_vec()];
        Sent { method, path, headers, body }
    }
}

/// Checks the answer to a refused request.
fn check_refusal(status: StatusCode, kind: &str, body: &[u8]) {
    let text = std::str::from_utf8(body).expect("text");
    assert!(!text.contains("open-sesame"), "{text}");
    if kind.starts_with("application/json") {
        let said: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(said["jsonrpc"], "2.0", "{said}");
        let message = said["error"]["message"].as_str();
        assert!(message.is_some_and(|words| !words.is_empty()), "{said}");
        assert!(said["error"]["code"].is_i64(), "{said}");
    } else {
        assert!(
            kind.is_empty() || kind.starts_with("text/plain"),
            "{status} {kind}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_gets_an_answer_and_unauthenticated_ones_reach_nothing(sent in sent()) {
        let world = &*WORLD;
        let connection = world.connection();
        let before = world.made.load(Ordering::SeqCst);
        let (status, kind, body) = world.runtime.block_on(async {
            let answer = send(&world.router, sent.request(&connection)).await;
            let (parts, body) = answer.into_parts();
            let kind = parts.headers.get(header::CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
            // A client's own stream has no end.
            if sent.method != Method::POST && kind == "text/event-stream" {
                return (parts.status, kind, Bytes::new());
            }
            let body = tokio::time::timeout(PATIENCE, to_bytes(body, ANSWER_BYTES)).await;
            (parts.status, kind, body.expect("it ends").expect("bounded"))
        });
        prop_assert!(status.as_u16() < 500, "{} {:?}", status, body);
        if status.is_client_error() {
            prop_assert!(body.len() <= REFUSAL_BYTES);
            // The answer to a `HEAD` has no body.
            if sent.method != Method::HEAD {
                check_refusal(status, &kind, &body);
            }
        }
        if !sent.is_known() {
            // Also 429: wrong tokens are counted. Even a refusal without a token carries CORS headers for an allowed page.
            let refused = [400, 401, 403, 429].contains(&status.as_u16());
            prop_assert!(refused || (sent.method == Method::OPTIONS && status == 204), "{}", status);
        }
        // Other tests have their own worlds, so every handler counted belongs to this request.
        let made = world.made.load(Ordering::SeqCst) - before;
        prop_assert!(sent.is_known() || made == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_body_times_out() {
    let room = body::Room::default();
    let pieces = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    let stops = Body::from_stream(pieces.chain(stream::pending()));
    let began = tokio::time::Instant::now();
    let refusal = body::read(stops, &room).await.err().expect("a refusal");
    assert_eq!(refusal.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(began.elapsed() < Duration::from_secs(60));
    let whole = body::read(Body::from("{}"), &room).await.expect("a body");
    assert_eq!(whole.bytes, "{}");
}

#[tokio::test(start_paused = true)]
async fn a_large_body_without_room_gets_retry_after() {
    let room = body::Room::default();
    let large = || Body::from(vec![b' '; 100 << 10]);
    let mut held = Vec::new();
    let refusal = loop {
        match body::read(large(), &room).await {
            Ok(whole) => held.push(whole),
            Err(refusal) => break refusal,
        }
        assert!(held.len() < 1000, "there is room for ever");
    };
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refusal.headers().contains_key(header::RETRY_AFTER));
    assert!(body::read(Body::from("small"), &room).await.is_ok());
    held.pop();
    assert!(body::read(large(), &room).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn unfinished_large_bodies_free_their_room() {
    let room = Arc::new(body::Room::default());
    let piece = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 100 << 10]));
    // More than the limit.
    let slow: Vec<_> = (0..40)
        .map(|_| {
            let stops = stream::iter([piece()]).chain(stream::pending());
            let room = Arc::clone(&room);
            tokio::spawn(async move { body::read(Body::from_stream(stops), &room).await.err() })
        })
        .collect();
    tokio::task::yield_now().await;
    let honest = body::read(Body::from_stream(stream::iter([piece()])), &room).await;
    assert!(honest.is_ok(), "it waited, and was then read");
    for slow in slow {
        let refusal = slow.await.expect("no panic").expect("a refusal");
        assert_eq!(refusal.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
