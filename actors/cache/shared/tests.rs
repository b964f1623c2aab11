use std::collections::HashMap;
use std::sync::atomic::AtomicU8;

use super::*;
use crate::cache::CacheHandle;

const FAILS: u8 = 1;
const HANGS: u8 = 2;
const LIES: u8 = 3;
const REFUSES: u8 = 4;

/// A second level in memory whose failures can be switched.
#[derive(Default)]
struct Fake {
    values: Mutex<HashMap<CacheKey, Vec<u8>>>,
    mood: AtomicU8,
    asked: AtomicU64,
}

impl SharedCache for Fake {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> SharedFuture<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            match self.mood.load(Ordering::SeqCst) {
                FAILS => return Err(SharedError("gone".to_owned())),
                HANGS => std::future::pending::<()>().await,
                LIES => return Ok(vec![Some(b"no number".to_vec()); keys.len()]),
                _ => {}
            }
            let values = self.values.lock().unwrap();
            Ok(keys.iter().map(|key| values.get(key).cloned()).collect())
        })
    }
    fn put(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> SharedFuture<'_, u64> {
        Box::pin(async move {
            if self.mood.load(Ordering::SeqCst) == REFUSES {
                return Ok(entries.len() as u64);
            }
            self.values.lock().unwrap().extend(entries);
            Ok(0)
        })
    }
    fn invalidate(&self) -> SharedFuture<'_, ()> {
        Box::pin(async move {
            self.values.lock().unwrap().clear();
            Ok(())
        })
    }
    fn invalidated(&self) {}
    fn room(&self) -> Room {
        Room::default()
    }
    fn probe(&self) -> SharedFuture<'_, ()> {
        Box::pin(async move {
            match self.mood.load(Ordering::SeqCst) {
                FAILS => Err(SharedError("gone".to_owned())),
                HANGS => std::future::pending().await,
                _ => Ok(()),
            }
        })
    }
}

/// Values are numbers; odd ones are not shared.
struct Numbers;

impl Codec for Numbers {
    fn encode(&self, value: &CacheValue) -> Option<Vec<u8>> {
        let number = value.downcast_ref::<u64>()?;
        (number % 2 == 0).then(|| number.to_string().into_bytes())
    }
    fn decode(&self, bytes: &[u8]) -> Option<Weighed> {
        let number: u64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
        Some(weighed(number))
    }
}

fn weighed(number: u64) -> Weighed {
    Weighed {
        value: Arc::new(number),
        weight: 8,
    }
}

fn key(n: u8) -> CacheKey {
    CacheKey([n; 32])
}

/// A generous limit, so that a loaded machine does not make a healthy level look slow.
const PATIENT: Duration = Duration::from_secs(10);

/// A node with an empty cache: an optional first level, and a count of computations.
async fn ask(fake: &Arc<Fake>, keys: Vec<CacheKey>, within: Duration) -> (Vec<u64>, u64) {
    let shared = Shared {
        cache: Arc::clone(fake) as _,
        codec: Arc::new(Numbers),
    };
    let level = SecondLevel::with_patience(shared, within);
    let handle = CacheHandle::none().with_second_level(Some(Arc::clone(&level)));
    let asked = tokio::task::spawn_blocking(move || {
        let computed = AtomicU64::new(0);
        let deadline = Instant::now() + Duration::from_secs(30);
        let fetched = handle
            .get_or_compute(&keys, deadline, |missing, put| {
                for &index in missing {
                    computed.fetch_add(1, Ordering::SeqCst);
                    put(index, weighed(u64::from(keys[index].0[0])));
                }
                Ok::<_, ()>(())
            })
            .unwrap();
        let values = fetched
            .values
            .into_iter()
            .map(|value| *value.unwrap().downcast::<u64>().unwrap());
        (values.collect(), computed.load(Ordering::SeqCst))
    });
    let answer = asked.await.unwrap();
    // Offered values are written in the background.
    let offered = async {
        while level.writes.capacity() < WRITES_MAX {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), offered)
        .await
        .unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_computed_by_one_node_are_found_by_another() {
    let fake = Arc::<Fake>::default();
    let keys = vec![key(2), key(3), key(4), key(2)];
    assert_eq!(
        ask(&fake, keys.clone(), PATIENT).await,
        (vec![2, 3, 4, 2], 3)
    );
    let written = async {
        while fake.values.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), written)
        .await
        .unwrap();
    assert_eq!(
        ask(&fake, keys.clone(), PATIENT).await,
        (vec![2, 3, 4, 2], 1),
        "odd ones are not shared"
    );
    fake.invalidate().await.unwrap();
    assert_eq!(ask(&fake, keys, PATIENT).await, (vec![2, 3, 4, 2], 3));
    assert_eq!(fake.asked.load(Ordering::SeqCst), 3, "once for all keys");
}

/// A level that fails, hangs or returns garbage: the answer stays right, and the level is soon skipped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_level_costs_only_speed() {
    for mood in [FAILS, HANGS, LIES] {
        let fake = Arc::<Fake>::default();
        fake.mood.store(mood, Ordering::SeqCst);
        let keys: Vec<_> = (0..200).map(key).collect();
        let started = Instant::now();
        let (values, computed) = ask(&fake, keys, BATCH_WITHIN).await;
        assert_eq!(values, (0..200).collect::<Vec<u64>>());
        assert_eq!(computed, 200);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_level_is_skipped_for_a_while() {
    let fake = Arc::<Fake>::default();
    fake.mood.store(FAILS, Ordering::SeqCst);
    let shared = Shared {
        cache: Arc::clone(&fake) as _,
        codec: Arc::new(Numbers),
    };
    let level = SecondLevel::new(shared);
    let asking = Arc::clone(&level);
    tokio::task::spawn_blocking(move || {
        let soon = Instant::now() + Duration::from_secs(5);
        for _ in 0..3 {
            asking.fetch(&[key(1)], soon, |_, _| panic!("it has nothing"));
        }
        asking.offer(key(2), &(Arc::new(2_u64) as CacheValue));
    })
    .await
    .unwrap();
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
    let status = level.status();
    assert_eq!((status.errors, status.skipped), (1, 3));
    assert!(status.away.is_some_and(|why| why.contains("gone")));
}

/// No caller needs to use the level: probes alone notice its failure.
#[tokio::test(start_paused = true)]
async fn a_level_that_goes_down_is_noticed_and_used_again_when_it_answers() {
    for mood in [FAILS, HANGS] {
        let fake = Arc::<Fake>::default();
        let shared = Shared {
            cache: Arc::clone(&fake) as _,
            codec: Arc::new(Numbers),
        };
        let level = SecondLevel::new(shared);
        let a_probe_later = || tokio::time::sleep(PROBE_EVERY + PROBE_WITHIN);
        a_probe_later().await;
        assert_eq!(level.status().away, None);
        fake.mood.store(mood, Ordering::SeqCst);
        a_probe_later().await;
        assert!(level.status().away.is_some());
        // Skipped for as long as it does not answer, not only for a fixed time.
        a_probe_later().await;
        assert!(level.is_left_alone());
        fake.mood.store(0, Ordering::SeqCst);
        a_probe_later().await;
        assert_eq!(level.status().away, None);
    }
}

/// A skipped level must answer as fast as a call needs it to; one in use gets more time on a busy machine.
#[tokio::test(start_paused = true)]
async fn a_slow_level_stays_skipped() {
    struct Slow;
    impl SharedCache for Slow {
        fn get<'a>(&'a self, keys: &'a [CacheKey]) -> SharedFuture<'a, Vec<Option<Vec<u8>>>> {
            Box::pin(async move { Ok(vec![None; keys.len()]) })
        }
        fn put(&self, _: Vec<(CacheKey, Vec<u8>)>) -> SharedFuture<'_, u64> {
            Box::pin(async { Ok(0) })
        }
        fn invalidate(&self) -> SharedFuture<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn invalidated(&self) {}
        fn room(&self) -> Room {
            Room::default()
        }
        fn probe(&self) -> SharedFuture<'_, ()> {
            Box::pin(async {
                tokio::time::sleep(BATCH_WITHIN * 4).await;
                Ok(())
            })
        }
    }
    let level = SecondLevel::new(Shared {
        cache: Arc::new(Slow),
        codec: Arc::new(Numbers),
    });
    tokio::time::sleep(PROBE_EVERY * 3).await;
    assert!(!level.is_left_alone());
    level.failed("a call waited in vain");
    tokio::time::sleep(PROBE_EVERY * 3).await;
    assert!(level.is_left_alone());
}

/// Every offered value is counted as stored or as refused.
#[tokio::test(start_paused = true)]
async fn refused_values_are_counted() {
    let fake = Arc::new(Fake::default());
    let level = SecondLevel::new(Shared {
        cache: Arc::clone(&fake) as _,
        codec: Arc::new(Numbers),
    });
    let even: CacheValue = Arc::new(2_u64);
    level.offer(key(1), &even);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(level.status().dropped, 0);
    fake.mood.store(REFUSES, Ordering::SeqCst);
    level.offer(key(2), &even);
    level.offer(key(3), &even);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(level.status().dropped, 2);
}
