//! The root of the tree. It starts and restarts the store's supervisor, the session supervisors, the registry, the
//! cache and the pool. When it fails or dies, [`Tree::failed`] reports it, and the process should end.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::watch;

use crate::activity::{Named, Roll, messages, spawn_under};
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
use crate::watch::Watch;

pub(crate) mod children;
pub(crate) mod sessions;
pub(crate) mod store;

pub(crate) enum RootMsg {
    Restart(usize),
    Status(RpcReplyPort<Vec<ActorStatus>>),
    Fault(Fault),
}

messages!(RootMsg {
    Restart => "restart",
    Status => "status",
    Fault => "fault",
});

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
    /// The sessions that have an actor.
    pub(crate) roll: Arc<Roll>,
    /// Set once, when the tree has failed for good.
    pub(crate) failed: Arc<watch::Sender<Option<String>>>,
}

impl Places {
    pub(crate) fn new(shards: usize, supervisors: usize) -> Self {
        let shard = |index| ActorSlot::new(format!("persistence:{index}"), "persistence");
        let supervisor = |index| ActorSlot::new(format!("sessions:{index}"), "session_supervisor");
        Self {
            root: ActorSlot::new("root", "root"),
            store: ActorSlot::new("store", "store_supervisor"),
            shards: (0..shards.max(1)).map(shard).collect(),
            registry: ActorSlot::new("registry", "registry"),
            cache: ActorSlot::new("cache", "cache"),
            pool: ActorSlot::new("pool", "pool"),
            inbox: ActorSlot::new("inbox", "inbox"),
            keeper: ActorSlot::new("leases", "lease_keeper"),
            supervisors: (0..supervisors.max(1)).map(supervisor).collect(),
            roll: Arc::default(),
            failed: Arc::new(watch::Sender::new(None)),
        }
    }

    /// The places of all actors but sessions.
    pub(crate) fn all(&self) -> impl Iterator<Item = &dyn AnyActorSlot> {
        let single: [&dyn AnyActorSlot; 7] = [
            &self.root,
            &self.store,
            &self.registry,
            &self.cache,
            &self.pool,
            &self.inbox,
            &self.keeper,
        ];
        let shards = self.shards.iter().map(|place| place as &dyn AnyActorSlot);
        let supervisors = self
            .supervisors
            .iter()
            .map(|place| place as &dyn AnyActorSlot);
        single.into_iter().chain(shards).chain(supervisors)
    }

    /// Finds a place by the name shown in the status.
    pub(crate) fn find(&self, name: &str) -> Option<&dyn AnyActorSlot> {
        self.all().find(|place| &**place.name() == name)
    }
}

pub(crate) struct Root;

pub(crate) struct Arguments {
    pub(crate) places: Places,
    pub(crate) around: Arc<Surroundings>,
    /// Set if other nodes share the store.
    pub(crate) keeper: Option<Arc<KeeperThread>>,
    pub(crate) watch: Arc<Watch>,
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
            watch,
        } = arguments;
        let clock = around.clock;
        let mut children = Children::new(clock, specs(&places, &around, keeper, watch));
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
            match state
                .escalations
                .record(Death::Failure, state.clock.now_ms(), jitter())
            {
                Verdict::Restart { after } => {
                    tracing::error!(actor = %name, cause, "an actor keeps failing: it is started once more");
                    state.children.forgive(child);
                    myself.send_after(after, move || RootMsg::Restart(child));
                }
                Verdict::GiveUp => {
                    tracing::error!(actor = %name, cause, "an actor keeps failing: the process ends and must be restarted");
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
    watch: Arc<Watch>,
) -> Vec<Spec> {
    let mut specs = vec![store(places, around, keeper, watch)];
    // Shared by all session supervisors, so it must hold as many permits as the node may have sessions awake.
    let awake = Arc::new(tokio::sync::Semaphore::new(around.options.sessions_awake));
    for place in places.supervisors.iter() {
        let (around, awake, registry, roll) = (
            Arc::clone(around),
            Arc::clone(&awake),
            places.registry.clone(),
            Arc::clone(&places.roll),
        );
        specs.push(spec(Policy::SESSION_SUPERVISOR, place, move || {
            let arguments = sessions::Arguments {
                roll: Arc::clone(&roll),
                registry: registry.clone(),
                around: Arc::clone(&around),
                awake: Arc::clone(&awake),
            };
            (SessionSupervisor, arguments)
        }));
    }
    let (supervisors, faults) = (
        Arc::clone(&places.supervisors),
        around.options.faults.clone(),
    );
    specs.push(spec(Policy::REGISTRY, &places.registry, move || {
        (
            Registry,
            registry::Arguments {
                supervisors: Arc::clone(&supervisors),
                faults: faults.clone(),
            },
        )
    }));
    let (bytes, weight, faults) = (
        around.options.cache_bytes,
        around.cache.weight(),
        around.options.faults.clone(),
    );
    specs.push(spec(Policy::CACHE, &places.cache, move || {
        (
            Cache,
            cache::Arguments {
                bytes,
                weight: Arc::clone(&weight),
                faults: faults.clone(),
            },
        )
    }));
    let (table, place, faults) = (
        Arc::clone(&around.pool.table),
        places.pool.clone(),
        around.options.faults.clone(),
    );
    specs.push(spec(Policy::POOL, &places.pool, move || {
        (
            Pool,
            pool::Arguments {
                table: Arc::clone(&table),
                place: place.clone(),
                faults: faults.clone(),
            },
        )
    }));
    if around.responder.neighbours.relay().is_some() {
        let (responder, faults) = (Arc::clone(&around.responder), around.options.faults.clone());
        specs.push(spec(Policy::INBOX, &places.inbox, move || {
            (
                Inbox,
                inbox::Arguments {
                    responder: Arc::clone(&responder),
                    faults: faults.clone(),
                },
            )
        }));
    }
    specs
}

fn store(
    places: &Places,
    around: &Arc<Surroundings>,
    keeper: Option<Arc<KeeperThread>>,
    watch: Arc<Watch>,
) -> Spec {
    let (around, shards) = (Arc::clone(around), Arc::clone(&places.shards));
    let keeper_place = places.keeper.clone();
    spec(Policy::STORE, &places.store, move || {
        let arguments = store::Arguments {
            store: Arc::clone(&around.persistence.store),
            shards: Arc::clone(&shards),
            clock: around.clock,
            faults: around.options.faults.clone(),
            leases: Arc::clone(&around.leases),
            lease: around.options.lease,
            keeper: keeper.clone(),
            watch: Arc::clone(&watch),
            keeper_place: keeper_place.clone(),
        };
        (StoreSupervisor, arguments)
    })
}

fn spec<A>(
    policy: Policy,
    place: &ActorSlot<A::Msg>,
    make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
) -> Spec
where
    A: Actor,
    A::Msg: From<Fault> + Named,
{
    let own = place.clone();
    Spec {
        policy,
        place: Box::new(place.clone()),
        spawn: Box::new(move |supervisor| {
            let place = own.clone();
            let (actor, arguments) = make();
            Box::pin(async move {
                let activity = Arc::clone(place.activity());
                let spawned = spawn_under(actor, arguments, activity, supervisor).await;
                let actor = spawned.map_err(|error| error.to_string())?;
                let cell = actor.get_cell();
                place.put(actor);
                Ok(cell)
            })
        }),
    }
}
