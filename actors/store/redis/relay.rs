//! Messages between nodes, over Redis lists: each node reads its own list.

use std::sync::Arc;
use std::time::Duration;

use redis::pipe;

use super::index::read;
use super::reply::Reply;
use super::{RedisStore, script};
use crate::clock::millis;
use crate::ids::NodeId;
use crate::relay::{INBOX_MESSAGES, MESSAGE_BYTES, Relay, RelayError, RelayFuture};
use crate::store::StoreError;

/// How long an inbox outlives its last message: longer than any node waits for an answer.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Longest blocking read, in seconds: shorter than the timeout of an answer.
const BLOCK_SECONDS: f64 = 1.0;
/// Messages read at once.
const TAKEN_AT_ONCE: usize = 64;

pub(super) struct RedisRelay(pub(super) RedisStore);

impl Relay for RedisRelay {
    fn send(&self, to: NodeId, message: Arc<[u8]>) -> RelayFuture<'_, ()> {
        Box::pin(async move {
            if message.len() > MESSAGE_BYTES {
                return Err(RelayError::TooLarge(message.len()));
            }
            let inner = &self.0.0;
            let send = script::RELAY_SEND
                .on(&[&inner.keys.inbox(to)])
                .arg(message.as_ref())
                .arg(INBOX_MESSAGES)
                .arg(millis(KEPT_FOR));
            let lane = usize::try_from(to.as_u128() % inner.lanes.len() as u128).unwrap_or(0);
            let mut answers = inner.lanes[lane].run(vec![send]).await.map_err(away)?;
            let answer = answers.pop().unwrap_or(Ok(redis::Value::Nil));
            match Reply::read(answer) {
                Ok(_) => Ok(()),
                Err(StoreError::Limit(_)) => Err(RelayError::Full(to)),
                Err(error) => Err(away(error)),
            }
        })
    }

    fn receive(&self, node: NodeId) -> RelayFuture<'_, Vec<Vec<u8>>> {
        Box::pin(async move {
            let inner = &self.0.0;
            let inbox = inner.keys.inbox(node);
            let mut first = pipe();
            first.cmd("BLPOP").arg(&inbox).arg(BLOCK_SECONDS);
            // After the first message, take what has arrived since.
            first.cmd("LPOP").arg(&inbox).arg(TAKEN_AT_ONCE);
            let answers = inner.inbox.ask(first.ignore_errors()).await.map_err(away)?;
            let mut answers = answers.into_iter();
            let popped: Option<(Vec<u8>, Vec<u8>)> = read(answers.next()).map_err(away)?;
            let rest: Option<Vec<Vec<u8>>> = read(answers.next()).map_err(away)?;
            let first = popped.map(|(_, message)| message);
            Ok(first.into_iter().chain(rest.unwrap_or_default()).collect())
        })
    }
}

fn away(error: StoreError) -> RelayError {
    RelayError::Unavailable(error.to_string())
}
