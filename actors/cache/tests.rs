//! Tests of the cache through its handle, from threads, as tools use it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::lru::Lru;
use super::*;
use crate::activity::spawn;
use crate::handle::ActorSlot;

async fn cache(bytes: usize) -> (CacheHandle, ActorRef<CacheMsg>) {
    let place = ActorSlot::new("cache", "cache");
    let handle = CacheHandle::new(place.clone());
    let arguments = Arguments {
        bytes,
        weight: handle.weight(),
        faults: Faults::default(),
    };
    let (actor, _) = spawn(Cache, arguments, place.activity()).await.unwrap();
    place.put(actor.clone());
    (handle, actor)
}

fn key(n: u8) -> CacheKey {
    CacheKey([n; 32])
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn number(value: &Option<CacheValue>) -> Option<usize> {
    value.as_ref()?.downcast_ref::<usize>().copied()
}

/// Gets `keys`; a missing value becomes 100 + its index. Returns the numbers and how many were computed.
fn get(cache: &CacheHandle, keys: &[CacheKey]) -> (Vec<Option<usize>>, usize) {
    let computed = AtomicUsize::new(0);
    let fetched = cache.get_or_compute(keys, soon(), |indexes, put| {
        for index in indexes {
            computed.fetch_add(1, Ordering::SeqCst);
            put(
                *index,
                Weighed {
                    value: Arc::new(100 + index),
                    weight: 8,
                },
            );
        }
        Ok::<_, Infallible>(())
    });
    (
        fetched.unwrap().values.iter().map(number).collect(),
        computed.into_inner(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computed_value_is_found() {
    let (cache, _) = cache(1 << 20).await;
    tokio::task::spawn_blocking(move || {
        assert_eq!(
            get(&cache, &[key(1), key(2), key(1)]),
            (vec![Some(100), Some(101), Some(100)], 2)
        );
        assert_eq!(
            get(&cache, &[key(2), key(3)]),
            (vec![Some(101), Some(101)], 1)
        );
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_callers_compute_one_value_once() {
    let (cache, _) = cache(1 << 20).await;
    let computed = Arc::<AtomicUsize>::default();
    let callers = (0..8).map(|_| {
        let (cache, computed) = (cache.clone(), Arc::clone(&computed));
        tokio::task::spawn_blocking(move || {
            let fetched = cache.get_or_compute(&[key(1)], soon(), |indexes, put| {
                computed.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
                put(
                    indexes[0],
                    Weighed {
                        value: Arc::new(7_usize),
                        weight: 8,
                    },
                );
                Ok::<_, Infallible>(())
            });
            number(&fetched.unwrap().values[0])
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), Some(7));
    }
    assert_eq!(computed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_claim_passes_to_a_waiting_caller() {
    let (cache, _) = cache(1 << 20).await;
    tokio::task::spawn_blocking(move || {
        let failed = cache.get_or_compute(&[key(1)], soon(), |_, _| Err("no"));
        assert_eq!(failed.err(), Some("no"));
        let other = cache.clone();
        let panicked = std::thread::spawn(move || {
            let _ = other.get_or_compute(&[key(1)], soon(), |_, _| -> Result<(), ()> {
                panic!("on purpose")
            });
        });
        assert!(panicked.join().is_err());
        assert_eq!(get(&cache, &[key(1)]), (vec![Some(100)], 1));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_compute_when_the_cache_is_down() {
    let (cache, actor) = cache(1 << 20).await;
    actor.kill_and_wait(None).await.unwrap();
    tokio::task::spawn_blocking(move || {
        assert_eq!(get(&cache, &[key(1)]), (vec![Some(100)], 1));
        assert_eq!(
            get(&CacheHandle::none(), &[key(1), key(1)]),
            (vec![Some(100), Some(100)], 1)
        );
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_callers_compute_when_the_cache_dies() {
    let (cache, actor) = cache(1 << 20).await;
    let claimed = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = cache.get_or_compute(&[key(1)], soon(), |_, _| {
                claimed.wait();
                std::thread::sleep(Duration::from_millis(100));
                Ok::<_, Infallible>(())
            });
        });
        claimed.wait();
        scope.spawn(|| assert_eq!(get(&cache, &[key(1)]), (vec![Some(100)], 1)));
        std::thread::sleep(Duration::from_millis(20));
        actor.kill();
    });
}

proptest! {
    #[test]
    fn the_bound_holds_and_the_newest_stay(puts in prop::collection::vec((0_u8..20, 0_usize..400), 1..200)) {
        let mut lru = Lru::new(2000);
        for (name, weight) in puts {
            lru.put(key(name), Weighed { value: Arc::new(name), weight });
            prop_assert!(lru.weight() <= lru.limit());
            prop_assert!(lru.get(&key(name)).is_some(), "what was put last is there");
        }
    }
}
