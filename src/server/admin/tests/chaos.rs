//! Faults injected into a real tree, and refused requests.

use super::*;

const PATH: &str = "/admin/chaos/actors";

impl World {
    async fn chaotic() -> Self {
        let options = Options {
            chaos: true,
            ..Options::default()
        };
        Self::start(options).await
    }

    async fn post(&self, body: &str) -> (StatusCode, Value) {
        let request = Request::post(PATH).header("content-type", "application/json");
        read(self.send(request, body).await).await
    }

    /// An actor that has just died is restarted within a moment.
    async fn strike(&self, actor: &str, mode: &str, for_ms: Option<u64>) {
        let mut body = json!({"actor": actor, "mode": mode});
        if let Some(ms) = for_ms {
            body["for_ms"] = json!(ms);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, answer) = self.post(&body.to_string()).await;
            if status == StatusCode::OK {
                let expected =
                    json!({"struck": true, "actor": actor, "mode": mode, "for_ms": for_ms});
                return assert_eq!(answer, expected);
            }
            assert_eq!(status, StatusCode::CONFLICT, "{answer}");
            assert!(Instant::now() < until, "{actor} was not restarted");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn restarts(&self, actor: &str) -> u64 {
        fn find<'a>(tree: &'a Value, name: &str) -> Option<&'a Value> {
            if tree["name"] == name {
                return Some(tree);
            }
            let children = tree["children"].as_array()?;
            children.iter().find_map(|child| find(child, name))
        }
        let (_, tree) = self.get("/admin/actors").await;
        let found = find(&tree, actor);
        found
            .and_then(|actor| actor["restarts"].as_u64())
            .unwrap_or(0)
    }
}

#[tokio::test]
async fn calls_continue_when_any_actor_fails() {
    let world = World::chaotic().await;
    let id = world.session().await;
    assert_eq!(world.call(id).await["status"]["success"], true);
    let session = format!("session:{id}");
    let actors = [
        "registry",
        "cache",
        "persistence:0",
        "store",
        "pool",
        "sessions:0",
        &session,
    ];
    for actor in actors {
        for (mode, for_ms) in [("panic", None), ("kill", None), ("stall", Some(30))] {
            // A session that died may not restart before its next call.
            assert_eq!(world.call(id).await["status"]["success"], true);
            let before = world.restarts(actor).await;
            world.strike(actor, mode, for_ms).await;
            let answer = world.call(id).await;
            assert_eq!(
                answer["status"]["success"], true,
                "{actor} {mode}: {answer}"
            );
            assert!(answer["context"]["result_id"].is_string(), "{actor} {mode}");
            if mode != "stall" && actor != session {
                let until = Instant::now() + PATIENCE;
                while world.restarts(actor).await <= before {
                    assert!(
                        Instant::now() < until,
                        "{actor} was not restarted after {mode}"
                    );
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn an_unknown_actor_is_not_found() {
    let world = World::chaotic().await;
    let asleep = format!("session:{}", SessionId::random());
    for actor in [
        "no_such_actor",
        "",
        "persistence:99",
        "sessions:99",
        "session:x",
        &asleep,
    ] {
        let body = json!({"actor": actor, "mode": "kill"}).to_string();
        let (status, body) = world.post(&body).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{actor}");
        assert_eq!(body["error"]["reason"], "unknown_actor");
    }
    world.stop().await;
}

#[tokio::test]
async fn an_invalid_strike_is_refused_with_its_reason() {
    let world = World::chaotic().await;
    let bad = [
        ("", "expected"),
        ("[]", "expected"),
        ("{}", "actor"),
        (r#"{"actor": "cache"}"#, "mode"),
        (r#"{"actor": "cache", "mode": "explode"}"#, "explode"),
        (r#"{"actor": 1, "mode": "kill"}"#, "expected a string"),
        (
            r#"{"actor": "cache", "mode": "kill", "force": true}"#,
            "force",
        ),
        (
            r#"{"actor": "cache", "mode": "kill", "for_ms": 5}"#,
            "for stalls",
        ),
        (r#"{"actor": "cache", "mode": "stall"}"#, "for_ms"),
        (
            r#"{"actor": "cache", "mode": "stall", "for_ms": 0}"#,
            "60000",
        ),
        (
            r#"{"actor": "cache", "mode": "stall", "for_ms": 60001}"#,
            "60000",
        ),
        (
            r#"{"actor": "cache", "mode": "stall", "for_ms": -1}"#,
            "expected",
        ),
    ];
    for (body, about) in bad {
        let (status, answer) = world.post(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer["error"]["reason"], "invalid_strike");
        let message = answer["error"]["message"].as_str().expect("a text");
        assert!(message.contains(about), "{body}: {message}");
    }
    assert_eq!(world.restarts("cache").await, 0);
    world.stop().await;
}

#[tokio::test]
async fn large_bodies_and_other_types_are_refused() {
    let world = World::chaotic().await;
    let long = json!({"actor": "x".repeat(MAX_BODY_BYTES), "mode": "kill"}).to_string();
    let (status, body) = world.post(&long).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(body["error"]["reason"], "unreadable_body");
    let kill = r#"{"actor": "cache", "mode": "kill"}"#;
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let mut request = Request::post(PATH);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let (status, body) = read(world.send(request, kill).await).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
        assert_eq!(body["error"]["reason"], "not_json");
    }
    assert_eq!(world.restarts("cache").await, 0);
    let response = world.send(Request::get(PATH), "").await;
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    world.stop().await;
}
