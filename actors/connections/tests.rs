//! Connections as the server uses them: one node in paused time, and several nodes over one store and a relay.

use super::contract::connection;
use super::*;
use crate::Options;
use crate::heartbeat::Announcement;
use crate::ids::NodeId;
use crate::relay::memory::MemoryRelay;
use crate::sessions::{Backing, Sessions};
use crate::store::memory::{Limits, MemoryStore};
use crate::tool::Catalogue;

mod away;
mod posts;
mod random;

const TTL: Duration = Duration::from_secs(3600);

fn options(node: NodeId) -> Options {
    Options {
        node,
        announcement: Some(Announcement {
            version: "1".to_owned(),
            address: "nowhere".to_owned(),
            features: Vec::new(),
        }),
        ..Options::default()
    }
}

fn alone(options: ConnectionOptions) -> Connections {
    let clock = Clock::starting_at(1_000_000);
    let store = Arc::new(MemoryStore::new(clock, Limits::default()));
    let neighbours = Arc::new(Neighbours::new(NodeId::random(), None));
    Connections::new(options, None, store, neighbours, clock)
}

fn event(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn texts(recorded: Option<Recorded>) -> Option<(Vec<(u64, String)>, bool)> {
    let text = |bytes: &Arc<[u8]>| String::from_utf8_lossy(bytes).into_owned();
    recorded.map(|recorded| {
        let events = recorded.events.iter();
        let events = events.map(|(number, bytes)| (*number, text(bytes)));
        (events.collect(), recorded.ended)
    })
}

#[tokio::test(start_paused = true)]
async fn a_used_connection_stays_and_an_unused_one_expires() {
    let connections = alone(ConnectionOptions::default());
    let (used, left) = (connection(), connection());
    for connection in [&used, &left] {
        connections.open(connection.clone()).await.unwrap();
    }
    let stream = StreamId::random();
    assert!(
        connections
            .record(left.id, stream, 1, event("a"), false)
            .await
    );
    for _ in 0..3 {
        tokio::time::sleep(TTL * 2 / 3).await;
        assert_eq!(connections.find(used.id).await, Ok(Some(used.clone())));
    }
    assert_eq!(connections.find(left.id).await, Ok(None));
    assert_eq!(connections.read(left.id, stream, 0).await, None);
    assert!(
        !connections
            .record(left.id, stream, 2, event("b"), true)
            .await
    );
}

#[tokio::test]
async fn events_that_are_not_kept_are_reported_and_the_stream_continues() {
    let connections = alone(ConnectionOptions::default());
    let (connection, stream) = (connection(), StreamId::random());
    connections.open(connection.clone()).await.unwrap();
    let id = connection.id;
    assert!(connections.begin(id, stream).await);
    assert!(connections.record(id, stream, 1, event("a"), false).await);
    let large: Arc<[u8]> = vec![0; BYTES_PER_STREAM + 1].into();
    assert!(!connections.record(id, stream, 2, large, false).await);
    assert!(connections.record(id, stream, 3, event("c"), true).await);
    let read = texts(connections.read(id, stream, 0).await);
    assert_eq!(read, Some((vec![(3, "c".to_owned())], true)));
}

#[tokio::test]
async fn connections_are_limited_per_node_and_per_client() {
    let few = ConnectionOptions {
        per_principal: 2,
        per_node: 3,
        ..ConnectionOptions::default()
    };
    let connections = alone(few);
    let of = |name: &str| Connection {
        principal: crate::ids::Principal::named(name),
        ..connection()
    };
    for name in ["a", "a", "b"] {
        connections.open(of(name)).await.unwrap();
    }
    for name in ["a", "b"] {
        let refused = connections.open(of(name)).await;
        assert!(
            matches!(refused, Err(ConnectionError::Limit(_))),
            "{name}: {refused:?}"
        );
    }
    let opening = vec![0; OPENING_BYTES + 1].into();
    let refused = connections.open(Connection { opening, ..of("c") }).await;
    assert!(matches!(refused, Err(ConnectionError::Limit(_))));
}

#[tokio::test]
async fn events_of_ended_streams_are_dropped_first() {
    let small = ConnectionOptions {
        bytes: 1000,
        ..ConnectionOptions::default()
    };
    let connections = alone(small);
    let (old, new, stream) = (connection(), connection(), StreamId::random());
    for connection in [&old, &new] {
        connections.open(connection.clone()).await.unwrap();
    }
    let event = || Arc::<[u8]>::from(vec![1; 400]);
    assert!(connections.record(old.id, stream, 1, event(), true).await);
    assert!(connections.record(new.id, stream, 1, event(), false).await);
    assert!(connections.record(new.id, stream, 2, event(), false).await);
    assert_eq!(connections.read(old.id, stream, 0).await, None);
    assert!(!connections.record(new.id, stream, 3, event(), false).await);
    assert_eq!(
        connections
            .read(new.id, stream, 0)
            .await
            .unwrap()
            .events
            .len(),
        2
    );
}
