//! A relay within one process, for tests with several trees.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::{INBOX_MESSAGES, Relay, RelayError, RelayFuture};
use crate::ids::NodeId;

#[derive(Default)]
pub(crate) struct MemoryRelay {
    inboxes: Mutex<HashMap<NodeId, VecDeque<Vec<u8>>>>,
    arrived: Notify,
    /// Nodes that no message reaches, as if they were down.
    deaf: Mutex<Vec<NodeId>>,
}

impl MemoryRelay {
    pub(crate) fn deafen(&self, node: NodeId) {
        self.deaf.lock().unwrap().push(node);
    }

    /// Messages sent to it in the meantime are lost.
    pub(crate) fn hears_again(&self, node: NodeId) {
        self.deaf.lock().unwrap().retain(|deaf| *deaf != node);
    }
}

impl Relay for MemoryRelay {
    fn send(&self, to: NodeId, message: Arc<[u8]>) -> RelayFuture<'_, ()> {
        Box::pin(async move {
            if self.deaf.lock().unwrap().contains(&to) {
                return Ok(());
            }
            let mut inboxes = self.inboxes.lock().unwrap();
            let inbox = inboxes.entry(to).or_default();
            if inbox.len() >= INBOX_MESSAGES {
                return Err(RelayError::Full(to));
            }
            inbox.push_back(message.to_vec());
            drop(inboxes);
            self.arrived.notify_waiters();
            Ok(())
        })
    }

    fn receive(&self, node: NodeId) -> RelayFuture<'_, Vec<Vec<u8>>> {
        Box::pin(async move {
            loop {
                let arrived = self.arrived.notified();
                let mut arrived = std::pin::pin!(arrived);
                arrived.as_mut().enable();
                let inbox = self.inboxes.lock().unwrap().remove(&node);
                if let Some(messages) = inbox.filter(|inbox| !inbox.is_empty()) {
                    return Ok(messages.into());
                }
                arrived.await;
            }
        })
    }
}
