//! Handles that survive restarts. A handle names a place in the tree and always reaches the actor that currently runs
//! there. Only supervisors keep an `ActorRef` for longer than one message.

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorRef, Message, RpcReplyPort};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::activity::{Activity, Named};
use crate::faults::Fault;

/// Pause before a retry when the actor still lives but the request was lost further down the tree.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// The place of one actor. Its supervisor sets the current reference; all other code sends messages through the place.
pub(crate) struct ActorSlot<M> {
    name: Arc<str>,
    kind: &'static str,
    current: Arc<watch::Sender<Option<ActorRef<M>>>>,
    activity: Arc<Activity>,
}

impl<M> Clone for ActorSlot<M> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            kind: self.kind,
            current: Arc::clone(&self.current),
            activity: Arc::clone(&self.activity),
        }
    }
}

/// No actor ran in the place in time, or every actor that ran there died over the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no answer")]
pub(crate) struct NoAnswer;

impl<M: Named> ActorSlot<M> {
    /// The name and the kind are those of the status.
    pub(crate) fn new(name: impl Into<Arc<str>>, kind: &'static str) -> Self {
        Self {
            name: name.into(),
            kind,
            current: Arc::new(watch::Sender::new(None)),
            activity: Arc::new(Activity::of::<M>()),
        }
    }
}

impl<M: Message> ActorSlot<M> {
    pub(crate) fn put(&self, actor: ActorRef<M>) {
        self.activity.put();
        self.current.send_replace(Some(actor));
    }

    pub(crate) fn clear(&self) {
        self.current.send_replace(None);
    }

    pub(crate) fn current(&self) -> Option<ActorRef<M>> {
        self.current.borrow().clone()
    }

    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Returns false if no actor runs here or the message cannot be sent.
    pub(crate) fn cast(&self, message: M) -> bool {
        let Some(actor) = self.current() else {
            return false;
        };
        self.activity.sent();
        let sent = actor.send_message(message).is_ok();
        if !sent {
            self.activity.taken_up();
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
    fn name(&self) -> &Arc<str>;
    fn kind(&self) -> &'static str;
    fn activity(&self) -> &Arc<Activity>;
    fn clear(&self);
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
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    fn clear(&self) {
        Self::clear(self);
    }

    fn strike(&self, strike: InjectedFault) -> bool {
        match strike {
            InjectedFault::Fault(fault) => self.cast(fault.into()),
            InjectedFault::Kill => self.current().map(|actor| actor.kill()).is_some(),
        }
    }
}
