//! Sessions created under a key: all requests get the same one until it ends.

use super::*;

fn keyed(principal: &Principal, digest: u8) -> NewSession {
    NewSession {
        key: Some(CreateKey {
            key: "k".to_owned(),
            digest: [digest; 32],
            provisional: false,
        }),
        ..new(principal)
    }
}

pub(super) async fn a_key_of_creation_returns_the_first_session(store: &dyn Store) {
    let local = Principal::local();
    let first = keyed(&local, 1);
    let id = first.id;
    assert!(matches!(store.create(first).await, Ok(Created::New(_))));
    assert_eq!(
        store.create(keyed(&local, 1)).await,
        Ok(Created::Before(id))
    );
    assert_eq!(
        store.create(keyed(&local, 2)).await,
        Err(StoreError::KeyReused)
    );
    let other = store.create(keyed(&Principal::named("other"), 2)).await;
    assert!(
        matches!(other, Ok(Created::New(_))),
        "keys are a caller's own"
    );
    let fence = store.acquire(id, node(1)).await.unwrap().fence;
    store.delete(id, fence).await.unwrap();
    let again = keyed(&local, 1);
    let id = again.id;
    assert!(
        matches!(store.create(again).await, Ok(Created::New(_))),
        "it is gone"
    );
    assert_eq!(
        store.create(keyed(&local, 1)).await,
        Ok(Created::Before(id))
    );
}

/// Until it expires, however often it is used.
pub(super) async fn a_key_of_creation_ends_with_its_session(store: &dyn Store) {
    const TTL: Duration = Duration::from_secs(2);
    let local = Principal::local();
    let short = || NewSession {
        ttl_ms: u64::try_from(TTL.as_millis()).unwrap(),
        ..keyed(&local, 1)
    };
    let first = short();
    let id = first.id;
    store.create(first).await.unwrap();
    let (fence, made) = (
        store.acquire(id, node(1)).await.unwrap().fence,
        Instant::now(),
    );
    let mut version = 1;
    while made.elapsed() < TTL * 2 {
        let change = commit(id, fence, version);
        match one(store, change).await {
            Ok(done) => version = done.version,
            Err(StoreError::Lapsed) => break,
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(TTL / 20).await;
    }
    assert_eq!(store.create(short()).await, Ok(Created::Before(id)));
    let until = Instant::now() + PATIENCE;
    while store.look(id).await.is_ok() {
        assert!(Instant::now() < until, "it does not end");
        tokio::time::sleep(TTL / 20).await;
    }
    let again = short();
    let id = again.id;
    let created = store.create(again).await;
    assert!(matches!(created, Ok(Created::New(_))), "{created:?}");
    assert_eq!(store.create(short()).await, Ok(Created::Before(id)));
}

/// Also right after the previous one has ended.
pub(super) async fn concurrent_creations_with_one_key_make_one_session(store: &dyn Store) {
    let local = Principal::local();
    for _ in 0..20 {
        let all: Vec<_> = (0..8).map(|_| keyed(&local, 1)).collect();
        let creating = all.iter().map(|new| async {
            match store.create(new.clone()).await.unwrap() {
                Created::New(_) => new.id,
                Created::Before(id) => id,
            }
        });
        let ids = crate::concurrent::all(creating).await;
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        for new in all.iter().filter(|new| new.id != ids[0]) {
            assert_eq!(store.look(new.id).await, Err(StoreError::Missing));
        }
        let fence = store.acquire(ids[0], node(1)).await.unwrap().fence;
        store.delete(ids[0], fence).await.unwrap();
    }
}
