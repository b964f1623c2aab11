//! The reported storage use of a principal.

use super::*;

/// The largest allowed excess: the store may round each session up.
fn at_most(bytes: u64, sessions: u64) -> u64 {
    bytes + bytes / 4 + sessions * 10_000
}

/// Incompressible bytes.
fn noise(bytes: usize) -> Arc<[u8]> {
    let mut noise = vec![0; bytes];
    getrandom::fill(&mut noise).unwrap();
    noise.into()
}

async fn becomes(store: &dyn Store, principal: &Principal, sessions: u64, bytes: u64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let usage = store.usage(principal).await.unwrap();
        let fits = usage.bytes >= bytes && usage.bytes <= at_most(bytes, sessions);
        if usage.sessions == sessions && fits {
            return;
        }
        let late = Instant::now() > until;
        assert!(!late, "{usage:?} for {sessions} sessions of {bytes} bytes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn a_result_is_stored_if_both_parts_are(store: &dyn Store) {
    let session = new(&Principal::local());
    let id = session.id;
    store.create(session).await.unwrap();
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    let [both, answer, none] = [(); 3].map(|()| ResultId::random());
    let blob = |id, part| ResultBlob {
        id,
        part,
        bytes: noise(10),
    };
    let stored = Commit {
        put: vec![
            blob(both, Part::Answer),
            blob(both, Part::Whole),
            blob(answer, Part::Answer),
        ],
        ..commit(id, fence, 1)
    };
    one(store, stored).await.unwrap();
    let found = store.has_results(id, &[none, both, answer]).await;
    assert_eq!(found, Ok(vec![false, true, false]));
    assert_eq!(store.has_results(id, &[]).await, Ok(Vec::new()));
}

pub(super) async fn stored_bytes_count_for_their_principal_until_deleted(store: &dyn Store) {
    const LARGE: usize = 200_000;
    let (mine, other) = (Principal::named("mine"), Principal::named("other"));
    assert_eq!(store.usage(&mine).await, Ok(Usage::default()));
    let mut held = Vec::new();
    for _ in 0..3 {
        let session = NewSession {
            snapshot: noise(LARGE),
            ..new(&mine)
        };
        let id = session.id;
        store.create(session).await.unwrap();
        held.push((id, store.acquire(id, node(1)).await.unwrap().fence));
    }
    store.create(new(&other)).await.unwrap();
    let large = LARGE as u64;
    becomes(store, &mine, 3, 3 * large).await;
    becomes(store, &other, 1, 3).await;
    let (id, fence) = held[0];
    let result = ResultId::random();
    let grown = Commit {
        change: Change::Delta(noise(LARGE)),
        put: vec![ResultBlob {
            id: result,
            part: Part::Whole,
            bytes: noise(LARGE),
        }],
        ..commit(id, fence, 1)
    };
    for _ in 0..2 {
        one(store, grown.clone()).await.unwrap();
    }
    becomes(store, &mine, 3, 5 * large).await;
    let shrunk = Commit {
        change: Change::Snapshot(noise(100)),
        drop: vec![(result, Part::Whole)],
        ..commit(id, fence, 2)
    };
    one(store, shrunk).await.unwrap();
    becomes(store, &mine, 3, 2 * large + 100).await;
    for (id, fence) in held.drain(1..) {
        store.delete(id, fence).await.unwrap();
    }
    becomes(store, &mine, 1, 100).await;
    store.delete(id, fence).await.unwrap();
    becomes(store, &mine, 0, 0).await;
    becomes(store, &other, 1, 3).await;
}

/// Also if the usage was not queried while the sessions expired.
pub(super) async fn expired_sessions_are_not_counted(store: &dyn Store) {
    let mine = Principal::named("mine");
    for _ in 0..2 {
        let short = NewSession {
            snapshot: noise(50_000),
            ttl_ms: 1000,
            ..new(&mine)
        };
        store.create(short).await.unwrap();
    }
    becomes(store, &mine, 2, 100_000).await;
    becomes(store, &mine, 0, 0).await;
}
