//! Carries messages between nodes: opaque, bounded, and never relied upon. The lease and the fence are the truth; a
//! message that is lost costs its sender a wait.

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

/// Largest message: an answer of a tool with everything around it.
pub const MESSAGE_BYTES: usize = 32 << 20;
/// Messages that wait in the inbox of one node: beyond it the node is as good as gone.
pub const INBOX_MESSAGES: usize = 1024;

pub trait Relay: Send + Sync + 'static {
    /// Puts a message into the inbox of `to`. That it arrived says nobody.
    fn send(&self, to: NodeId, message: Arc<[u8]>) -> RelayFuture<'_, ()>;

    /// Waits for messages in the inbox of `node`, oldest first, at least one; an empty answer means: ask again.
    /// One caller at a time.
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
