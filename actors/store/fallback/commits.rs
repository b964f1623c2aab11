//! Commits, sent to the store or, while it is down, kept by this node.

use super::*;
use crate::concurrent::all;
use crate::store::Reached;

impl Inner {
    pub(super) async fn commit(&self, commits: &[Commit]) -> Vec<Result<Committed, StoreError>> {
        let mut answers: Vec<Option<Result<Committed, StoreError>>> = commits
            .iter()
            .map(|commit| self.commit_here(commit))
            .collect();
        // Read first: if the server restarts from here on, it refuses these commits.
        let run = self.store.run();
        let there: Vec<Commit> = commits
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_none())
            .map(|(commit, _)| Commit {
                fence: self.real(commit.session, commit.fence),
                ..commit.clone()
            })
            .collect();
        let may = all(there.iter().map(|commit| self.may_commit(run, commit))).await;
        let (mut sent, mut refused) = (Vec::new(), Vec::new());
        for (commit, may) in there.into_iter().zip(may) {
            match may {
                Ok(()) => {
                    sent.push(commit);
                    refused.push(None);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
        let mut done = self.commit_there(run, &sent).await.into_iter();
        let mut there = refused.into_iter().map(|refused| match refused {
            Some(error) => Some(Err(error)),
            None => done.next(),
        });
        answers
            .iter_mut()
            .map(|answer| {
                let answer = answer.take().or_else(|| there.next().flatten());
                answer.unwrap_or_else(|| Err(coming_back()))
            })
            .collect()
    }

    async fn commit_there(
        &self,
        run: u64,
        commits: &[Commit],
    ) -> Vec<Result<Committed, StoreError>> {
        if commits.is_empty() {
            return Vec::new();
        }
        let asked = Instant::now();
        let answers = tokio::time::timeout(STORE_WITHIN, self.store.commit_in(run, commits)).await;
        let Ok(answers) = answers else {
            let error = StoreError::Unavailable("it did not answer in time".to_owned());
            self.failed(&error);
            return vec![Err(error); commits.len()];
        };
        let (lease_until, now_ms) = (self.lease_from(asked), self.clock.now_ms());
        // Any answer for the group proves that the store is alive, whether or not each commit succeeded.
        let silent = answers
            .iter()
            .find_map(|answer| answer.as_ref().err())
            .filter(|error| matches!(error, StoreError::Unavailable(_)));
        match silent {
            Some(error) if answers.iter().all(Result::is_err) => {
                self.failed(error);
            }
            Some(_) | None => self.with(|state| state.breaker.answered()),
        }
        self.with(|state| {
            for (commit, answer) in commits.iter().zip(&answers) {
                match answer {
                    Ok(done) => {
                        let epoch = commit.fence.epoch;
                        state.ledger.committed(commit.session, epoch, done.version);
                        state.change(commit.session, |held| {
                            if held.real == commit.fence {
                                held.committed(commit, done, lease_until, now_ms);
                            }
                        });
                    }
                    // A fenced session is not dropped here: its actor repairs it next, or finds that it is lost.
                    Err(StoreError::Deleted | StoreError::Quarantined { .. }) => {
                        let stale = state
                            .held
                            .get(&commit.session)
                            .is_some_and(|held| held.real == commit.fence && !held.waits());
                        if stale {
                            state.forget(commit.session);
                            state.ledger.forget(commit.session);
                        }
                    }
                    Err(_) => {}
                }
            }
        });
        answers
    }

    /// `None`: the commit must go to the store.
    fn commit_here(&self, commit: &Commit) -> Option<Result<Committed, StoreError>> {
        let (now, now_ms) = (Instant::now(), self.clock.now_ms());
        let (degrades, alone, options) = (self.degrades(), self.is_alone(), &self.options);
        self.with(|state| {
            if !state.breaker.is_open() {
                return state.waits(commit.session).then(|| Err(coming_back()));
            }
            let away = self.away_as(state);
            if !degrades {
                return Some(Err(away));
            }
            let all = state.pending_bytes;
            let kept = state.change(commit.session, |held| {
                keep(held, commit, alone, options, all, now, now_ms)
            });
            Some(kept.unwrap_or(Err(away)))
        })
    }
}

/// Applies the checks of a store, and the limits on what may be kept.
fn keep(
    held: &mut Held,
    commit: &Commit,
    alone: bool,
    options: &ShelterOptions,
    all: usize,
    now: Instant,
    now_ms: u64,
) -> Result<Committed, StoreError> {
    if held.deleted {
        return Err(StoreError::Deleted);
    }
    if held.fence != commit.fence {
        return Err(StoreError::Fenced);
    }
    let version = held.version;
    let committed = |held: &Held| Committed {
        version: held.version,
        expires_ms: held.expires_ms,
        declined: Vec::new(),
        reached: Reached::MEMORY,
    };
    if held.last_commit() == Some(commit.id) {
        return Ok(committed(held));
    }
    if version != commit.expected {
        return Err(StoreError::Regressed {
            stored: version,
            expected: commit.expected,
        });
    }
    if !alone && held.born.is_none() && held.lease_until <= now {
        return Err(StoreError::Unrecorded(
            "the store is down, and another node may own the session by now",
        ));
    }
    let (bounds, bytes) = (options.bounds, held::weight(commit));
    let old = held
        .pending_since
        .is_some_and(|since| now.duration_since(since) >= bounds.age);
    if old
        || held.pending.len() >= bounds.changes_per_session
        || held.pending_bytes + bytes > bounds.bytes_per_session
        || all + bytes > bounds.bytes
    {
        return Err(StoreError::Unrecorded(
            "the store is down, and the limit of changes kept for it is reached",
        ));
    }
    held.keep(commit, now, now_ms);
    Ok(committed(held))
}
