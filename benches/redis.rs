//! Sessions in Redis beside bare round trips of the same scripts on the same server, in one run. Needs `redis-server`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use actors::ids::{CommitId, NodeId, Principal, SessionId};
use actors::sessions::{Backing, CallRequest, Sessions, Target};
use actors::store::fallback::{FallbackStore, ShelterOptions};
use actors::store::redis::{RedisOptions, RedisStore};
use actors::store::{Change, Commit, Fence, NewSession, Store};
use actors::tool::{Catalogue, ProgressSink, Tool};
use actors::{Clock, InjectedFault, Options};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::actor::{Echo, create};
use crate::memory::resident_kib;
use crate::stats::{Pair, in_turns, quantile, ratios, report, report_pair};

const CALLS: usize = 2000;
const IN_FLIGHT: usize = 64;
const ROUNDS: usize = 40;
const HAND_OVERS: usize = 400;
const WAKES: usize = 500;
const IDLE: usize = 10_000;
/// The script of a commit, as the store sends it.
const COMMIT: &str = concat!(
    include_str!("../actors/store/redis/lua/prelude.lua"),
    include_str!("../actors/store/redis/lua/commit.lua")
);

pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "yes", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self {
            child,
            port,
            folder,
        };
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.folder;
    }
}

pub(crate) fn run() {
    let Some(server) = Server::start() else {
        println!("no redis-server is installed");
        return;
    };
    let runtime = Runtime::new().unwrap();
    let bare = runtime.block_on(Bare::connect(&server));
    let node = start(&runtime, &server);
    let trips = sequential(&runtime, &node, &bare);
    println!(
        "{:<34} {trips:>12.2} round trips",
        "  of which a call makes"
    );
    concurrent(&runtime, &node, &bare);
    wakes(&runtime, &node);
    hand_overs(&runtime, &node, &start(&runtime, &server));
    idle(&runtime, &node);
    runtime.block_on(node.shutdown(Duration::from_secs(5)));
}

fn start(runtime: &Runtime, server: &Server) -> Sessions {
    let options = Options {
        call_deadline: Duration::from_secs(60),
        ..Options::default()
    };
    let echo: Arc<dyn Tool> = Arc::new(Echo);
    let clock = Clock::system();
    let store = RedisStore::open(RedisOptions::new(server.url(), options.node), clock).unwrap();
    let relay = store.relay();
    runtime.block_on(async {
        let fallback = ShelterOptions::new(options.node, options.lease);
        let backing = Backing {
            store: FallbackStore::over(Arc::new(store), fallback, clock),
            relay: Some(relay),
            shared_cache: None,
            connections: None,
        };
        let catalogue = Catalogue::new([echo]);
        Sessions::start_at(options, backing, catalogue, clock)
            .await
            .unwrap()
    })
}

async fn call(sessions: &Sessions, session: SessionId) {
    let request = CallRequest {
        target: Target::Session(session),
        principal: Principal::local(),
        tool: "echo".to_owned(),
        arguments: json!({"n": 1}),
        idempotency_key: None,
        pin: None,
        deadline: None,
        cancel: CancellationToken::new(),
        progress: ProgressSink::default(),
    };
    let answer = sessions.call(request).await.unwrap();
    assert!(answer.durability.durable);
    answer.outcome.unwrap();
}

/// A connection that does nothing but commit, as the store would.
struct Bare {
    connection: MultiplexedConnection,
    script: ::redis::Script,
    sessions: Vec<(SessionId, Fence)>,
}

impl Bare {
    async fn connect(server: &Server) -> Self {
        let options = RedisOptions::new(server.url(), NodeId::random());
        let lease = Duration::from_secs(3600);
        let options = RedisOptions { lease, ..options };
        let node = options.node;
        let store = RedisStore::open(options, Clock::system()).unwrap();
        let mut sessions = Vec::new();
        for _ in 0..IN_FLIGHT {
            let id = SessionId::random();
            let new = NewSession {
                id,
                principal: Principal::named("bare"),
                label: None,
                snapshot: vec![b' '; 600].into(),
                ttl_ms: 3_600_000,
                key: None,
            };
            store.create(new).await.unwrap();
            let acquired = store.acquire(id, node).await.unwrap();
            // So that the script is loaded, and the session is as one that has been used.
            let change = Change::Snapshot(vec![b' '; 600].into());
            let commit = Commit {
                session: id,
                id: CommitId::random(),
                fence: acquired.fence,
                expected: acquired.version,
                change,
                put: Vec::new(),
                drop: Vec::new(),
            };
            store.commit(&[commit]).await.remove(0).unwrap();
            sessions.push((id, acquired.fence));
        }
        let client = ::redis::Client::open(server.url()).unwrap();
        Self {
            connection: client.get_multiplexed_async_connection().await.unwrap(),
            script: ::redis::Script::new(COMMIT),
            sessions,
        }
    }

    /// One commit of the size that a call's last one has: a snapshot and the answer.
    async fn commit(&self, nth: usize, version: u64) {
        let (id, fence) = self.sessions[nth];
        let key = |part: &str| format!("mca:{{{id}}}:{part}");
        let mut invocation = self.script.prepare_invoke();
        invocation
            .key(key("m"))
            .key(key("j"))
            .key(key("d"))
            .arg(format!("{}:{}", fence.epoch, fence.node))
            .arg(CommitId::random().to_string())
            .arg(version)
            .arg(1)
            .arg(3_600_000)
            .arg(1)
            .arg(vec![b'x'; 900])
            .arg(0)
            .arg(0)
            .arg(1)
            .arg("answer")
            .arg(vec![b'x'; 200]);
        let answer: Vec<::redis::Value> = invocation
            .invoke_async(&mut self.connection.clone())
            .await
            .unwrap();
        assert_eq!(answer[0], ::redis::Value::BulkString(b"ok".to_vec()));
    }

    /// Scripts that the server has run.
    async fn scripts_run(&self) -> u64 {
        let info: String = ::redis::cmd("INFO")
            .arg("commandstats")
            .query_async(&mut self.connection.clone())
            .await
            .unwrap();
        let line = info
            .lines()
            .find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
        calls.and_then(|calls| calls.parse().ok()).unwrap_or(0)
    }
}

/// One call after the other. Returns how many scripts a call runs.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn sequential(runtime: &Runtime, node: &Sessions, bare: &Bare) -> f64 {
    let session = create(runtime, node);
    let before = runtime.block_on(bare.scripts_run());
    let timed = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    for _ in 0..CALLS / 10 {
        runtime.block_on(call(node, session));
    }
    let trips = runtime.block_on(bare.scripts_run()) - before;
    let trips = trips as f64 / (CALLS / 10) as f64;
    let version = std::cell::Cell::new(2);
    let pair = in_turns(
        CALLS,
        || timed(&mut || runtime.block_on(call(node, session))),
        || {
            let version = version.replace(version.get() + 1);
            timed(&mut || runtime.block_on(bare.commit(0, version)))
        },
    );
    let per_trip = Pair {
        ours: pair.ours.iter().map(|seconds| seconds / trips).collect(),
        theirs: pair.theirs,
    };
    report("call in a session in Redis", &pair.ours);
    report_pair(
        "  for each round trip it makes",
        &per_trip,
        "a bare one",
        3.0,
    );
    trips
}

/// Commits in a second, with as many sessions at work at once.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn concurrent(runtime: &Runtime, node: &Sessions, bare: &Bare) {
    let sessions: Vec<_> = (0..IN_FLIGHT).map(|_| create(runtime, node)).collect();
    let mut round = 0;
    let mut versions: Vec<u64> = vec![2; IN_FLIGHT];
    versions[0] = (CALLS + CALLS / 10 + 2) as u64;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = runtime.block_on(bare.scripts_run());
        let started = Instant::now();
        runtime.block_on(async {
            let mut work = tokio::task::JoinSet::new();
            for &session in &sessions {
                let node = node.clone();
                work.spawn(async move {
                    for _ in 0..10 {
                        call(&node, session).await;
                    }
                });
            }
            work.join_all().await;
        });
        let took = started.elapsed().as_secs_f64();
        let commits = runtime.block_on(bare.scripts_run()) - before;
        ours.push(commits as f64 / took);
        let started = Instant::now();
        runtime.block_on(async {
            let work = (0..IN_FLIGHT).map(|nth| {
                let version = versions[nth];
                async move {
                    for n in 0..10 {
                        bare.commit(nth, version + n).await;
                    }
                }
            });
            futures_join(work).await;
        });
        theirs.push((IN_FLIGHT * 10) as f64 / started.elapsed().as_secs_f64());
        versions.iter_mut().for_each(|version| *version += 10);
        round += 1;
    }
    let ratios = ratios(&ours, &theirs);
    println!(
        "{:<34} {:>10.0}/s bare {:>10.0}/s ratio {:.2} (mark 0.5), {round} rounds",
        format!("commits, {IN_FLIGHT} sessions at once"),
        quantile(&ours, 0.5),
        quantile(&theirs, 0.5),
        quantile(&ratios, 0.5),
    );
}

async fn futures_join<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// From the death of a session's actor to its state, loaded from Redis and shown.
fn wakes(runtime: &Runtime, node: &Sessions) {
    let session = create(runtime, node);
    for _ in 0..20 {
        runtime.block_on(call(node, session));
    }
    let name = format!("session:{session}");
    let woken: Vec<_> = (0..WAKES)
        .map(|_| {
            let started = Instant::now();
            assert!(runtime.block_on(node.strike(&name, InjectedFault::Kill)));
            let view = runtime.block_on(node.get(&Principal::local(), session));
            assert!(!view.unwrap().history.is_empty());
            started.elapsed().as_secs_f64()
        })
        .collect();
    report("recovery of a session (mark 1 ms)", &woken);
}

/// Calls that alternate between two nodes: each has the session handed over.
fn hand_overs(runtime: &Runtime, one: &Sessions, other: &Sessions) {
    let session = create(runtime, one);
    let handed: Vec<_> = (0..HAND_OVERS)
        .map(|nth| {
            let node = if nth % 2 == 0 { one } else { other };
            let started = Instant::now();
            runtime.block_on(call(node, session));
            started.elapsed().as_secs_f64()
        })
        .collect();
    report("call with a hand-over (mark 3 ms)", &handed);
    runtime.block_on(other.shutdown(Duration::from_secs(5)));
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
fn idle(runtime: &Runtime, node: &Sessions) {
    let made: Vec<_> = (0..IDLE + IDLE / 10)
        .map(|_| create(runtime, node))
        .collect();
    let (warm, all) = made.split_at(IDLE / 10);
    let wake = |ids: &[SessionId]| {
        runtime.block_on(async {
            for id in ids {
                node.get(&Principal::local(), *id).await.unwrap();
            }
        });
    };
    wake(warm);
    let Some(before) = resident_kib() else {
        println!("memory is not known on this system");
        return;
    };
    wake(all);
    let after = resident_kib().unwrap();
    let awake = runtime.block_on(node.status()).sessions.awake;
    assert!(awake >= IDLE as u64, "only {awake} sessions are awake");
    let each = after.saturating_sub(before) as f64 / IDLE as f64;
    println!("{:<34} {each:>8.1} KiB (mark 12)", "idle session in Redis");
}
