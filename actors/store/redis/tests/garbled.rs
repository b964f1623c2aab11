//! Answers damaged on the way: the request is repeated, and no session is taken for damaged.

use super::proxy::{Proxy, Way};
use super::*;
use crate::store::archive::Archive;

const SESSIONS: usize = 6;
const COMMITS: u64 = 40;
const SEEDS: [u64; 4] = [1, 7, 1234, 987_654_321];
/// Answers of which one is damaged.
const ONE_IN: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// Commits, and acquires the session again now and then. Returns the newest version that was acknowledged.
async fn work(store: RedisStore, id: SessionId, mut fence: Fence) -> u64 {
    let started = Instant::now();
    let mut version = 1;
    let mut next = commit(id, fence, version);
    while version <= COMMITS {
        assert!(started.elapsed() < PATIENCE, "it stands at {version}");
        match one(&store, &next).await {
            Ok(committed) => {
                assert_eq!(committed.version, version + 1);
                version = committed.version;
                if version.is_multiple_of(10) {
                    fence = acquired(&store, id).await;
                }
                next = commit(id, fence, version);
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    version
}

async fn acquired(store: &RedisStore, id: SessionId) -> Fence {
    let started = Instant::now();
    loop {
        match store.acquire(id, NODE).await {
            Ok(acquired) => return acquired.fence,
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(started.elapsed() < PATIENCE, "it is not acquired");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_answers_cost_no_session_and_no_commit() {
    let Some(server) = server::good() else { return };
    for seed in SEEDS {
        let proxy = Proxy::before(server.port).await;
        let store = store_at(proxy.url());
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(held(&store).await);
        }
        proxy.garble(ONE_IN, seed);
        let mut working = tokio::task::JoinSet::new();
        for (id, fence) in sessions {
            let store = store.clone();
            working.spawn(async move { (id, work(store, id, fence).await) });
        }
        let done = working.join_all().await;
        proxy.set(Way::Pass);
        // How many replies there are depends on how commits are grouped.
        assert!(proxy.broken() > 0, "{seed}");
        let store = store_at(server.url());
        for (id, version) in done {
            assert_eq!(store.look(id).await.unwrap().quarantine, None, "{seed}");
            let found = store.acquire(id, NODE).await.unwrap();
            assert_eq!(found.version, version, "{seed}");
        }
    }
}

/// Each of two principals asks for its own sessions. The proxy returns the other one's answer, or nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_out_of_step_is_not_believed() {
    let Some(server) = server::good() else { return };
    let proxy = Proxy::before(server.port).await;
    let store = store_at(proxy.url());
    let owners = ["a", "b"].map(Principal::named);
    for owner in &owners {
        let mut session = new();
        session.principal = owner.clone();
        store.create(session).await.unwrap();
    }
    for way in [Way::Pass, Way::Stale, Way::Pass] {
        proxy.set(way);
        let mut answered = 0;
        for nth in 0..20 {
            let owner = &owners[nth % 2];
            match store.list(owner, None, 10).await {
                Ok((rows, total)) => {
                    assert_eq!((rows.len(), total), (1, 1), "{way:?}");
                    assert_eq!(rows[0].principal, *owner, "{way:?}");
                    answered += 1;
                }
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("{way:?}: {other}"),
            }
            // An answer to TIME is not taken for another one either.
            match store.nodes().await {
                Ok(nodes) => assert_eq!(nodes, []),
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("{way:?}: {other}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(answered > 0, way == Way::Pass, "{way:?}: {answered}");
    }
    assert!(proxy.broken() > 0);
}

/// The same for reads over the pool, whose own checks of its connections pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_out_of_step_is_not_believed() {
    let Some(server) = server::good() else { return };
    let proxy = Proxy::before(server.port).await;
    let store = store_at(proxy.url());
    let mut kept = Vec::new();
    for owner in ["a", "b"].map(Principal::named) {
        let session = NewSession {
            principal: owner.clone(),
            ..new()
        };
        let id = session.id;
        store.create(session).await.unwrap();
        let fence = store.acquire(id, NODE).await.unwrap().fence;
        let blob = ResultBlob {
            id: ResultId::random(),
            part: Part::Whole,
            bytes: owner.as_str().repeat(200).into_bytes().into(),
        };
        let with_result = Commit {
            put: vec![blob.clone()],
            ..commit(id, fence, 1)
        };
        one(&store, &with_result).await.unwrap();
        kept.push((id, owner, blob));
    }
    // Requests of one kind in a row: an answer to another kind could not be taken for one.
    for image in [false, true] {
        for way in [Way::Pass, Way::StaleLong] {
            proxy.set(way);
            let mut answered = 0;
            for nth in 0..4 {
                let (id, owner, blob) = &kept[nth % 2];
                let own = if image {
                    let image = store.read(*id).await;
                    image.map(|image| image.row.principal == *owner)
                } else {
                    let read = store.result(*id, blob.id, Part::Whole).await;
                    read.map(|read| read.as_ref() == Some(&blob.bytes))
                };
                match &own {
                    Ok(own) => assert!(*own, "{way:?}: another one's answer"),
                    Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
                }
                answered += u32::from(own.is_ok());
            }
            assert_eq!(answered > 0, way == Way::Pass, "{way:?}: {answered}");
        }
    }
    assert!(proxy.broken() > 0);
}
