//! Outages of the connection store: a switch in front of a memory store, and a real Redis that is killed.

use std::sync::atomic::{AtomicU8, Ordering};

use super::super::contract::{connection, redis};
use super::*;
use crate::store::StoreFuture;
use crate::store::redis::tests::server;

const PATIENCE: Duration = Duration::from_secs(60);

/// A store that works, refuses every request, or never answers.
pub(super) struct Switch {
    store: MemoryConnections,
    mood: AtomicU8,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Mood {
    There,
    Refuses,
    Silent,
}

impl Switch {
    pub(super) fn new(options: ConnectionOptions, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            store: MemoryConnections::new(options, clock),
            mood: AtomicU8::new(Mood::There as u8),
        })
    }

    pub(super) fn turn(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce() -> StoreFuture<'a, T> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            match self.mood.load(Ordering::SeqCst) {
                0 => ask().await,
                1 => Err(StoreError::Unavailable("switched off".to_owned())),
                _ => std::future::pending().await,
            }
        })
    }
}

impl ConnectionStore for Switch {
    fn open<'a>(&'a self, new: &'a Connection, options: ConnectionOptions) -> StoreFuture<'a, ()> {
        self.pass(move || self.store.open(new, options))
    }

    fn find(&self, id: ConnectionId) -> StoreFuture<'_, Connection> {
        self.pass(move || self.store.find(id))
    }

    fn close(&self, id: ConnectionId) -> StoreFuture<'_, ()> {
        self.pass(move || self.store.close(id))
    }

    fn append<'a>(
        &'a self,
        id: ConnectionId,
        stream: StreamId,
        batch: &'a Batch,
    ) -> StoreFuture<'a, Appended> {
        self.pass(move || self.store.append(id, stream, batch))
    }

    fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> StoreFuture<'_, Page> {
        self.pass(move || self.store.read(id, stream, after))
    }
}

/// One of several nodes that share a connection store.
pub(super) fn node(shared: Arc<dyn ConnectionStore>, clock: Clock) -> Connections {
    let store = Arc::new(MemoryStore::new(clock, Limits::default()));
    let neighbours = Arc::new(Neighbours::new(NodeId::random(), None));
    let options = ConnectionOptions::default();
    Connections::new(options, Some(shared), store, neighbours, clock)
}

pub(super) async fn until<F: Future<Output = bool>>(what: &str, test: impl Fn() -> F) {
    let waiting = async {
        while !test().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "not within a minute: {what}");
}

fn two() -> (Connections, Connections, Arc<Switch>) {
    let clock = Clock::starting_at(1_000_000);
    let switch = Switch::new(ConnectionOptions::default(), clock);
    let (a, b) = (
        node(Arc::clone(&switch) as _, clock),
        node(Arc::clone(&switch) as _, clock),
    );
    (a, b, switch)
}

#[tokio::test(start_paused = true)]
async fn another_node_finds_and_closes_a_connection() {
    let (a, b, _) = two();
    let (connection, stream) = (connection(), StreamId::random());
    let id = connection.id;
    a.open(connection.clone()).await.unwrap();
    assert_eq!(b.find(id).await, Ok(Some(connection)));
    assert!(a.begin(id, stream).await);
    assert_eq!(texts(b.read(id, stream, 0).await), Some((vec![], false)));
    assert!(a.record(id, stream, 1, event("a"), false).await);
    assert!(a.record(id, stream, 2, event("b"), true).await);
    let all = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    for node in [&a, &b] {
        assert_eq!(
            texts(node.read(id, stream, 0).await),
            Some((all.clone(), true))
        );
        assert_eq!(
            texts(node.read(id, stream, 1).await),
            Some((all[1..].to_vec(), true))
        );
    }
    b.close(id).await;
    assert_eq!(a.find(id).await, Ok(None));
    assert_eq!(a.read(id, stream, 0).await, None);
    assert!(!a.record(id, stream, 3, event("c"), true).await);
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_delays_only_one_request() {
    let (a, b, switch) = two();
    let (known, unknown) = (connection(), connection());
    a.open(known.clone()).await.unwrap();
    b.open(unknown.clone()).await.unwrap();
    switch.turn(Mood::Silent);
    let asked = tokio::time::Instant::now();
    assert_eq!(a.find(known.id).await, Ok(Some(known.clone())));
    assert!(asked.elapsed() <= STORE_WITHIN);
    let asked = tokio::time::Instant::now();
    for number in 1..50 {
        assert_eq!(a.find(known.id).await, Ok(Some(known.clone())));
        let stream = StreamId::from_u128(7);
        assert!(!a.record(known.id, stream, number, event("x"), false).await);
    }
    assert!(
        asked.elapsed() < Duration::from_millis(10),
        "{:?}",
        asked.elapsed()
    );
    let not_known = a.find(unknown.id).await;
    assert!(
        matches!(not_known, Err(ConnectionError::Unavailable(_))),
        "{not_known:?}"
    );
    assert!(asked.elapsed() <= RETURN_WITHIN + Duration::from_millis(10));
    switch.turn(Mood::There);
    until("found again", || async {
        a.find(unknown.id).await == Ok(Some(unknown.clone()))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn connections_opened_and_closed_during_an_outage_reach_the_store() {
    let (a, b, switch) = two();
    let (old, new) = (connection(), connection());
    a.open(old.clone()).await.unwrap();
    switch.turn(Mood::Refuses);
    a.open(new.clone()).await.unwrap();
    a.close(old.id).await;
    assert_eq!(a.find(new.id).await, Ok(Some(new.clone())));
    assert_eq!(a.find(old.id).await, Ok(None));
    switch.turn(Mood::There);
    assert_eq!(a.find(old.id).await, Ok(None));
    until("the new one is found", || async {
        b.find(new.id).await == Ok(Some(new.clone()))
    })
    .await;
    until("the old one is closed", || async {
        b.find(old.id).await == Ok(None)
    })
    .await;
}

/// Events written during an outage must reach the store, even if the store itself lost data.
#[tokio::test]
async fn connections_survive_a_killed_redis_and_are_copied_to_it() {
    let Some(mut server) = server::good() else {
        return;
    };
    let clock = Clock::system();
    let (a, b) = (node(redis(&server), clock), node(redis(&server), clock));
    let (known, stream, other) = (connection(), StreamId::random(), StreamId::random());
    let id = known.id;
    a.open(known.clone()).await.unwrap();
    assert!(a.record(id, stream, 1, event("a"), false).await);
    assert!(a.record(id, other, 1, event("done"), true).await);
    server.kill();
    let asked = std::time::Instant::now();
    assert!(!a.record(id, stream, 2, event("b"), false).await);
    assert_eq!(a.find(id).await, Ok(Some(known.clone())));
    let written = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    assert_eq!(
        texts(a.read(id, stream, 0).await),
        Some((written.clone(), false))
    );
    assert!(b.find(id).await.is_err(), "this node does not know it");
    assert_eq!(b.read(id, stream, 0).await, None);
    let new = connection();
    a.open(new.clone()).await.unwrap();
    assert!(!a.record(new.id, stream, 1, event("n"), true).await);
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    server.restart();
    until("the new connection is found", || async {
        b.find(new.id).await == Ok(Some(new.clone()))
    })
    .await;
    until("its stream is read", || async {
        texts(b.read(new.id, stream, 0).await) == Some((vec![(1, "n".to_owned())], true))
    })
    .await;
    until("the old stream is read", || async {
        texts(b.read(id, stream, 0).await) == Some((written.clone(), false))
    })
    .await;
    assert!(a.record(id, stream, 3, event("c"), true).await);
    let last = (vec![(3, "c".to_owned())], true);
    assert_eq!(texts(b.read(id, stream, 2).await), Some(last));
    let done = (vec![(1, "done".to_owned())], true);
    assert_eq!(texts(b.read(id, other, 0).await), Some(done));
}

/// As after a failover to a lagging replica.
#[tokio::test]
async fn the_writer_restores_events_after_a_rollback() {
    let Some(server) = server::good() else { return };
    let clock = Clock::system();
    let (a, b) = (node(redis(&server), clock), node(redis(&server), clock));
    let (known, stream) = (connection(), StreamId::random());
    a.open(known.clone()).await.unwrap();
    for (number, text) in [(1, "a"), (2, "b"), (3, "c")] {
        assert!(a.record(known.id, stream, number, event(text), false).await);
    }
    let mut meddler = server.connection();
    let streams = format!("mca:{{{}}}:s", known.id);
    let written = "1 1 1 0 1";
    ::redis::cmd("HSET")
        .arg(&streams)
        .arg(stream.to_string())
        .arg(written)
        .exec(&mut meddler)
        .unwrap();
    assert!(a.record(known.id, stream, 4, event("d"), true).await);
    let (read, ended) = texts(b.read(known.id, stream, 0).await).unwrap();
    let read: Vec<_> = read.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!((read, ended), (vec!["a", "b", "c", "d"], true));
}

#[tokio::test]
async fn a_redis_without_memory_keeps_no_events_and_finds_connections() {
    let Some(server) = server::good() else { return };
    let clock = Clock::system();
    let (a, b) = (node(redis(&server), clock), node(redis(&server), clock));
    let (known, stream) = (connection(), StreamId::random());
    a.open(known.clone()).await.unwrap();
    let mut meddler = server.connection();
    let mut limit = |bytes: &str| {
        let mut set = ::redis::cmd("CONFIG");
        set.arg("SET")
            .arg("maxmemory")
            .arg(bytes)
            .exec(&mut meddler)
            .unwrap();
    };
    limit("1");
    assert!(!a.record(known.id, stream, 1, event("a"), false).await);
    assert_eq!(b.find(known.id).await, Ok(Some(known.clone())));
    let refused = b.open(connection()).await;
    assert!(
        matches!(refused, Err(ConnectionError::Limit(_))),
        "{refused:?}"
    );
    limit("0");
    assert!(a.record(known.id, stream, 2, event("b"), true).await);
    let read = texts(b.read(known.id, stream, 0).await);
    assert_eq!(
        read,
        Some((vec![(1, "a".to_owned()), (2, "b".to_owned())], true))
    );
}

#[tokio::test]
async fn lost_connections_are_restored_and_closed_ones_are_not() {
    let Some(server) = server::good() else { return };
    let clock = Clock::system();
    let (a, b) = (node(redis(&server), clock), node(redis(&server), clock));
    let (known, closed, stream) = (connection(), connection(), StreamId::random());
    for connection in [&known, &closed] {
        a.open(connection.clone()).await.unwrap();
        assert!(a.record(connection.id, stream, 1, event("a"), false).await);
        assert_eq!(b.find(connection.id).await, Ok(Some(connection.clone())));
    }
    b.close(closed.id).await;
    let mut meddler = server.connection();
    let lost = ["c", "s", "e"].map(|key| format!("mca:{{{}}}:{key}", known.id));
    ::redis::cmd("DEL").arg(&lost).exec(&mut meddler).unwrap();
    assert!(a.record(known.id, stream, 2, event("b"), false).await);
    assert!(!a.record(closed.id, stream, 2, event("b"), false).await);
    let both = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    assert_eq!(
        texts(b.read(known.id, stream, 0).await),
        Some((both, false))
    );
    assert_eq!(a.find(closed.id).await, Ok(None));
    ::redis::cmd("DEL").arg(&lost).exec(&mut meddler).unwrap();
    assert_eq!(b.find(known.id).await, Ok(Some(known.clone())));
    let other = node(redis(&server), clock);
    assert_eq!(other.find(known.id).await, Ok(Some(known)));
}
