//! Handles that survive restarts. A handle names a place in the tree and always reaches the actor that currently runs
//! there. Only supervisors keep an `ActorRef` for longer than one message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ractor::{ActorRef, Message, RpcReplyPort};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::faults::Fault;

/// Pause before a retry when the actor still lives but the request was lost further down the tree.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// The place of one actor. Its supervisor sets the current reference; all other code sends messages through the place.
pub(crate) struct ActorSlot<M> {
    current: Arc<watch::Sender<Option<ActorRef<M>>>>,
    waiting: Arc<AtomicUsize>,
    worked: Arc<AtomicBool>,
}

impl<M> Clone for ActorSlot<M> {
    fn clone(&self) -> Self {
        Self {
            current: Arc::clone(&self.current),
            waiting: Arc::clone(&self.waiting),
            worked: Arc::clone(&self.worked),
        }
    }
}

impl<M> Default for ActorSlot<M> {
    fn default() -> Self {
        Self {
            current: Arc::new(watch::Sender::new(None)),
            waiting: Arc::default(),
            worked: Arc::default(),
        }
    }
}

/// No actor ran in the place in time, or every actor that ran there died over the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no answer")]
pub(crate) struct NoAnswer;

impl<M: Message> ActorSlot<M> {
    pub(crate) fn put(&self, actor: ActorRef<M>) {
        self.waiting.store(0, Ordering::Relaxed);
        self.worked.store(false, Ordering::Relaxed);
        self.current.send_replace(Some(actor));
    }

    pub(crate) fn clear(&self) {
        self.current.send_replace(None);
    }

    pub(crate) fn current(&self) -> Option<ActorRef<M>> {
        self.current.borrow().clone()
    }

    /// Messages sent but not yet taken up, as counted by senders and the actor.
    pub(crate) fn mailbox(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The actor calls this when it takes up a message.
    pub(crate) fn taken_up(&self) {
        // A restart resets the count to 0 while messages to the previous actor are still being counted down.
        let _ = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    /// The actor calls this when it finishes a message.
    pub(crate) fn finished(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    /// Whether the current actor has finished a message.
    pub(crate) fn worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    /// Returns false if no actor runs here or the message cannot be sent.
    pub(crate) fn cast(&self, message: M) -> bool {
        let Some(actor) = self.current() else {
            return false;
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = actor.send_message(message).is_ok();
        if !sent {
            self.taken_up();
        }
        sent
    }

    /// Asks the actor that runs here. If it dies first, asks its successor, until `within` has passed.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        within: Duration,
        make: impl Fn(RpcReplyPort<R>) -> M,
    ) -> Result<R, NoAnswer> {
        let until = Instant::now() + within;
        let mut changes = self.current.subscribe();
        loop {
            changes.borrow_and_update();
            let (reply, answer) = oneshot::channel();
            if self.cast(make(reply.into())) {
                match timeout_at(until, answer).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(_died)) => {}
                    Err(_elapsed) => return Err(NoAnswer),
                }
            }
            // Either a successor of the dead actor starts, or the request was lost further down the tree.
            let _ = timeout_at(
                until.min(Instant::now() + ASK_AGAIN_AFTER),
                changes.changed(),
            )
            .await;
            if Instant::now() >= until {
                return Err(NoAnswer);
            }
        }
    }
}

/// The operations of supervisors and chaos suites on a place of any message type.
pub(crate) trait AnyActorSlot: Send + Sync {
    fn clear(&self);
    fn worked(&self) -> bool;
    fn mailbox(&self) -> usize;
    /// Returns false if no actor runs here.
    fn strike(&self, strike: InjectedFault) -> bool;
}

/// Ways to make an actor fail from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    Fault(Fault),
    /// The runtime's kill: the running handler does not finish.
    Kill,
}

impl<M: Message + From<Fault>> AnyActorSlot for ActorSlot<M> {
    fn clear(&self) {
        Self::clear(self);
    }

    fn worked(&self) -> bool {
        Self::worked(self)
    }

    fn mailbox(&self) -> usize {
        Self::mailbox(self)
    }

    fn strike(&self, strike: InjectedFault) -> bool {
        match strike {
            InjectedFault::Fault(fault) => self.cast(fault.into()),
            InjectedFault::Kill => self.current().map(|actor| actor.kill()).is_some(),
        }
    }
}
