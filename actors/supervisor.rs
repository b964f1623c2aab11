//! The root of the tree. It starts and restarts the store's supervisor, the session supervisors, the registry, the
//! cache and the pool. When it fails or dies, [`Tree::failed`] reports it, and the process should end.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::watch;

use crate::cache::{self, Cache, CacheMsg};
use crate::clock::{Clock, jitter};
use crate::faults::Fault;
use crate::handle::{ActorSlot, AnyActorSlot};
use crate::leases::{KeeperMsg, KeeperThread};
use crate::pool::{self, Pool, PoolMsg};
use crate::registry::{self, Registry, RegistryMsg};
use crate::relay::inbox::{self, Inbox, InboxMsg};
use crate::restart::{Budget, Death, Policy, Verdict};
use crate::session::Surroundings;
use crate::status::ActorStatus;
use crate::supervisor::children::{Care, Children, Spec};
use crate::supervisor::sessions::{SessionSupervisor, SupervisorMsg};
use crate::supervisor::store::{StoreSupervisor, StoreSupervisorMsg};

pub(crate) mod children;
pub(crate) mod sessions;
pub(crate) mod store;

pub(crate) enum RootMsg {
    Restart(usize),
    Status(RpcReplyPort<Vec<ActorStatus>>),
    Fault(Fault),
}

impl From<Fault> for RootMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The places of all fixed actors. They exist before the tree starts, so that each actor can be given the others'
/// places.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) root: ActorSlot<RootMsg>,
    pub(crate) store: ActorSlot<StoreSupervisorMsg>,
    pub(crate) shards: Arc<[ActorSlot<crate::persistence::PersistenceMsg>]>,
    pub(crate) registry: ActorSlot<RegistryMsg>,
    pub(crate) cache: ActorSlot<CacheMsg>,
    pub(crate) pool: ActorSlot<PoolMsg>,
    pub(crate) inbox: ActorSlot<InboxMsg>,
    pub(crate) keeper: ActorSlot<KeeperMsg>,
    pub(crate) supervisors: Arc<[ActorSlot<SupervisorMsg>]>,
    /// Set once, when the tree has failed for good.
    pub(crate) failed: Arc<watch::Sender<Option<String>>>,
}

impl Places {
    pub(crate) fn new(shards: usize, supervisors: usize) -> Self {
        Self {
            root: ActorSlot::default(),
            store: ActorSlot::default(),
            shards: (0..shards.max(1)).map(|_| ActorSlot::default()).collect(),
            registry: ActorSlot::default(),
            cache: ActorSlot::default(),
            pool: ActorSlot::default(),
            inbox: ActorSlot::default(),
            keeper: ActorSlot::default(),
            supervisors: (0..supervisors.max(1))
                .map(|_| ActorSlot::default())
                .collect(),
            failed: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Finds a place by the name shown in the status.
    pub(crate) fn find(&self, name: &str) -> Option<&dyn AnyActorSlot> {
        fn nth<'a, M>(places: &'a [ActorSlot<M>], index: &str) -> Option<&'a dyn AnyActorSlot>
        where
            ActorSlot<M>: AnyActorSlot,
        {
            places
                .get(index.parse::<usize>().ok()?)
                .map(|place| place as &dyn AnyActorSlot)
        }
        match name.split_once(':') {
            None => match name {
                "root" => Some(&self.root),
                "store" => Some(&self.store),
                "registry" => Some(&self.registry),
                "cache" => Some(&self.cache),
                "pool" => Some(&self.pool),
                "inbox" => Some(&self.inbox),
                "leases" => Some(&self.keeper),
                _ => None,
            },
            Some(("persistence", index)) => nth(&self.shards, index),
            Some(("sessions", index)) => nth(&self.supervisors, index),
            Some(_) => None,
        }
    }
}

pub(crate) struct Root;

pub(crate) struct Arguments {
    pub(crate) places: Places,
    pub(crate) around: Arc<Surroundings>,
    /// Set if other nodes share the store.
    pub(crate) keeper: Option<Arc<KeeperThread>>,
}

pub(crate) struct State {
    places: Places,
    children: Children,
    escalations: Budget,
    clock: Clock,
}

impl Actor for Root {
    type Msg = RootMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments {
            places,
            around,
            keeper,
        } = arguments;
        let clock = around.clock;
        let mut children = Children::new(clock, specs(&places, &around, keeper));
        children.start_all(&myself.get_cell()).await?;
        places.root.put(myself);
        Ok(State {
            places,
            children,
            escalations: Budget::new(Policy::ROOT),
            clock,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.places.root.taken_up();
        match message {
            RootMsg::Restart(child) => {
                if let Err(cause) = state.children.start(child, &myself.get_cell()).await {
                    let care = state.children.start_failed(child, cause);
                    take_care(&myself, state, care);
                }
            }
            RootMsg::Status(reply) => drop(reply.send(state.children.status())),
            RootMsg::Fault(fault) => fault.strike().await,
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
        take_care(&myself, state, care);
        Ok(())
    }
}

fn take_care(myself: &ActorRef<RootMsg>, state: &mut State, care: Care) {
    match care {
        Care::Nothing => {}
        Care::Restart { child, after } => {
            myself.send_after(after, move || RootMsg::Restart(child));
        }
        Care::GiveUp { child, cause } => {
            let name = state.children.name(child).to_owned();
            tracing::error!(actor = %name, cause, "an actor keeps failing");
            match state
                .escalations
                .record(Death::Failure, state.clock.now_ms(), jitter())
            {
                Verdict::Restart { after } => {
                    state.children.forgive(child);
                    myself.send_after(after, move || RootMsg::Restart(child));
                }
                Verdict::GiveUp => {
                    state
                        .places
                        .failed
                        .send_replace(Some(format!("{name} keeps failing: {cause}")));
                    myself.stop(Some("too many failures".to_owned()));
                }
            }
        }
    }
}

// === the children ===

/// The children in start order: each can reach the ones before it.
fn specs(
    places: &Places,
    around: &Arc<Surroundings>,
    keeper: Option<Arc<KeeperThread>>,
) -> Vec<Spec> {
    let mut specs = vec![store(places, around, keeper)];
    // Shared by all session supervisors, so it must hold as many permits as the node may have sessions awake.
    let awake = Arc::new(tokio::sync::Semaphore::new(around.options.sessions_awake));
    for (index, place) in places.supervisors.iter().enumerate() {
        let (around, awake, registry) = (
            Arc::clone(around),
            Arc::clone(&awake),
            places.registry.clone(),
        );
        specs.push(spec(
            format!("sessions:{index}"),
            "session_supervisor",
            Policy::SESSION_SUPERVISOR,
            place,
            move |place| {
                let arguments = sessions::Arguments {
                    place,
                    registry: registry.clone(),
                    around: Arc::clone(&around),
                    awake: Arc::clone(&awake),
                };
                (SessionSupervisor, arguments)
            },
        ));
    }
    let (supervisors, faults) = (
        Arc::clone(&places.supervisors),
        around.options.faults.clone(),
    );
    specs.push(spec(
        "registry".to_owned(),
        "registry",
        Policy::REGISTRY,
        &places.registry,
        move |place| {
            (
                Registry,
                registry::Arguments {
                    place,
                    supervisors: Arc::clone(&supervisors),
                    faults: faults.clone(),
                },
            )
        },
    ));
    let (bytes, faults) = (around.options.cache_bytes, around.options.faults.clone());
    specs.push(spec(
        "cache".to_owned(),
        "cache",
        Policy::CACHE,
        &places.cache,
        move |place| {
            (
                Cache,
                cache::Arguments {
                    bytes,
                    place,
                    faults: faults.clone(),
                },
            )
        },
    ));
    let (table, faults) = (
        Arc::clone(&around.pool.table),
        around.options.faults.clone(),
    );
    specs.push(spec(
        "pool".to_owned(),
        "pool",
        Policy::POOL,
        &places.pool,
        move |place| {
            (
                Pool,
                pool::Arguments {
                    table: Arc::clone(&table),
                    place,
                    faults: faults.clone(),
                },
            )
        },
    ));
    if around.responder.neighbours.relay().is_some() {
        let (responder, faults) = (Arc::clone(&around.responder), around.options.faults.clone());
        specs.push(spec(
            "inbox".to_owned(),
            "inbox",
            Policy::INBOX,
            &places.inbox,
            move |place| {
                (
                    Inbox,
                    inbox::Arguments {
                        responder: Arc::clone(&responder),
                        place,
                        faults: faults.clone(),
                    },
                )
            },
        ));
    }
    specs
}

fn store(places: &Places, around: &Arc<Surroundings>, keeper: Option<Arc<KeeperThread>>) -> Spec {
    let (around, shards) = (Arc::clone(around), Arc::clone(&places.shards));
    let keeper_place = places.keeper.clone();
    spec(
        "store".to_owned(),
        "store_supervisor",
        Policy::STORE,
        &places.store,
        move |place| {
            let arguments = store::Arguments {
                place,
                store: Arc::clone(&around.persistence.store),
                shards: Arc::clone(&shards),
                clock: around.clock,
                faults: around.options.faults.clone(),
                leases: Arc::clone(&around.leases),
                lease: around.options.lease,
                keeper: keeper.clone(),
                keeper_place: keeper_place.clone(),
            };
            (StoreSupervisor, arguments)
        },
    )
}

fn spec<A>(
    name: String,
    kind: &'static str,
    policy: Policy,
    place: &ActorSlot<A::Msg>,
    make: impl Fn(ActorSlot<A::Msg>) -> (A, A::Arguments) + Send + Sync + 'static,
) -> Spec
where
    A: Actor,
    A::Msg: From<Fault>,
{
    let own = place.clone();
    Spec {
        name,
        kind,
        policy,
        place: Box::new(place.clone()),
        spawn: Box::new(move |supervisor| {
            let place = own.clone();
            let (actor, arguments) = make(place.clone());
            Box::pin(async move {
                let spawned = Actor::spawn_linked(None, actor, arguments, supervisor).await;
                let (actor, _) = spawned.map_err(|error| error.to_string())?;
                let cell = actor.get_cell();
                place.put(actor);
                Ok(cell)
            })
        }),
    }
}
