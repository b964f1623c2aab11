//! Commits: a group is one round trip, and each commit is one script.

use redis::Value;

use super::keys::field;
use super::reply::{Reply, strange};
use super::script::{self, Invocation};
use super::{RedisStore, frame};
use crate::ids::SessionId;
use crate::store::{Change, Commit, Committed, Fence, Reached, StoreError};

/// Largest state of one session, unpacked. A larger state is refused before it is stored or unpacked. A session at all
/// its limits has a quarter of it.
pub(super) const STATE_MAX: usize = 8 << 20;

impl RedisStore {
    /// `run`: the run of the server in which they may be applied. `None`: any.
    pub(super) async fn commit_all(
        &self,
        run: Option<u64>,
        commits: &[Commit],
    ) -> Vec<Result<Committed, StoreError>> {
        let mut results: Vec<Result<Committed, StoreError>> = Vec::with_capacity(commits.len());
        // A group comes from one shard and so over one connection, and is answered in order.
        for group in
            commits.chunk_by(|a, b| std::ptr::eq(self.lane(a.session), self.lane(b.session)))
        {
            results.extend(self.commit_group(run, group).await);
        }
        if results.iter().any(Result::is_ok) {
            let reached = self.reached().await;
            for committed in results.iter_mut().flatten() {
                committed.reached = reached;
            }
        }
        results
    }

    async fn commit_group(
        &self,
        run: Option<u64>,
        commits: &[Commit],
    ) -> Vec<Result<Committed, StoreError>> {
        let Some(lane) = commits.first().map(|commit| self.lane(commit.session)) else {
            return Vec::new();
        };
        let invocations: Vec<_> = commits
            .iter()
            .map(|commit| self.committing(commit))
            .collect();
        let (mut sent, mut refused) = (Vec::new(), Vec::new());
        for invocation in invocations {
            match invocation {
                Ok(invocation) => {
                    sent.push(invocation);
                    refused.push(None);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
        let mut answers = match lane.run_in(run, sent).await {
            Ok(answers) => answers.into_iter(),
            Err(error) => return vec![Err(error); commits.len()],
        };
        let answer = |(commit, refused): (&Commit, Option<StoreError>)| match refused {
            Some(error) => Err(error),
            None => self.committed(commit, answers.next().unwrap_or(Ok(Value::Nil))),
        };
        let mut results: Vec<_> = commits.iter().zip(refused).map(answer).collect();
        for (commit, result) in commits.iter().zip(&mut results) {
            if let Ok(committed) = result {
                let version = committed.version;
                if version != commit.expected + commit.change.versions() {
                    *result = self.commit_surely(run, commit, version).await;
                }
            }
        }
        results
    }

    /// The store reports another version than this commit makes. The answer may be damaged, or belong to another
    /// commit, so the same commit is sent again over another connection; that changes nothing if it was applied. The
    /// same answer twice is believed.
    async fn commit_surely(
        &self,
        run: Option<u64>,
        commit: &Commit,
        said: u64,
    ) -> Result<Committed, StoreError> {
        self.distrust();
        let again = vec![self.committing(commit)?];
        let mut answers = self.lane(commit.session).run_in(run, again).await?;
        let committed = self.committed(commit, answers.pop().unwrap_or(Ok(Value::Nil)))?;
        let made = commit.expected + commit.change.versions();
        if committed.version != made && committed.version != said {
            return Err(strange());
        }
        Ok(committed)
    }

    fn committing(&self, commit: &Commit) -> Result<Invocation, StoreError> {
        let keys = self.0.keys.session(commit.session);
        let version = commit.expected + commit.change.versions();
        let (snapshot, deltas) = match &commit.change {
            Change::Delta(delta) => (None, std::slice::from_ref(delta)),
            Change::Snapshot(snapshot) => (Some(snapshot), [].as_slice()),
            Change::Branch {
                snapshot, deltas, ..
            } => (snapshot.as_ref(), deltas.as_slice()),
        };
        let framed = snapshot.map(|bytes| state(bytes, version)).transpose()?;
        let mut invocation = script::COMMIT
            .on(&keys.all())
            .arg(written(commit.fence))
            .arg(commit.id.to_string())
            .arg(commit.expected)
            .arg(commit.change.versions())
            .arg(self.lease())
            .arg(u8::from(framed.is_some()))
            .arg(framed.unwrap_or_default())
            .arg(deltas.len());
        for delta in deltas {
            invocation = invocation.arg(state(delta, version)?);
        }
        invocation = invocation.arg(commit.drop.len());
        for (id, part) in &commit.drop {
            invocation = invocation.arg(field(*id, *part));
        }
        invocation = invocation.arg(commit.put.len());
        for blob in &commit.put {
            invocation = invocation
                .arg(field(blob.id, blob.part))
                .arg(frame::wrap(&blob.bytes, 0));
        }
        Ok(invocation)
    }

    fn committed(
        &self,
        commit: &Commit,
        answer: redis::RedisResult<Value>,
    ) -> Result<Committed, StoreError> {
        let mut reply = Reply::read(answer).map_err(|error| expecting(error, commit.expected))?;
        let (version, left_ms) = (reply.number()?, reply.number()?);
        let expires_ms = self.ends_in(left_ms);
        self.list_again(commit.session, expires_ms, &mut reply)?;
        Ok(Committed {
            version,
            expires_ms,
            declined: Vec::new(),
            reached: Reached::MEMORY,
        })
    }

    /// Updates the expiry and weight in the index when the script asks for it. This runs in the background; if it
    /// fails, the next commit tries again.
    pub(super) fn list_again(
        &self,
        id: SessionId,
        expires_ms: u64,
        reply: &mut Reply,
    ) -> Result<(), StoreError> {
        let (again, principal, created) = (reply.number()?, reply.principal()?, reply.number()?);
        if again == 1 {
            let (weight, creation) = (reply.number()?, reply.text()?);
            self.prolong(id, principal, created, expires_ms, weight, creation);
        }
        Ok(())
    }
}

/// The stored form of a fence.
pub(super) fn written(fence: Fence) -> String {
    format!("{}:{}", fence.epoch, fence.node)
}

/// Frames a snapshot or a delta. Refuses one that is too large to be read back.
pub(super) fn state(bytes: &[u8], version: u64) -> Result<Vec<u8>, StoreError> {
    if bytes.len() > STATE_MAX {
        return Err(StoreError::Limit("bytes of a session's state"));
    }
    Ok(frame::wrap(bytes, version))
}

/// Adds the expected version, which the script does not return.
pub(super) fn expecting(error: StoreError, expected: u64) -> StoreError {
    if let StoreError::Regressed { stored, .. } = error {
        return StoreError::Regressed { stored, expected };
    }
    error
}
