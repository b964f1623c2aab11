//! Lost answers and restarted servers: acknowledged commits are stored, and an unacknowledged one is applied at most
//! once.

use super::proxy::{Proxy, Way};
use super::*;

#[tokio::test]
async fn missing_scripts_are_loaded_again() {
    let Some(server) = server::good() else { return };
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let mut meddler = server.connection();
    for expected in 1..4 {
        run(&mut meddler, &["SCRIPT", "FLUSH"]).unwrap();
        let (other, other_fence) = held(&store).await;
        run(&mut meddler, &["SCRIPT", "FLUSH"]).unwrap();
        let group = [commit(id, fence, expected), commit(other, other_fence, 1)];
        let answers = store.commit(&group).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        run(&mut meddler, &["SCRIPT", "FLUSH"]).unwrap();
        let result = store.result(id, ResultId::random(), Part::Answer).await;
        assert_eq!(result, Ok(None));
    }
}

/// Applied, but the answer was lost: sent again under its id, it gets the same answer.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_applied_once() {
    let Some(server) = server::good() else { return };
    let proxy = Proxy::before(server.port).await;
    let store = store_at(proxy.url());
    let (id, fence) = held(&store).await;
    for (expected, way) in (1..).zip([Way::Mute, Way::Blackhole, Way::Cut, Way::Reset]) {
        let commit = commit(id, fence, expected);
        proxy.set(way);
        let lost = one(&store, &commit).await;
        assert!(
            matches!(lost, Err(StoreError::Unavailable(_))),
            "{way:?}: {lost:?}"
        );
        proxy.set(Way::Pass);
        let committed = until(|| one(&store, &commit)).await;
        assert_eq!(committed.version, expected + 1, "{way:?}");
    }
    assert!(proxy.broken() > 0 && proxy.connections() > 4);
    let acquired = store.acquire(id, NODE).await.unwrap();
    assert_eq!((acquired.version, acquired.deltas.len()), (5, 4));
}

/// A server restart breaks all connections at once, but only one failure is counted.
#[tokio::test]
async fn one_broken_connection_reopens_all() {
    let Some(mut server) = server::good() else {
        return;
    };
    let store = store(&server);
    let mut sessions = Vec::new();
    for _ in 0..32 {
        sessions.push(held(&store).await);
    }
    server.restart();
    let mut failed = 0;
    for (id, fence) in sessions {
        failed += usize::from(one(&store, &commit(id, fence, 1)).await.is_err());
    }
    assert_eq!(failed, 1);
}

#[tokio::test]
async fn a_killed_connection_is_reopened() {
    let Some(server) = server::good() else { return };
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let mut meddler = server.connection();
    for expected in 1..4 {
        run(&mut meddler, &["CLIENT", "KILL", "TYPE", "NORMAL"]).unwrap();
        let commit = commit(id, fence, expected);
        let committed = until(|| one(&store, &commit)).await;
        assert_eq!(committed.version, expected + 1);
    }
    assert!(store.health().link.unwrap().reconnects > 0);
}

/// A former master is not written to.
#[tokio::test]
async fn a_demoted_server_is_not_used_until_it_is_a_master_again() {
    let Some(server) = server::good() else { return };
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let mut meddler = server.connection();
    let nowhere = server::free_port().to_string();
    run(&mut meddler, &["REPLICAOF", "127.0.0.1", &nowhere]).unwrap();
    let commit = commit(id, fence, 1);
    for _ in 0..3 {
        let refused = one(&store, &commit).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(store.probe().await.is_err());
    assert!(matches!(store.check().await, Err(RedisError::Away(_))));
    run(&mut meddler, &["REPLICAOF", "NO", "ONE"]).unwrap();
    assert_eq!(until(|| one(&store, &commit)).await.version, 2);
}

#[tokio::test]
async fn a_server_without_memory_applies_no_partial_change() {
    let Some(server) = server::good() else { return };
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let mut meddler = server.connection();
    run(&mut meddler, &["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let blob = ResultBlob {
        id: ResultId::random(),
        part: Part::Answer,
        bytes: vec![1; 1000].into(),
    };
    let full = Commit {
        put: vec![blob.clone()],
        change: Change::Snapshot(vec![b'x'; 5000].into()),
        ..commit(id, fence, 1)
    };
    let refused = one(&store, &full).await.unwrap_err();
    let StoreError::Unavailable(why) = refused else {
        panic!("{refused}")
    };
    assert!(why.contains("memory"), "{why}");
    run(&mut meddler, &["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    let acquired = store.acquire(id, NODE).await.unwrap();
    assert_eq!(
        (acquired.version, acquired.snapshot.as_ref()),
        (1, b"one".as_slice())
    );
    assert_eq!(store.result(id, blob.id, Part::Answer).await, Ok(None));
    let again = Commit {
        fence: acquired.fence,
        ..full
    };
    assert_eq!(one(&store, &again).await.unwrap().version, 2);
    assert!(
        store
            .result(id, blob.id, Part::Answer)
            .await
            .unwrap()
            .is_some()
    );
}

/// `kill -9` under load, repeatedly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_commits_survive_the_death_of_the_server() {
    const SESSIONS: usize = 8;
    const KILLS: usize = 3;
    // Every write goes to the file at once. Under `everysec` it waits for up to 2 s while an fsync is still running, and
    // a kill at that moment loses it.
    let Some(mut server) = server::with(&[server::GOOD, &["--appendfsync", "no"]].concat()) else {
        return;
    };
    let store = store(&server);
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(held(&store).await);
    }
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut working = tokio::task::JoinSet::new();
    for (id, fence) in sessions.clone() {
        let (store, over) = (store.clone(), Arc::clone(&over));
        working.spawn(async move {
            let mut fence = fence;
            let mut next = commit(id, fence, 1);
            let mut acknowledged = 1;
            while !over.load(Ordering::SeqCst) {
                match one(&store, &next).await {
                    Ok(committed) => {
                        assert_eq!(committed.version, next.expected + 1);
                        acknowledged = committed.version;
                        next = Commit {
                            change: Change::Snapshot(format!("{acknowledged}").into_bytes().into()),
                            ..commit(id, fence, acknowledged)
                        };
                    }
                    Err(StoreError::Lapsed) => {
                        fence = store.acquire(id, NODE).await.unwrap().fence;
                        next.fence = fence;
                    }
                    Err(StoreError::Unavailable(_)) => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            (id, acknowledged)
        });
    }
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server = tokio::task::spawn_blocking(move || {
            server.restart();
            server
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    over.store(true, Ordering::SeqCst);
    let mut commits = 0;
    for (id, acknowledged) in working.join_all().await {
        let stored = until(|| store.acquire(id, NODE)).await.version;
        // One more commit may have been applied without an answer.
        assert!(
            stored == acknowledged || stored == acknowledged + 1,
            "{stored} {acknowledged}"
        );
        commits += acknowledged - 1;
    }
    assert!(commits > 100, "only {commits} commits");
}
