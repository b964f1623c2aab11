//! Extends the leases of sessions that are busy without committing: while a long tool runs, no other node may take its
//! session over.
//!
//! The keeper runs on its own thread, so that tools which use every core cannot starve it. The list of kept leases
//! lives above the supervision tree: when the keeper dies, its successor keeps the same leases. An entry whose session
//! died ends with the deadline of its call, or when the store answers that another fence has taken the session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use telemetry::list::span::RENEW;
use telemetry::{Link, Parent, Span, Trace};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use telemetry::list::metric::LeaseRenewals;
use tokio::sync::oneshot;

use crate::activity::messages;
use crate::faults::Fault;
use crate::ids::SessionId;
use crate::store::{Fence, Store, StoreError};
use crate::watch::{Beat, Watch};

/// Leases extended with one request to the store.
const BATCH: usize = 256;
/// Links of one renewal: the default limit of OpenTelemetry.
const LINKS_MAX: usize = 128;
/// A lease is extended this often before it would end, so two requests may be lost.
const PER_LEASE: u32 = 3;

/// The leases to keep.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<SessionId, Kept>>);

#[derive(Clone, Copy)]
struct Kept {
    fence: Fence,
    until: Instant,
    /// Of the call that keeps the session busy.
    trace: Option<Trace>,
}

impl Leases {
    /// `trace`: of the call that keeps the session busy.
    pub(crate) fn keep(&self, id: SessionId, fence: Fence, within: Duration, trace: Option<Trace>) {
        let now = Instant::now();
        let until = now.checked_add(within).unwrap_or(now);
        let entry = Kept {
            fence,
            until,
            trace,
        };
        self.with(|kept| kept.insert(id, entry));
    }

    /// Links to the calls that the kept leases serve.
    fn links(&self) -> Vec<Link> {
        let traces = |kept: &mut HashMap<SessionId, Kept>| {
            let traces = kept.values().filter_map(|entry| entry.trace);
            traces.take(LINKS_MAX).map(Link).collect()
        };
        self.with(traces)
    }

    pub(crate) fn leave(&self, id: SessionId) {
        self.with(|kept| kept.remove(&id));
    }

    /// Leases that are extended.
    pub(crate) fn count(&self) -> usize {
        let now = Instant::now();
        self.with(|kept| kept.values().filter(|entry| entry.until > now).count())
    }

    fn due(&self) -> Vec<(SessionId, Fence)> {
        let now = Instant::now();
        self.with(|kept| {
            kept.retain(|_, entry| entry.until > now);
            kept.iter().map(|(id, entry)| (*id, entry.fence)).collect()
        })
    }

    /// Removes the entry, unless the lease is now kept under another fence.
    fn lost(&self, id: SessionId, fence: Fence) {
        self.with(|kept| {
            if kept.get(&id).is_some_and(|entry| entry.fence == fence) {
                kept.remove(&id);
            }
        });
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<SessionId, Kept>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) enum KeeperMsg {
    Look,
    Fault(Fault),
}

messages!(KeeperMsg {
    Look => "look",
    Fault => "fault",
});

impl From<Fault> for KeeperMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) struct LeaseKeeper;

pub(crate) struct Arguments {
    pub(crate) leases: Arc<Leases>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) lease: Duration,
    pub(crate) watch: Arc<Watch>,
}

pub(crate) struct State {
    arguments: Arguments,
    /// Ends with the actor: nobody is late who is being restarted.
    beat: Beat,
}

impl Actor for LeaseKeeper {
    type Msg = KeeperMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let beat = arguments.watch.renewals(arguments.lease / PER_LEASE);
        Ok(State { arguments, beat })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        // The interval ends with the actor.
        myself.send_interval(state.arguments.lease / PER_LEASE, || KeeperMsg::Look);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            KeeperMsg::Look => {
                state.beat.tick();
                extend(&state.arguments).await;
            }
            KeeperMsg::Fault(fault) => fault.strike().await,
        }
        Ok(())
    }
}

/// Waits for the store: this thread has nothing else to do. An extension that times out is tried again at the next
/// tick.
async fn extend(state: &Arguments) {
    let due = state.leases.due();
    if due.is_empty() {
        return;
    }
    let span = Span::linked(&RENEW, Parent::None, &state.leases.links());
    telemetry::traced(span.context(), extend_all(state, &due)).await;
    span.end();
}

async fn extend_all(state: &Arguments, due: &[(SessionId, Fence)]) {
    for batch in due.chunks(BATCH) {
        let asked = tokio::time::timeout(state.lease / PER_LEASE, state.store.keep(batch)).await;
        let (mut renewed, mut lost) = (0, 0);
        for ((id, fence), answer) in batch.iter().zip(asked.unwrap_or_default()) {
            match answer {
                Ok(()) => renewed += 1,
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => {
                    lost += 1;
                    tracing::debug!(session = %id, %error, "a lease is no longer extended");
                    state.leases.lost(*id, *fence);
                }
            }
        }
        let away = (batch.len() as u64).saturating_sub(renewed + lost);
        for (outcome, many) in [("renewed", renewed), ("lost", lost), ("away", away)] {
            if many > 0 {
                LeaseRenewals { outcome }.add(many);
            }
        }
    }
}

/// The thread of the keeper. It ends when this value is dropped.
pub(crate) struct KeeperThread {
    pub(crate) runtime: tokio::runtime::Handle,
    _running: oneshot::Sender<()>,
}

impl KeeperThread {
    pub(crate) fn start() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("lease-keeper".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .map_err(|error| error.to_string())?;
        Ok(Self {
            runtime: handle,
            _running: running,
        })
    }
}
