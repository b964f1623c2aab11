//! The durability that a commit reports follows the server's configuration and its actual state.

use super::*;
use crate::store::Reached;

fn at(server: &Server, level: Level) -> RedisStore {
    let options = RedisOptions {
        level,
        ..options(server.url())
    };
    RedisStore::open(options, Clock::system()).unwrap()
}

fn reached(level: DurabilityLevel, durable: bool) -> Reached {
    Reached {
        level,
        durable,
        evictable: false,
    }
}

#[tokio::test]
async fn an_unsupported_level_is_refused_with_advice() {
    let Some(server) = server::good() else { return };
    assert_eq!(at(&server, Level::Redis).check().await, Ok(()));
    for (level, words) in [
        (Level::Fsync, "appendfsync always"),
        (Level::Replicated(1), "0 are connected"),
    ] {
        let store = at(&server, level);
        let Err(RedisError::Misfit(why)) = store.check().await else {
            panic!("{level:?} is not reached here")
        };
        assert!(why.contains(words), "{why}");
        // A running node continues, but no longer promises durability.
        assert_eq!(store.probe().await, Ok(()));
        let short = store.health().shortfall.unwrap();
        assert_eq!(short.reason, "level_not_reached");
        let made = store.create(new()).await;
        let less = reached(DurabilityLevel::Redis, false);
        assert_eq!(made, Ok(Created::New(less)), "{level:?}");
    }
    let mut meddler = server.connection();
    run(
        &mut meddler,
        &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"],
    )
    .unwrap();
    let Err(RedisError::Misfit(why)) = at(&server, Level::Redis).check().await else {
        panic!("sessions would be thrown away")
    };
    assert!(why.contains("noeviction"), "{why}");
}

/// Connections opened under such a policy work like older ones.
#[tokio::test]
async fn nothing_is_durable_while_the_server_evicts() {
    let Some(server) = server::good() else { return };
    let store = at(&server, Level::Redis);
    let (id, fence) = held(&store).await;
    let durable = one(&store, &commit(id, fence, 1)).await.unwrap();
    assert_eq!(durable.reached, reached(DurabilityLevel::Redis, true));
    let mut meddler = server.connection();
    let mut set = |name: &str, to: &str| {
        run(&mut meddler, &["CONFIG", "SET", name, to]).unwrap();
    };
    let evictable = Reached {
        evictable: true,
        ..reached(DurabilityLevel::Redis, false)
    };
    for (policy, expected) in [("allkeys-lru", 2), ("volatile-ttl", 3)] {
        set("maxmemory-policy", policy);
        store.probe().await.unwrap();
        let committed = one(&store, &commit(id, fence, expected)).await.unwrap();
        assert_eq!(committed.reached, evictable, "{policy}");
        assert_eq!(store.renew(id, fence).await.unwrap(), evictable);
        let health = store.health();
        let short = health.shortfall.unwrap();
        assert_eq!(short.reason, "store_evicts");
        assert!(short.message.contains(policy), "{short:?}");
        assert_eq!(health.eviction.unwrap().policy.unwrap(), policy);
        // On every connection, also on ones not used yet.
        for _ in 0..LANES * 4 {
            let made = store.create(new()).await;
            assert_eq!(made, Ok(Created::New(evictable)), "{policy}");
        }
    }
    let evicted = || store.health().eviction.unwrap().keys;
    assert_eq!(evicted(), 0);
    set("maxmemory", "1");
    let _ = store.look(id).await;
    set("maxmemory", "0");
    let there: usize = server.keys().len();
    set("maxmemory-policy", "noeviction");
    store.probe().await.unwrap();
    assert!(evicted() > 0, "{there} keys are left");
    let made = store.create(new()).await;
    let again = reached(DurabilityLevel::Redis, true);
    assert_eq!(made, Ok(Created::New(again)));
    assert_eq!(store.health().shortfall, None);
}

#[tokio::test]
async fn every_commit_reaches_the_disk_at_level_fsync() {
    let Some(server) = server::with(&[server::GOOD, &["--appendfsync", "always"]].concat()) else {
        return;
    };
    let store = at(&server, Level::Fsync);
    let (id, fence) = held(&store).await;
    let committed = one(&store, &commit(id, fence, 1)).await.unwrap();
    assert_eq!(committed.reached, reached(DurabilityLevel::Fsync, true));
}

#[tokio::test]
async fn a_server_without_an_append_only_file_is_used_with_a_warning() {
    let Some(server) = server::with(&[]) else {
        return;
    };
    let store = at(&server, Level::Redis);
    assert_eq!(store.check().await, Ok(()));
    let health = store.health();
    assert!(
        health.warnings[0].contains("appendonly"),
        "{:?}",
        health.warnings
    );
    let link = health.link.unwrap();
    assert_eq!(
        (link.role.as_str(), link.address.as_str()),
        ("master", format!("127.0.0.1:{}", server.port).as_str())
    );
    assert!(link.latency_us > 0 && !link.run_id.is_empty());
}

#[tokio::test]
async fn a_commit_waits_for_its_replica_and_reports_a_missing_one() {
    let Some(server) = server::good() else { return };
    let port = server.port.to_string();
    let Some(mut replica) = server::with(&["--replicaof", "127.0.0.1", &port]) else {
        return;
    };
    let store = at(&server, Level::Replicated(1));
    until(|| store.probe()).await;
    let (id, fence) = held(&store).await;
    let durable = async || {
        let mut expected = store.look(id).await.map(|_| 1).unwrap();
        // The first answer may come before the replica has caught up.
        loop {
            let committed = one(&store, &commit(id, fence, expected)).await.unwrap();
            if committed.reached == reached(DurabilityLevel::Replicated, true) {
                return committed.version;
            }
            expected = committed.version;
        }
    };
    let version = tokio::time::timeout(Duration::from_secs(30), durable())
        .await
        .unwrap();
    replica.kill();
    // Until the server notices, it accepts commits, and none is reported as durable.
    let alone = one(&store, &commit(id, fence, version)).await;
    if let Ok(committed) = &alone {
        assert_eq!(committed.reached, reached(DurabilityLevel::Redis, false));
    }
    let noticed = async {
        while store.health().shortfall.is_none() {
            store.probe().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_replica_is_not_written_to() {
    let Some(server) = server::good() else { return };
    let port = server.port.to_string();
    let Some(replica) = server::with(&["--replicaof", "127.0.0.1", &port]) else {
        return;
    };
    let refused = at(&replica, Level::Redis).create(new()).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
}
