//! How a session comes by its state, and what happens where it cannot.

use ractor::ActorStatus;

use super::*;
use crate::ids::NodeId;
use crate::store::Store;

/// Pause before a session that could not be loaded is loaded again; doubled each time, up to the last.
const LOAD_AGAIN_AFTER: Duration = Duration::from_millis(20);
const LOAD_AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);
/// How long a store that is unavailable is waited for while a session loads. Its callers hear of it then.
const LOAD_WITHIN: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn load(&self, myself: &ActorRef<SessionMsg>) {
        let (id, node, myself) = (self.id, self.around.options.node, myself.clone());
        let store = Arc::clone(&self.around.persistence.store);
        tokio::spawn(async move {
            let acquired = acquire(store.as_ref(), id, node, &myself).await;
            // The session may be gone by now; its successor loads for itself.
            let _ = myself.send_message(SessionMsg::Loaded(Box::new(acquired)));
        });
        self.pass(CrashPoint::SessionLoadAsked);
    }

    pub(super) fn loaded(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        acquired: Result<Acquired, StoreError>,
    ) {
        let loaded = acquired.and_then(|acquired| Journal::load(self.id, &acquired));
        self.pass(CrashPoint::SessionLoaded);
        match loaded {
            Ok(journal) => self.begin(myself, journal),
            Err(error) => self.cannot_run(myself, &error),
        }
    }

    /// The state is there: calls that were running go on, and what waited is heard.
    pub(super) fn begin(&mut self, myself: &ActorRef<SessionMsg>, journal: Journal) {
        let waited = match std::mem::replace(&mut self.phase, Phase::Running(Box::new(journal))) {
            Phase::Loading(waited) => waited,
            Phase::Running(_) | Phase::Refusing(_) => Vec::new(),
        };
        let live = self.around.pool.table.requests_of(self.id);
        self.decide(
            myself,
            Event::Recovered {
                live,
                at_ms: self.now(),
            },
        );
        self.pass(CrashPoint::SessionRecovered);
        if self
            .journal()
            .is_some_and(|journal| journal.committed().closed)
        {
            // Who closed it may not be there any more to see it through.
            self.delete(myself);
        }
        for message in waited {
            self.take(myself, message);
        }
    }

    /// Nobody will ask for what they find.
    pub(super) fn stop_jobs(&self) {
        let table = &self.around.pool.table;
        for request in table.requests_of(self.id) {
            table.stop(self.key(request));
        }
    }

    /// The session cannot be run here: everybody who waits is told why, and the actor ends.
    pub(super) fn cannot_run(&mut self, myself: &ActorRef<SessionMsg>, error: &StoreError) {
        tracing::debug!(session = %self.id, %error, "the session cannot be run");
        if let Phase::Loading(waited) =
            std::mem::replace(&mut self.phase, Phase::Refusing(error.clone()))
        {
            waited
                .into_iter()
                .for_each(|message| refuse(message, self.id, error));
        }
        self.replies.refuse_all(self.id, error);
        for reply in self.closing.drain(..) {
            let _ = reply.send(Err(as_call_error(self.id, None, error)));
        }
        if !matches!(error, StoreError::Unavailable(_)) {
            self.stop_jobs();
        }
        myself.send_after(REFUSES_FOR, || SessionMsg::Rest);
    }
}

/// Takes a session over, and waits for a store that is away for a while.
async fn acquire(
    store: &dyn Store,
    id: SessionId,
    node: NodeId,
    asker: &ActorRef<SessionMsg>,
) -> Result<Acquired, StoreError> {
    let until = Instant::now() + LOAD_WITHIN;
    let mut wait = LOAD_AGAIN_AFTER;
    loop {
        let acquired = in_time(store.acquire(id, node)).await;
        let away = matches!(acquired, Err(StoreError::Unavailable(_)));
        let asked = asker.get_status() < ActorStatus::Draining;
        if !away || !asked || Instant::now() + wait >= until {
            return acquired;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LOAD_AGAIN_AFTER_MAX);
    }
}
