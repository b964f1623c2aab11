//! Nodes that share a Redis, while connections break, Redis is killed and nodes die. In the end every call is answered,
//! and every answer that was acknowledged as durable is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actors::ids::{Principal, ResultId, SessionId};
use actors::sessions::{Backing, CallAnswer, Sessions};
use actors::store::fallback::{FallbackStore, ShelterOptions};
use actors::store::redis::{RedisOptions, RedisStore};
use actors::tool::{Catalogue, Tool};
use actors::{Clock, Fault, InjectedFault, Options};
use tokio::runtime::{Builder, Runtime};

use super::{PATIENCE, load, tools};

#[path = "../actors/store/redis/tests/proxy.rs"]
#[expect(clippy::unwrap_used, reason = "written for unit tests")]
mod proxy;
#[path = "../actors/store/redis/tests/server.rs"]
#[expect(clippy::unwrap_used, reason = "written for unit tests")]
mod server;

use proxy::{Proxy, Way};
use server::Server;

/// Short enough to wait for.
const LEASE: Duration = Duration::from_secs(2);
const CLIENTS: usize = 4;
/// Durable answers below which the test has tried too little.
const ENOUGH: usize = 20;

/// One node: a tree on its own runtime, behind its own proxy.
struct Node {
    sessions: Sessions,
    runtime: Option<Runtime>,
    proxy: Proxy,
}

impl Node {
    async fn start(server: &Server) -> Self {
        let proxy = Proxy::before(server.port).await;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let url = proxy.url();
        let starting = runtime.spawn(async move {
            let options = Options {
                call_deadline: PATIENCE,
                lease: LEASE,
                ..Options::default()
            };
            let redis = RedisOptions {
                lease: LEASE,
                ..RedisOptions::new(url, options.node)
            };
            let clock = Clock::system();
            let store = RedisStore::open(redis, clock).expect("a URL");
            let relay = store.relay();
            let fallback = ShelterOptions::new(options.node, LEASE);
            let backing = Backing {
                store: FallbackStore::over(Arc::new(store), fallback, clock),
                relay: Some(relay),
                shared_cache: None,
                connections: None,
            };
            let echo: [Arc<dyn Tool>; 1] = [Arc::new(tools::Echo)];
            Sessions::start_at(options, backing, Catalogue::new(echo), clock).await
        });
        Self {
            sessions: starting.await.expect("no panic").expect("starts"),
            runtime: Some(runtime),
            proxy,
        }
    }

    /// `None`: the node died before it finished.
    async fn on<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        runtime.spawn(work).await.ok()
    }

    /// Returns the answer, or why there is none.
    async fn call(&self, session: SessionId, n: u64) -> Result<CallAnswer, String> {
        let sessions = self.sessions.clone();
        let called = self.on(async move { load::call(&sessions, session, "echo", n).await });
        let called = called.await.ok_or("the node died during the call")?;
        let answer = called.map_err(|error| error.to_string())?;
        let output = answer.outcome.as_ref().map_err(ToString::to_string)?;
        assert_eq!(output.answer["n"], n, "the answer to another question");
        Ok(answer)
    }

    /// Kills the node: it sends nothing more.
    fn die(&mut self) {
        self.proxy.set(Way::Blackhole);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The answers that one client was told are durable.
struct Told {
    session: SessionId,
    durable: Vec<(u64, ResultId)>,
    calls: u64,
}

/// Calls alternately on both nodes until `over` is set, and repeats each refused call.
async fn client(
    nodes: Arc<Vec<tokio::sync::RwLock<Node>>>,
    over: Arc<AtomicBool>,
    durable: Arc<AtomicUsize>,
    nth: u64,
) -> Told {
    let session = {
        let node = nodes[0].read().await;
        let sessions = node.sessions.clone();
        node.on(async move { load::create(&sessions).await })
            .await
            .expect("made")
    };
    let mut told = Told {
        session,
        durable: Vec::new(),
        calls: 0,
    };
    while !over.load(Ordering::SeqCst) {
        let n = nth * 1_000_000 + told.calls;
        let asked = Instant::now();
        let mut at = usize::try_from(told.calls).expect("few") % nodes.len();
        let answer = loop {
            let refused = match nodes[at].read().await.call(session, n).await {
                Ok(answer) => break answer,
                Err(refused) => refused,
            };
            let waited = asked.elapsed();
            assert!(
                waited < PATIENCE,
                "node {at}, call {n}, after {waited:?}: {refused}"
            );
            at = (at + 1) % nodes.len();
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        told.calls += 1;
        if let (true, Some(result)) = (answer.durability.durable, answer.result_id) {
            told.durable.push((n, result));
            durable.fetch_add(1, Ordering::SeqCst);
        }
    }
    told
}

/// Longest wait to read one result after recovery.
const READ_WITHIN: Duration = Duration::from_secs(20);
/// Results that the history keeps; older ones may have been dropped.
const KEPT: usize = 50;

async fn is_all_there(node: &Node, told: &[Told]) {
    for Told {
        session, durable, ..
    } in told
    {
        for &(n, result) in durable.iter().rev().take(KEPT) {
            let asked = Instant::now();
            loop {
                let (sessions, session) = (node.sessions.clone(), *session);
                let read =
                    async move { sessions.result(&Principal::local(), session, result).await };
                match node.on(read).await.expect("the node lives") {
                    Ok(stored) => {
                        assert_eq!(stored.whole["n"], n);
                        break;
                    }
                    Err(_) if asked.elapsed() < READ_WITHIN => {}
                    Err(error) => {
                        let store = node.sessions.status().await.store;
                        panic!(
                            "call {n} was durable, but its result {result} is missing: {error}; {store:?}"
                        )
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn two(server: &Server) -> Arc<Vec<tokio::sync::RwLock<Node>>> {
    let (one, other) = (Node::start(server).await, Node::start(server).await);
    Arc::new(vec![one.into(), other.into()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_durable_is_lost_while_connections_break_and_redis_dies() {
    let Some(mut server) = server::good() else {
        return;
    };
    let nodes = two(&server).await;
    let over = Arc::new(AtomicBool::new(false));
    let durable = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for nth in 0..CLIENTS as u64 {
        let (nodes, over) = (Arc::clone(&nodes), Arc::clone(&over));
        clients.spawn(client(nodes, over, Arc::clone(&durable), nth));
    }
    let ways = [
        Way::Cut,
        Way::Pass,
        Way::Delay,
        Way::Mute,
        Way::Pass,
        Way::Reset,
        Way::Blackhole,
        Way::Pass,
    ];
    for (step, way) in ways.into_iter().chain(ways).enumerate() {
        let node = nodes[step % 2].read().await;
        if way == Way::Delay {
            node.proxy.delay(Duration::from_millis(30));
        } else {
            node.proxy.set(way);
        }
        let actor = [
            "persistence:0",
            "registry",
            "inbox",
            "leases",
            "cache",
            "pool",
        ][step % 6];
        node.sessions
            .strike(actor, InjectedFault::Fault(Fault::Panic))
            .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        node.proxy.set(Way::Pass);
        drop(node);
        if step % 6 == 5 {
            server = tokio::task::spawn_blocking(move || {
                server.restart();
                server
            })
            .await
            .expect("Redis is back");
        }
    }
    // A slow machine may not have made enough calls yet.
    let quiet = Instant::now();
    while durable.load(Ordering::SeqCst) < ENOUGH {
        assert!(
            quiet.elapsed() < PATIENCE,
            "only {durable:?} durable answers"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    over.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(PATIENCE * 2, clients.join_all()).await;
    let told = ended.expect("every client has its answers");
    let node = nodes[1].read().await;
    assert!(node.proxy.broken() > 0 && node.proxy.connections() > 0);
    is_all_there(&node, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_takes_over_and_nothing_durable_is_lost() {
    let Some(server) = server::good() else { return };
    let nodes = two(&server).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for nth in 0..CLIENTS as u64 {
        let (nodes, over) = (Arc::clone(&nodes), Arc::clone(&over));
        clients.spawn(client(nodes, over, Arc::default(), nth));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    nodes[0].write().await.die();
    // Wait until another node has taken over the sessions and used them.
    tokio::time::sleep(LEASE * 3).await;
    over.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(PATIENCE * 2, clients.join_all()).await;
    let told = ended.expect("every client has its answers");
    assert!(told.iter().all(|told| told.calls > 2));
    is_all_there(&*nodes[1].read().await, &told).await;
}
