//! Supervises the persistence actors and the lease keeper. When it dies they die with it. The store lives above the
//! tree, and sessions send their commits again.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

use super::children::{Care, Children, ESCALATED, Spec};
use crate::activity::{messages, spawn_under};
use crate::clock::Clock;
use crate::faults::{Fault, Faults};
use crate::handle::ActorSlot;
use crate::leases::{self, KeeperMsg, KeeperThread, LeaseKeeper, Leases};
use crate::persistence::{self, Persistence, PersistenceMsg};
use crate::restart::Policy;
use crate::status::ActorStatus;
use crate::store::Store;
use crate::watch::Watch;

/// Interval of deleting expired sessions, for stores that do not expire keys themselves.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

pub(crate) enum StoreSupervisorMsg {
    Restart(usize),
    Status(RpcReplyPort<Vec<ActorStatus>>),
    Fault(Fault),
}

messages!(StoreSupervisorMsg {
    Restart => "restart",
    Status => "status",
    Fault => "fault",
});

impl From<Fault> for StoreSupervisorMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) struct StoreSupervisor;

pub(crate) struct Arguments {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) shards: Arc<[ActorSlot<PersistenceMsg>]>,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) leases: Arc<Leases>,
    pub(crate) lease: Duration,
    /// `None`: no other node shares the store, so no lease needs extending.
    pub(crate) keeper: Option<Arc<KeeperThread>>,
    pub(crate) keeper_place: ActorSlot<KeeperMsg>,
    pub(crate) watch: Arc<Watch>,
}

pub(crate) struct State {
    children: Children,
}

impl Actor for StoreSupervisor {
    type Msg = StoreSupervisorMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let shards = arguments.shards.iter().enumerate();
        let mut specs: Vec<Spec> = shards
            .map(|(index, place)| shard(index, place, &arguments))
            .collect();
        specs.extend(keeper(&arguments));
        let mut children = Children::new(arguments.clock, specs);
        children.start_all(&myself.get_cell()).await?;
        Ok(State { children })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            StoreSupervisorMsg::Restart(child) => {
                if let Err(cause) = state.children.start(child, &myself.get_cell()).await {
                    let care = state.children.start_failed(child, cause);
                    take_care(&myself, state, care)?;
                }
            }
            StoreSupervisorMsg::Status(reply) => drop(reply.send(state.children.status())),
            StoreSupervisorMsg::Fault(fault) => fault.strike().await,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let care = state.children.care_for(&event);
        take_care(&myself, state, care)
    }
}

fn take_care(
    myself: &ActorRef<StoreSupervisorMsg>,
    state: &State,
    care: Care,
) -> Result<(), ActorProcessingErr> {
    match care {
        Care::Nothing => Ok(()),
        Care::Restart { child, after } => {
            myself.send_after(after, move || StoreSupervisorMsg::Restart(child));
            Ok(())
        }
        Care::GiveUp { child, cause } => {
            Err(format!("{ESCALATED} {}: {cause}", state.children.name(child)).into())
        }
    }
}

fn shard(index: usize, place: &ActorSlot<PersistenceMsg>, arguments: &Arguments) -> Spec {
    let (store, faults) = (Arc::clone(&arguments.store), arguments.faults.clone());
    let own = place.clone();
    Spec {
        policy: Policy::PERSISTENCE,
        place: Box::new(place.clone()),
        spawn: Box::new(move |supervisor| {
            let place = own.clone();
            let arguments = persistence::Arguments {
                store: Arc::clone(&store),
                faults: faults.clone(),
            };
            Box::pin(async move {
                let activity = Arc::clone(place.activity());
                let spawned = spawn_under(Persistence, arguments, activity, supervisor).await;
                let actor = spawned.map_err(|error| error.to_string())?;
                if index == 0 {
                    // The interval ends with the actor.
                    actor.send_interval(SWEEP_EVERY, || PersistenceMsg::Sweep);
                }
                let cell = actor.get_cell();
                place.put(actor);
                Ok(cell)
            })
        }),
    }
}

/// The lease keeper runs on its own thread, but is supervised from here like the other children.
fn keeper(arguments: &Arguments) -> Option<Spec> {
    let thread = arguments.keeper.clone()?;
    let (store, leases, lease) = (
        Arc::clone(&arguments.store),
        Arc::clone(&arguments.leases),
        arguments.lease,
    );
    let (own, watch) = (arguments.keeper_place.clone(), Arc::clone(&arguments.watch));
    Some(Spec {
        policy: Policy::LEASE_KEEPER,
        place: Box::new(own.clone()),
        spawn: Box::new(move |supervisor| {
            let (place, thread) = (own.clone(), Arc::clone(&thread));
            let arguments = leases::Arguments {
                leases: Arc::clone(&leases),
                store: Arc::clone(&store),
                lease,
                watch: Arc::clone(&watch),
            };
            Box::pin(async move {
                let activity = Arc::clone(place.activity());
                let start = spawn_under(LeaseKeeper, arguments, activity, supervisor);
                let started = thread.runtime.spawn(start).await;
                let started = started.map_err(|error| error.to_string())?;
                let actor = started.map_err(|error| error.to_string())?;
                let cell = actor.get_cell();
                place.put(actor);
                Ok(cell)
            })
        }),
    })
}
