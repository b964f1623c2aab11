//! Requests that handlers send to their clients while a call runs. Each gets an id that is unique among all nodes, so
//! the answer finds its call whichever connection, request or node it arrives on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use actors::ids::StreamId;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use tokio::sync::mpsc;

/// A handler that waits for an answer, and the id it used.
struct Waiting {
    stream: StreamId,
    id: RequestId,
    inbound: mpsc::Sender<ClientJsonRpcMessage>,
}

pub(crate) struct Asked {
    /// Unique to this node.
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
    /// Replaces the id of a handler's request on `stream` with a unique one. Other messages stay as they are.
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

    /// Passes an answer to the handler that waits for it. `is_theirs` checks that the sender owns the request on that
    /// stream, because a client can guess ids from its own. Returns false if no handler here waits for it.
    pub(crate) fn answer(
        &self,
        mut message: ClientJsonRpcMessage,
        is_theirs: impl Fn(StreamId) -> bool,
    ) -> bool {
        let id = match &mut message {
            JsonRpcMessage::Response(response) => &mut response.id,
            JsonRpcMessage::Error(error) => match &mut error.id {
                Some(id) => id,
                None => return false,
            },
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => return false,
        };
        let waiting = self.with(|waiting| {
            let theirs = waiting
                .get(id)
                .is_some_and(|waiting| is_theirs(waiting.stream));
            theirs.then(|| waiting.remove(id)).flatten()
        });
        let Some(waiting) = waiting else {
            return false;
        };
        *id = waiting.id;
        // The handler may have ended.
        waiting.inbound.try_send(message).is_ok()
    }

    /// The request on `stream` has ended: its handler waits for no more answers.
    pub(crate) fn forget(&self, stream: StreamId) {
        self.with(|waiting| waiting.retain(|_, waiting| waiting.stream != stream));
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RequestId, Waiting>) -> R) -> R {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{ClientResult, PingRequest, ServerRequest};

    use super::*;

    #[test]
    fn only_the_asked_client_can_answer() {
        let asked = Asked::default();
        let (hers, his) = (StreamId::random(), StreamId::random());
        let (inbound, mut answers) = mpsc::channel(1);
        let question = ServerRequest::PingRequest(PingRequest::default());
        let mut question = ServerJsonRpcMessage::request(question, RequestId::Number(7));
        asked.ask(hers, &inbound, &mut question);
        let JsonRpcMessage::Request(question) = question else {
            panic!("still a question");
        };
        let answer =
            || ClientJsonRpcMessage::response(ClientResult::empty(()), question.id.clone());
        assert!(!asked.answer(answer(), |stream| stream == his));
        assert!(answers.try_recv().is_err());
        assert!(asked.answer(answer(), |stream| stream == hers));
        let heard = answers.try_recv().expect("it was hers");
        let JsonRpcMessage::Response(heard) = heard else {
            panic!("still an answer");
        };
        assert_eq!(heard.id, RequestId::Number(7), "as it was asked");
        assert!(!asked.answer(answer(), |_| true), "once");
    }
}
