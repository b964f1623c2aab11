//! Sessions without any analysis: a call, a session made, a call beside a bare spawn.

use std::sync::Arc;
use std::time::Duration;

use actors::ids::{Principal, SessionId};
use actors::sessions::{CallRequest, CreateRequest, Sessions, Target};
use actors::store::memory::{self, MemoryStore};
use actors::tool::{Catalogue, ProgressSink, Tool, ToolContext, ToolError, ToolOutput};
use actors::{Clock, Fault, InjectedFault, Options};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::stats::{report, timed};

const CALLS: usize = 5000;
const CREATED: usize = 2000;
const PANICS: usize = 200;

/// Gives back what it was given.
pub(crate) struct Echo;

impl Tool for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, _ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput {
            answer: arguments.clone(),
            whole: None,
            summary: String::new(),
            input_digest: String::new(),
        })
    }
}

pub(crate) fn run() {
    let runtime = Runtime::new().unwrap();
    let sessions = start(&runtime);
    let session = create(&runtime, &sessions);
    let kept: Vec<_> = (0..CALLS)
        .map(|_| call(&runtime, &sessions, Target::Session(session)).as_secs_f64())
        .collect();
    report("call in a session", &kept);
    let thrown: Vec<_> = (0..CALLS)
        .map(|_| call(&runtime, &sessions, Target::Throwaway(Arc::from([]))).as_secs_f64())
        .collect();
    report("call in a throwaway session", &thrown);
    let made: Vec<_> = (0..CREATED)
        .map(|_| timed(|| create(&runtime, &sessions)).as_secs_f64())
        .collect();
    report("create a session", &made);
    let first_answers = first_answers(&runtime, &sessions, session);
    report("panic to first answer", &first_answers);
    runtime.block_on(sessions.shutdown(Duration::from_secs(1)));
}

/// From the moment that the session is told to panic to the answer of a call that comes right behind.
fn first_answers(runtime: &Runtime, sessions: &Sessions, session: SessionId) -> Vec<f64> {
    // Panics that were asked for are of no interest one by one.
    std::panic::set_hook(Box::new(|_| {}));
    let name = format!("session:{session}");
    let answers = (0..PANICS)
        .map(|_| {
            let panicking = timed(|| {
                let strike = sessions.strike(&name, InjectedFault::Fault(Fault::Panic));
                assert!(runtime.block_on(strike), "the session is not awake");
            });
            let answered = call(runtime, sessions, Target::Session(session));
            (panicking + answered).as_secs_f64()
        })
        .collect();
    drop(std::panic::take_hook());
    answers
}

pub(crate) fn start(runtime: &Runtime) -> Sessions {
    let options = Options {
        session_ttl: Duration::from_secs(3600),
        call_deadline: Duration::from_secs(60),
        ..Options::default()
    };
    let echo: Arc<dyn Tool> = Arc::new(Echo);
    let store = Arc::new(MemoryStore::new(Clock::system(), memory::Limits::default()));
    runtime
        .block_on(Sessions::start(options, store, Catalogue::new([echo])))
        .unwrap()
}

pub(crate) fn create(runtime: &Runtime, sessions: &Sessions) -> SessionId {
    let request = CreateRequest {
        principal: Principal::local(),
        label: None,
        roots: Vec::new(),
        ttl: None,
        idempotency_key: None,
        provisional: false,
    };
    runtime.block_on(sessions.create(request)).unwrap().id
}

fn call(runtime: &Runtime, sessions: &Sessions, target: Target) -> Duration {
    let request = CallRequest {
        target,
        principal: Principal::local(),
        tool: "echo".to_owned(),
        arguments: json!({"n": 1}),
        idempotency_key: None,
        pin: None,
        deadline: None,
        cancel: CancellationToken::new(),
        progress: ProgressSink::default(),
    };
    timed(|| {
        let answer = runtime.block_on(sessions.call(request)).unwrap();
        answer.outcome.unwrap()
    })
}
