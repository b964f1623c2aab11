//! Implements the connection interface of the protocol library, for one HTTP request of one principal. It keeps no
//! state: connections are in the [`Table`] and in the store.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use actors::connections::{Connection, ConnectionError};
use actors::ids::{ConnectionId, Principal};
use futures_util::stream::{self, Stream, StreamExt};
use rmcp::ServerHandler;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, InitializeRequestParams, JsonRpcMessage,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::opening::{Handshake, Opening};
use super::replay::{self, EventId};
use super::request;
use super::{Known, Table};
use crate::server::left::Left;

/// Longest delay of a response's head: proxies time out after half a minute at the earliest.
const FIRST_EVENT_WITHIN: Duration = Duration::from_secs(10);

/// Why a connection is not available. The library maps all of these to one status; [`Bound::refusal`] has the details.
#[derive(Debug, Clone, Error)]
pub(crate) enum Refused {
    #[error("no such connection")]
    Unknown,
    #[error("{0}")]
    NotNow(ConnectionError),
    #[error("the handshake was not answered")]
    Unanswered,
}

/// Access to connections for one HTTP request.
pub(crate) struct Bound<H> {
    table: Table,
    principal: Principal,
    /// Cancelled when idle streams should end.
    closing: CancellationToken,
    handler: Arc<dyn Fn() -> H + Send + Sync>,
    handshake: Mutex<Option<Handshake>>,
    /// The connection that this request opened.
    opened: OnceLock<ConnectionId>,
    refused: OnceLock<Refused>,
    left: OnceLock<Arc<ServerJsonRpcMessage>>,
}

impl<H: ServerHandler> Bound<H> {
    pub(crate) fn new(
        table: Table,
        principal: Principal,
        closing: CancellationToken,
        handler: Arc<dyn Fn() -> H + Send + Sync>,
    ) -> Self {
        Self {
            table,
            principal,
            closing,
            handler,
            handshake: Mutex::default(),
            opened: OnceLock::new(),
            refused: OnceLock::new(),
            left: OnceLock::new(),
        }
    }

    /// Why the request was refused, if retrying it later may succeed.
    pub(crate) fn not_now(&self) -> Option<&ConnectionError> {
        match self.refused.get()? {
            Refused::NotNow(error) => Some(error),
            Refused::Unknown | Refused::Unanswered => None,
        }
    }

    /// The answer to a request that shutdown interrupted before anything was sent.
    pub(crate) fn left(&self) -> Option<&ServerJsonRpcMessage> {
        self.left.get().map(AsRef::as_ref)
    }

    async fn known(&self, id: &SessionId) -> Result<Arc<Known>, Refused> {
        let id = ConnectionId::parse(id).map_err(|_| Refused::Unknown)?;
        let known = self.table.find(id, &self.principal).await;
        known
            .map_err(|error| self.refuse(error))?
            .ok_or(Refused::Unknown)
    }

    /// Recorded before the client gets the id, because its next request may go to another node.
    async fn lay_down(
        &self,
        id: ConnectionId,
        mut peer: InitializeRequestParams,
        answer: &ServerJsonRpcMessage,
    ) -> Result<(), Refused> {
        let JsonRpcMessage::Response(response) = answer else {
            return Ok(());
        };
        if let ServerResult::InitializeResult(agreed) = &response.result {
            peer.protocol_version = agreed.protocol_version.clone();
        }
        let connection = Connection {
            id,
            principal: self.principal.clone(),
            opening: serde_json::to_vec(&peer).unwrap_or_default().into(),
            node: None,
        };
        let opened = self.table.connections().open(connection.clone()).await;
        opened.map_err(|error| self.refuse(error))?;
        self.table
            .remember(Known::new(&connection, Some(peer), None));
        Ok(())
    }

    fn refuse(&self, error: ConnectionError) -> Refused {
        self.refused.get_or_init(|| Refused::NotNow(error)).clone()
    }
}

impl<H: ServerHandler> SessionManager for Bound<H> {
    type Error = Refused;
    type Transport = Opening;

    async fn create_session(&self) -> Result<(SessionId, Opening), Refused> {
        let id = *self.opened.get_or_init(ConnectionId::random);
        let (opening, handshake) = Opening::new();
        *self
            .handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(handshake);
        Ok((id.to_string().into(), opening))
    }

    async fn initialize_session(
        &self,
        _: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Refused> {
        let handshake = self
            .handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (Some(handshake), Some(id), Some(peer)) =
            (handshake, self.opened.get(), initialize_params(&message))
        else {
            return Err(Refused::Unanswered);
        };
        let answer = handshake.ask(message).await.ok_or(Refused::Unanswered)?;
        self.lay_down(*id, peer, &answer).await?;
        Ok(answer)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Refused> {
        match self.known(id).await {
            Ok(_) => Ok(true),
            Err(Refused::Unknown) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Refused> {
        if self.opened.get().is_some() {
            // The library closes the handshake; the connection stays open.
            return Ok(());
        }
        // To another principal the connection does not exist, so there is nothing to close.
        if let Ok(known) = self.known(id).await {
            self.table.connections().close(known.id).await;
            self.table.forget(known.id);
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Refused> {
        let known = self.known(id).await?;
        let handler = (self.handler)();
        let left = Left::default();
        let mut events = request::serve(&self.table, &known, handler, message, left.clone());
        // The response's head is sent with the first event. Until then a proxy can still send the request to another
        // node.
        let first = tokio::time::timeout(FIRST_EVENT_WITHIN, events.recv()).await;
        let first = first.ok().flatten();
        // Noted before the answer is sent, so that nothing was sent before it.
        let answer = first.as_ref().and_then(|event| event.message.clone());
        if let Some(answer) = answer.filter(|answer| left.is_noted() && request::is_last(answer)) {
            self.left.get_or_init(|| answer);
        }
        Ok(stream::iter(first).chain(received(events)))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Refused> {
        let known = self.known(id).await?;
        self.table.hear(&known, message).await;
        Ok(())
    }

    /// The server sends nothing outside of requests: this stream stays open and silent.
    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Refused> {
        let known = self.known(id).await?;
        let (client, events) = mpsc::channel(1);
        let (table, closing) = (self.table.clone(), self.closing.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = table.until_over(&known) => {}
                () = closing.cancelled() => {}
                () = client.closed() => {}
            }
        });
        Ok(received(events))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Refused> {
        let known = self.known(id).await?;
        let from: EventId = last_event_id.parse().map_err(|()| Refused::Unknown)?;
        let handler = Arc::clone(&self.handler);
        Ok(received(replay::follow(&self.table, &known, handler, from)))
    }
}

fn initialize_params(message: &ClientJsonRpcMessage) -> Option<InitializeRequestParams> {
    let JsonRpcMessage::Request(request) = message else {
        return None;
    };
    let ClientRequest::InitializeRequest(initialize) = &request.request else {
        return None;
    };
    Some(initialize.params.clone())
}

fn received<T: Send + 'static>(
    mut receiver: mpsc::Receiver<T>,
) -> impl Stream<Item = T> + Send + Sync + 'static {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}
