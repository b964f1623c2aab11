//! Sessions begin, sleep, wake and end.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_idle_session_sleeps_and_wakes_with_its_state() {
    let world = world().await;
    let id = world.session().await;
    let answer = world.call(id, "echo", json!({"x": 1})).await.unwrap();
    assert_eq!(world.sessions.status().await.sessions.awake, 1);
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(world.sessions.status().await.sessions.awake, 0);
    let view = world.sessions.get(&Principal::local(), id).await.unwrap();
    assert_eq!(view.history[0].result_id, answer.result_id.unwrap());
    assert!(world.call(id, "echo", json!({"x": 2})).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_session_expires_and_every_call_extends_its_expiry() {
    let world = world().await;
    let ttl = Some(Duration::from_secs(1000));
    let id = world
        .sessions
        .create(CreateRequest { ttl, ..creation() })
        .await
        .unwrap()
        .id;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(900)).await;
        world.call(id, "echo", json!({})).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(900)).await;
    world.sessions.get(&Principal::local(), id).await.unwrap();
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert!(
        world.call(id, "echo", json!({})).await.is_ok(),
        "a look puts the end off, too"
    );
    tokio::time::sleep(Duration::from_secs(1001)).await;
    assert_eq!(
        world.call(id, "echo", json!({})).await.unwrap_err(),
        CallError::SessionExpired(id)
    );
    let other = CallRequest {
        principal: Principal::named("other"),
        ..request(Target::Session(id), "echo", json!({}))
    };
    assert_eq!(
        world.sessions.call(other).await.unwrap_err(),
        CallError::UnknownSession(id)
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_while_awake_is_no_longer_used() {
    let world = world_with(|options| options.idle_after = Duration::from_secs(100_000)).await;
    let ttl = Some(Duration::from_secs(10));
    let id = world
        .sessions
        .create(CreateRequest { ttl, ..creation() })
        .await
        .unwrap()
        .id;
    world.call(id, "echo", json!({})).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(
        world.call(id, "echo", json!({})).await.unwrap_err(),
        CallError::SessionExpired(id)
    );
}

#[tokio::test]
async fn closing_deletes_everything_and_stops_running_calls() {
    let world = world().await;
    let id = world.session().await;
    let answer = world.call(id, "echo", json!({})).await.unwrap();
    let running = world.call(id, "echo", json!({"sleep_ms": 60_000}));
    let closing = async {
        world.ran(2).await;
        world.sessions.close(&Principal::local(), id).await.unwrap();
    };
    let (ended, ()) = tokio::join!(running, closing);
    assert_eq!(ended.unwrap_err(), CallError::UnknownSession(id));
    assert_eq!(
        world.call(id, "echo", json!({})).await.unwrap_err(),
        CallError::UnknownSession(id)
    );
    let read = world
        .sessions
        .result(&Principal::local(), id, answer.result_id.unwrap())
        .await;
    assert_eq!(read.unwrap_err(), CallError::UnknownSession(id));
    assert_eq!(
        world
            .sessions
            .list(&Principal::local(), None, 10)
            .await
            .unwrap()
            .1,
        0
    );
}

#[tokio::test]
async fn creating_twice_under_one_key_gives_one_session() {
    let world = world().await;
    let keyed = |label: &str| CreateRequest {
        idempotency_key: Some("k".to_owned()),
        label: Some(label.to_owned()),
        ..creation()
    };
    let first = world.sessions.create(keyed("a")).await.unwrap();
    let second = world.sessions.create(keyed("a")).await.unwrap();
    assert_eq!(
        (first.id, first.replayed, second.replayed),
        (second.id, false, true)
    );
    assert_eq!(
        world.sessions.create(keyed("b")).await.unwrap_err(),
        CallError::KeyReused
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_newest_first_and_pages() {
    let world = world().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, world.session().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let principal = Principal::local();
    let (first, total) = world.sessions.list(&principal, None, 2).await.unwrap();
    let last = first.last().map(|row| (row.created_ms, row.id));
    let (rest, _) = world.sessions.list(&principal, last, 10).await.unwrap();
    let listed: Vec<_> = first.iter().chain(&rest).map(|row| row.id).collect();
    assert_eq!((listed, total), (ids, 5));
}

#[tokio::test]
async fn after_shutdown_calls_are_refused_and_nothing_runs() {
    let world = world().await;
    let id = world.session().await;
    let slow = world.call(id, "echo", json!({"sleep_ms": 60_000}));
    let ending = async {
        world.ran(1).await;
        world.sessions.shutdown(Duration::from_millis(20)).await;
    };
    tokio::select! {
        _ = async { tokio::join!(slow, ending) } => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the shutdown hangs"),
    }
    assert_eq!(
        world.call(id, "echo", json!({})).await.unwrap_err(),
        CallError::ShuttingDown
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_extends_the_expiry_while_the_session_is_awake() {
    let world = world_with(|options| options.idle_after = Duration::from_secs(100_000)).await;
    let ttl = Some(Duration::from_secs(10));
    let id = world
        .sessions
        .create(CreateRequest { ttl, ..creation() })
        .await
        .unwrap()
        .id;
    world.call(id, "echo", json!({})).await.unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let view = world.sessions.get(&Principal::local(), id).await.unwrap();
    assert_eq!(
        view.expires_ms,
        world.store.look(id).await.unwrap().expires_ms
    );
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(world.call(id, "echo", json!({})).await.is_ok());
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(
        world
            .sessions
            .get(&Principal::local(), id)
            .await
            .unwrap_err(),
        CallError::SessionExpired(id)
    );
}

#[tokio::test]
async fn creating_a_session_starts_no_actor() {
    let world = world().await;
    let view = world.sessions.create(creation()).await.unwrap();
    assert_eq!(world.sessions.status().await.sessions.awake, 0);
    let woken = world
        .sessions
        .get(&Principal::local(), view.id)
        .await
        .unwrap();
    assert_eq!(view.version, woken.version);
    assert!(view.expires_ms >= 1_000_000 + 24 * 3600 * 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_refuses_new_calls_and_finishes_running_ones() {
    let world = world().await;
    let id = world.session().await;
    let slow = world.call(id, "echo", json!({"sleep_ms": 300}));
    let ending = async {
        world.ran(1).await;
        let late = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(world.sessions.status().await.draining);
            world.call(id, "echo", json!({})).await
        };
        tokio::join!(world.sessions.shutdown(Duration::from_secs(20)), late).1
    };
    let (slow, late) = tokio::join!(slow, ending);
    assert!(slow.unwrap().outcome.is_ok());
    assert_eq!(late.unwrap_err(), CallError::ShuttingDown);
    let principal = Principal::local();
    let asked = world.sessions.get(&principal, id);
    let asked = tokio::time::timeout(Duration::from_secs(5), asked).await;
    assert_eq!(asked.unwrap().unwrap_err(), CallError::ShuttingDown);
}

/// Dropping a tree frees everything it holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_releases_the_tree() {
    let world = world().await;
    let id = world.session().await;
    world.call(id, "echo", json!({})).await.unwrap();
    world.sessions.shutdown(Duration::from_secs(5)).await;
    let store = Arc::downgrade(&world.store);
    let around = Arc::downgrade(&world.sessions.0.around);
    drop(world);
    let gone = async {
        while store.strong_count() + around.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(10), gone).await;
    assert!(
        gone.is_ok(),
        "{} hold the store, {} the tree",
        store.strong_count(),
        around.strong_count()
    );
}
