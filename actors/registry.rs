//! Maps session ids to running session actors. `Sessions` asks the registry for a session; session supervisors report
//! each session that starts or stops.
//!
//! The registry holds a copy of what the supervisors know. After a crash it starts empty, asks all supervisors, and
//! forwards every request that it cannot answer. A wrong entry costs the caller one retry.

use std::collections::HashMap;
use std::sync::Arc;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, ActorStatus, RpcReplyPort};
use telemetry::Trace;
use tokio::sync::Semaphore;

use crate::activity::messages;
use crate::faults::{CrashPoint, Fault, Faults};
use crate::handle::ActorSlot;
use crate::ids::SessionId;
use crate::session::{SessionMsg, Start};
use crate::sessions::CallError;
use crate::supervisor::sessions::{SupervisorMsg, place_of};

pub(crate) enum RegistryMsg {
    Resolve {
        id: SessionId,
        /// The trace of the call that needs the session.
        trace: Option<Trace>,
        reply: RpcReplyPort<Result<Resolved, CallError>>,
    },
    Awake {
        id: SessionId,
        resolved: Resolved,
    },
    Gone {
        id: SessionId,
        actor: ActorId,
    },
    /// Drops all entries: some sessions may have died unreported.
    Forget,
    Fault(Fault),
}

messages!(RegistryMsg {
    Resolve => "resolve",
    Awake => "awake",
    Gone => "gone",
    Forget => "forget",
    Fault => "fault",
});

impl From<Fault> for RegistryMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A running session. Use it for one message only; the actor behind it may die at any time.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) actor: ActorRef<SessionMsg>,
    /// Bounds how many messages from outside wait for the session.
    pub(crate) admission: Arc<Semaphore>,
    /// How often the session failed by itself, and the last failure. A caller uses it to count failures during its
    /// call.
    pub(crate) failures: u32,
    pub(crate) last_failure: Option<Arc<str>>,
}

pub(crate) struct Registry;

pub(crate) struct Arguments {
    pub(crate) supervisors: Arc<[ActorSlot<SupervisorMsg>]>,
    pub(crate) faults: Faults,
}

pub(crate) struct State {
    arguments: Arguments,
    awake: HashMap<SessionId, Resolved>,
}

impl Actor for Registry {
    type Msg = RegistryMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State {
            arguments,
            awake: HashMap::new(),
        })
    }

    async fn post_start(
        &self,
        _: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        for supervisor in state.arguments.supervisors.iter() {
            supervisor.cast(SupervisorMsg::Announce);
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegistryMsg::Resolve { id, trace, reply } => {
                state.arguments.faults.pass(CrashPoint::RegistryAsked);
                state.resolve(id, trace, reply);
                state.arguments.faults.pass(CrashPoint::RegistryAnswered);
            }
            RegistryMsg::Awake { id, resolved } => {
                state.awake.insert(id, resolved);
            }
            RegistryMsg::Gone { id, actor } => {
                if state
                    .awake
                    .get(&id)
                    .is_some_and(|known| known.actor.get_id() == actor)
                {
                    state.awake.remove(&id);
                }
            }
            RegistryMsg::Forget => state
                .awake
                .retain(|_, known| known.actor.get_status() < ActorStatus::Draining),
            RegistryMsg::Fault(fault) => fault.strike().await,
        }
        Ok(())
    }
}

impl State {
    fn resolve(
        &mut self,
        id: SessionId,
        trace: Option<Trace>,
        reply: RpcReplyPort<Result<Resolved, CallError>>,
    ) {
        if let Some(known) = self.awake.get(&id) {
            if known.actor.get_status() < ActorStatus::Draining {
                let _ = reply.send(Ok(known.clone()));
                return;
            }
            self.awake.remove(&id);
        }
        // The supervisor answers the caller directly and reports to the registry.
        place_of(&self.arguments.supervisors, id).cast(SupervisorMsg::Ensure {
            id,
            start: Start::Stored,
            trace,
            reply,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::activity::{Activity, spawn};

    struct Sleeper;

    impl Actor for Sleeper {
        type Msg = SessionMsg;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ActorRef<Self::Msg>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    async fn session() -> (Resolved, std::sync::Weak<Semaphore>) {
        let (actor, _) = spawn(Sleeper, (), &Arc::new(Activity::of::<SessionMsg>()))
            .await
            .unwrap();
        let admission = Arc::new(Semaphore::new(1));
        let kept = Arc::downgrade(&admission);
        let resolved = Resolved {
            actor,
            admission,
            failures: 0,
            last_failure: None,
        };
        (resolved, kept)
    }

    /// A report that a session has stopped removes that session's entry and no other.
    #[tokio::test]
    async fn stopped_sessions_are_removed() {
        let arguments = Arguments {
            supervisors: Arc::from([ActorSlot::new("sessions:0", "session_supervisor")]),
            faults: Faults::default(),
        };
        let activity = Arc::new(Activity::of::<RegistryMsg>());
        let (registry, _) = spawn(Registry, arguments, &activity).await.unwrap();
        let id = SessionId::random();
        let (said, said_kept) = session().await;
        let (followed, followed_kept) = session().await;
        let (unsaid, unsaid_kept) = session().await;
        let awake = |id, resolved| {
            registry
                .send_message(RegistryMsg::Awake { id, resolved })
                .unwrap()
        };
        let (first, dead) = (said.actor.get_id(), unsaid.actor.clone());
        let alive = followed.actor.clone();
        awake(id, said);
        awake(SessionId::random(), unsaid);
        awake(id, followed);
        registry
            .send_message(RegistryMsg::Gone { id, actor: first })
            .unwrap();
        dead.stop_and_wait(None, None).await.unwrap();
        registry.send_message(RegistryMsg::Forget).unwrap();
        let forgotten = async {
            while said_kept.strong_count() + unsaid_kept.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let forgotten = tokio::time::timeout(Duration::from_secs(5), forgotten).await;
        assert!(
            forgotten.is_ok(),
            "{} {}",
            said_kept.strong_count(),
            unsaid_kept.strong_count()
        );
        assert_eq!(followed_kept.strong_count(), 1, "its successor is another");
        let actor = alive.get_id();
        registry
            .send_message(RegistryMsg::Gone { id, actor })
            .unwrap();
        let forgotten = async {
            while followed_kept.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let forgotten = tokio::time::timeout(Duration::from_secs(5), forgotten).await;
        assert!(forgotten.is_ok());
        alive.stop(None);
        registry.stop_and_wait(None, None).await.unwrap();
    }
}
