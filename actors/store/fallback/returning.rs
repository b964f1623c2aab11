//! Recovery from an outage: probes a store that is down, and writes kept changes back once it answers.

use std::sync::Weak;
use telemetry::list::attribute::SESSION;
use telemetry::list::span::RETURN;
use telemetry::{Parent, Span};

use telemetry::list::metric::Regressions;

use super::*;
use crate::clock::jitter;
use crate::concurrent::all;

/// Pause between probes; it doubles with each probe.
const PROBE_AFTER: Duration = Duration::from_millis(200);
const PROBE_AFTER_MAX: Duration = Duration::from_secs(5);
/// Sessions written back at once. The store has just become available, and other nodes use it too.
const AT_ONCE: usize = 32;

/// How long a request from another node waits for the store to be usable again: a probe takes milliseconds, and the
/// other node waits longer than this.
const SERVES_WITHIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Runs until the fallback is dropped.
pub(super) async fn watch(fallback: Weak<Inner>) {
    /// Interval of checking whether the fallback still exists.
    const LOOK_EVERY: Duration = Duration::from_secs(1);
    while let Some(inner) = fallback.upgrade() {
        if !inner.is_open() {
            inner.note_server();
            inner.look_around().await;
            let opened = tokio::time::timeout(LOOK_EVERY, inner.opened.notified());
            let _ = opened.await;
            continue;
        }
        inner.wait_for_return(&fallback).await;
    }
}

/// The result of writing one session back.
enum Brought {
    Back,
    /// The store is down again.
    Away(StoreError),
}

impl Inner {
    /// Remembers the run id of the server, to notice later that it was replaced or restarted.
    fn note_server(&self) {
        let run_id = self.store.health().link.map(|link| link.run_id);
        if let Some(run_id) = run_id.filter(|run_id| !run_id.is_empty()) {
            self.with(|state| state.run_id = run_id);
        }
    }

    async fn wait_for_return(&self, fallback: &Weak<Self>) {
        let mut wait = PROBE_AFTER;
        // All owners of the fallback may drop it in the meantime.
        while fallback.strong_count() > 1 {
            // At least half of the pause: full jitter could probe without one.
            tokio::select! {
                () = tokio::time::sleep(wait.mul_f64(0.5 + jitter() / 2.0)) => {
                    wait = (wait * 2).min(PROBE_AFTER_MAX);
                }
                // Another node reports that the server is up. The first probe may still find a broken connection.
                () = self.heard.notified() => wait = PROBE_AFTER,
            }
            match in_time(self.store.probe()).await {
                Ok(()) => {
                    self.with(|state| state.breaker.returns());
                    if self.bring_all_back().await {
                        return;
                    }
                }
                Err(error) => {
                    if let StoreError::Unavailable(why) = error {
                        self.with(|state| state.why = why);
                    }
                }
            }
        }
    }

    pub(super) async fn heard_from(&self) {
        let until = Instant::now() + SERVES_WITHIN;
        let serves = || self.with(|state| matches!(state.breaker, Breaker::Closed { .. }));
        if serves() {
            return;
        }
        self.heard.notify_one();
        while !serves() && Instant::now() < until {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    /// Returns true if the store stayed up.
    async fn bring_all_back(&self) -> bool {
        let run_id = self.store.health().link.map(|link| link.run_id);
        let mut ids: Vec<SessionId> = self.with(|state| {
            // Another server, or a restart: it may have been rolled back, also for sessions without pending changes.
            let another = run_id.is_some_and(|run_id| run_id != state.run_id);
            let wanted = |(id, held): (&SessionId, &Held)| (another || held.waits()).then_some(*id);
            state.held.iter().filter_map(wanted).collect()
        });
        tracing::info!(
            sessions = ids.len(),
            "the store is back: sessions that were kept in memory are stored again"
        );
        while !ids.is_empty() {
            let group = ids.split_off(ids.len().saturating_sub(AT_ONCE));
            let bring = group.into_iter().map(|id| self.bring_back(id));
            for brought in all(bring).await {
                if let Brought::Away(error) = brought {
                    self.failed(&error);
                    return false;
                }
            }
        }
        self.with(|state| {
            state.breaker.close();
            state.since_ms = None;
            state.why.clear();
        });
        true
    }

    async fn bring_back(&self, id: SessionId) -> Brought {
        let mut span = Span::start(&RETURN, Parent::None);
        if span.is_recorded() {
            span.set(SESSION, id.to_string());
        }
        let brought = telemetry::traced(span.context(), self.bring(id)).await;
        span.end();
        brought
    }

    async fn bring(&self, id: SessionId) -> Brought {
        let mut brought = self.try_to_bring_back(id).await;
        if let Err(StoreError::Lapsed) = brought {
            // Another node asked in the meantime, and the session was stored for it under a new fence.
            brought = self.try_to_bring_back(id).await;
        }
        match brought {
            Ok(()) => Brought::Back,
            Err(error @ StoreError::Unavailable(_)) => Brought::Away(error),
            Err(error) => {
                self.lost(id, &error);
                Brought::Back
            }
        }
    }

    /// Records that changes known here are not in the store and never will be.
    pub(super) fn lost(&self, id: SessionId, error: &StoreError) {
        let lost = self.with(|state| {
            let known = state.held.get(&id);
            let lost = known.map_or_else(Lost::default, |held| {
                lost_by(error, held.version, held.pending.len() as u64)
            });
            state.lose(id, lost);
            lost
        });
        if lost.all() > 0 {
            tracing::error!(session = %id, %error, changes = lost.all(), "acknowledged changes are lost");
        }
    }

    async fn try_to_bring_back(&self, id: SessionId) -> Result<(), StoreError> {
        let born = self.with(|state| state.held.get(&id).and_then(|held| held.born.clone()));
        if let Some((session, _)) = born {
            self.create_there(session).await?;
        }
        let asked = Instant::now();
        let known = self.with(|state| state.held.get(&id).map(|held| held.real.epoch));
        let (node, after) = (self.options.node, known.unwrap_or(0));
        let acquired = match in_time(self.store.acquire_after(id, node, after)).await {
            Ok(acquired) => acquired,
            // The store can tell whether the current holder's state contains this node's.
            Err(StoreError::Held { .. }) => return self.lay_down_again(id).await,
            Err(StoreError::Missing) => return self.lay_down_again(id).await,
            Err(StoreError::Expired(_) | StoreError::Deleted) if self.is_deleted(id) => {
                self.with(|state| state.forget(id));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (version, last) = (acquired.version, acquired.last_commit);
        enum Plan {
            Nothing,
            Delete,
            /// The store was rolled back, or another node changed the session; the store can tell which.
            Astray,
            Settled,
            Commit(Commit),
        }
        let plan = self.with(|state| {
            let Some(held) = state.held.get(&id) else {
                return Plan::Nothing;
            };
            if held.deleted {
                return Plan::Delete;
            }
            match held.applied(version, last) {
                None => Plan::Astray,
                Some(from) => held
                    .as_one(from, acquired.fence, version)
                    .map_or(Plan::Settled, Plan::Commit),
            }
        });
        match plan {
            Plan::Nothing => {
                return in_time(self.store.release(id, acquired.fence, version)).await;
            }
            Plan::Delete => {
                in_time(self.store.delete(id, acquired.fence)).await?;
                self.with(|state| state.forget(id));
                return Ok(());
            }
            Plan::Astray => return self.lay_down_as(id, acquired.fence).await,
            Plan::Settled => {}
            Plan::Commit(commit) => {
                let run = self.store.run();
                if self.is_later_elsewhere(run, id, acquired.fence).await {
                    return self.lay_down_as(id, acquired.fence).await;
                }
                let group = [commit];
                let sent = self.store.commit_in(run, &group);
                let answer = tokio::time::timeout(STORE_WITHIN, sent).await;
                let lost = || StoreError::Unavailable("it did not answer in time".to_owned());
                let mut answers = answer.map_err(|_| lost())?;
                answers.pop().unwrap_or_else(|| Err(lost()))?;
            }
        }
        let lineage = Some(acquired.lineage);
        self.settle(id, acquired.fence, lineage, asked).await
    }

    /// Creates a session in the store that was created here. If its key belongs to another session by now, it is
    /// created without the key and can be reached by its id.
    async fn create_there(&self, session: NewSession) -> Result<(), StoreError> {
        let id = session.id;
        match in_time(self.store.create(session.clone())).await {
            Ok(Created::New(_)) => return Ok(()),
            Ok(Created::Before(known)) if known == id => return Ok(()),
            Ok(Created::Before(_)) | Err(StoreError::KeyReused) => {}
            Err(error) => return Err(error),
        }
        tracing::info!(session = %id, "a session is stored without its idempotency key, which belongs to another session by now");
        let by_id = NewSession {
            key: None,
            ..session
        };
        in_time(self.store.create(by_id)).await.map(|_| ())
    }

    fn is_deleted(&self, id: SessionId) -> bool {
        self.with(|state| state.held.get(&id).is_some_and(|held| held.deleted))
    }

    /// Repairs a session that was just acquired under `fence`.
    pub(super) async fn lay_down_as(&self, id: SessionId, fence: Fence) -> Result<(), StoreError> {
        self.with(|state| {
            if let Some(held) = state.held.get_mut(&id) {
                held.real = fence;
            }
        });
        self.lay_down_again(id).await
    }

    pub(super) async fn lay_down_again(&self, id: SessionId) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        let repair = self.with(|state| {
            let held = state.held.get(&id).ok_or(StoreError::Missing)?;
            if held.expires_ms <= now_ms || held.deleted {
                return Err(StoreError::Missing);
            }
            held.as_repair(id)
        });
        let repair = match repair {
            Ok(repair) => repair,
            Err(StoreError::Missing) => {
                self.with(|state| state.forget(id));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let asked = Instant::now();
        let repaired = self.lay_down(repair).await?;
        tracing::warn!(session = %id, "the store was rolled back: a session was stored again");
        Regressions {}.add(1);
        self.with(|state| state.add(id, repaired.lost()));
        self.settle(id, repaired.fence, None, asked).await
    }

    /// `lineage` is the acquired one if the session was in the expected state.
    pub(super) async fn settle(
        &self,
        id: SessionId,
        real: Fence,
        lineage: Option<Lineage>,
        asked: Instant,
    ) -> Result<(), StoreError> {
        let lease_until = self.lease_from(asked);
        let released = self.with(|state| {
            let settled = state.change(id, |held| {
                let version = held.version;
                held.settled(real, version, lease_until);
                if let Some(lineage) = lineage {
                    held.lineage = lineage;
                }
                (held.released, held.lineage.clone(), version)
            });
            let (released, lineage, version) = settled?;
            state.note(id, &lineage, version, real.epoch);
            Some(released)
        });
        if released == Some(true) {
            let version = self.with(|state| state.held.get(&id).map(|held| held.version));
            in_time(self.store.release(id, real, version.unwrap_or(0))).await?;
            self.with(|state| state.forget(id));
        }
        Ok(())
    }
}

/// Counts the changes lost when a node at `version` with `pending` unsaved changes was refused.
pub(super) fn lost_by(error: &StoreError, version: u64, pending: u64) -> Lost {
    let mut lost = Lost::default();
    if let StoreError::Overtaken { from } = error {
        lost.overtaken = version.saturating_sub(*from);
    } else if *error != StoreError::Fenced {
        // A store that answers `Fenced` has all of them.
        lost.refused = pending;
    }
    lost
}
