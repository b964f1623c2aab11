//! The tree with small fake tools and paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::store::memory::{self, MemoryStore};
use crate::tool::{ProgressSink, Root, Tool, ToolContext, ToolError, ToolOutput};
use crate::{CrashPoint, Fault, Faults};

mod activity;
mod asked_early;
mod away;
mod calls;
mod crashes;
mod flaky;
mod forms;
mod gone_back;
mod keys;
mod leaving;
mod life;
mod nodes;
mod slow_store;
mod strangers;
mod supervision;

/// Returns its arguments, and counts its runs.
struct Echo(Arc<AtomicUsize>);

impl Tool for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }
    fn idempotent(&self) -> bool {
        true
    }
    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        let run = self.0.fetch_add(1, Ordering::SeqCst);
        if let Some(ms) = arguments.get("sleep_ms").and_then(Value::as_u64) {
            let until = std::time::Instant::now() + Duration::from_millis(ms);
            while std::time::Instant::now() < until {
                if let Some(stop) = ctx.stop_reason() {
                    return Err(stop);
                }
                ctx.progress.report(1, Some(2), "half");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let size = arguments
            .get("whole_bytes")
            .and_then(Value::as_u64)
            .unwrap_or(10);
        Ok(ToolOutput {
            answer: json!({ "echo": arguments, "run": run }),
            whole: ctx
                .keep_whole
                .then(|| Value::String("w".repeat(usize::try_from(size).unwrap()))),
            summary: "echoed".to_owned(),
            input_digest: "d".to_owned(),
        })
    }
}

/// As `Echo`, but not idempotent.
struct Once(Arc<AtomicUsize>);

impl Tool for Once {
    fn name(&self) -> &'static str {
        "once"
    }
    fn idempotent(&self) -> bool {
        false
    }
    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        Echo(Arc::clone(&self.0)).call(ctx, arguments)
    }
}

struct Panics;

impl Tool for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn idempotent(&self) -> bool {
        true
    }
    fn call(&self, _: &ToolContext, _: &Value) -> Result<ToolOutput, ToolError> {
        panic!("no such luck")
    }
}

struct World {
    sessions: Sessions,
    faults: Faults,
    runs: Arc<AtomicUsize>,
    store: Arc<MemoryStore>,
}

async fn world() -> World {
    world_with(|_| {}).await
}

async fn world_with(change: impl FnOnce(&mut Options)) -> World {
    world_over(change, |store| store).await
}

/// With the given store between the tree and the memory store.
async fn world_over<S: Store>(
    change: impl FnOnce(&mut Options),
    over: impl FnOnce(Arc<MemoryStore>) -> Arc<S>,
) -> World {
    let clock = Clock::starting_at(1_000_000);
    let store = Arc::new(MemoryStore::new(clock, memory::Limits::default()));
    let between = over(Arc::clone(&store));
    let backing = Backing::alone(between);
    node(change, store, backing, clock).await
}

/// One tree; several may share one store.
async fn node(
    change: impl FnOnce(&mut Options),
    store: Arc<MemoryStore>,
    backing: Backing,
    clock: Clock,
) -> World {
    let mut options = Options {
        call_deadline: Duration::from_secs(60),
        ..Options::default()
    };
    change(&mut options);
    let faults = options.faults.clone();
    let runs = Arc::<AtomicUsize>::default();
    let tools: [Arc<dyn Tool>; 3] = [
        Arc::new(Echo(Arc::clone(&runs))),
        Arc::new(Once(Arc::clone(&runs))),
        Arc::new(Panics),
    ];
    let sessions = Sessions::start_at(options, backing, Catalogue::new(tools), clock)
        .await
        .unwrap();
    World {
        sessions,
        faults,
        runs,
        store,
    }
}

impl World {
    async fn session(&self) -> SessionId {
        self.sessions.create(creation()).await.unwrap().id
    }

    async fn call(
        &self,
        id: SessionId,
        tool: &str,
        arguments: Value,
    ) -> Result<CallAnswer, CallError> {
        self.sessions
            .call(request(Target::Session(id), tool, arguments))
            .await
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    async fn ran(&self, times: usize) {
        let ran = async {
            while self.runs() < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let ran = tokio::time::timeout(Duration::from_secs(30), ran).await;
        assert!(ran.is_ok(), "{} runs, not {times}", self.runs());
    }

    async fn pool_rests(&self) {
        let rests = async {
            while self.sessions.status().await.pool.running > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let rests = tokio::time::timeout(Duration::from_secs(10), rests).await;
        assert!(rests.is_ok(), "a job runs on");
    }

    async fn strike(&self, id: SessionId, strike: InjectedFault) -> bool {
        self.sessions.strike(&format!("session:{id}"), strike).await
    }

    async fn awake_become(&self, wanted: u64) {
        let reached = async {
            while self.sessions.status().await.sessions.awake != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(10), reached).await;
        let awake = self.sessions.status().await.sessions.awake;
        assert!(reached.is_ok(), "{awake} sessions are awake, not {wanted}");
    }
}

fn creation() -> CreateRequest {
    CreateRequest {
        principal: Principal::local(),
        label: Some("test".to_owned()),
        roots: roots(),
        ttl: None,
        idempotency_key: None,
        provisional: false,
    }
}

fn roots() -> Vec<Root> {
    vec![Root {
        name: "r".to_owned(),
        path: "/r".into(),
    }]
}

fn request(target: Target, tool: &str, arguments: Value) -> CallRequest {
    CallRequest {
        target,
        principal: Principal::local(),
        tool: tool.to_owned(),
        arguments,
        idempotency_key: None,
        pin: None,
        deadline: None,
        cancel: CancellationToken::new(),
        progress: ProgressSink::default(),
    }
}

fn echoed(answer: &CallAnswer) -> Value {
    answer.outcome.as_ref().unwrap().answer["echo"].clone()
}
