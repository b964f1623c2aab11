//! Carries opaque, bounded messages between nodes. Correctness never depends on delivery: leases and fences decide who
//! owns a session, and a lost message costs its sender a wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;

use crate::ids::NodeId;

pub(crate) mod inbox;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod neighbours;
pub(crate) mod peers;

pub type RelayFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RelayError>> + Send + 'a>>;

/// Largest message: a tool's answer and its envelope.
pub const MESSAGE_BYTES: usize = 32 << 20;
/// Messages that wait in a node's inbox. A node with more waiting is treated as down.
pub const INBOX_MESSAGES: usize = 1024;

pub trait Relay: Send + Sync + 'static {
    /// Puts a message into the inbox of `to`. Delivery is not confirmed.
    fn send(&self, to: NodeId, message: Arc<[u8]>) -> RelayFuture<'_, ()>;

    /// Waits for messages in the inbox of `node` and returns at least one, oldest first. An empty answer means that the
    /// caller asks again. Only one caller may receive at a time.
    fn receive(&self, node: NodeId) -> RelayFuture<'_, Vec<Vec<u8>>>;
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RelayError {
    #[error("a message of {0} bytes is over the limit of {MESSAGE_BYTES}")]
    TooLarge(usize),
    #[error("the inbox of {0} is full")]
    Full(NodeId),
    #[error("the relay is unavailable: {0}")]
    Unavailable(String),
}
