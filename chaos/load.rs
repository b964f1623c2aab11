//! A load of calls, with a check of every answer.

use std::time::Duration;

use actors::ids::{Principal, SessionId};
use actors::sessions::{CallAnswer, CallError, CallRequest, CreateRequest, Sessions, Target};
use actors::tool::ProgressSink;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Long enough for a call to begin, short enough to break it while it runs.
const A_MOMENT: Duration = Duration::from_millis(5);

/// One session per client; each answer must belong to its own call.
pub(crate) struct Load {
    sessions: Sessions,
    clients: Vec<SessionId>,
    asked: u64,
    wrong: Vec<String>,
}

impl Load {
    pub(crate) async fn new(sessions: &Sessions, clients: usize) -> Self {
        let mut load = Self {
            sessions: sessions.clone(),
            clients: Vec::new(),
            asked: 0,
            wrong: Vec::new(),
        };
        for _ in 0..clients {
            load.clients.push(create(sessions).await);
        }
        load
    }

    /// One call by every client, all at once.
    pub(crate) async fn round(&mut self, tool: &'static str) {
        let mut calls = Vec::new();
        for client in self.clients.clone() {
            self.asked += 1;
            let (sessions, n) = (self.sessions.clone(), self.asked);
            calls.push((
                n,
                tokio::spawn(async move { call(&sessions, client, tool, n).await }),
            ));
        }
        for (n, call) in calls {
            let answer = call.await.expect("the caller does not panic");
            match answer.map(|answer| answer.outcome) {
                Ok(Ok(output)) if output.answer["n"] == n => {}
                other => self.wrong.push(format!("call {n}: {other:?}")),
            }
        }
    }

    /// One call by every client, each cancelled while it runs.
    pub(crate) async fn cancelled_round(&mut self, tool: &'static str) {
        let mut calls = Vec::new();
        for client in &self.clients {
            self.asked += 1;
            let cancel = CancellationToken::new();
            let request = request(*client, tool, self.asked, cancel.clone());
            let sessions = self.sessions.clone();
            calls.push((
                cancel,
                tokio::spawn(async move { sessions.call(request).await }),
            ));
        }
        tokio::time::sleep(A_MOMENT).await;
        for (cancel, _) in &calls {
            cancel.cancel();
        }
        for (_, call) in calls {
            let answer = call.await.expect("the caller does not panic");
            let reason = match answer {
                Err(CallError::Cancelled) => continue,
                Ok(CallAnswer {
                    outcome: Err(error),
                    ..
                }) => error.reason,
                other => format!("{other:?}"),
            };
            if reason != "cancelled" {
                self.wrong.push(format!("cancelled, but {reason}"));
            }
        }
    }

    pub(crate) fn all_answered(&self) {
        assert!(
            self.wrong.is_empty(),
            "{} of {} went wrong: {:#?}",
            self.wrong.len(),
            self.asked,
            self.wrong
        );
    }
}

pub(crate) async fn create(sessions: &Sessions) -> SessionId {
    let request = CreateRequest {
        principal: Principal::local(),
        label: None,
        roots: Vec::new(),
        ttl: None,
        idempotency_key: None,
        provisional: false,
    };
    sessions.create(request).await.expect("created").id
}

pub(crate) async fn call(
    sessions: &Sessions,
    session: SessionId,
    tool: &str,
    n: u64,
) -> Result<CallAnswer, CallError> {
    sessions
        .call(request(session, tool, n, CancellationToken::new()))
        .await
}

/// One call of any tool.
pub(crate) async fn ask(
    sessions: &Sessions,
    session: SessionId,
    tool: &str,
    arguments: Value,
) -> Result<CallAnswer, CallError> {
    let request = request(session, tool, 0, CancellationToken::new());
    sessions
        .call(CallRequest {
            arguments,
            ..request
        })
        .await
}

fn request(session: SessionId, tool: &str, n: u64, cancel: CancellationToken) -> CallRequest {
    CallRequest {
        target: Target::Session(session),
        principal: Principal::local(),
        tool: tool.to_owned(),
        arguments: json!({"n": n}),
        idempotency_key: None,
        pin: None,
        deadline: None,
        cancel,
        progress: ProgressSink::default(),
    }
}
