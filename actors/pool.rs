//! Runs tools on threads outside the async runtime, a bounded number at once.
//!
//! The table of jobs by (session, request) lives above the tree, so a job outlives its session and the pool that
//! started it. A restarted session finds its job there, running or with its outcome, and adopts it. When this actor
//! dies, running jobs run on, waiting ones stay in the table, and the successor starts them. A panic inside a tool
//! becomes the outcome of its job and affects nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::Value;
use telemetry::list::attribute::{ATTEMPT, OPERATION, REASON, REQUEST, SESSION, TOOL};
use telemetry::list::event::CANCELLED;
use telemetry::list::metric::PoolWait;
use telemetry::list::span::TOOL_RUN;
use telemetry::{Parent, Span, Trace};
use tokio_util::sync::CancellationToken;

use crate::activity::messages;
use crate::cache::CacheHandle;
use crate::faults::{CrashPoint, Fault, Faults};
use crate::handle::ActorSlot;
use crate::ids::{Principal, RequestId, SessionId};
use crate::results::{self, ResultReader};
use crate::tool::{Care, InputKey, ProgressSink, Root, Tool, ToolContext, ToolError, ToolOutput};

mod table;

use table::Started;
pub(crate) use table::{News, Notify, Table};

/// The `error.type` of a tool that fails, as the conventions of MCP name it.
const TOOL_ERROR: &str = "tool_error";

/// The session and request of a job. Two submissions under one key are one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobKey {
    pub(crate) session: SessionId,
    pub(crate) request: RequestId,
}

/// Everything that a worker needs.
pub(crate) struct Job {
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) arguments: Arc<Value>,
    pub(crate) principal: Principal,
    pub(crate) roots: Arc<[Root]>,
    pub(crate) deadline: std::time::Instant,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: ProgressSink,
    /// Milliseconds since 1970: the creation time of the result.
    pub(crate) at_ms: u64,
    pub(crate) cache: CacheHandle,
    pub(crate) results: ResultReader,
    /// True if the result will be stored: the worker then also serialises it.
    pub(crate) keep: bool,
    /// Set if an earlier attempt was interrupted: the inputs to skip in this one.
    pub(crate) left_out: Option<Vec<InputKey>>,
    pub(crate) attempt: u32,
    pub(crate) trace: Option<Trace>,
    /// The wait for a thread; begins when the job is queued.
    pub(crate) wait: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Finished(Finished),
    Failed(ToolError),
}

#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Without its whole part.
    pub(crate) output: Arc<ToolOutput>,
    pub(crate) answer: Option<Arc<[u8]>>,
    pub(crate) whole: Option<Arc<[u8]>>,
}

pub(crate) enum PoolMsg {
    /// There is a job in the table, or a worker is free.
    Look,
    Fault(Fault),
}

messages!(PoolMsg {
    Look => "look",
    Fault => "fault",
});

impl From<Fault> for PoolMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) struct Pool;

pub(crate) struct Arguments {
    pub(crate) table: Arc<Table>,
    pub(crate) place: ActorSlot<PoolMsg>,
    pub(crate) faults: Faults,
}

impl Actor for Pool {
    type Msg = PoolMsg;
    type State = Arguments;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<Arguments, ActorProcessingErr> {
        Ok(arguments)
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Arguments,
    ) -> Result<(), ActorProcessingErr> {
        // Before the look below: a job that comes after it must find an actor to notify.
        state.place.put(myself);
        start_waiting(state);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Arguments,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PoolMsg::Look => state.faults.pass(CrashPoint::PoolReceived),
            PoolMsg::Fault(fault) => fault.strike().await,
        }
        start_waiting(state);
        Ok(())
    }
}

fn start_waiting(state: &Arguments) {
    while let Some(Started {
        key,
        run: nth,
        job,
        waited,
        progress,
    }) = state.table.start_next()
    {
        PoolWait {}.record(waited.as_secs_f64());
        let (table, place) = (Arc::clone(&state.table), state.place.clone());
        tokio::task::spawn_blocking(move || {
            let noting = Arc::clone(&table);
            let note = move |at_work, told| noting.note(key, nth, at_work, told);
            let outcome = traced(key, job, |job| run(job, progress, note));
            if let Outcome::Failed(error) = &outcome
                && error.reason == "tool_panicked"
            {
                table.count_panic();
            }
            table.finish(key, nth, outcome);
            // If no actor runs, the successor looks for waiting jobs when it starts.
            place.cast(PoolMsg::Look);
        });
        state.faults.pass(CrashPoint::PoolStarted);
    }
}

/// Runs the job in a span of its own.
fn traced(key: JobKey, mut job: Job, run: impl FnOnce(Job) -> Outcome) -> Outcome {
    std::mem::take(&mut job.wait).end();
    let tool = job.tool.name();
    let mut span = Span::of(&TOOL_RUN, tool, Parent::Of(job.trace), &[]);
    if span.is_recorded() {
        span.set(TOOL, tool);
        span.set(OPERATION, "execute_tool");
        span.set(SESSION, key.session.to_string());
        span.set(REQUEST, key.request.to_string());
        span.set(ATTEMPT, job.attempt);
    }
    let entered = telemetry::enter(span.context());
    let outcome = run(job);
    drop(entered);
    if let Outcome::Failed(error) = &outcome {
        if *error == ToolError::cancelled() {
            span.event(CANCELLED);
        }
        span.set(REASON, error.reason.clone());
        span.fail(TOOL_ERROR);
    }
    span.end();
    outcome
}

fn run(
    job: Job,
    progress: ProgressSink,
    note: impl Fn(Option<InputKey>, SyncSender<()>) + Send + Sync + 'static,
) -> Outcome {
    let Job {
        tool,
        arguments,
        principal,
        roots,
        deadline,
        cancel,
        cache,
        results,
        keep,
        at_ms,
        left_out,
        attempt: _,
        trace: _,
        wait: _,
        progress: _,
    } = job;
    let context = ToolContext {
        principal,
        roots,
        cancel,
        deadline,
        progress,
        cache,
        results,
        keep_whole: keep,
        care: left_out.map(|left_out| Care::new(left_out, note)),
    };
    if let Some(stop) = context.stop_reason() {
        return Outcome::Failed(stop);
    }
    let called = catch_unwind(AssertUnwindSafe(|| {
        let mut output = tool.call(&context, &arguments)?;
        let answer = keep.then(|| results::encode_answer(tool.name(), &arguments, &output, at_ms));
        let whole = output.whole.take().filter(|_| keep).map(|whole| {
            let digest = &output.input_digest;
            results::encode_whole(tool.name(), &arguments, &whole, digest, at_ms)
        });
        Ok(Finished {
            output: Arc::new(output),
            answer,
            whole,
        })
    }));
    match called {
        Ok(Ok(finished)) => Outcome::Finished(finished),
        Ok(Err(error)) => Outcome::Failed(error),
        Err(panic) => Outcome::Failed(ToolError::new(
            "tool_panicked",
            format!(
                "the tool {} failed on this input: {}",
                tool.name(),
                panic_text(panic.as_ref())
            ),
        )),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
}

/// The sessions' access to the pool and its table.
#[derive(Clone)]
pub(crate) struct PoolHandle {
    pub(crate) place: ActorSlot<PoolMsg>,
    pub(crate) table: Arc<Table>,
}

impl PoolHandle {
    /// Submits a job. `notify` gets the outcome, or a refusal if the queue is full. The job is in the table from now
    /// on, whichever actor dies next.
    pub(crate) fn submit(&self, key: JobKey, job: Job, notify: Notify) {
        self.table.enqueue(key, job, notify);
        // If no actor runs, the successor looks for waiting jobs when it starts.
        self.place.cast(PoolMsg::Look);
    }
}
