//! The transport of a connection with one stream for everything (HTTP+SSE): incoming messages are posted to it,
//! outgoing ones are written to the stream. It ends with the stream.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, watch};

use crate::service::Caller;

/// Messages waiting for the server or the client.
pub(crate) const MESSAGES_MAX: usize = 64;
/// A client that reads nothing for this long has its stream closed.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Pipe {
    caller: Caller,
    messages: mpsc::Receiver<ClientJsonRpcMessage>,
    events: mpsc::Sender<ServerJsonRpcMessage>,
    owed: Owed,
}

/// The requests that the client waits for.
#[derive(Clone)]
pub(crate) struct Owed(Arc<watch::Sender<HashSet<RequestId>>>);

impl Pipe {
    /// Messages written to the transport come out of the receiver.
    pub(crate) fn new(
        caller: Caller,
        messages: mpsc::Receiver<ClientJsonRpcMessage>,
    ) -> (Self, mpsc::Receiver<ServerJsonRpcMessage>) {
        let (events, written) = mpsc::channel(MESSAGES_MAX);
        let owed = Owed(Arc::new(watch::Sender::default()));
        let pipe = Self {
            caller,
            messages,
            events,
            owed,
        };
        (pipe, written)
    }

    pub(crate) fn owed(&self) -> Owed {
        self.owed.clone()
    }
}

impl Owed {
    /// Returns when the client waits for no answer.
    pub(crate) async fn nothing(&self) {
        // `self` holds the sender, so this cannot fail.
        let _ = self.0.subscribe().wait_for(HashSet::is_empty).await;
    }

    fn heard(&self, message: &ClientJsonRpcMessage) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.0.send_modify(|owed| {
                    owed.insert(request.id.clone());
                });
            }
            JsonRpcMessage::Notification(said) => {
                // A cancelled request gets no answer.
                if let ClientNotification::CancelledNotification(cancelled) = &said.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.paid(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
    }

    fn paid(&self, id: &RequestId) {
        self.0.send_modify(|owed| {
            owed.remove(id);
        });
    }
}

impl Transport<RoleServer> for Pipe {
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (events, owed) = (self.events.clone(), self.owed.clone());
        let answers = match &item {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        async move {
            let sent = events.send_timeout(item, TAKEN_WITHIN).await;
            if let Some(id) = answers {
                owed.paid(&id);
            }
            sent.map_err(|_| io::ErrorKind::NotConnected.into())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let mut message = self.messages.recv().await?;
        self.owed.heard(&message);
        if let JsonRpcMessage::Request(_) = &message {
            message.insert_extension(self.caller.clone());
        }
        Some(message)
    }

    async fn close(&mut self) -> io::Result<()> {
        self.messages.close();
        Ok(())
    }
}
