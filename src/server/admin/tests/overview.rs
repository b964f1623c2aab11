//! The page and the answer that it shows. `tests/page.rs` opens it in a browser.

use super::*;

#[tokio::test]
async fn the_page_is_its_own_and_runs_only_its_own_script() {
    let world = World::start(Options::default()).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ] {
        let response = world.send(Request::get(path), "").await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().expect("text");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(
                policy.split("; ").any(|has| has == part),
                "{part}: {policy}"
            );
        }
        for (name, value) in [
            ("content-type", kind),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        let body = to_bytes(response.into_body(), ANSWER_BYTES)
            .await
            .expect("a body");
        let body = String::from_utf8(body.into()).expect("text");
        for foreign in [
            "http://",
            "https://",
            "//cdn",
            "innerHTML",
            "style=",
            "onclick=",
        ] {
            assert!(!body.contains(foreign), "{path} has {foreign}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn the_overview_has_the_calls_with_their_faults() {
    let world = World::start(Options::default()).await;
    world.lifecycle.ready();
    let id = world.session().await;
    world.call(id).await;
    let unknown = SessionId::random();
    world.call(unknown).await;
    let (status, body) = world.get("/admin/overview").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body["verdict"],
        json!({"level": "well", "causes": [], "notes": []})
    );
    assert_eq!(body["state"], "ready");
    let rate = &body["calls"]["tools"][0];
    assert_eq!(rate["tool"], "analyze_complexity");
    assert_eq!(
        (&rate["calls"], &rate["callers"], &rate["servers"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert!(rate["p95_ms"].as_f64() >= rate["p50_ms"].as_f64());
    let noted = &body["calls"]["noted"][0];
    assert_eq!(
        (&noted["reason"], &noted["fault"]),
        (&json!("unknown_session"), &json!("caller"))
    );
    assert_eq!(
        (&noted["session_id"], &noted["trace"]),
        (&json!(unknown), &Value::Null)
    );
    assert_eq!(body["tree"]["name"], "root");
    // Or two: the unknown session has an actor for a moment, which refuses.
    assert!(body["sessions"]["awake"].as_u64() >= Some(1), "{body}");
    assert_eq!(body["store"]["kind"], "memory");
    let kinds: Vec<_> = body["activity"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert!(
        kinds
            .iter()
            .any(|kind| kind["kind"] == "session" && kind["messages"].as_u64() > Some(2))
    );
    world.stop().await;
}

#[tokio::test]
async fn a_stuck_actor_degrades_the_verdict_until_it_goes_on() {
    let world = World::start(Options::default()).await;
    world.lifecycle.ready();
    let stall = ::actors::Fault::Stall(Duration::from_millis(2500));
    let sessions = &world.service.sessions;
    assert!(sessions.strike("cache", InjectedFault::Fault(stall)).await);
    let degraded = |_, body: &Value| body["verdict"]["level"] == "degraded";
    let body = world.eventually("/admin/overview", degraded).await;
    let cause = &body["verdict"]["causes"][0];
    assert_eq!(cause["what"], "cache is stuck on the message fault");
    assert!(cause["since"].as_str().expect("a time").ends_with('Z'));
    let well = |_, body: &Value| body["verdict"]["level"] == "well";
    let body = world.eventually("/admin/overview", well).await;
    assert_eq!(body["stuck"]["ended"][0]["name"], "cache");
    assert_eq!(body["stuck"]["totals"], json!({"cache": 1}));
    world.stop().await;
}
