//! Serves one request of a connection. Its messages become events of its own stream, which are stored before the client
//! gets them. If the client disconnects, the request runs on, and the stream can be resumed on any node. If this node
//! dies, the request ends; its session continues on another node.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actors::connections::{Connections, EVENTS_PER_STREAM};
use actors::ids::{NodeId, StreamId};
use axum::http::request::Parts;
use rmcp::model::{
    ClientJsonRpcMessage, ErrorData, GetExtensions, JsonRpcMessage, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerNotification,
};
use rmcp::service::serve_directly_with_ct;
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use rmcp::{RoleServer, ServerHandler};
use serde::{Deserialize, Serialize};
use telemetry::Trace;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::replay::EventId;
use super::{Known, NotStarted, Running, Start, Table};
use crate::answer::Failure;
use crate::server::left::Left;
use crate::server::resources;
use crate::server::traced::HttpTrace;

/// Messages between a handler and its stream: progress waits here while the store is slow.
const MESSAGES_MAX: usize = 16;
/// Events waiting for the client. A client that is too slow is disconnected, and may resume.
pub(crate) const EVENTS_MAX: usize = 16;
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// Progress events stored for one request: half of what a stream holds before it drops the oldest.
const PROGRESS_KEPT: u64 = EVENTS_PER_STREAM as u64 / 2;
/// Suggested retry time for a client with too many running requests: most have ended by then.
const FREE_WITHIN: Duration = Duration::from_secs(1);
/// Suggested reconnection time for a client that was disconnected.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// The first event of a stream that other nodes may take over: the request, and the node that runs it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) by: NodeId,
    /// The trace of the HTTP request, as a `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    pub(crate) request: ClientJsonRpcMessage,
}

/// Runs a request and returns the events for its client.
pub(crate) fn serve<H: ServerHandler>(
    table: &Table,
    known: &Arc<Known>,
    handler: H,
    message: ClientJsonRpcMessage,
    left: Left,
) -> mpsc::Receiver<ServerSseMessage> {
    let (client, events) = mpsc::channel(EVENTS_MAX);
    let JsonRpcMessage::Request(request) = &message else {
        return events;
    };
    let id = request.id.clone();
    let running = match known.start(&id, StreamId::random(), Start::Here) {
        Ok(running) => running,
        Err(why) => {
            // The channel is empty, so there is room.
            let _ = client.try_send(ServerSseMessage::from_message(refused(id, &why)));
            return events;
        }
    };
    run(
        table,
        known,
        handler,
        message,
        Log::new(table, known, running, 0, Some(client), left),
    );
    events
}

/// Runs a request again, on its existing stream, because its node is down. It uses the same call id, so its sessions continue
/// where they were. `at` is the stream's current end. Returns false if the request already runs here.
pub(crate) fn take_over<H: ServerHandler>(
    table: &Table,
    known: &Arc<Known>,
    handler: H,
    message: ClientJsonRpcMessage,
    at: EventId,
) -> bool {
    let JsonRpcMessage::Request(request) = &message else {
        return false;
    };
    let Ok(running) = known.start(&request.id, at.stream, Start::Elsewhere) else {
        return false;
    };
    run(
        table,
        known,
        handler,
        message,
        Log::new(table, known, running, at.number, None, Left::default()),
    );
    true
}

fn run<H: ServerHandler>(
    table: &Table,
    known: &Arc<Known>,
    handler: H,
    mut message: ClientJsonRpcMessage,
    mut log: Log,
) {
    let JsonRpcMessage::Request(request) = &message else {
        return;
    };
    let (id, running) = (request.id.clone(), log.running.clone());
    let trace = trace_of(&message);
    let begun = table.connections().are_shared().then(|| message.clone());
    message.insert_extension(known.caller(Some(running.stream)));
    message.insert_extension(log.left.clone());
    let (outbound, messages) = mpsc::channel(MESSAGES_MAX);
    let (answers, inbound) = mpsc::channel(MESSAGES_MAX);
    let transport = OneRequest {
        first: Some(message),
        inbound,
        outbound,
        answered: CancellationToken::new(),
        running: running.clone(),
        asked: Arc::clone(table.asked()),
        answers,
    };
    let cancel = running.cancel.clone();
    let serving = serve_directly_with_ct(handler, transport, known.peer.clone(), cancel);
    let (table, known) = (table.clone(), Arc::clone(known));
    let write = async move {
        // A client that sees the answer or the end may reuse the request id.
        let over = || {
            table.asked().forget(running.stream);
            known.finish(&id);
        };
        log.write(begun, messages, over).await;
        // Ends the client's stream.
        drop(log);
        // The result is not needed.
        let _ = serving.waiting().await;
    };
    tokio::spawn(telemetry::traced(trace, write));
}

/// The trace of the HTTP request.
fn trace_of(message: &ClientJsonRpcMessage) -> Option<Trace> {
    let JsonRpcMessage::Request(request) = message else {
        return None;
    };
    let extensions = request.request.extensions();
    let in_parts = || extensions.get::<Parts>()?.extensions.get::<HttpTrace>();
    let HttpTrace(trace) = extensions.get::<HttpTrace>().or_else(in_parts)?;
    *trace
}

fn refused(id: RequestId, why: &NotStarted) -> ServerJsonRpcMessage {
    let error = match why {
        NotStarted::SameId => ErrorData::invalid_request(why.to_string(), None),
        NotStarted::TooMany => {
            resources::refused(&Failure::new("busy", why.to_string()).after(FREE_WITHIN))
        }
    };
    JsonRpcMessage::error(error, Some(id))
}

/// The transport that the protocol's loop reads from and writes to.
struct OneRequest {
    first: Option<ClientJsonRpcMessage>,
    inbound: mpsc::Receiver<ClientJsonRpcMessage>,
    outbound: mpsc::Sender<ServerJsonRpcMessage>,
    answered: CancellationToken,
    running: Running,
    asked: Arc<Asked>,
    answers: mpsc::Sender<ClientJsonRpcMessage>,
}

impl Transport<RoleServer> for OneRequest {
    type Error = io::Error;

    fn send(
        &mut self,
        mut item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.asked
            .ask(self.running.stream, &self.answers, &mut item);
        let last = is_last(&item);
        let (outbound, answered) = (self.outbound.clone(), self.answered.clone());
        // A cancelled request gets no answer.
        let unwanted = self.running.cancel.is_cancelled();
        async move {
            let sent = if unwanted {
                Ok(())
            } else {
                outbound.send(item).await
            };
            if last {
                answered.cancel();
            }
            sent.map_err(|_| io::ErrorKind::NotConnected.into())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            biased;
            () = self.answered.cancelled() => None,
            answer = self.inbound.recv() => answer,
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn is_last(message: &ServerJsonRpcMessage) -> bool {
    matches!(
        message,
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)
    )
}

/// The start and the answer are always stored; progress only up to a limit.
fn is_worth_keeping(events: u64, message: &ServerJsonRpcMessage) -> bool {
    let JsonRpcMessage::Notification(said) = message else {
        return true;
    };
    let progress = matches!(
        said.notification,
        ServerNotification::ProgressNotification(_)
    );
    !progress || events < PROGRESS_KEPT
}

/// The stream of one request, and its only writer.
struct Log {
    connections: Connections,
    node: NodeId,
    known: Arc<Known>,
    running: Running,
    number: u64,
    /// `None` once the client has disconnected, was too slow, or resumed the stream elsewhere.
    client: Option<mpsc::Sender<ServerSseMessage>>,
    /// Set when the answer only says that this node is shutting down.
    left: Left,
}

impl Log {
    fn new(
        table: &Table,
        known: &Arc<Known>,
        running: Running,
        number: u64,
        client: Option<mpsc::Sender<ServerSseMessage>>,
        left: Left,
    ) -> Self {
        Self {
            connections: table.connections().clone(),
            node: table.node(),
            known: Arc::clone(known),
            running,
            number,
            client,
            left,
        }
    }

    /// Writes events until the answer, or until there will be none.
    async fn write(
        &mut self,
        request: Option<ClientJsonRpcMessage>,
        mut messages: mpsc::Receiver<ServerJsonRpcMessage>,
        over: impl Fn(),
    ) {
        let begun = self.begin(request).await;
        if begun && self.is_primed() {
            let start = EventId {
                stream: self.running.stream,
                number: self.number,
            };
            self.give(ServerSseMessage::priming(start.to_string(), RETRY))
                .await;
        }
        while let Some(message) = messages.recv().await {
            let last = is_last(&message);
            // The client gets this answer, but the stream stays open: the node that takes the request over writes the
            // real one.
            let is_left = last && self.left.is_noted();
            let event_id = if !is_left && is_worth_keeping(self.number, &message) {
                self.keep(&message, last).await
            } else {
                None
            };
            let mut event = ServerSseMessage::from_message(message);
            event.event_id = event_id;
            if last {
                over();
            }
            self.give(event).await;
            if last {
                return;
            }
        }
        // Cancelled: mark the end, so that no client waits for an answer.
        self.record(Vec::new(), true).await;
        over();
    }

    /// Whether the stream can be resumed from its beginning.
    async fn begin(&mut self, request: Option<ClientJsonRpcMessage>) -> bool {
        let by = self.node;
        let trace = telemetry::current().map(|trace| trace.to_string());
        match request.map(|request| serde_json::to_vec(&Begun { by, trace, request })) {
            Some(Ok(begun)) => self.record(begun, false).await,
            Some(Err(_)) | None => {
                self.connections
                    .begin(self.known.id, self.running.stream)
                    .await
            }
        }
    }

    /// Clients of older revisions treat an event without data as an error.
    fn is_primed(&self) -> bool {
        let version = self.known.peer.as_ref().map(|peer| &peer.protocol_version);
        version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2025_11_25.as_str())
    }

    /// An event that was not stored gets no id, because the stream could not be resumed from it.
    async fn keep(&mut self, message: &ServerJsonRpcMessage, last: bool) -> Option<String> {
        let bytes = serde_json::to_vec(message).ok()?;
        let kept = self.record(bytes, last).await;
        let (stream, number) = (self.running.stream, self.number);
        kept.then(|| EventId { stream, number }.to_string())
    }

    async fn record(&mut self, event: Vec<u8>, last: bool) -> bool {
        self.number += 1;
        let (id, stream) = (self.known.id, self.running.stream);
        let kept = self
            .connections
            .record(id, stream, self.number, event.into(), last)
            .await;
        self.running.written.notify_waiters();
        kept
    }

    async fn give(&mut self, event: ServerSseMessage) {
        let Some(client) = &self.client else {
            return;
        };
        let taken = tokio::select! {
            taken = tokio::time::timeout(TAKEN_WITHIN, client.send(event)) => matches!(taken, Ok(Ok(()))),
            () = self.running.taken_over.cancelled() => false,
        };
        if !taken {
            self.client = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{
        NumberOrString, ProgressNotification, ProgressNotificationParam, ProgressToken,
    };

    use super::*;

    fn progress() -> ServerJsonRpcMessage {
        let token = ProgressToken(NumberOrString::Number(1));
        let said = ProgressNotification::new(ProgressNotificationParam::new(token, 1.0));
        JsonRpcMessage::notification(ServerNotification::ProgressNotification(said))
    }

    #[test]
    fn endless_progress_leaves_room_for_the_start_and_the_answer() {
        assert!(is_worth_keeping(0, &progress()));
        assert!(is_worth_keeping(PROGRESS_KEPT - 1, &progress()));
        assert!(!is_worth_keeping(PROGRESS_KEPT, &progress()));
        let answer = refused(NumberOrString::Number(1), &NotStarted::SameId);
        assert!(is_worth_keeping(u64::MAX, &answer));
    }
}
