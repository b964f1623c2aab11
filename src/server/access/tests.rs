use std::fs;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::routing::{any, get};
use axum::{Extension, Router};
use serde_json::Value;
use tower::ServiceExt;

use super::*;

/// `printf %s open-sesame | sha256sum`
const LINE: &str = "alice: d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7  -\n";

/// Returns the principal of the request, and whether its token is still among the headers.
async fn whose(Extension(principal): Extension<Principal>, headers: HeaderMap) -> String {
    assert!(!headers.contains_key(AUTHORIZATION));
    principal.as_str().to_owned()
}

fn routes() -> Router {
    Router::new()
        .route("/mcp", any(whose))
        .route("/sse", get(whose))
        .fallback(whose)
}

fn with_tokens() -> Router {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), LINE).expect("written");
    let allowed = Allowed::new(([127, 0, 0, 1], 8642).into(), &Names::default());
    let bearer = Bearer::open(file.path()).expect("tokens");
    Access::new(allowed, bearer).protect(routes())
}

fn open() -> Router {
    let allowed = Allowed::new(([127, 0, 0, 1], 8642).into(), &Names::default());
    Access::new(allowed, Anonymous).protect(routes())
}

async fn ask(
    router: Router,
    method: Method,
    path: &str,
    headers: &[(axum::http::HeaderName, &str)],
) -> (Response<()>, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let (parts, body) = router
        .oneshot(request)
        .await
        .expect("an answer")
        .into_parts();
    let body = to_bytes(body, 1 << 16).await.expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("text");
    (Response::from_parts(parts, ()), body)
}

/// Every route, and one that does not exist.
const PATHS: [&str; 4] = ["/mcp", "/sse", "/messages?sessionId=1", "/.well-known/x"];

#[tokio::test]
async fn without_tokens_every_caller_is_local() {
    for path in PATHS {
        let (answer, body) = ask(open(), Method::GET, path, &[(HOST, "localhost:8642")]).await;
        assert_eq!(
            (answer.status(), body.as_str()),
            (StatusCode::OK, "local"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_token_opens_every_route_and_is_then_removed() {
    for path in PATHS {
        let headers = [(HOST, "localhost"), (AUTHORIZATION, "Bearer open-sesame")];
        let (answer, body) = ask(with_tokens(), Method::GET, path, &headers).await;
        assert_eq!(
            (answer.status(), body.as_str()),
            (StatusCode::OK, "alice"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_route_challenges_a_missing_or_wrong_token() {
    let realm = "Bearer realm=\"mcp-code-analysis\"";
    let wrong = format!("{realm}, error=\"invalid_token\"");
    let unreadable = format!("{realm}, error=\"invalid_request\"");
    for path in PATHS {
        for (value, status, challenge) in [
            (None, StatusCode::UNAUTHORIZED, realm),
            (
                Some("Basic b3Blbi1zZXNhbWU="),
                StatusCode::UNAUTHORIZED,
                realm,
            ),
            (Some("Bearer let-me-in"), StatusCode::UNAUTHORIZED, &wrong),
            (Some("Bearer a b"), StatusCode::BAD_REQUEST, &unreadable),
        ] {
            let mut headers = vec![(HOST, "localhost")];
            headers.extend(value.map(|value| (AUTHORIZATION, value)));
            let (answer, body) = ask(with_tokens(), Method::POST, path, &headers).await;
            assert_eq!(answer.status(), status, "{path} {value:?}");
            let said = &answer.headers()[WWW_AUTHENTICATE];
            assert_eq!(said, challenge, "{path} {value:?}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let message = body["error"]["message"].as_str().expect("words");
            assert!(
                message.contains("token") && !message.contains("let-me-in"),
                "{message}"
            );
        }
    }
}

#[tokio::test]
async fn guesses_are_blocked_and_a_valid_token_still_passes() {
    let router = with_tokens();
    let wrong = [(HOST, "localhost"), (AUTHORIZATION, "Bearer let-me-in")];
    let mut refused = 0;
    for _ in 0..30 {
        let (answer, body) = ask(router.clone(), Method::POST, "/mcp", &wrong).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
            let wait: u64 = answer.headers()[RETRY_AFTER]
                .to_str()
                .expect("text")
                .parse()
                .expect("seconds");
            assert!((1..=61).contains(&wait), "{wait}");
            assert!(body.contains("too_many_wrong_tokens"), "{body}");
        } else {
            assert_eq!((answer.status(), refused), (StatusCode::UNAUTHORIZED, 0));
        }
    }
    assert_eq!(refused, 10);
    let right = [(HOST, "localhost"), (AUTHORIZATION, "Bearer open-sesame")];
    let (answer, body) = ask(router.clone(), Method::POST, "/mcp", &right).await;
    assert_eq!((answer.status(), body.as_str()), (StatusCode::OK, "alice"));
    // A missing token does not count as a wrong one.
    let (answer, _) = ask(router, Method::POST, "/mcp", &right[..1]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_in_the_address_is_ignored() {
    for query in [
        "access_token=open-sesame",
        "token=open-sesame",
        "authorization=Bearer%20open-sesame",
    ] {
        let path = format!("/mcp?{query}");
        let (answer, body) = ask(with_tokens(), Method::POST, &path, &[(HOST, "localhost")]).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(!body.contains("open-sesame"), "{body}");
    }
}

#[tokio::test]
async fn every_route_refuses_a_rebound_name_and_a_foreign_page() {
    for router in [open, with_tokens] {
        for path in PATHS {
            for (host, origin) in [
                ("evil.example:8642", None),
                ("localhost:8642", Some("https://evil.example")),
                ("localhost:8642", Some("null")),
                ("evil.example", Some("http://localhost")),
            ] {
                for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                    let mut headers = vec![(HOST, host), (AUTHORIZATION, "Bearer open-sesame")];
                    headers.extend(origin.map(|origin| (ORIGIN, origin)));
                    let (answer, body) = ask(router(), method, path, &headers).await;
                    assert_eq!(
                        answer.status(),
                        StatusCode::FORBIDDEN,
                        "{path} {host} {origin:?}"
                    );
                    assert!(
                        !body.contains("evil"),
                        "the answer repeats the request: {body}"
                    );
                    assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
                }
            }
        }
    }
}

#[tokio::test]
async fn an_allowed_page_passes_its_preflight_and_can_read_a_refusal() {
    let headers = [(HOST, "localhost:8642"), (ORIGIN, "http://localhost:6274")];
    let (answer, body) = ask(with_tokens(), Method::OPTIONS, "/mcp", &headers).await;
    assert_eq!(
        (answer.status(), body.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    let allowed = answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS]
        .to_str()
        .expect("text");
    assert!(allowed.contains("authorization") && allowed.contains("mcp-session-id"));
    let (answer, _) = ask(with_tokens(), Method::POST, "/mcp", &headers).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN],
        "http://localhost:6274"
    );
    // Without an `Origin` there are no CORS headers, and a preflight does not bypass the token.
    let (answer, _) = ask(with_tokens(), Method::OPTIONS, "/mcp", &headers[..1]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[test]
fn unreadable_tokens_are_reported_at_the_start() {
    let config = crate::config::Config::resolve(
        crate::config::Layer {
            http: "127.0.0.1:0".parse().ok(),
            auth_tokens: Some("/nowhere/tokens".into()),
            ..Default::default()
        },
        std::iter::empty(),
    );
    let http = config.expect("fits").http.expect("asked for");
    let error = Access::of_http(&http).err().expect("no such file");
    assert!(error.to_string().contains("/nowhere/tokens"), "{error}");
}
