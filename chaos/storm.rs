//! Ten failures a second in every kind of actor while clients call: no call fails, and acknowledged results are kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actors::ids::{Principal, ResultId, SessionId};
use actors::sessions::{CreateRequest, Sessions};
use actors::status::ActorStatus;
use actors::tool::Root;
use actors::{Fault, InjectedFault};
use mcp_code_analysis::config::{Config, Layer};
use mcp_code_analysis::startup;
use serde_json::{Value, json};

use crate::load::ask;
use crate::{PATIENCE, start};

/// Pause between two failures.
const PAUSE: Duration = Duration::from_millis(100);
const STRIKES: usize = 40;
const CLIENTS: usize = 8;
/// Calls per session: fewer than the history keeps, so that none may be missing from it.
const CALLS: usize = 50;
/// Long enough for callers to notice, short enough to repeat often.
const STALL: Duration = Duration::from_millis(30);

/// One kind of call, and the answer it must get despite all failures.
#[derive(Clone)]
struct Question {
    tool: &'static str,
    arguments: Value,
    expected: Value,
}

/// The answers of one session, in order.
struct Told {
    session: SessionId,
    results: Vec<(ResultId, Value)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_costs_fake_tools_no_answer() {
    let sessions = start().await;
    let questions = (0..4).map(|n| {
        let arguments = json!({"n": n});
        Question {
            tool: "echo",
            expected: arguments.clone(),
            arguments,
        }
    });
    weather(&sessions, questions.collect(), Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_costs_real_tools_no_answer() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sample");
    let flags = Layer {
        root: Some(vec![sample.into()]),
        ..Layer::default()
    };
    let config = Config::resolve(flags, std::iter::empty()).expect("defaults");
    let service = startup::start(&config).await.expect("starts");
    let roots = service.roots_of(&Principal::local()).to_vec();
    let sessions = service.sessions.clone();
    let calm = create(&sessions, &roots).await;
    let mut questions = Vec::new();
    for (tool, arguments) in [
        ("analyze_complexity", json!({"path": "python"})),
        ("analyze_complexity", json!({"level": "files"})),
        ("analyze_dependencies", json!({})),
        ("analyze_structure", json!({"path": "rust"})),
    ] {
        let answer = ask(&sessions, calm, tool, arguments.clone()).await;
        let output = answer.expect("answered").outcome.expect("succeeded");
        let expected = found(tool, &output.answer);
        assert!(!expected.is_null(), "{tool} found nothing");
        questions.push(Question {
            tool,
            arguments,
            expected,
        });
    }
    weather(&sessions, questions, roots).await;
}

/// The part of an answer that depends only on the files.
fn found(tool: &str, answer: &Value) -> Value {
    if tool == "echo" {
        return answer.clone();
    }
    answer["data"].clone()
}

/// Clients call until the storm is over; then all their results are checked.
async fn weather(sessions: &Sessions, questions: Vec<Question>, roots: Vec<Root>) {
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (sessions, over) = (sessions.clone(), Arc::clone(&over));
            let (questions, roots) = (questions.clone(), roots.clone());
            tokio::spawn(
                async move { call_until(&sessions, client, &over, &questions, &roots).await },
            )
        })
        .collect();
    let struck = storm(sessions).await;
    over.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for client in clients {
        let told = tokio::time::timeout(PATIENCE, client).await;
        let told = told.expect("no call hangs").expect("no call fails");
        for told in told {
            answered += told.results.len();
            verify(sessions, told).await;
        }
    }
    assert!(
        struck > STRIKES / 2,
        "only {struck} of {STRIKES} failures hit a running actor"
    );
    assert!(answered > CLIENTS, "only {answered} calls were answered");
    let status = sessions.status().await;
    assert_eq!(
        status.sessions.quarantined, 0,
        "injected failures count as defects"
    );
    sessions.shutdown(PATIENCE).await;
}

/// Fails each kind of actor in turn, in each way in turn. Returns how many were running.
async fn storm(sessions: &Sessions) -> usize {
    let mut struck = 0;
    for n in 0..STRIKES {
        tokio::time::sleep(PAUSE).await;
        let targets = targets(&sessions.status().await.tree);
        let Some(target) = targets.get(n % targets.len().max(1)) else {
            continue;
        };
        // A different actor of the kind each time.
        let name = &target[n / 7 % target.len()];
        let strike = match n % 3 {
            0 => InjectedFault::Kill,
            1 => InjectedFault::Fault(Fault::Panic),
            _ => InjectedFault::Fault(Fault::Stall(STALL)),
        };
        struck += usize::from(sessions.strike(name, strike).await);
    }
    struck
}

/// Names of actors by kind, without the root: when the root dies, the process ends.
fn targets(tree: &ActorStatus) -> Vec<Vec<String>> {
    let mut by_kind: Vec<(&str, Vec<String>)> = Vec::new();
    let mut left: Vec<&ActorStatus> = tree.children.iter().collect();
    while let Some(actor) = left.pop() {
        match by_kind.iter_mut().find(|(kind, _)| *kind == actor.kind) {
            Some((_, names)) => names.push(actor.name.clone()),
            None => by_kind.push((actor.kind, vec![actor.name.clone()])),
        }
        left.extend(&actor.children);
    }
    by_kind.sort();
    by_kind.into_iter().map(|(_, names)| names).collect()
}

async fn call_until(
    sessions: &Sessions,
    client: usize,
    over: &AtomicBool,
    questions: &[Question],
    roots: &[Root],
) -> Vec<Told> {
    let mut all = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let session = create(sessions, roots).await;
        let mut results = Vec::new();
        for n in 0..CALLS {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let question = &questions[(client + n) % questions.len()];
            let answer = ask(sessions, session, question.tool, question.arguments.clone()).await;
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", question.tool));
            let output = answer.outcome.expect("the tool succeeds");
            assert_eq!(found(question.tool, &output.answer), question.expected);
            let id = answer.result_id.expect("kept");
            results.push((id, question.arguments.clone()));
            // A short pause per client: the test is about failures, not about the number of calls.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        all.push(Told { session, results });
    }
    all
}

/// Each acknowledged result is in the history once, under its id, in order, and can be read.
async fn verify(sessions: &Sessions, told: Told) {
    let view = sessions.get(&Principal::local(), told.session).await;
    let mut history = view.expect("the session is there").history;
    history.reverse();
    let kept: Vec<_> = history
        .iter()
        .map(|result| (result.result_id, result.arguments.clone()))
        .collect();
    assert_eq!(kept, told.results, "the history differs");
    let unique: BTreeSet<_> = kept.iter().map(|(id, _)| id).collect();
    assert_eq!(unique.len(), kept.len(), "a result id was given twice");
    for (id, arguments) in &told.results {
        let stored = sessions
            .result(&Principal::local(), told.session, *id)
            .await;
        assert_eq!(&stored.expect("readable").arguments, arguments);
    }
}

async fn create(sessions: &Sessions, roots: &[Root]) -> SessionId {
    let request = CreateRequest {
        principal: Principal::local(),
        label: None,
        roots: roots.to_vec(),
        ttl: None,
        idempotency_key: None,
        provisional: false,
    };
    sessions.create(request).await.expect("created").id
}
