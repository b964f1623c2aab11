//! Transport sessions, for protocol revisions that have them: what this node knows of each, and its running requests.
//!
//! A connection (an `Mcp-Session-Id`, or one stream of HTTP+SSE) is recorded in the store and belongs to no node: any
//! node serves any request of it. The state here can be lost without harm: the record is read again, the default
//! session is found by its key, and the events of its streams are in the store. Only a running request is tied to its
//! node, so a cancellation, or the client's answer to a question, is forwarded to that node.

use crate::server::traced::HttpTrace;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::connections::{Connection, ConnectionError, Connections, Recipient};
use actors::ids::{ConnectionId, NodeId, Principal, RequestId as CallId, StreamId};
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, InitializeRequestParams, JsonRpcMessage, RequestId,
};
use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::service::{Caller, DefaultSession};
use asked::Asked;
use posted::Posted;

pub(crate) mod asked;
pub(crate) mod manager;
pub(crate) mod opening;
pub(crate) mod posted;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod stream;

/// Connections cached on this node. Others are read from the store again.
const AT_HAND_MAX: usize = 10_000;
/// Requests of one connection that run on this node at once: two full batches and a few more. Each may have an answer
/// of a megabyte on its way to the store.
const REQUESTS_MAX: usize = 256;

/// How often a connection with an open stream is looked up, because nodes are not told that it was closed elsewhere.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The connections of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Table(Arc<Inner>);

struct Inner {
    node: NodeId,
    connections: Connections,
    /// Above the limit, connections without running requests are dropped.
    known: Mutex<HashMap<ConnectionId, Arc<Known>>>,
    asked: Arc<Asked>,
}

/// One connection, as long as this node remembers it.
pub(crate) struct Known {
    pub(crate) id: ConnectionId,
    pub(crate) principal: Principal,
    /// The initialisation, with the negotiated protocol version; `None` before it (HTTP+SSE).
    pub(crate) peer: Option<InitializeRequestParams>,
    pub(crate) default_session: DefaultSession,
    running: Mutex<HashMap<RequestId, Running>>,
    /// Receives the client's messages, if its only stream is on this node (HTTP+SSE).
    inbox: Option<mpsc::Sender<ClientJsonRpcMessage>>,
    /// Cancelled when the connection is closed or forgotten.
    pub(crate) closed: CancellationToken,
}

/// A request that runs on this node.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) cancel: CancellationToken,
    pub(crate) stream: StreamId,
    /// Signals new events on its stream.
    pub(crate) written: Arc<Notify>,
    /// Cancelled when another client request follows the stream: the previous one gets no more events.
    pub(crate) taken_over: CancellationToken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Here,
    Elsewhere,
}

#[derive(Debug, Error)]
pub(crate) enum NotStarted {
    #[error("a request with this id is still running: give each request its own id")]
    SameId,
    #[error("{REQUESTS_MAX} requests of this connection are already running")]
    TooMany,
}

// === impl Table ===

impl Table {
    /// Registers as the recipient of messages from other nodes.
    pub(crate) fn new(node: NodeId, connections: Connections) -> Self {
        let table = Self(Arc::new(Inner {
            node,
            connections: connections.clone(),
            known: Mutex::default(),
            asked: Arc::default(),
        }));
        connections.receive_with(Arc::new(table.clone()));
        table
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    pub(crate) fn node(&self) -> NodeId {
        self.0.node
    }

    pub(crate) fn asked(&self) -> &Arc<Asked> {
        &self.0.asked
    }

    /// Finds a connection of the principal, opened on any node. Another principal's connection looks unknown.
    ///
    /// # Errors
    /// It cannot be looked up now.
    pub(crate) async fn find(
        &self,
        id: ConnectionId,
        principal: &Principal,
    ) -> Result<Option<Arc<Known>>, ConnectionError> {
        let Some(connection) = self.connections().find(id).await? else {
            self.forget(id);
            return Ok(None);
        };
        if connection.principal != *principal {
            return Ok(None);
        }
        if let Some(known) = self.at_hand(id) {
            return Ok(Some(known));
        }
        // Written by another version: it cannot be served, and its client opens another.
        let peer = serde_json::from_slice(&connection.opening).ok();
        Ok(peer.map(|peer| self.remember(Known::new(&connection, peer, None))))
    }

    /// If two requests found the connection at once, both use the entry of the first.
    pub(crate) fn remember(&self, known: Known) -> Arc<Known> {
        self.with(|all| {
            if all.len() >= AT_HAND_MAX {
                // Running requests and streams hold a reference.
                all.retain(|_, known| known.inbox.is_some() || Arc::strong_count(known) > 1);
            }
            Arc::clone(all.entry(known.id).or_insert_with(|| Arc::new(known)))
        })
    }

    pub(crate) fn at_hand(&self, id: ConnectionId) -> Option<Arc<Known>> {
        self.with(|all| all.get(&id).cloned())
    }

    /// Ends the connection on this node: cancels its running requests and ends its streams.
    pub(crate) fn forget(&self, id: ConnectionId) {
        if let Some(known) = self.with(|all| all.remove(&id)) {
            known.closed.cancel();
        }
    }

    /// Returns when the connection is closed on any node. Called for a client with an open stream, which keeps the
    /// connection from expiring.
    pub(crate) async fn until_over(&self, known: &Known) {
        loop {
            tokio::select! {
                () = known.closed.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // If the lookup fails, treat the connection as open.
            if let Ok(None) = self.connections().find(known.id).await {
                return self.forget(known.id);
            }
        }
    }

    /// Forwards a notification or an answer of the client to the request that it concerns, on whichever node that runs.
    pub(crate) async fn hear(&self, known: &Known, message: ClientJsonRpcMessage) {
        if !concerns_a_request(&message) || self.hear_here(known, &message) {
            return;
        }
        if let Some(message) = posted::message(&message) {
            self.connections().post_to_all(known.id, message).await;
        }
    }

    /// Returns false if it concerns no request on this node.
    fn hear_here(&self, known: &Known, message: &ClientJsonRpcMessage) -> bool {
        match message {
            JsonRpcMessage::Notification(said) => cancelled(&said.notification)
                .and_then(|id| known.running(id))
                .map(|running| running.cancel.cancel())
                .is_some(),
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {
                let is_theirs = |stream| known.running_on(stream).is_some();
                self.asked().answer(message.clone(), is_theirs)
            }
            JsonRpcMessage::Request(_) => false,
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<ConnectionId, Arc<Known>>) -> R) -> R {
        act(&mut self.0.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The request that the client cancels.
fn cancelled(said: &ClientNotification) -> Option<&RequestId> {
    let ClientNotification::CancelledNotification(cancelled) = said else {
        return None;
    };
    cancelled.params.request_id.as_ref()
}

fn concerns_a_request(message: &ClientJsonRpcMessage) -> bool {
    match message {
        JsonRpcMessage::Notification(said) => cancelled(&said.notification).is_some(),
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => true,
        JsonRpcMessage::Request(_) => false,
    }
}

impl Recipient for Table {
    fn deliver<'a>(
        &'a self,
        id: ConnectionId,
        message: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let Some(known) = self.at_hand(id) else {
                return false;
            };
            match posted::read(&message) {
                Some(Posted::Runs(stream)) => known.running_on(stream).is_some(),
                Some(Posted::Message(mut message)) => match &known.inbox {
                    Some(inbox) => {
                        // The trace of the HTTP request, which another node received.
                        message.insert_extension(HttpTrace(telemetry::current()));
                        inbox.try_send(*message).is_ok()
                    }
                    None => self.hear_here(&known, &message),
                },
                // From a node of another version.
                None => false,
            }
        })
    }
}

// === impl Known ===

impl Known {
    pub(crate) fn new(
        connection: &Connection,
        peer: Option<InitializeRequestParams>,
        inbox: Option<mpsc::Sender<ClientJsonRpcMessage>>,
    ) -> Self {
        Self {
            id: connection.id,
            principal: connection.principal.clone(),
            peer,
            default_session: DefaultSession::of_connection(connection.id),
            running: Mutex::default(),
            inbox,
            closed: CancellationToken::new(),
        }
    }

    /// The caller of the request on that stream; `None`: on a stream that cannot be resumed.
    pub(crate) fn caller(&self, stream: Option<StreamId>) -> Caller {
        Caller {
            principal: self.principal.clone(),
            default_session: Some(self.default_session.clone()),
            request: stream.map(|stream| CallId::from_u128(stream.as_u128())),
        }
    }

    pub(crate) fn inbox(&self) -> Option<&mpsc::Sender<ClientJsonRpcMessage>> {
        self.inbox.as_ref()
    }

    /// Starts a new request, or one taken over from another node. The latter does not count against the limit, because
    /// no other node would run it.
    ///
    /// # Errors
    /// The request may not run here.
    pub(crate) fn start(
        &self,
        id: &RequestId,
        stream: StreamId,
        begun: Start,
    ) -> Result<Running, NotStarted> {
        let running = Running {
            cancel: self.closed.child_token(),
            stream,
            written: Arc::default(),
            taken_over: CancellationToken::new(),
        };
        self.with(|all| {
            if all.contains_key(id) {
                return Err(NotStarted::SameId);
            }
            if begun == Start::Here && all.len() >= REQUESTS_MAX {
                return Err(NotStarted::TooMany);
            }
            all.insert(id.clone(), running.clone());
            Ok(running)
        })
    }

    pub(crate) fn finish(&self, id: &RequestId) {
        self.with(|all| all.remove(id));
    }

    pub(crate) fn running(&self, id: &RequestId) -> Option<Running> {
        self.with(|all| all.get(id).cloned())
    }

    pub(crate) fn running_on(&self, stream: StreamId) -> Option<Running> {
        self.with(|all| {
            all.values()
                .find(|running| running.stream == stream)
                .cloned()
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RequestId, Running>) -> R) -> R {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let connection = Connection {
            id: ConnectionId::random(),
            principal: Principal::local(),
            opening: Vec::new().into(),
            node: None,
        };
        Known::new(&connection, None, None)
    }

    #[test]
    fn running_requests_are_limited_and_takeovers_are_not() {
        let known = known();
        let start = |id: usize, start| {
            let id = RequestId::String(id.to_string().into());
            known.start(&id, StreamId::random(), start)
        };
        for id in 0..REQUESTS_MAX {
            assert!(start(id, Start::Here).is_ok(), "{id}");
        }
        let refused = |result: Result<Running, NotStarted>| result.err().map(|why| why.to_string());
        let same = refused(start(0, Start::Here));
        assert_eq!(same, Some(NotStarted::SameId.to_string()));
        let many = refused(start(REQUESTS_MAX, Start::Here));
        assert_eq!(many, Some(NotStarted::TooMany.to_string()));
        assert!(start(REQUESTS_MAX, Start::Elsewhere).is_ok());
        for id in [0, 1] {
            known.finish(&RequestId::String(id.to_string().into()));
        }
        assert!(start(REQUESTS_MAX + 1, Start::Here).is_ok());
    }
}
