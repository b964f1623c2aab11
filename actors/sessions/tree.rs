//! Starting the tree, hurting it, ending it.

use ractor::Actor;

use super::*;
use crate::cache::CacheHandle;
use crate::heartbeat::{self, Announcement};
use crate::ids::NodeId;
use crate::persistence::PersistenceHandle;
use crate::pool::{PoolHandle, Table};
use crate::relay::Relay;
use crate::supervisor::{self, Root};

/// Longest wait for the tree to stop: actors hold no work of their own by then.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What the tree stands on, and what outlives it.
pub struct Backing {
    pub store: Arc<dyn Store>,
    /// How to reach the other nodes that share the store, where there are any.
    pub relay: Option<Arc<dyn Relay>>,
}

impl Backing {
    /// A store of this node alone.
    pub fn alone(store: Arc<dyn Store>) -> Self {
        Self { store, relay: None }
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

    /// As [`Sessions::start`], with a clock of the caller's: the one that its store follows.
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
        let in_flight = Arc::new(Semaphore::new(options.calls_in_flight));
        let around = Arc::new(Surroundings {
            clock,
            catalogue,
            persistence: PersistenceHandle {
                store: backing.store,
                shards: Arc::clone(&places.shards),
            },
            pool: PoolHandle {
                place: places.pool.clone(),
                table,
            },
            cache: CacheHandle::new(places.cache.clone()),
            relay: backing.relay,
            options,
        });
        let arguments = supervisor::Arguments {
            places: places.clone(),
            around: Arc::clone(&around),
        };
        let (_, ended) = Actor::spawn(None, Root, arguments)
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
        let sessions = Self(Arc::new(Inner {
            started_ms: around.clock.now_ms(),
            around,
            places,
            started: Instant::now(),
            in_flight,
            draining: CancellationToken::new(),
            stopped: CancellationToken::new(),
        }));
        heartbeat::start(&sessions);
        Ok(sessions)
    }

    /// Returns when the tree has failed for good, with the reason: the process should end and be started afresh.
    pub async fn failed(&self) -> String {
        let mut failed = self.0.places.failed.subscribe();
        match failed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the tree is gone".to_owned(),
        }
    }

    /// Refuses new calls, lets running ones finish within `grace`, cancels the rest, stops every actor.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.draining.cancel();
        let all = self.0.around.options.calls_in_flight;
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        // Taking every permit waits for those that run.
        let quiet = Arc::clone(&self.0.in_flight).acquire_many_owned(all);
        let quiet = tokio::time::timeout(grace, quiet);
        let (quiet, ()) = tokio::join!(quiet, heartbeat::farewell(self));
        self.0.in_flight.close();
        if quiet.is_err() {
            self.0.around.pool.table.stop_all();
        }
        if let Some(root) = self.0.places.root.current() {
            let _ = root
                .stop_and_wait(Some("shutdown".to_owned()), Some(STOP_WITHIN))
                .await;
        }
        self.0.stopped.cancel();
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

    /// Cancelled when the tree has been stopped.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.0.stopped.clone()
    }

    /// Hurts the actor of that name (as the status shows it), for tests and chaos. False: there is none.
    pub async fn strike(&self, actor: &str, strike: Strike) -> bool {
        if let Some(id) = actor.strip_prefix("session:") {
            let Ok(id) = SessionId::parse(id) else {
                return false;
            };
            let ask = |reply| SupervisorMsg::Strike { id, strike, reply };
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
