//! Supervises sessions. There are several of these, and each session belongs to one by its id. No other actor spawns
//! sessions.
//!
//! A session that dies is restarted within its own budget. One that keeps failing is quarantined in the store with its
//! reason, and other sessions are not affected. When this actor dies, its sessions die too: their state is in the
//! store, their jobs are in the pool's table, and the next call starts them under the successor.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use telemetry::Trace;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::activity::{Listed, Roll, messages};
use crate::clock::jitter;
use crate::faults::{CrashPoint, Fault, INJECTED};
use crate::handle::{ActorSlot, InjectedFault};
use crate::ids::SessionId;
use crate::persistence::in_time;
use crate::registry::{RegistryMsg, Resolved};
use crate::relay::message::HandOver;
use crate::restart::{Budget, Death, Policy, Verdict};
use crate::session::{self, Session, SessionMsg, Start, Surroundings};
use crate::sessions::CallError;
use crate::status::{ActorStatus, Doing};
use crate::store::StoreError;

mod ending;
mod starting;

/// Callers that wait for one session to restart.
const WAITERS_MAX: usize = 256;
/// Idle sessions are looked for this many times within the idle timeout.
const TICKS_PER_IDLE: u32 = 10;
/// Shortest interval between two checks.
const TICK_MIN: Duration = Duration::from_millis(50);
/// Sessions shown in the status: the newest ones only, to keep it readable.
const SHOWN_MAX: usize = 64;
/// Quarantined sessions remembered for the status; the store has the full list.
const QUARANTINED_MAX: usize = 64;

pub(crate) enum SupervisorMsg {
    Ensure {
        id: SessionId,
        start: Start,
        /// The trace of the call that needs the session.
        trace: Option<Trace>,
        reply: RpcReplyPort<Result<Resolved, CallError>>,
    },
    Restart {
        id: SessionId,
    },
    /// The store's answer to a quarantine.
    Quarantined {
        id: SessionId,
        result: Result<(), StoreError>,
    },
    /// Reports every running session to the registry.
    Announce,
    Tick,
    InjectedFault {
        id: SessionId,
        strike: InjectedFault,
        reply: RpcReplyPort<bool>,
    },
    Status {
        reply: RpcReplyPort<SupervisorStatus>,
    },
    /// Another node asks for a session. `None`: it has no actor here.
    HandOver {
        id: SessionId,
        /// The trace of who asks.
        trace: Option<Trace>,
        reply: RpcReplyPort<Option<HandOver>>,
    },
    /// Stored sessions with an actor on this node.
    Awake {
        reply: RpcReplyPort<Vec<SessionId>>,
    },
    Fault(Fault),
}

messages!(SupervisorMsg {
    Ensure => "ensure",
    Restart => "restart",
    Quarantined => "quarantined",
    Announce => "announce",
    Tick => "tick",
    InjectedFault => "injected_fault",
    Status => "status",
    HandOver => "hand_over",
    Awake => "awake",
    Fault => "fault",
});

impl From<Fault> for SupervisorMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) struct SupervisorStatus {
    pub(crate) sessions: Vec<ActorStatus>,
    pub(crate) awake: u64,
    pub(crate) quarantined: u64,
}

/// The supervisor that a session belongs to.
pub(crate) fn place_of(
    supervisors: &[ActorSlot<SupervisorMsg>],
    id: SessionId,
) -> &ActorSlot<SupervisorMsg> {
    let count = supervisors.len() as u128;
    &supervisors[usize::try_from(id.as_u128() % count).unwrap_or(0)]
}

pub(crate) struct SessionSupervisor;

pub(crate) struct Arguments {
    pub(crate) roll: Arc<Roll>,
    pub(crate) registry: ActorSlot<RegistryMsg>,
    pub(crate) around: Arc<Surroundings>,
    /// Shared by all supervisors.
    pub(crate) awake: Arc<Semaphore>,
}

pub(crate) struct State {
    arguments: Arguments,
    children: HashMap<SessionId, Child>,
    by_actor: HashMap<ActorId, SessionId>,
    quarantined: u64,
}

struct Child {
    start: Start,
    /// The trace of the call that waits for the session to start.
    trace: Option<Trace>,
    budget: Budget,
    phase: Phase,
    admission: Arc<Semaphore>,
    heard_ms: Arc<AtomicU64>,
    failures: u32,
    last_failure: Option<Arc<str>>,
    /// When its actor died, until a successor has started.
    died: Option<Instant>,
    since_ms: u64,
    listed: Listed,
}

enum Phase {
    Awake {
        actor: ActorRef<SessionMsg>,
        _room: OwnedSemaphorePermit,
    },
    Restarting {
        waiters: Vec<RpcReplyPort<Result<Resolved, CallError>>>,
        room: Option<OwnedSemaphorePermit>,
    },
    Quarantined {
        stored: bool,
    },
}

impl Actor for SessionSupervisor {
    type Msg = SupervisorMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State {
            arguments,
            children: HashMap::new(),
            by_actor: HashMap::new(),
            quarantined: 0,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let every = (state.arguments.around.options.idle_after / TICKS_PER_IDLE).max(TICK_MIN);
        // The sessions of a crashed predecessor died with it and were never reported.
        state.arguments.registry.cast(RegistryMsg::Forget);
        // The interval ends with the actor.
        myself.send_interval(every, || SupervisorMsg::Tick);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMsg::Ensure {
                id,
                start,
                trace,
                reply,
            } => {
                state.pass(CrashPoint::SupervisorAsked);
                state.ensure(&myself, id, start, trace, reply).await;
            }
            SupervisorMsg::Restart { id } => state.restart(&myself, id).await,
            SupervisorMsg::Quarantined { id, result } => state.quarantine_stored(id, &result),
            SupervisorMsg::Announce => state
                .children
                .iter()
                .for_each(|(id, child)| state.announce(*id, child)),
            SupervisorMsg::Tick => state.tick(&myself),
            SupervisorMsg::InjectedFault { id, strike, reply } => {
                drop(reply.send(state.strike(id, strike)))
            }
            SupervisorMsg::Status { reply } => drop(reply.send(state.status())),
            SupervisorMsg::HandOver { id, trace, reply } => state.hand_over(id, trace, reply),
            SupervisorMsg::Awake { reply } => drop(reply.send(state.awake())),
            SupervisorMsg::Fault(fault) => fault.strike().await,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, error) => {
                let cause = error.to_string();
                let death = if cause.contains(INJECTED) {
                    Death::Outside
                } else {
                    Death::Failure
                };
                state.died(&myself, cell.get_id(), death, &cause);
            }
            SupervisionEvent::ActorTerminated(cell, _, reason) => match reason.as_deref() {
                Some("killed") => state.died(&myself, cell.get_id(), Death::Outside, "killed"),
                _ => state.gone(cell.get_id()),
            },
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

// === showing ===

impl State {
    fn status(&self) -> SupervisorStatus {
        let mut children: Vec<_> = self.children.iter().collect();
        children.sort_by_key(|(id, child)| (std::cmp::Reverse(child.since_ms), **id));
        let awake = children
            .iter()
            .filter(|(_, child)| matches!(child.phase, Phase::Awake { .. }))
            .count();
        let sessions = children
            .into_iter()
            .take(SHOWN_MAX)
            .map(|(id, child)| self.status_of(*id, child))
            .collect();
        SupervisorStatus {
            sessions,
            awake: awake as u64,
            quarantined: self.quarantined,
        }
    }

    fn status_of(&self, id: SessionId, child: &Child) -> ActorStatus {
        let waiting =
            self.arguments.around.options.session_mailbox - child.admission.available_permits();
        ActorStatus {
            name: format!("session:{id}"),
            kind: "session",
            status: match child.phase {
                Phase::Awake { .. } => "running",
                Phase::Restarting { .. } => "restarting",
                Phase::Quarantined { .. } => "quarantined",
            },
            restarts: child.budget.restarts(),
            last_failure: child.last_failure.as_deref().map(str::to_owned),
            since_ms: child.since_ms,
            doing: Doing {
                mailbox: waiting,
                ..Doing::of(&child.listed.activity)
            },
            children: Vec::new(),
        }
    }

    fn now(&self) -> u64 {
        self.arguments.around.clock.now_ms()
    }

    fn pass(&self, point: CrashPoint) {
        self.arguments.around.options.faults.pass(point);
    }
}

impl Child {
    fn resolved(&self) -> Option<Resolved> {
        let Phase::Awake { actor, .. } = &self.phase else {
            return None;
        };
        Some(Resolved {
            actor: actor.clone(),
            admission: Arc::clone(&self.admission),
            failures: self.failures,
            last_failure: self.last_failure.clone(),
        })
    }
}
