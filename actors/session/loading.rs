//! How a session loads its state, and what happens if that fails.

use std::pin::Pin;

use ractor::ActorStatus;
use telemetry::list::attribute::CAUSE;
use telemetry::list::metric::{HandOvers, Quarantines, Recovery};

use super::*;
use crate::ids::NodeId;
use crate::relay::message::{Answer, HandOver, Question};
use crate::relay::neighbours::Silence;

/// Pause before a failed load is repeated. It doubles each time, up to the maximum.
const LOAD_AGAIN_AFTER: Duration = Duration::from_millis(20);
const LOAD_AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);
/// How long a loading session waits for an unavailable store, before its callers get the error.
const LOAD_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait for an owner that does not answer: until its lease has ended, and a little longer.
const HELD_WITHIN: Duration = Duration::from_secs(20);
/// How often to check whether its lease has ended: short compared with what a caller notices.
const HELD_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// An owner that is silent for this long, this often, counts as down: a single question may be lost in the crash of the
/// actor that took it up.
const HAND_OVER_SILENCE: Duration = Duration::from_millis(1500);
const HAND_OVER_TRIES: usize = 2;

/// The `error.type` of a session that could not be loaded.
const NOT_LOADED: &str = "not_loaded";

impl State {
    pub(super) fn load(&self, myself: &ActorRef<SessionMsg>) {
        let myself = myself.clone();
        let acquiring = Acquiring {
            id: self.id,
            around: Arc::clone(&self.around),
            asker: myself.clone(),
            silent: Vec::new(),
            late: None,
            released: false,
        };
        let mut span = self.traces.load(self.id);
        tokio::spawn(async move {
            let acquired = telemetry::traced(span.context(), acquiring.acquire_and_count()).await;
            if let Err(error) = &acquired {
                span.set(CAUSE, error.to_string());
                span.fail(NOT_LOADED);
            }
            span.end();
            // The session may have died; its successor loads for itself.
            let _ = myself.send_message(SessionMsg::Loaded(Box::new(acquired)));
        });
        self.pass(CrashPoint::SessionLoadAsked);
    }

    pub(super) fn loaded(
        &mut self,
        myself: &ActorRef<SessionMsg>,
        acquired: Result<Acquired, StoreError>,
    ) {
        let found = acquired
            .as_ref()
            .ok()
            .map(|acquired| (acquired.fence, acquired.version));
        let lost = acquired
            .as_ref()
            .map_or_else(|_| Lost::default(), |acquired| acquired.lost);
        let loaded = acquired.and_then(|acquired| Journal::load(self.id, &acquired));
        self.pass(CrashPoint::SessionLoaded);
        match loaded {
            Ok(journal) => {
                let why = self.recovering.why(self.around.options.node, &journal);
                self.begin(myself, journal);
                let time = self.recovering.since.elapsed();
                Recovery { why }.record(time.as_secs_f64());
                self.tell_lost(myself, lost);
            }
            Err(error) => {
                if let Some((fence, version)) = found {
                    self.give_back(fence, version, &error);
                }
                self.cannot_run(myself, &error);
            }
        }
    }

    /// Releases an acquired session that cannot be read: a newer node can run a newer schema. A damaged one is
    /// quarantined.
    fn give_back(&self, fence: Fence, version: u64, error: &StoreError) {
        let (store, id) = (Arc::clone(&self.around.persistence.store), self.id);
        let damage = matches!(error, StoreError::Corrupt(_)).then(|| error.to_string());
        let is_damaged = damage.is_some();
        tokio::spawn(async move {
            let done = match damage {
                Some(reason) => in_time(store.quarantine(id, Some(reason))).await,
                None => in_time(store.release(id, fence, version)).await,
            };
            match done {
                Ok(()) if is_damaged => Quarantines {}.add(1),
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(session = %id, %error, "a session that cannot be read could not be released: it stays with this node until its lease ends");
                }
            }
        });
    }

    /// The state is loaded: running calls continue, and waiting messages are handled.
    pub(super) fn begin(&mut self, myself: &ActorRef<SessionMsg>, journal: Journal) {
        let waited = match std::mem::replace(&mut self.phase, Phase::Running(Box::new(journal))) {
            Phase::Loading(waited) => waited,
            Phase::Running(_) | Phase::Refusing(_) => Vec::new(),
        };
        // A caller with the key of a running call is attached to it before the call may fail. The failure frees the
        // key, and a call that crashes every node would otherwise start again and again.
        let (joining, waited): (Vec<_>, Vec<_>) =
            waited.into_iter().partition(|message| self.joins(message));
        for message in joining {
            self.take(myself, message);
        }
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
            // The caller that closed the session may be gone, so finish the deletion.
            self.delete(myself);
        }
        for message in waited {
            self.take(myself, message);
        }
    }

    /// Whether the message asks for an unfinished call, by its key.
    fn joins(&self, message: &SessionMsg) -> bool {
        let (Some(journal), SessionMsg::Call(asked)) = (self.journal(), message) else {
            return false;
        };
        asked.call.key.as_ref().is_some_and(|(key, _)| {
            let mut keys = journal.committed().keys.iter();
            keys.any(|used| used.key == *key && used.ended.is_none())
        })
    }

    /// Stops this session's jobs: no session will fetch their outcomes.
    pub(super) fn stop_jobs(&self) {
        let table = &self.around.pool.table;
        for request in table.requests_of(self.id) {
            table.stop(self.key(request));
        }
    }

    /// The session cannot run here: every waiting caller gets the reason, and the actor ends.
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

/// Since when, and after what, a session is not running.
pub(super) struct Recovering {
    since: Instant,
    died: bool,
}

impl Recovering {
    pub(super) fn since(died: Option<Instant>) -> Self {
        Self {
            since: died.unwrap_or_else(Instant::now),
            died: died.is_some(),
        }
    }

    /// `taken_over`: calls ran in it on another node.
    fn why(&self, node: NodeId, journal: &Journal) -> &'static str {
        if self.died {
            return "restarted";
        }
        match journal.is_busy() && journal.came_from_another(node) {
            true => "taken_over",
            false => "woken",
        }
    }
}

/// Acquires a session: waits a while for a store that is down, and asks the node that owns the session to hand it over.
struct Acquiring {
    id: SessionId,
    around: Arc<Surroundings>,
    asker: ActorRef<SessionMsg>,
    /// Owners that did not answer, one entry per attempt: wait for their leases to end.
    silent: Vec<NodeId>,
    /// Such an owner is still asked while its lease runs out, because it may have been cut off only for a moment.
    late: Option<Late>,
    /// Its owner has handed it over.
    released: bool,
}

struct Late {
    node: NodeId,
    answer: Pin<Box<dyn Future<Output = Result<Answer, Silence>> + Send>>,
}

impl Acquiring {
    async fn acquire_and_count(mut self) -> Result<Acquired, StoreError> {
        let acquired = self.acquire().await;
        if acquired.is_ok() && self.released {
            HandOvers { direction: "taken" }.add(1);
        }
        acquired
    }

    async fn acquire(&mut self) -> Result<Acquired, StoreError> {
        let started = Instant::now();
        let mut wait = LOAD_AGAIN_AFTER;
        loop {
            let acquired = self.ask_store().await;
            let within = match &acquired {
                Err(StoreError::Unavailable(_)) => LOAD_WITHIN,
                Err(StoreError::Held { node, left_ms }) => {
                    match self.ask_holder(*node).await {
                        Holder::Released => {
                            self.released = true;
                            continue;
                        }
                        Holder::Busy => return acquired,
                        Holder::NotYet => wait = wait.min(HELD_AGAIN_AFTER),
                        Holder::Silent if self.silences(*node) < HAND_OVER_TRIES => continue,
                        Holder::Silent => {
                            wait = wait.max(Duration::from_millis(*left_ms).min(HELD_AGAIN_AFTER));
                        }
                    }
                    HELD_WITHIN
                }
                Ok(_) | Err(_) => return acquired,
            };
            let asked = self.asker.get_status() < ActorStatus::Draining;
            if !asked || started.elapsed() + wait >= within {
                return acquired;
            }
            if let Some(Holder::Busy) = self.pause(wait).await {
                return acquired;
            }
            wait = (wait * 2).min(LOAD_AGAIN_AFTER_MAX);
        }
    }

    /// Ends early if an owner that was silent answers after all.
    async fn pause(&mut self, wait: Duration) -> Option<Holder> {
        let Some(late) = &mut self.late else {
            tokio::time::sleep(wait).await;
            return None;
        };
        let (node, until) = (late.node, Instant::now() + wait);
        let answer = tokio::time::timeout_at(until, &mut late.answer)
            .await
            .ok()?;
        self.late = None;
        let holder = self.heard(node, answer);
        if let Holder::Silent = holder {
            tokio::time::sleep_until(until).await;
        }
        Some(holder)
    }

    /// Waits for a permit first: after a restart of the whole fleet thousands may load at once, and each load takes
    /// some kilobytes from the store.
    fn ask_store(&self) -> impl Future<Output = Result<Acquired, StoreError>> + Send + use<> {
        let (id, around) = (self.id, Arc::clone(&self.around));
        async move {
            // The semaphore is never closed.
            let _turn = around.loads.acquire().await;
            let store = &around.persistence.store;
            in_time(store.acquire(id, around.options.node)).await
        }
    }

    fn silences(&self, node: NodeId) -> usize {
        self.silent.iter().filter(|silent| **silent == node).count()
    }

    async fn ask_holder(&mut self, node: NodeId) -> Holder {
        if self.silences(node) < HAND_OVER_TRIES {
            let answer = self.ask(node, HAND_OVER_SILENCE).await;
            return self.heard(node, answer);
        }
        if self.late.as_ref().is_none_or(|late| late.node != node) {
            let answer = Box::pin(self.ask(node, HELD_WITHIN));
            self.late = Some(Late { node, answer });
        }
        Holder::Silent
    }

    fn ask(
        &self,
        node: NodeId,
        silence: Duration,
    ) -> impl Future<Output = Result<Answer, Silence>> + Send + use<> {
        let question = Question::HandOver { session: self.id };
        let responder = Arc::clone(&self.around.responder);
        async move {
            let nobody = ProgressSink::default();
            responder
                .neighbours
                .ask(node, question, silence, &nobody)
                .await
        }
    }

    fn heard(&mut self, node: NodeId, answer: Result<Answer, Silence>) -> Holder {
        let holder = match answer {
            Ok(Answer::HandOver(HandOver::Released)) => return Holder::Released,
            Ok(Answer::HandOver(HandOver::Busy)) => Holder::Busy,
            Ok(Answer::HandOver(HandOver::Failed)) => Holder::NotYet,
            Ok(
                Answer::Call(_)
                | Answer::View(_)
                | Answer::Done(_)
                | Answer::Posted(_)
                | Answer::Said(_),
            )
            | Err(Silence) => {
                self.silent.push(node);
                return Holder::Silent;
            }
        };
        // It is up, even if it was silent before.
        self.silent.retain(|silent| *silent != node);
        holder
    }
}

/// The answer of the node that owns the session.
enum Holder {
    Released,
    /// A call runs in the session there.
    Busy,
    /// The node is up but cannot hand the session over now, for example because the store does not answer it. It is
    /// asked again soon.
    NotYet,
    Silent,
}
