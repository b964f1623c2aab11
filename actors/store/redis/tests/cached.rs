//! The second level of the cache over a real server.

use super::*;
use crate::cache::{CacheKey, SharedCache};
use crate::store::redis::RedisCache;

fn cache(server: &Server, namespace: &str) -> RedisCache {
    RedisCache::open(&options(server.url()), namespace).unwrap()
}

fn key(n: u8) -> CacheKey {
    CacheKey([n; 32])
}

#[tokio::test]
async fn values_are_shared_within_one_version_and_forgotten_at_once() {
    // As a cache of its own would be set up: it may throw away what it likes.
    let Some(server) = server::with(&["--maxmemory-policy", "allkeys-lru"]) else {
        return;
    };
    let (one, other, newer) = (
        cache(&server, "1"),
        cache(&server, "1"),
        cache(&server, "2"),
    );
    let large = vec![b'x'; 100_000];
    let entries = vec![(key(1), b"one".to_vec()), (key(2), large.clone())];
    one.put(entries).await.unwrap();
    let wanted = [key(1), key(9), key(2)];
    let found = other.get(&wanted).await.unwrap();
    assert_eq!(found, [Some(b"one".to_vec()), None, Some(large)]);
    assert_eq!(newer.get(&wanted).await.unwrap(), [None, None, None]);
    one.invalidate().await.unwrap();
    assert_eq!(one.get(&wanted).await.unwrap(), [None, None, None]);
    other.invalidated();
    assert_eq!(other.get(&wanted).await.unwrap(), [None, None, None]);
    one.put(vec![(key(1), b"new".to_vec())]).await.unwrap();
    assert_eq!(other.get(&[key(1)]).await.unwrap(), [Some(b"new".to_vec())]);
}

#[tokio::test]
async fn damaged_values_are_not_there_and_a_full_server_is_no_error() {
    let Some(server) = server::good() else { return };
    let cache = cache(&server, "1");
    cache.put(vec![(key(1), b"one".to_vec())]).await.unwrap();
    let mut meddler = server.connection();
    let stored: Vec<String> = ::redis::cmd("KEYS")
        .arg("mca:cache:*")
        .query(&mut meddler)
        .unwrap();
    assert_eq!(stored.len(), 1);
    let left: i64 = ::redis::cmd("PTTL")
        .arg(&stored[0])
        .query(&mut meddler)
        .unwrap();
    assert!(left > 0, "it would stay for ever");
    run(&mut meddler, &["SET", &stored[0], "nonsense"]).unwrap();
    assert_eq!(cache.get(&[key(1)]).await.unwrap(), [None]);
    run(&mut meddler, &["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    cache.put(vec![(key(2), b"two".to_vec())]).await.unwrap();
    run(&mut meddler, &["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert_eq!(cache.get(&[key(2)]).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error() {
    let url = format!("redis://127.0.0.1:{}", server::free_port());
    let cache = RedisCache::open(&options(url), "1").unwrap();
    assert!(cache.get(&[key(1)]).await.is_err());
    assert!(cache.put(vec![(key(1), Vec::new())]).await.is_err());
}
