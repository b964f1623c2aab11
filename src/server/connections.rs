//! Connections of the revisions that have them: what this node knows of each, and what runs in them here.
//!
//! A connection (an `Mcp-Session-Id`, or one stream of HTTP+SSE) is laid down in the store and belongs to no node: any
//! of them serves any of its requests, each by itself. What is kept here can be lost without harm: the record is read
//! again, its default session is found by its key, and the events of its streams are in the store. Only a request that
//! runs is tied to its node, and so what concerns it (a cancellation, an answer to what it asked) is carried there.

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

/// Connections that this node keeps at hand. One that is left out is read again from the store.
const AT_HAND_MAX: usize = 10_000;
/// Requests of one connection that run on this node at once: two batches of the most that one may hold, and a few
/// beside them. Each may have an answer of a megabyte on its way to the store.
const REQUESTS_MAX: usize = 256;

/// How often a connection with an open stream is looked up: that it was closed elsewhere is told by nobody.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What this node knows. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Table(Arc<Inner>);

struct Inner {
    node: NodeId,
    connections: Connections,
    /// Where they are more than may be, those that nothing goes on in make room.
    known: Mutex<HashMap<ConnectionId, Arc<Known>>>,
    asked: Arc<Asked>,
}

/// One connection, as long as this node remembers it.
pub(crate) struct Known {
    pub(crate) id: ConnectionId,
    pub(crate) principal: Principal,
    /// As it was initialised, with the version that was agreed on; none before that (HTTP+SSE).
    pub(crate) peer: Option<InitializeRequestParams>,
    pub(crate) default_session: DefaultSession,
    running: Mutex<HashMap<RequestId, Running>>,
    /// The client's messages, where its one stream is here (HTTP+SSE).
    inbox: Option<mpsc::Sender<ClientJsonRpcMessage>>,
    /// It was closed, or is to be forgotten.
    pub(crate) closed: CancellationToken,
}

/// A request that runs here.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) cancel: CancellationToken,
    pub(crate) stream: StreamId,
    /// Something was added to its stream.
    pub(crate) written: Arc<Notify>,
    /// Somebody else follows its stream: who did until now gets no more.
    pub(crate) taken_over: CancellationToken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Here,
    Elsewhere,
}

#[derive(Debug, Error)]
pub(crate) enum NotStarted {
    #[error("a request of this id is still running: give every request its own")]
    SameId,
    #[error("{REQUESTS_MAX} requests of this connection run already")]
    TooMany,
}

// === impl Table ===

impl Table {
    /// Takes what other nodes send here.
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

    /// A connection of that principal, wherever it was opened. Somebody else's is as unknown as one that never was.
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
        // What another version wrote cannot be served: its client opens another.
        let peer = serde_json::from_slice(&connection.opening).ok();
        Ok(peer.map(|peer| self.remember(Known::new(&connection, peer, None))))
    }

    /// The first to remember it is right: two requests may have found it at once.
    pub(crate) fn remember(&self, known: Known) -> Arc<Known> {
        self.with(|all| {
            if all.len() >= AT_HAND_MAX {
                // Whatever goes on in one holds on to it.
                all.retain(|_, known| known.inbox.is_some() || Arc::strong_count(known) > 1);
            }
            Arc::clone(all.entry(known.id).or_insert_with(|| Arc::new(known)))
        })
    }

    pub(crate) fn at_hand(&self, id: ConnectionId) -> Option<Arc<Known>> {
        self.with(|all| all.get(&id).cloned())
    }

    /// It is over: what runs in it here is cancelled, its streams end.
    pub(crate) fn forget(&self, id: ConnectionId) {
        if let Some(known) = self.with(|all| all.remove(&id)) {
            known.closed.cancel();
        }
    }

    /// Returns when the connection is over, through whichever node. Whoever waits is a client with a stream open: while
    /// it does, the connection does not expire.
    pub(crate) async fn until_over(&self, known: &Known) {
        loop {
            tokio::select! {
                () = known.closed.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // One that cannot be looked up is still open, as far as anybody knows.
            if let Ok(None) = self.connections().find(known.id).await {
                return self.forget(known.id);
            }
        }
    }

    /// What a client says without asking for an answer goes to the request that it is about, on whichever node that
    /// runs.
    pub(crate) async fn hear(&self, known: &Known, message: ClientJsonRpcMessage) {
        if !concerns_a_request(&message) || self.hear_here(known, &message) {
            return;
        }
        if let Some(message) = posted::message(&message) {
            self.connections().post_to_all(known.id, message).await;
        }
    }

    /// False: it concerns nothing that runs here.
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

/// The request that somebody has given up.
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
                Some(Posted::Message(message)) => match &known.inbox {
                    Some(inbox) => inbox.try_send(*message).is_ok(),
                    None => self.hear_here(&known, &message),
                },
                // A node of another version.
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

    /// Whoever asks on that stream; `None`: on one that cannot be taken up again.
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

    /// A new request, or one that another node had begun: that one is not counted, since nobody else would run it.
    ///
    /// # Errors
    /// It is not to run here.
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
    fn so_many_requests_run_at_once_and_one_that_lost_its_node_is_never_turned_away() {
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
