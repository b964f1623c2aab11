//! The exact answers, because operators' programs depend on them.

use super::*;

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn the_tree_has_all_actors_each_with_the_same_fields() {
    let world = World::start(Options::default()).await;
    let id = world.session().await;
    world.call(id).await;
    let (status, tree) = world.get("/admin/actors").await;
    assert_eq!(status, StatusCode::OK);
    let mut left = vec![&tree];
    let mut names = Vec::new();
    while let Some(actor) = left.pop() {
        let mut wanted = [
            "name",
            "kind",
            "status",
            "restarts",
            "last_failure",
            "mailbox",
            "messages",
            "busy_ms",
            "now",
            "since",
            "children",
        ];
        wanted.sort_unstable();
        let mut found = keys(actor);
        found.sort_unstable();
        assert_eq!(found, wanted);
        assert!(actor["since"].as_str().expect("a time").ends_with('Z'));
        for number in ["restarts", "mailbox", "messages", "busy_ms"] {
            assert!(actor[number].is_u64(), "{number}: {actor}");
        }
        let now = &actor["now"];
        assert!(
            now.is_null() || keys(now) == ["message", "since_ms"],
            "{now}"
        );
        names.push(actor["name"].as_str().expect("a name").to_owned());
        left.extend(actor["children"].as_array().expect("a list"));
    }
    for name in [
        "root",
        "store",
        "persistence:0",
        "registry",
        "cache",
        "pool",
        "sessions:0",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "{name} in {names:?}"
        );
    }
    assert!(names.contains(&format!("session:{id}")), "{names:?}");
    world.stop().await;
}

#[tokio::test]
async fn pages_list_each_session_once() {
    let world = World::start(Options::default()).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        let id = world.session().await;
        world.call(id).await;
        made.push(id.to_string());
    }
    made.sort();
    let (mut path, mut seen) = ("/admin/sessions?limit=2".to_owned(), Vec::new());
    loop {
        let (status, page) = world.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert_eq!((&page["awake"], &page["shown"]), (&json!(5), &json!(5)));
        let rows = page["sessions"].as_array().expect("a list");
        assert!(rows.len() <= 2);
        for row in rows {
            assert_eq!(row["status"], "running");
            seen.push(row["session_id"].as_str().expect("an id").to_owned());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/admin/sessions?limit=2&after={next}");
    }
    assert_eq!(seen, made);
    world.stop().await;
}

#[tokio::test]
async fn an_invalid_page_is_refused_with_the_valid_range() {
    let world = World::start(Options::default()).await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=-1",
        "after=x",
        "page=2",
    ] {
        let (status, body) = world.get(&format!("/admin/sessions?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(body["error"]["reason"], "invalid_query");
        assert!(
            !body["error"]["message"]
                .as_str()
                .expect("a text")
                .is_empty()
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn without_redis_the_store_is_memory() {
    let world = World::start(Options::default()).await;
    let (status, body) = world.get("/admin/store").await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "kind": "memory", "level": "memory", "durable": false, "available": true, "away": null, "detail": null,
        "warnings": [], "pending_commits": 0, "link": null, "breaker": null, "pool": null, "nodes": [], "eviction": null,
        "sheltered": {"sessions": 0, "changes": 0, "bytes": 0, "since": null, "lost": 0, "not_kept": 0},
    });
    assert_eq!(body, expected);
    world.stop().await;
}

#[tokio::test]
async fn a_store_over_a_network_has_breaker_pool_and_role() {
    use ::actors::store::{Link, LinkPool};
    let world = World::start(Options::default()).await;
    let mut status = world.service.sessions.status().await;
    status.store.health.breaker = Some("returning");
    status.store.health.link = Some(Link {
        role: "master".to_owned(),
        latency_us: 1500,
        pool: LinkPool {
            limit: 8,
            open: 3,
            idle: 2,
            waiting: 1,
        },
        ..Link::default()
    });
    let body = store::body(&status);
    assert_eq!(body["breaker"], "returning");
    assert_eq!(body["link"]["role"], "master");
    assert_eq!(body["link"]["latency_ms"], 1.5);
    let pool = json!({"limit": 8, "open": 3, "idle": 2, "waiting": 1});
    assert_eq!(body["pool"], pool);
    world.stop().await;
}
