//! Two nodes create under one key: the default session of a connection is the same on every node.

use super::calls::futures_join;
use super::*;
use crate::ids::NodeId;
use crate::relay::Relay;
use crate::relay::memory::MemoryRelay;
use crate::store::Store;
use crate::store::redis::tests::server;
use crate::store::redis::{RedisOptions, RedisStore};

const PATIENCE: Duration = Duration::from_secs(30);

async fn sessions(store: Arc<dyn Store>, relay: Arc<dyn Relay>, node: NodeId) -> Sessions {
    let options = Options {
        node,
        ..Options::default()
    };
    let backing = Backing {
        relay: Some(relay),
        ..Backing::alone(store)
    };
    Sessions::start_at(options, backing, Catalogue::default(), Clock::system())
        .await
        .unwrap()
}

fn keyed(ttl: Option<Duration>) -> CreateRequest {
    CreateRequest {
        idempotency_key: Some("default of a connection".to_owned()),
        ttl,
        ..creation()
    }
}

async fn both(nodes: &[Sessions; 2], ttl: Option<Duration>) -> SessionId {
    let creating = nodes.iter().map(|node| node.create(keyed(ttl)));
    let views = futures_join(creating).await;
    let ids: Vec<_> = views.into_iter().map(|view| view.unwrap().id).collect();
    assert_eq!(ids[0], ids[1]);
    ids[0]
}

async fn one_session_for_both_until_it_ends(nodes: [Sessions; 2]) {
    let local = Principal::local();
    let first = both(&nodes, None).await;
    assert_eq!(both(&nodes, None).await, first);
    nodes[1].close(&local, first).await.unwrap();
    let ttl = Some(Duration::from_secs(1));
    let second = both(&nodes, ttl).await;
    assert_ne!(second, first);
    let until = Instant::now() + PATIENCE;
    while nodes[0].store().look(second).await.is_ok() {
        assert!(Instant::now() < until, "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let third = both(&nodes, ttl).await;
    assert!(third != second && third != first);
    for node in nodes {
        node.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_names_one_session_on_two_nodes_over_memory() {
    let store = Arc::new(MemoryStore::new(Clock::system(), memory::Limits::default()));
    let relay = Arc::<MemoryRelay>::default();
    let node = || {
        sessions(
            Arc::clone(&store) as _,
            Arc::clone(&relay) as _,
            NodeId::random(),
        )
    };
    one_session_for_both_until_it_ends([node().await, node().await]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_names_one_session_on_two_nodes_over_redis() {
    let Some(server) = server::good() else { return };
    let node = || {
        let id = NodeId::random();
        let options = RedisOptions::new(server.url(), id);
        let store = RedisStore::open(options, Clock::system()).unwrap();
        let relay = store.relay();
        sessions(Arc::new(store), relay, id)
    };
    one_session_for_both_until_it_ends([node().await, node().await]).await;
}
