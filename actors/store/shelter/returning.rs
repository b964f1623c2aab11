//! How the store comes back: probes while it is away, and what is brought back to it then.

use std::sync::Weak;

use super::*;
use crate::clock::jitter;
use crate::concurrent::all;

/// Pauses between probes: each is twice as long as the one before.
const PROBE_AFTER: Duration = Duration::from_millis(200);
const PROBE_AFTER_MAX: Duration = Duration::from_secs(5);
/// Sessions that are brought back at once: the store has just come back, and others want it, too.
const AT_ONCE: usize = 32;

/// How long a question of another node waits for the store to serve again: a probe takes milliseconds, and the
/// asking node waits for longer.
const SERVES_WITHIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Ends with the shelter.
pub(super) async fn watch(shelter: Weak<Inner>) {
    /// How often it is looked whether the shelter is still there.
    const LOOK_EVERY: Duration = Duration::from_secs(1);
    while let Some(inner) = shelter.upgrade() {
        if !inner.is_open() {
            inner.note_server();
            inner.look_around().await;
            let opened = tokio::time::timeout(LOOK_EVERY, inner.opened.notified());
            let _ = opened.await;
            continue;
        }
        inner.wait_for_return(&shelter).await;
    }
}

/// What became of bringing one session back.
enum Brought {
    Back,
    /// The store is away again.
    Away(StoreError),
}

impl Inner {
    /// Which server it is, to find out whether it is another one later.
    fn note_server(&self) {
        let run_id = self.store.health().link.map(|link| link.run_id);
        if let Some(run_id) = run_id.filter(|run_id| !run_id.is_empty()) {
            self.with(|state| state.run_id = run_id);
        }
    }

    async fn wait_for_return(&self, shelter: &Weak<Self>) {
        let mut wait = PROBE_AFTER;
        // Whoever holds the shelter may let go of it meanwhile.
        while shelter.strong_count() > 1 {
            // Half of it at least: full jitter could probe without a pause.
            tokio::select! {
                () = tokio::time::sleep(wait.mul_f64(0.5 + jitter() / 2.0)) => {
                    wait = (wait * 2).min(PROBE_AFTER_MAX);
                }
                // Its server lives. A first probe may still meet a connection that broke.
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

    /// True where the store stayed.
    async fn bring_all_back(&self) -> bool {
        let run_id = self.store.health().link.map(|link| link.run_id);
        let mut ids: Vec<SessionId> = self.with(|state| {
            // Another server, or the same one started anew: it may have gone back, and then so did sessions for which
            // nothing is pending.
            let another = run_id.is_some_and(|run_id| run_id != state.run_id);
            let wanted = |(id, held): (&SessionId, &Held)| (another || held.waits()).then_some(*id);
            state.held.iter().filter_map(wanted).collect()
        });
        tracing::info!(sessions = ids.len(), "the store is back");
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
        let mut brought = self.try_to_bring_back(id).await;
        if let Err(StoreError::Lapsed) = brought {
            // Another node asked meanwhile, and it was laid down for that.
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

    /// What is known here of a session is not in the store, and will not be.
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
            tracing::error!(session = %id, %error, changes = lost.all(), "changes that were answered are lost");
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
            // Whether what we know is in what he has, the store can say.
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
            /// The store went back, or another node has gone on with it: the store says which.
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
            Plan::Astray => {
                self.with(|state| {
                    if let Some(held) = state.held.get_mut(&id) {
                        held.real = acquired.fence;
                    }
                });
                return self.lay_down_again(id).await;
            }
            Plan::Settled => {}
            Plan::Commit(commit) => {
                let group = [commit];
                let answer = tokio::time::timeout(STORE_WITHIN, self.store.commit(&group)).await;
                let lost = || StoreError::Unavailable("it did not answer in time".to_owned());
                let mut answers = answer.map_err(|_| lost())?;
                answers.pop().unwrap_or_else(|| Err(lost()))?;
            }
        }
        let lineage = Some(acquired.lineage);
        self.settle(id, acquired.fence, lineage, asked).await
    }

    /// Made here, under a key that may stand for another by now: then it is a session like any other, by its id.
    async fn create_there(&self, session: NewSession) -> Result<(), StoreError> {
        let id = session.id;
        match in_time(self.store.create(session.clone())).await {
            Ok(Created::New(_)) => return Ok(()),
            Ok(Created::Before(known)) if known == id => return Ok(()),
            Ok(Created::Before(_)) | Err(StoreError::KeyReused) => {}
            Err(error) => return Err(error),
        }
        tracing::info!(session = %id, "its key of creation stands for another session");
        let by_id = NewSession {
            key: None,
            ..session
        };
        in_time(self.store.create(by_id)).await.map(|_| ())
    }

    fn is_deleted(&self, id: SessionId) -> bool {
        self.with(|state| state.held.get(&id).is_some_and(|held| held.deleted))
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
        tracing::warn!(session = %id, "the store had gone back: a session was laid down again");
        self.with(|state| state.count(id, repaired.lost()));
        self.settle(id, repaired.fence, None, asked).await
    }

    /// `lineage`: as it was acquired, where it was as we knew it.
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

/// Changes of a node that knew that version, with so many pending in it, and was refused.
pub(super) fn lost_by(error: &StoreError, version: u64, pending: u64) -> Lost {
    let mut lost = Lost::default();
    if let StoreError::Overtaken { from } = error {
        lost.overtaken = version.saturating_sub(*from);
    } else if *error != StoreError::Fenced {
        // What refuses it as fenced has all of it.
        lost.refused = pending;
    }
    lost
}
