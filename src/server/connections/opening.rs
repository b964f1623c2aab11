//! The transport of a handshake: one `initialize` message, its answer, and the end. Later requests of the connection
//! are served one by one.

use std::io;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, InitializedNotification, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, oneshot};

pub(crate) struct Opening {
    requests: mpsc::Receiver<ClientJsonRpcMessage>,
    answer: Option<oneshot::Sender<ServerJsonRpcMessage>>,
    initialized: bool,
}

/// The caller's end of the handshake.
pub(crate) struct Handshake {
    requests: mpsc::Sender<ClientJsonRpcMessage>,
    answer: oneshot::Receiver<ServerJsonRpcMessage>,
}

impl Opening {
    pub(crate) fn new() -> (Self, Handshake) {
        let (requests_in, requests) = mpsc::channel(1);
        let (answer, answer_out) = oneshot::channel();
        let opening = Self {
            requests,
            answer: Some(answer),
            initialized: false,
        };
        let handshake = Handshake {
            requests: requests_in,
            answer: answer_out,
        };
        (opening, handshake)
    }
}

impl Handshake {
    /// `None`: the handler died.
    pub(crate) async fn ask(self, message: ClientJsonRpcMessage) -> Option<ServerJsonRpcMessage> {
        self.requests.send(message).await.ok()?;
        self.answer.await.ok()
    }
}

impl Transport<RoleServer> for Opening {
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        // Only the answer to `initialize` is sent; other messages are dropped.
        let heard = self
            .answer
            .take()
            .is_some_and(|answer| answer.send(item).is_ok());
        let sent = if heard {
            Ok(())
        } else {
            Err(io::ErrorKind::NotConnected.into())
        };
        std::future::ready(sent)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        if self.answer.is_some() {
            return self.requests.recv().await;
        }
        if self.initialized {
            return None;
        }
        // The client sends `initialized` in a separate request, which may go to another node.
        self.initialized = true;
        Some(ClientJsonRpcMessage::notification(
            ClientNotification::InitializedNotification(InitializedNotification::default()),
        ))
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
