//! Messages between nodes, over a relay in memory and over a real Redis.

use std::pin::Pin;
use std::sync::Mutex;

use super::*;
use crate::relay::Relay;
use crate::store::Store;
use crate::store::redis::tests::server;
use crate::store::redis::{RedisOptions, RedisStore};

const PATIENCE: Duration = Duration::from_secs(30);

/// Takes the messages for one connection.
struct Mailbox {
    wanted: ConnectionId,
    got: Mutex<Vec<Vec<u8>>>,
}

impl Mailbox {
    fn of(wanted: ConnectionId) -> Arc<Self> {
        let got = Mutex::default();
        Arc::new(Self { wanted, got })
    }

    fn got(&self) -> Vec<Vec<u8>> {
        self.got.lock().unwrap().clone()
    }
}

impl Recipient for Mailbox {
    fn deliver<'a>(
        &'a self,
        id: ConnectionId,
        message: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let taken = self.wanted == id;
            if taken {
                self.got.lock().unwrap().push(message);
            }
            taken
        })
    }
}

async fn node(store: Arc<dyn Store>, relay: Arc<dyn Relay>, node: NodeId) -> Sessions {
    let backing = Backing {
        relay: Some(relay),
        ..Backing::alone(store)
    };
    Sessions::start_at(
        options(node),
        backing,
        Catalogue::default(),
        Clock::system(),
    )
    .await
    .unwrap()
}

/// Nodes that know each other.
async fn in_memory(ids: &[NodeId]) -> (Vec<Sessions>, Arc<MemoryRelay>) {
    let store = Arc::new(MemoryStore::new(Clock::system(), Limits::default()));
    let relay = Arc::<MemoryRelay>::default();
    let mut nodes = Vec::new();
    for id in ids {
        nodes.push(node(Arc::clone(&store) as _, Arc::clone(&relay) as _, *id).await);
    }
    heard_of(store.as_ref(), ids.len()).await;
    (nodes, relay)
}

async fn heard_of(store: &dyn Store, wanted: usize) {
    let heard = async {
        while store.nodes().await.map_or(0, |nodes| nodes.len()) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap();
}

fn three() -> [NodeId; 3] {
    [NodeId::random(), NodeId::random(), NodeId::random()]
}

async fn messages_reach_the_node_that_can_use_them(nodes: &[Sessions], ids: &[NodeId; 3]) {
    let connections: Vec<_> = nodes.iter().map(Sessions::connections).collect();
    let wanted = ConnectionId::random();
    let mailbox = Mailbox::of(wanted);
    connections[1].receive_with(Arc::clone(&mailbox) as _);
    let messages = [
        "text, ü".as_bytes().to_vec(),
        b"\xff\x00 no text".to_vec(),
        vec![b'x'; POSTED_BYTES],
    ];
    for message in &messages {
        let taken = connections[0].post(ids[1], wanted, message.clone()).await;
        assert_eq!(taken, Ok(true));
    }
    assert_eq!(mailbox.got(), messages);
    // A node sends messages to itself without the relay.
    let own = connections[1].post(ids[1], wanted, b"own".to_vec()).await;
    assert_eq!(own, Ok(true));
    // Node 1 does not hold that stream, and node 2 takes no messages.
    let other = ConnectionId::random();
    assert_eq!(
        connections[0].post(ids[1], other, Vec::new()).await,
        Ok(false)
    );
    assert_eq!(
        connections[0].post(ids[2], wanted, Vec::new()).await,
        Ok(false)
    );
    assert_eq!(connections[2].post_to_all(wanted, b"all".to_vec()).await, 1);
    assert_eq!(connections[1].post_to_all(wanted, b"all".to_vec()).await, 0);
    assert_eq!(mailbox.got().len(), messages.len() + 2);
    let large = vec![0; POSTED_BYTES + 1];
    let refused = connections[0].post(ids[1], wanted, large).await;
    assert_eq!(refused, Err(PostError::TooLarge(POSTED_BYTES + 1)));
}

#[tokio::test]
async fn messages_go_over_a_relay() {
    let ids = three();
    let (nodes, _) = in_memory(&ids).await;
    messages_reach_the_node_that_can_use_them(&nodes, &ids).await;
}

#[tokio::test]
async fn messages_go_over_redis() {
    let Some(server) = server::good() else { return };
    let ids = three();
    let mut nodes = Vec::new();
    let mut seen = None;
    for id in ids {
        let options = RedisOptions::new(server.url(), id);
        let store = RedisStore::open(options, Clock::system()).unwrap();
        seen = Some(store.clone());
        let relay = store.relay();
        nodes.push(node(Arc::new(store), relay, id).await);
    }
    heard_of(&seen.unwrap(), ids.len()).await;
    messages_reach_the_node_that_can_use_them(&nodes, &ids).await;
    for node in nodes {
        node.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_without_messages_is_declared_down() {
    let ids = three();
    let (nodes, relay) = in_memory(&ids).await;
    relay.deafen(ids[1]);
    let (connections, id) = (nodes[0].connections(), ConnectionId::random());
    let asked = tokio::time::Instant::now();
    let silent = connections.post(ids[1], id, b"x".to_vec()).await;
    assert_eq!(silent, Err(PostError::Silent(ids[1])));
    assert!(asked.elapsed() < Duration::from_secs(15));
    let mailbox = Mailbox::of(id);
    nodes[2]
        .connections()
        .receive_with(Arc::clone(&mailbox) as _);
    assert_eq!(connections.post_to_all(id, b"x".to_vec()).await, 1);
    assert_eq!(mailbox.got(), [b"x"]);
}
