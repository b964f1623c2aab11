//! Messages between nodes for connections: opaque, bounded, and answered with whether the recipient took them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Connections;
use super::types::{POSTED_BYTES, PostError, Recipient};
use crate::concurrent;
use crate::ids::{ConnectionId, NodeId};
use crate::relay::message::{Answer, Question};
use crate::relay::neighbours::Neighbours;
use crate::store::Store;
use crate::tool::ProgressSink;

/// A node that is silent for this long counts as down.
const SILENCE: Duration = Duration::from_secs(3);
/// Longest wait for a node that still signals that it works on the message.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for the recipient on this node, because the sender waits for it.
const DELIVERED_WITHIN: Duration = Duration::from_secs(8);
/// Longest wait for the list of nodes.
const NODES_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Post {
    store: Arc<dyn Store>,
    neighbours: Arc<Neighbours>,
    recipient: Mutex<Option<Arc<dyn Recipient>>>,
}

impl Post {
    pub(super) fn new(store: Arc<dyn Store>, neighbours: Arc<Neighbours>) -> Self {
        Self {
            store,
            neighbours,
            recipient: Mutex::default(),
        }
    }

    pub(super) fn forget_recipient(&self) {
        self.with(|recipient| *recipient = None);
    }

    fn with<R>(&self, act: impl FnOnce(&mut Option<Arc<dyn Recipient>>) -> R) -> R {
        act(&mut self
            .recipient
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

impl Connections {
    /// Sends a message to the node that holds a connection's stream. `Ok(false)`: that node did not take it.
    ///
    /// # Errors
    /// The message is too large, or the node did not answer; in the second case it may still have taken the message.
    pub async fn post(
        &self,
        node: NodeId,
        id: ConnectionId,
        message: Vec<u8>,
    ) -> Result<bool, PostError> {
        if message.len() > POSTED_BYTES {
            return Err(PostError::TooLarge(message.len()));
        }
        let neighbours = &self.0.post.neighbours;
        if node == neighbours.node() {
            return Ok(self.deliver(id, message).await);
        }
        let question = Question::Post {
            connection: id,
            message: message.into(),
        };
        let nowhere = ProgressSink::default();
        let asking = neighbours.ask(node, question, SILENCE, &nowhere);
        match tokio::time::timeout(TAKEN_WITHIN, asking).await {
            Ok(Ok(Answer::Posted(taken))) => Ok(taken),
            Ok(
                Ok(
                    Answer::HandOver(_)
                    | Answer::Call(_)
                    | Answer::View(_)
                    | Answer::Done(_)
                    | Answer::Said(_),
                )
                | Err(_),
            )
            | Err(_) => Err(PostError::Silent(node)),
        }
    }

    /// Sends a message to every other live node, for messages that only one of them can use. Returns how many took it.
    pub async fn post_to_all(&self, id: ConnectionId, message: Vec<u8>) -> usize {
        let post = &self.0.post;
        let nodes = tokio::time::timeout(NODES_WITHIN, post.store.nodes()).await;
        let Ok(Ok(nodes)) = nodes else {
            return 0;
        };
        let others = nodes.into_iter().map(|record| record.node);
        let others = others.filter(|node| *node != post.neighbours.node());
        let posting = others.map(|node| self.post(node, id, message.clone()));
        let answers = concurrent::all(posting).await;
        answers.iter().filter(|taken| **taken == Ok(true)).count()
    }

    /// Sets the recipient of messages from other nodes.
    pub fn receive_with(&self, recipient: Arc<dyn Recipient>) {
        self.0.post.with(|now| *now = Some(recipient));
    }

    /// Returns false if no recipient takes the message.
    pub(crate) async fn deliver(&self, id: ConnectionId, message: Vec<u8>) -> bool {
        let Some(recipient) = self.0.post.with(|recipient| recipient.clone()) else {
            return false;
        };
        let delivering = recipient.deliver(id, message);
        tokio::time::timeout(DELIVERED_WITHIN, delivering)
            .await
            .unwrap_or(false)
    }
}
