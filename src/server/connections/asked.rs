//! What handlers ask their clients while a request runs. An id on the wire is ours, and no other node gives out the
//! same: so an answer finds its request, whichever connection, request or node it comes in by.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use actors::ids::StreamId;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use tokio::sync::mpsc;

/// Who waits for an answer of which id of its own.
struct Waiting {
    stream: StreamId,
    id: RequestId,
    inbound: mpsc::Sender<ClientJsonRpcMessage>,
}

pub(crate) struct Asked {
    /// Of this node alone.
    prefix: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<RequestId, Waiting>>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            prefix: StreamId::random().to_string(),
            next: AtomicU64::new(0),
            waiting: Mutex::default(),
        }
    }
}

impl Asked {
    /// Gives a question of the request on `stream` an id that nobody else has. Anything else is left as it is.
    pub(crate) fn ask(
        &self,
        stream: StreamId,
        inbound: &mpsc::Sender<ClientJsonRpcMessage>,
        message: &mut ServerJsonRpcMessage,
    ) {
        let JsonRpcMessage::Request(question) = message else {
            return;
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let ours = RequestId::String(format!("{}-{number}", self.prefix).into());
        let id = std::mem::replace(&mut question.id, ours.clone());
        let inbound = inbound.clone();
        self.with(|waiting| {
            waiting.insert(
                ours,
                Waiting {
                    stream,
                    id,
                    inbound,
                },
            )
        });
    }

    /// False: nobody here asked that.
    pub(crate) fn answer(&self, mut message: ClientJsonRpcMessage) -> bool {
        let id = match &mut message {
            JsonRpcMessage::Response(response) => &mut response.id,
            JsonRpcMessage::Error(error) => match &mut error.id {
                Some(id) => id,
                None => return false,
            },
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => return false,
        };
        let Some(waiting) = self.with(|waiting| waiting.remove(id)) else {
            return false;
        };
        *id = waiting.id;
        // Who asked may be over.
        waiting.inbound.try_send(message).is_ok()
    }

    /// The request on `stream` is over: nobody waits any more.
    pub(crate) fn forget(&self, stream: StreamId) {
        self.with(|waiting| waiting.retain(|_, waiting| waiting.stream != stream));
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RequestId, Waiting>) -> R) -> R {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
