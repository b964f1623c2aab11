//! A session actor: messages in, effects out. Its supervisor starts it; `Sessions` sends it calls; the pool and
//! persistence send it their results.
//!
//! A crash keeps everything that the store acknowledged, the jobs in the pool's table, and the callers, who ask again
//! under the same request id. It loses replies that were not sent and changes that were not committed; the next actor
//! makes both again. A new session, a restarted one and one woken from sleep all take the same path: load, fold, go.
//!
//! A session never blocks its mailbox: the store and the pool answer with messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde_json::Value;
use telemetry::{Follower, Trace};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::activity::messages;
use crate::cache::CacheHandle;
use crate::clock::Clock;
use crate::faults::{CrashPoint, Fault};
use crate::ids::{CommitId, Principal, RequestId, SessionId};
use crate::leases::Leases;
use crate::options::Options;
use crate::persistence::{CommitOutcome, PersistenceHandle, Ticket, in_time};
use crate::pool::{Job, JobKey, News, Outcome, PoolHandle};
use crate::relay::inbox::Responder;
use crate::relay::message::HandOver;
use crate::results::ResultReader;
use crate::sessions::{CallAnswer, CallError, DurabilityLevel, SessionView};
use crate::store::{Acquired, Fence, Lost, Reached, Repaired, StoreError};
use crate::tool::{Catalogue, ProgressSink, Root, ToolOutput};

mod commits;
pub(crate) mod invariants;
mod jobs;
pub(crate) mod journal;
mod loading;
pub(crate) mod machine;
mod message;
mod repairs;
mod replies;
mod requests;
pub(crate) mod snapshot;
pub(crate) mod traces;
pub(crate) mod view;

pub(crate) use repairs::not_durable;
pub(crate) use replies::as_call_error;

use journal::{Journal, Line};
use loading::Recovering;
use machine::{Effect, Event, Finished, Machine, Rejected, Requested};
pub(crate) use message::{CallMsg, SessionMsg};
use replies::Replies;
use traces::Traces;

/// Messages that wait while the session loads.
const DEFERRED_MAX: usize = 256;
/// How long a throwaway session waits for its only call, which is already on its way when the session starts.
const THROWAWAY_WAITS: Duration = Duration::from_secs(2);
/// How long a session that cannot run stays alive to answer with the reason. After that the reason may be outdated.
const REFUSES_FOR: Duration = Duration::from_millis(200);

/// What all sessions share. It lives above them in the tree.
pub(crate) struct Surroundings {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) catalogue: Catalogue,
    pub(crate) persistence: PersistenceHandle,
    pub(crate) pool: PoolHandle,
    pub(crate) cache: CacheHandle,
    pub(crate) responder: Arc<Responder>,
    pub(crate) leases: Arc<Leases>,
    /// Cancelled at shutdown: running calls are left to the node that takes the session over.
    pub(crate) leaving: CancellationToken,
    /// Bounds how many sessions load from the store at once.
    pub(crate) loads: Semaphore,
}

/// The initial state of a session.
#[derive(Clone)]
pub(crate) enum Start {
    /// Loads it from the store.
    Stored,
    /// Starts empty, lives for one call, and never touches the store.
    Throwaway {
        principal: Principal,
        roots: Arc<[Root]>,
    },
}

pub(crate) struct Session;

pub(crate) struct Arguments {
    pub(crate) id: SessionId,
    pub(crate) start: Start,
    /// The trace of the call that needs the session.
    pub(crate) trace: Option<Trace>,
    pub(crate) around: Arc<Surroundings>,
    /// Time of the last message from a caller, ms. The supervisor reads it to find idle sessions.
    pub(crate) heard_ms: Arc<AtomicU64>,
    /// When the actor before this one died; `None`: it is the first since the session woke.
    pub(crate) died: Option<Instant>,
}

pub(crate) struct State {
    id: SessionId,
    start: Start,
    around: Arc<Surroundings>,
    heard_ms: Arc<AtomicU64>,
    recovering: Recovering,
    phase: Phase,
    replies: Replies,
    /// Outputs whose commit is at the store, and per-call parameters of jobs not yet submitted.
    outputs: HashMap<RequestId, Arc<ToolOutput>>,
    extras: HashMap<RequestId, Extras>,
    /// Tools that wait until the store holds a note of the input they work on.
    noting: HashMap<RequestId, SyncSender<()>>,
    closing: Vec<RpcReplyPort<Result<(), CallError>>>,
    traces: Traces,
    /// The fence under which the lease keeper extends the lease.
    kept: Option<Fence>,
    /// Losses whose notices are not committed yet.
    telling: Lost,
}

enum Phase {
    Loading(Vec<SessionMsg>),
    Running(Box<Journal>),
    /// The session cannot run here. It lives a moment longer to tell callers why.
    Refusing(StoreError),
}

impl Phase {
    fn journal(&self) -> Option<&Journal> {
        match self {
            Self::Running(journal) => Some(journal),
            Self::Loading(_) | Self::Refusing(_) => None,
        }
    }
}

struct Extras {
    deadline: Instant,
    cancel: CancellationToken,
    progress: ProgressSink,
}

impl Actor for Session {
    type Msg = SessionMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments {
            id,
            start,
            trace,
            around,
            heard_ms,
            died,
        } = arguments;
        heard_ms.store(around.clock.now_ms(), Ordering::Relaxed);
        Ok(State {
            id,
            start,
            around,
            heard_ms,
            recovering: Recovering::since(died),
            phase: Phase::Loading(Vec::new()),
            replies: Replies::default(),
            outputs: HashMap::new(),
            extras: HashMap::new(),
            noting: HashMap::new(),
            closing: Vec::new(),
            traces: Traces::waking(trace),
            kept: None,
            telling: Lost::default(),
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.pass(CrashPoint::SessionStarted);
        match state.start.clone() {
            Start::Throwaway { principal, roots } => {
                let now = state.around.clock.now_ms();
                let machine = Machine::new(principal, None, roots, now, 0);
                state.begin(&myself, Journal::throwaway(machine));
                // The only caller may have gone away before it sent its call.
                myself.send_after(THROWAWAY_WAITS, || SessionMsg::Rest);
            }
            Start::Stored => state.load(&myself),
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.pass(CrashPoint::SessionMessage);
        if let SessionMsg::Fault(fault) = message {
            fault.strike().await;
            return Ok(());
        }
        state.take(&myself, message);
        Ok(())
    }
}

// === messages ===

impl State {
    fn take(&mut self, myself: &ActorRef<SessionMsg>, message: SessionMsg) {
        // This node needs the session too. Refuse at once, so that the other node does not wait for the load.
        if let Phase::Loading(_) = &self.phase
            && message.is_hand_over()
        {
            busy(message);
            return;
        }
        if let Phase::Loading(waited) = &mut self.phase
            && !matches!(message, SessionMsg::Loaded(_) | SessionMsg::Rest)
        {
            // A dropped message closes its reply port, and its sender asks again.
            if waited.len() < DEFERRED_MAX {
                waited.push(message);
            }
            return;
        }
        if let SessionMsg::Traced { trace, message } = message {
            let _in = telemetry::enter(Some(trace));
            return self.take(myself, *message);
        }
        if let Phase::Refusing(error) = &self.phase {
            if let SessionMsg::Rest = message {
                myself.stop(Some("cannot run".to_owned()));
                return;
            }
            refuse(message, self.id, error);
            return;
        }
        match message {
            SessionMsg::Call(call) => self.call(myself, *call),
            SessionMsg::Cancel { request, reply } => self.cancel(myself, request, reply),
            asked @ (SessionMsg::View { .. } | SessionMsg::Touch { .. }) => {
                self.look(myself, asked);
            }
            SessionMsg::Renewed { result, asked } => self.renewed(myself, result, *asked),
            SessionMsg::Close { principal, reply } => self.close(myself, &principal, reply),
            SessionMsg::Loaded(acquired) => self.loaded(myself, *acquired),
            SessionMsg::Job { request, news } => self.job(myself, request, news),
            SessionMsg::Commit { id, fate } => self.commit_answered(myself, id, fate),
            SessionMsg::Resend { id } => self.resend(myself, id),
            SessionMsg::Deleted { result } => self.deleted(myself, result),
            SessionMsg::Repaired { result } => self.repaired(myself, result),
            SessionMsg::Rest => self.rest(myself),
            SessionMsg::HandOver { reply } => self.hand_over(myself, reply),
            SessionMsg::Reacquired { id, result } => self.reacquired(myself, id, *result),
            SessionMsg::Traced { .. } | SessionMsg::Fault(_) => {}
        }
    }
}

// === small things ===

impl State {
    fn journal(&self) -> Option<&Journal> {
        self.phase.journal()
    }

    fn owner(&self) -> Principal {
        self.journal().map_or_else(Principal::local, |journal| {
            journal.committed().principal.clone()
        })
    }

    fn key(&self, request: RequestId) -> JobKey {
        JobKey {
            session: self.id,
            request,
        }
    }

    fn now(&self) -> u64 {
        self.around.clock.now_ms()
    }

    fn heard(&self) {
        self.heard_ms.store(self.now(), Ordering::Relaxed);
    }

    fn pass(&self, point: CrashPoint) {
        self.around.options.faults.pass(point);
    }
}

fn busy(message: SessionMsg) {
    if let SessionMsg::Traced { message, .. } = message {
        busy(*message);
    } else if let SessionMsg::HandOver { reply } = message {
        let _ = reply.send(Some(HandOver::Busy));
    }
}

fn refuse(message: SessionMsg, id: SessionId, error: &StoreError) {
    let refusal = |principal: &Principal| as_call_error(id, Some(principal), error);
    match message {
        SessionMsg::Call(call) => drop(call.reply.send(Err(refusal(&call.principal)))),
        SessionMsg::View {
            principal, reply, ..
        } => drop(reply.send(Err(refusal(&principal)))),
        SessionMsg::Touch { principal, reply } | SessionMsg::Close { principal, reply } => {
            drop(reply.send(Err(refusal(&principal))));
        }
        SessionMsg::Renewed { asked, .. } => refuse(*asked, id, error),
        // A session that cannot run has no running call, so the cancellation succeeds.
        SessionMsg::Cancel { reply, .. } => drop(reply.send(())),
        SessionMsg::HandOver { reply } => drop(reply.send(None)),
        SessionMsg::Traced { message, .. } => refuse(*message, id, error),
        SessionMsg::Reacquired { .. }
        | SessionMsg::Repaired { .. }
        | SessionMsg::Loaded(_)
        | SessionMsg::Job { .. }
        | SessionMsg::Commit { .. }
        | SessionMsg::Resend { .. }
        | SessionMsg::Deleted { .. }
        | SessionMsg::Rest
        | SessionMsg::Fault(_) => {}
    }
}

/// Size as JSON, in bytes.
pub(crate) fn size_of(arguments: &Value) -> usize {
    arguments.to_string().len()
}
