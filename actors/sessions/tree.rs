//! Starts the tree, injects failures into it, and stops it.

use super::*;
use crate::activity;
use crate::cache::{CacheHandle, SecondLevel, Shared};
use crate::connections::{ConnectionStore, Connections};
use crate::heartbeat::{self, Announcement};
use crate::ids::NodeId;
use crate::leases::KeeperThread;
use crate::persistence::PersistenceHandle;
use crate::pool::{PoolHandle, Table};
use crate::relay::Relay;
use crate::relay::inbox::Responder;
use crate::relay::message::HandOver;
use crate::relay::neighbours::Neighbours;
use crate::relay::peers::{OverRelay, Roster};
use crate::supervisor::{self, Root};
use crate::watch::Watch;

/// Longest wait for handing over sessions at shutdown. Other nodes get the remaining ones when their leases end.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(5);
/// Sessions handed over at once; more would make the other nodes load too many at the same time.
const GIVE_UP_AT_ONCE: usize = 32;
/// Pause before a busy session is asked again.
const GIVE_UP_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// Longest wait for the tree to stop. Its actors have no work left at this point.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The storage and transports under the tree; they outlive it.
pub struct Backing {
    pub store: Arc<dyn Store>,
    /// Connects the nodes that share the store; `None` on a single node.
    pub relay: Option<Arc<dyn Relay>>,
    /// The cache level shared by these nodes.
    pub shared_cache: Option<Shared>,
    /// The store of transport sessions, shared so that each node finds those of the others.
    pub connections: Option<Arc<dyn ConnectionStore>>,
}

impl Backing {
    /// A store used by this node only.
    pub fn alone(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            relay: None,
            shared_cache: None,
            connections: None,
        }
    }
}

impl Sessions {
    /// Starts the supervision tree. Must run inside a tokio runtime. The error says which actor did not start.
    pub async fn start(
        options: Options,
        store: Arc<dyn Store>,
        catalogue: Catalogue,
    ) -> Result<Self, String> {
        Self::start_at(options, Backing::alone(store), catalogue, Clock::system()).await
    }

    /// As [`Sessions::start`], with the given clock, which must be the clock of the store.
    pub async fn start_at(
        options: Options,
        backing: Backing,
        catalogue: Catalogue,
        clock: Clock,
    ) -> Result<Self, String> {
        let places = Places::new(options.persistence_shards, options.session_supervisors);
        let table = Arc::new(Table::new(
            options.pool_workers.max(1),
            options.pool_queue,
            options.pool_outcomes,
        ));
        let neighbours = Arc::new(Neighbours::new(options.node, backing.relay));
        // No other node can take over a session if the store is not shared.
        let shared = neighbours.relay().is_some();
        if shared {
            let peers = OverRelay(Arc::clone(&neighbours));
            backing.store.meet(Arc::new(peers));
        }
        let watch = Watch::new(clock);
        let keeper = shared.then(KeeperThread::start).transpose()?.map(Arc::new);
        let in_flight = Arc::new(Semaphore::new(options.calls_in_flight));
        let around = Arc::new(Surroundings {
            clock,
            catalogue,
            persistence: PersistenceHandle::new(backing.store, Arc::clone(&places.shards)),
            pool: PoolHandle {
                place: places.pool.clone(),
                table,
            },
            cache: CacheHandle::new(places.cache.clone())
                .with_second_level(backing.shared_cache.map(SecondLevel::new)),
            responder: Arc::new(Responder::new(options.node, neighbours)),
            leases: Arc::default(),
            leaving: CancellationToken::new(),
            loads: Semaphore::new(options.loads_at_once.max(1)),
            options,
        });
        let arguments = supervisor::Arguments {
            places: places.clone(),
            around: Arc::clone(&around),
            keeper: keeper.clone(),
            watch: Arc::clone(&watch),
        };
        let stopped = CancellationToken::new();
        let watching = watch.start(&places, stopped.clone())?;
        let (_, ended) = activity::spawn(Root, arguments, places.root.activity())
            .await
            .map_err(|error| error.to_string())?;
        let failed = Arc::clone(&places.failed);
        tokio::spawn(async move {
            let _ = ended.await;
            failed.send_if_modified(|failed| {
                let first = failed.is_none();
                failed.get_or_insert_with(|| "the root supervisor ended".to_owned());
                first
            });
        });
        let connections = Connections::new(
            around.options.connections,
            backing.connections,
            Arc::clone(&around.persistence.store),
            Arc::clone(&around.responder.neighbours),
            clock,
        );
        let inner = Arc::new(Inner {
            connections,
            usages: usage::Usages::default(),
            started_ms: around.clock.now_ms(),
            around,
            places,
            started: Instant::now(),
            in_flight,
            draining: CancellationToken::new(),
            stopped,
            watch,
            _watching: watching,
            _keeper: keeper,
        });
        let _ = inner
            .around
            .responder
            .sessions
            .set(WeakSessions(Arc::downgrade(&inner)));
        let sessions = Self(inner);
        heartbeat::start(&sessions);
        Ok(sessions)
    }

    /// Waits until the tree has failed for good and returns the reason. The process should then end and be restarted.
    pub async fn failed(&self) -> String {
        let mut failed = self.0.places.failed.subscribe();
        match failed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the tree is gone".to_owned(),
        }
    }

    /// Stops waiting for running calls: their callers get [`CallError::ShuttingDown`]. The calls continue, and
    /// their outcomes are recorded. [`Sessions::shutdown`] hands over the sessions of calls that still run, and the
    /// node that takes a session over runs its calls again.
    pub fn leave(&self) {
        self.0.draining.cancel();
        self.0.around.leaving.cancel();
    }

    /// Cancelled by [`Sessions::leave`].
    pub fn leaving(&self) -> CancellationToken {
        self.0.around.leaving.clone()
    }

    /// Refuses new calls and gives running ones `grace` to finish. Then it hands over all sessions, so that other nodes
    /// can take them over without waiting, and stops every actor.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.draining.cancel();
        let all = self.0.around.options.calls_in_flight;
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        // Acquiring every permit waits until all running calls have ended.
        let quiet = Arc::clone(&self.0.in_flight).acquire_many_owned(all);
        let quiet = tokio::time::timeout(grace, quiet);
        let (quiet, ()) = tokio::join!(quiet, heartbeat::farewell(self));
        self.0.in_flight.close();
        drop(quiet);
        self.leave();
        if self.0.around.responder.neighbours.relay().is_some() {
            let _ = tokio::time::timeout(GIVE_UP_WITHIN, self.give_all_up()).await;
        }
        // Stops the jobs of throwaway sessions and of sessions that no node has taken over.
        self.0.around.pool.table.stop_all();
        let kept = self.store().health().sheltered;
        if kept.changes > 0 {
            tracing::error!(
                changes = kept.changes,
                sessions = kept.sessions,
                "answers that were reported as not durable are lost: the store is down"
            );
        }
        if let Some(root) = self.0.places.root.current() {
            let _ = root
                .stop_and_wait(Some("shutdown".to_owned()), Some(STOP_WITHIN))
                .await;
        }
        self.0.stopped.cancel();
        self.0.connections.stop();
    }

    /// Hands over all sessions.
    async fn give_all_up(&self) {
        loop {
            let mut awake = Vec::new();
            for supervisor in self.0.places.supervisors.iter() {
                let asked = supervisor.ask(STOP_WITHIN, |reply| SupervisorMsg::Awake { reply });
                awake.extend(asked.await.unwrap_or_default());
            }
            if awake.is_empty() {
                return;
            }
            let mut left = awake.into_iter();
            let mut going = tokio::task::JoinSet::new();
            loop {
                while going.len() < GIVE_UP_AT_ONCE
                    && let Some(id) = left.next()
                {
                    let sessions = self.clone();
                    going.spawn(async move { sessions.give_up_in_a_trace(id).await });
                }
                match going.join_next().await {
                    None => break,
                    Some(Ok(HandOver::Busy)) => tokio::time::sleep(GIVE_UP_AGAIN_AFTER).await,
                    Some(_) => {}
                }
            }
        }
    }

    /// The transport sessions of old protocol revisions, and the messages between the nodes that serve them.
    pub fn connections(&self) -> Connections {
        self.0.connections.clone()
    }

    pub(crate) fn places(&self) -> &Places {
        &self.0.places
    }

    pub(crate) fn roster(&self) -> &Roster {
        self.0.around.responder.neighbours.roster()
    }

    pub fn node(&self) -> NodeId {
        self.0.around.options.node
    }

    pub(crate) fn started_ms(&self) -> u64 {
        self.0.started_ms
    }

    pub(crate) fn announcement(&self) -> Option<&Announcement> {
        self.0.around.options.announcement.as_ref()
    }

    /// Cancelled once the tree has stopped.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.0.stopped.clone()
    }

    /// Injects a failure into the actor of this name, as shown in the status. For tests and chaos. Returns false if
    /// there is no such actor.
    pub async fn strike(&self, actor: &str, strike: InjectedFault) -> bool {
        if let Some(id) = actor.strip_prefix("session:") {
            let Ok(id) = SessionId::parse(id) else {
                return false;
            };
            let ask = |reply| SupervisorMsg::InjectedFault { id, strike, reply };
            return place_of(&self.0.places.supervisors, id)
                .ask(Duration::from_secs(1), ask)
                .await
                .unwrap_or(false);
        }
        self.0
            .places
            .find(actor)
            .is_some_and(|place| place.strike(strike))
    }
}
