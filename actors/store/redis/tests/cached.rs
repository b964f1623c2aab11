//! The second level of the cache over a real server.

use super::*;
use crate::cache::{CacheKey, SharedCache};
use crate::store::redis::RedisCache;

fn cache(server: &Server, namespace: &str) -> RedisCache {
    RedisCache::open(&options(server.url()), namespace, None).unwrap()
}

fn key(n: u8) -> CacheKey {
    CacheKey([n; 32])
}

#[tokio::test]
async fn values_are_shared_within_one_version_and_cleared_at_once() {
    // Configured as a dedicated cache, which may evict any key.
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
async fn damaged_values_count_as_missing_and_a_full_server_is_no_error() {
    let Some(server) = server::good() else { return };
    let cache = cache(&server, "1");
    cache.put(vec![(key(1), b"one".to_vec())]).await.unwrap();
    let mut meddler = server.connection();
    for stored in ["mca:{cache}:s0", "mca:{cache}:m"] {
        let left: i64 = ::redis::cmd("PTTL")
            .arg(stored)
            .query(&mut meddler)
            .unwrap();
        assert!(left > 0, "it would stay for ever");
    }
    let fields: Vec<Vec<u8>> = ::redis::cmd("HKEYS")
        .arg("mca:{cache}:s0")
        .query(&mut meddler)
        .unwrap();
    assert_eq!(fields.len(), 1);
    let () = ::redis::cmd("HSET")
        .arg("mca:{cache}:s0")
        .arg(&fields[0])
        .arg("nonsense")
        .query(&mut meddler)
        .unwrap();
    assert_eq!(cache.get(&[key(1)]).await.unwrap(), [None]);
    // A key of another type does not get in the way.
    for spoilt in ["mca:{cache}:s0", "mca:{cache}:m"] {
        run(&mut meddler, &["DEL", spoilt]).unwrap();
        run(&mut meddler, &["SET", spoilt, "nonsense"]).unwrap();
        assert!(cache.get(&[key(1)]).await.is_ok());
        cache.invalidated();
        assert_eq!(cache.put(vec![(key(1), b"one".to_vec())]).await, Ok(0));
        assert_eq!(cache.get(&[key(1)]).await.unwrap(), [Some(b"one".to_vec())]);
    }
    run(&mut meddler, &["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    assert_eq!(cache.put(vec![(key(2), b"two".to_vec())]).await, Ok(1));
    assert!(cache.room().short.is_some());
    run(&mut meddler, &["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert_eq!(cache.get(&[key(2)]).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error() {
    let url = format!("redis://127.0.0.1:{}", server::free_port());
    let cache = RedisCache::open(&options(url), "1", None).unwrap();
    assert!(cache.get(&[key(1)]).await.is_err());
    assert!(cache.put(vec![(key(1), Vec::new())]).await.is_err());
}

/// Bytes of a value, about as large as one file's analysis. It does not compress.
const VALUE: usize = 2000;

fn nth(n: u32) -> CacheKey {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&n.to_le_bytes());
    CacheKey(key)
}

fn value(n: u32) -> Vec<u8> {
    let mut bytes = vec![0; VALUE];
    blake3::Hasher::new()
        .update(&n.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn values(numbers: std::ops::Range<u32>) -> Vec<(CacheKey, Vec<u8>)> {
    numbers.map(|n| (nth(n), value(n))).collect()
}

fn used(connection: &mut ::redis::Connection) -> u64 {
    let info: String = ::redis::cmd("INFO")
        .arg("memory")
        .query(connection)
        .unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

/// Bytes that the cache takes, as the server reports them.
fn taken(server: &Server, connection: &mut ::redis::Connection) -> u64 {
    let of_cache = |key: &String| key.starts_with("mca:{cache}:");
    let keys = server.keys().into_iter().filter(of_cache);
    keys.map(|key| {
        let usage = ::redis::cmd("MEMORY")
            .arg("USAGE")
            .arg(&key)
            .arg("SAMPLES")
            .arg(0)
            .query::<u64>(connection);
        usage.unwrap()
    })
    .sum()
}

const MIB: u64 = 1 << 20;
const SMALL: &[&str] = &["--maxmemory", "24mb", "--maxmemory-policy", "noeviction"];

#[tokio::test]
async fn the_budget_covers_all_nodes_and_versions_and_evicts_the_oldest() {
    let Some(server) = server::with(SMALL) else {
        return;
    };
    let caches = [
        cache(&server, "1"),
        cache(&server, "1"),
        cache(&server, "2"),
    ];
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let mut beside = server.connection();
    let (mut at, many) = (0, 24_000);
    let mut version = 0;
    while at < many {
        for cache in &caches {
            assert_eq!(cache.put(values(at..at + 100)).await, Ok(0));
            at += 100;
        }
        if at % 1200 == 0 {
            version += 1;
            let change = commit(id, fence, version);
            one(&store, &change).await.unwrap();
            let (taken, used) = (taken(&server, &mut beside), used(&mut beside));
            assert!(taken <= 6 * MIB, "{taken} bytes at {at}");
            assert!(used < 24 * MIB * 80 / 100, "{used} bytes at {at}");
        }
    }
    let room = caches[0].room();
    assert_eq!(room.budget, Some(6 * MIB));
    assert!(room.bytes.unwrap() > 4 * MIB, "{room:?}");
    assert_eq!(room.short, None);
    // Each has put a third of them in turn.
    let newest = caches[2].get(&[nth(many - 1)]).await.unwrap();
    assert_eq!(newest, [Some(value(many - 1))]);
    assert_eq!(caches[0].get(&[nth(0)]).await.unwrap(), [None]);
    assert_eq!(caches[0].get(&[nth(many - 1)]).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_configured_budget_is_kept() {
    let Some(server) = server::good() else { return };
    let of = |budget| RedisCache::open(&options(server.url()), "1", Some(budget)).unwrap();
    let (large, small) = (of(4 * MIB), of(MIB));
    let mut beside = server.connection();
    for at in (0..3000).step_by(100) {
        assert_eq!(large.put(values(at..at + 100)).await, Ok(0));
    }
    let held = taken(&server, &mut beside);
    assert!((3 * MIB..=4 * MIB).contains(&held), "{held} bytes");
    small.probe().await.unwrap();
    let held = taken(&server, &mut beside);
    assert!(held <= MIB, "{held} bytes");
    assert_eq!(small.room().budget, Some(MIB));
    // A value that can never fit evicts nothing.
    let mut huge = vec![0; 2 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut huge);
    let before = small.room();
    assert_eq!(small.put(vec![(nth(9), huge)]).await, Ok(1));
    assert_eq!(small.room(), before);
    assert_eq!(small.put(values(9000..9001)).await, Ok(0));
}

#[tokio::test]
async fn the_cache_frees_memory_that_others_need() {
    let Some(server) = server::with(SMALL) else {
        return;
    };
    let cache = cache(&server, "1");
    let mut others = server.connection();
    for at in (0..2500).step_by(100) {
        assert_eq!(cache.put(values(at..at + 100)).await, Ok(0));
    }
    let full = cache.room().bytes.unwrap();
    assert!(full > 4 * MIB, "{full}");
    let mut fill = |count: usize, name: &str| {
        for n in 0..count {
            let _: Result<(), _> = ::redis::cmd("SET")
                .arg(format!("others:{name}:{n}"))
                .arg(vec![b'x'; 512 << 10])
                .query(&mut others);
        }
    };
    // A little above three quarters: only a part is evicted.
    fill(23, "few");
    cache.probe().await.unwrap();
    let less = cache.room();
    assert!(less.short.is_some(), "{less:?}");
    let bytes = less.bytes.unwrap();
    assert!(bytes > MIB && bytes < full, "{bytes} of {full}");
    let found = cache.get(&[nth(0), nth(2499)]).await.unwrap();
    assert_eq!(found, [None, Some(value(2499))]);
    // Far above the limit: everything is evicted.
    fill(60, "many");
    assert_eq!(cache.put(values(5000..5100)).await, Ok(100));
    assert_eq!(cache.room().bytes, Some(0));
    let why = cache.room().short.unwrap();
    assert!(why.contains("of 24 MiB"), "{why}");
    // Not sent, but counted as refused.
    assert_eq!(cache.put(values(5100..5200)).await, Ok(100));
    let mut gone = server.connection();
    for n in 0..60 {
        run(&mut gone, &["DEL", &format!("others:many:{n}")]).unwrap();
    }
    cache.probe().await.unwrap();
    assert_eq!(cache.put(values(5200..5300)).await, Ok(0));
    let found = cache.get(&[nth(5299), nth(5000)]).await.unwrap();
    assert_eq!(found, [Some(value(5299)), None]);
}

#[tokio::test]
async fn a_server_without_memory_can_still_clear_the_cache() {
    let Some(server) = server::with(SMALL) else {
        return;
    };
    let (one, other) = (cache(&server, "1"), cache(&server, "1"));
    assert_eq!(one.put(values(0..500)).await, Ok(0));
    other.probe().await.unwrap();
    let mut beside = server.connection();
    run(&mut beside, &["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    one.invalidate().await.unwrap();
    assert_eq!(one.get(&[nth(7)]).await.unwrap(), [None]);
    run(&mut beside, &["CONFIG", "SET", "maxmemory", "24mb"]).unwrap();
    // A node that does not know the new generation stores nothing under the old one.
    assert_eq!(other.put(values(0..1)).await, Ok(1));
    assert_eq!(other.get(&[nth(0)]).await.unwrap(), [None]);
    assert_eq!(other.put(values(1..2)).await, Ok(0));
    assert_eq!(one.get(&[nth(1)]).await.unwrap(), [Some(value(1))]);
}
