//! The contract of every connection store, run against the memory store and a real Redis, in real time.

use std::time::{Duration, Instant};

use super::*;
use crate::ids::{NodeId, Principal};
use crate::store::redis::tests::server;
use crate::store::redis::{RedisOptions, RedisStore};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn connection() -> Connection {
    Connection {
        id: ConnectionId::random(),
        principal: Principal::named("somebody, ü"),
        opening: b"opened \x00 so \xff".as_slice().into(),
        node: None,
    }
}

pub(super) fn batch(first: u64, events: &[&str], last: bool) -> Batch {
    Batch {
        first,
        events: events.iter().map(|event| event.as_bytes().into()).collect(),
        last,
        over_hole: false,
    }
}

fn options() -> ConnectionOptions {
    ConnectionOptions {
        per_principal: 3,
        ..ConnectionOptions::default()
    }
}

pub(super) fn redis(server: &server::Server) -> Arc<dyn ConnectionStore> {
    let options = RedisOptions::new(server.url(), NodeId::random());
    let store = RedisStore::open(options, Clock::system()).unwrap();
    store.connections()
}

/// Runs each test against both stores.
macro_rules! both {
    ($($test:ident),* $(,)?) => {
        mod over_memory {
            $(
                #[tokio::test]
                async fn $test() {
                    let store = super::MemoryConnections::new(super::options(), super::Clock::system());
                    super::$test(&store).await;
                }
            )*
        }
        mod over_redis {
            $(
                #[tokio::test]
                async fn $test() {
                    let Some(server) = super::server::good() else { return };
                    let store = super::redis(&server);
                    super::$test(store.as_ref()).await;
                }
            )*
        }
    };
}

both!(
    a_connection_is_found_as_it_was_opened,
    closing_a_connection_deletes_its_events,
    events_are_read_after_any_number_in_order,
    a_repeated_batch_is_stored_once,
    a_gap_is_reported_and_skipped,
    connections_per_principal_are_limited,
    old_events_and_old_streams_are_dropped_first,
    an_unknown_connection_is_missing,
);

/// Short enough to wait for, long enough for a slow machine to act in time.
const TTL: Duration = Duration::from_secs(2);

fn short() -> ConnectionOptions {
    ConnectionOptions {
        ttl: TTL,
        ..options()
    }
}

#[tokio::test]
async fn a_connection_ends_in_memory() {
    let store = MemoryConnections::new(short(), Clock::system());
    a_connection_ends(&store).await;
}

#[tokio::test]
async fn a_connection_ends_in_redis() {
    let Some(server) = server::good() else { return };
    a_connection_ends(redis(&server).as_ref()).await;
    let until = Instant::now() + PATIENCE;
    loop {
        let left = server.keys();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "still there: {left:?}");
        tokio::time::sleep(TTL / 20).await;
    }
}

/// A used connection and its unfinished streams stay; an unused one expires with all its events.
async fn a_connection_ends(store: &dyn ConnectionStore) {
    let (used, left, stream) = (connection(), connection(), StreamId::random());
    let opened = Instant::now();
    for connection in [&used, &left] {
        store.open(connection, short()).await.unwrap();
        let event = batch(1, &["a"], false);
        store.append(connection.id, stream, &event).await.unwrap();
    }
    while store.read(left.id, stream, 0).await.is_ok() {
        assert!(opened.elapsed() < PATIENCE, "it does not end");
        assert!(
            store.find(used.id).await.is_ok(),
            "it ended while it was used"
        );
        tokio::time::sleep(TTL / 20).await;
    }
    assert!(opened.elapsed() >= TTL, "it ended early");
    assert_eq!(store.find(left.id).await, Err(StoreError::Missing));
    let kept = read(store, used.id, stream, 0).await;
    assert_eq!(kept, Ok((vec![text(1, "a")], false)));
    let until = Instant::now() + PATIENCE;
    while store.read(used.id, stream, 0).await.is_ok() {
        assert!(Instant::now() < until, "it does not end");
        tokio::time::sleep(TTL / 20).await;
    }
}

async fn opened(store: &dyn ConnectionStore) -> ConnectionId {
    let connection = connection();
    store.open(&connection, options()).await.unwrap();
    connection.id
}

/// Reads all pages.
async fn read(
    store: &dyn ConnectionStore,
    id: ConnectionId,
    stream: StreamId,
    after: u64,
) -> Result<(Vec<(u64, String)>, bool), StoreError> {
    let (mut all, mut reached) = (Vec::new(), after);
    loop {
        let page = store.read(id, stream, reached).await?;
        for (number, event) in page.recorded.events {
            reached = number;
            all.push((number, String::from_utf8_lossy(&event).into_owned()));
        }
        if !page.more {
            return Ok((all, page.recorded.ended));
        }
    }
}

fn text(number: u64, event: &str) -> (u64, String) {
    (number, event.to_owned())
}

async fn a_connection_is_found_as_it_was_opened(store: &dyn ConnectionStore) {
    let plain = connection();
    let held = Connection {
        node: Some(NodeId::random()),
        opening: Arc::default(),
        ..connection()
    };
    for connection in [plain, held] {
        for _ in 0..2 {
            store.open(&connection, options()).await.unwrap();
        }
        assert_eq!(store.find(connection.id).await, Ok(connection));
    }
}

async fn closing_a_connection_deletes_its_events(store: &dyn ConnectionStore) {
    let (id, stream) = (opened(store).await, StreamId::random());
    store
        .append(id, stream, &batch(1, &["a"], true))
        .await
        .unwrap();
    for _ in 0..2 {
        store.close(id).await.unwrap();
    }
    assert_eq!(store.find(id).await, Err(StoreError::Deleted));
    assert_eq!(store.read(id, stream, 0).await, Err(StoreError::Deleted));
    let late = store.append(id, stream, &batch(2, &["b"], true)).await;
    assert_eq!(late, Err(StoreError::Deleted));
    let again = Connection { id, ..connection() };
    assert_eq!(
        store.open(&again, options()).await,
        Err(StoreError::Deleted)
    );
    assert_eq!(store.find(id).await, Err(StoreError::Deleted));
}

async fn events_are_read_after_any_number_in_order(store: &dyn ConnectionStore) {
    let (id, stream) = (opened(store).await, StreamId::random());
    assert_eq!(read(store, id, stream, 0).await, Err(StoreError::Missing));
    store.append(id, stream, &Batch::beginning()).await.unwrap();
    assert_eq!(read(store, id, stream, 0).await, Ok((vec![], false)));
    store
        .append(id, stream, &batch(1, &["a", ""], false))
        .await
        .unwrap();
    store.append(id, stream, &Batch::beginning()).await.unwrap();
    store
        .append(id, stream, &batch(3, &["c"], true))
        .await
        .unwrap();
    let all = vec![text(1, "a"), text(2, ""), text(3, "c")];
    assert_eq!(read(store, id, stream, 0).await, Ok((all.clone(), true)));
    assert_eq!(
        read(store, id, stream, 2).await,
        Ok((all[2..].to_vec(), true))
    );
    assert_eq!(read(store, id, stream, 3).await, Ok((vec![], true)));
    assert_eq!(read(store, id, stream, 9).await, Ok((vec![], true)));
    let other = opened(store).await;
    assert_eq!(
        read(store, other, stream, 0).await,
        Err(StoreError::Missing)
    );
}

async fn a_repeated_batch_is_stored_once(store: &dyn ConnectionStore) {
    let (id, stream) = (opened(store).await, StreamId::random());
    for (first, events, last, wanted) in [
        (1, &["a", "b"][..], false, Appended::Kept),
        (1, &["a"], false, Appended::Kept),
        (2, &["b", "c"], true, Appended::Kept),
        (2, &["b", "c"], true, Appended::Kept),
        (4, &["d"], true, Appended::Refused),
    ] {
        let answer = store.append(id, stream, &batch(first, events, last)).await;
        assert_eq!(answer, Ok(wanted), "{first} {events:?}");
    }
    let all = vec![text(1, "a"), text(2, "b"), text(3, "c")];
    assert_eq!(read(store, id, stream, 0).await, Ok((all, true)));
}

async fn a_gap_is_reported_and_skipped(store: &dyn ConnectionStore) {
    let (id, stream) = (opened(store).await, StreamId::random());
    let ahead = batch(3, &["c"], false);
    assert_eq!(
        store.append(id, stream, &ahead).await,
        Ok(Appended::Behind(0))
    );
    store
        .append(id, stream, &batch(1, &["a"], false))
        .await
        .unwrap();
    assert_eq!(
        store.append(id, stream, &ahead).await,
        Ok(Appended::Behind(1))
    );
    let over = Batch {
        over_hole: true,
        ..ahead
    };
    assert_eq!(store.append(id, stream, &over).await, Ok(Appended::Kept));
    let rest = Ok((vec![text(3, "c")], false));
    assert_eq!(read(store, id, stream, 0).await, rest);
    assert_eq!(
        store.append(id, stream, &batch(4, &["d"], false)).await,
        Ok(Appended::Kept)
    );
    assert_eq!(
        read(store, id, stream, 3).await,
        Ok((vec![text(4, "d")], false))
    );
}

async fn connections_per_principal_are_limited(store: &dyn ConnectionStore) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(opened(store).await);
    }
    let refused = store.open(&connection(), options()).await;
    assert!(matches!(refused, Err(StoreError::Limit(_))), "{refused:?}");
    let other = Connection {
        principal: Principal::named("somebody else"),
        ..connection()
    };
    store.open(&other, options()).await.unwrap();
    store.close(ids[0]).await.unwrap();
    // The freed place may become visible a moment later.
    let until = Instant::now() + PATIENCE;
    while store.open(&connection(), options()).await.is_err() {
        assert!(Instant::now() < until, "a closed connection is counted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn old_events_and_old_streams_are_dropped_first(store: &dyn ConnectionStore) {
    let (id, stream) = (opened(store).await, StreamId::random());
    let many = EVENTS_PER_STREAM as u64 + 10;
    for number in 1..=many {
        let event = batch(number, &[&number.to_string()], number == many);
        assert_eq!(store.append(id, stream, &event).await, Ok(Appended::Kept));
    }
    let (kept, ended) = read(store, id, stream, 0).await.unwrap();
    assert_eq!((kept.len(), ended), (EVENTS_PER_STREAM, true));
    assert_eq!(kept.last(), Some(&text(many, &many.to_string())));
    assert_eq!(kept[0].0, 11);

    let large = "x".repeat(BYTES_PER_STREAM / 2 + 1);
    let loud = StreamId::random();
    for number in 1..=3 {
        store
            .append(id, loud, &batch(number, &[&large], false))
            .await
            .unwrap();
    }
    let (kept, _) = read(store, id, loud, 0).await.unwrap();
    let numbers: Vec<_> = kept.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [3], "two of them are more than a stream may hold");
    let too_large = "x".repeat(BYTES_PER_STREAM + 1);
    let refused = store
        .append(id, loud, &batch(4, &[&too_large], false))
        .await;
    assert_eq!(refused, Ok(Appended::Refused));

    for _ in 0..4 {
        store
            .append(id, StreamId::random(), &batch(1, &[&large], false))
            .await
            .unwrap();
    }
    // An ended stream is dropped before an older unfinished one.
    assert_eq!(read(store, id, stream, 0).await, Err(StoreError::Missing));
    assert_eq!(read(store, id, loud, 0).await, Err(StoreError::Missing));
    let quiet = StreamId::random();
    store.append(id, quiet, &Batch::beginning()).await.unwrap();
    for _ in 0..STREAMS_PER_CONNECTION - 1 {
        store
            .append(id, StreamId::random(), &batch(1, &["x"], true))
            .await
            .unwrap();
        assert_eq!(read(store, id, quiet, 0).await, Ok((vec![], false)));
    }
    store
        .append(id, StreamId::random(), &batch(1, &["x"], true))
        .await
        .unwrap();
    assert_eq!(read(store, id, quiet, 0).await, Ok((vec![], false)));
}

async fn an_unknown_connection_is_missing(store: &dyn ConnectionStore) {
    let (id, stream) = (ConnectionId::random(), StreamId::random());
    assert_eq!(store.find(id).await, Err(StoreError::Missing));
    assert_eq!(
        store.append(id, stream, &batch(1, &["a"], false)).await,
        Err(StoreError::Missing)
    );
    assert_eq!(store.read(id, stream, 0).await, Err(StoreError::Missing));
    assert_eq!(store.close(id).await, Ok(()));
}
