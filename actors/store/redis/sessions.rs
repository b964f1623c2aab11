//! The session operations.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use redis::Value;
use telemetry::list::metric::Quarantines;

use super::commits::{expecting, state, written};
use super::keys::field;
use super::reply::{Reply, row};
use super::script::{self, Invocation};
use super::{RedisStore, frame, index};
use crate::ids::{NodeId, Principal, ResultId, SessionId};
use crate::sessions::DurabilityLevel;
use crate::store::{
    Acquired, Commit, CommitsFuture, Created, Fence, Health, KeepFuture, Lineage, Lost, NewSession,
    NodeRecord, Part, Reached, Repair, Repaired, Row, Store, StoreError, StoreFuture, Usage,
};

/// Size of one part of a result, unpacked. All whole results of a session are 56 MiB at most.
pub(super) const RESULT_MAX: usize = 64 << 20;

impl Store for RedisStore {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn level(&self) -> DurabilityLevel {
        match self.0.options.level {
            super::Level::Redis => DurabilityLevel::Redis,
            super::Level::Fsync => DurabilityLevel::Fsync,
            super::Level::Replicated(_) => DurabilityLevel::Replicated,
        }
    }

    fn health(&self) -> Health {
        Self::health(self)
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.ask_server())
    }

    fn create(&self, session: NewSession) -> StoreFuture<'_, Created> {
        Box::pin(self.create_session(session))
    }

    fn acquire_after(&self, id: SessionId, node: NodeId, after: u64) -> StoreFuture<'_, Acquired> {
        Box::pin(async move {
            match self
                .seen_twice(|| self.acquire_session(id, node, after))
                .await
            {
                Err(StoreError::Corrupt(reason)) => Err(self.take_out(id, reason).await),
                other => other,
            }
        })
    }

    fn commit<'a>(&'a self, commits: &'a [Commit]) -> CommitsFuture<'a> {
        Box::pin(self.commit_all(None, commits))
    }

    fn run(&self) -> u64 {
        self.0.shared.run()
    }

    fn commit_in<'a>(&'a self, run: u64, commits: &'a [Commit]) -> CommitsFuture<'a> {
        Box::pin(self.commit_all(Some(run), commits))
    }

    fn renew(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, Reached> {
        let keys = self.0.keys.session(id);
        let renew = script::RENEW
            .on(&keys.all())
            .arg(written(fence))
            .arg(self.lease());
        Box::pin(async move {
            let mut reply = self.one(id, renew).await?;
            let (_version, left) = (reply.number()?, reply.number()?);
            self.list_again(id, self.ends_in(left), &mut reply)?;
            Ok(self.acknowledged())
        })
    }

    fn keep<'a>(&'a self, held: &'a [(SessionId, Fence)]) -> KeepFuture<'a> {
        let keep = |(id, fence): &(SessionId, Fence)| {
            let keys = self.0.keys.session(*id);
            script::KEEP
                .on(&[&keys.session])
                .arg(written(*fence))
                .arg(self.lease())
        };
        let all: Vec<_> = held.iter().map(keep).collect();
        Box::pin(async move {
            match self.0.keeper.run(all).await {
                Ok(answers) => answers
                    .into_iter()
                    .map(|answer| Reply::read(answer).map(|_| ()))
                    .collect(),
                Err(error) => vec![Err(error); held.len()],
            }
        })
    }

    fn repair(&self, repair: Repair) -> StoreFuture<'_, Repaired> {
        Box::pin(self.repair_session(repair))
    }

    fn release(&self, id: SessionId, fence: Fence, version: u64) -> StoreFuture<'_, ()> {
        let keys = self.0.keys.session(id);
        let release = script::RELEASE
            .on(&[&keys.session])
            .arg(written(fence))
            .arg(version);
        Box::pin(async move {
            let released = self.one(id, release).await;
            released
                .map(|_| ())
                .map_err(|error| expecting(error, version))
        })
    }

    fn delete(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, ()> {
        let keys = self.0.keys.session(id);
        let delete = script::DELETE.on(&keys.all()).arg(written(fence));
        Box::pin(async move {
            let mut reply = self.one(id, delete).await?;
            // A session that did not exist returns no values.
            if let (Ok(principal), Ok(created), Ok(key)) =
                (reply.principal(), reply.number(), reply.text())
            {
                self.unlist(id, &principal, created, key);
            }
            Ok(())
        })
    }

    fn quarantine(&self, id: SessionId, reason: Option<String>) -> StoreFuture<'_, ()> {
        let quarantine = self.quarantining(id, reason.as_deref());
        Box::pin(async move { self.one(id, quarantine).await.map(|_| ()) })
    }

    fn close_quarantined<'a>(&'a self, id: SessionId, owner: &'a Principal) -> StoreFuture<'a, ()> {
        Box::pin(self.discard_session(id, true, Some(owner)))
    }

    fn result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> StoreFuture<'_, Option<Arc<[u8]>>> {
        Box::pin(async move { self.seen_twice(|| self.read_result(id, result, part)).await })
    }

    fn has_results<'a>(
        &'a self,
        id: SessionId,
        results: &'a [ResultId],
    ) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.which_results(id, results))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> StoreFuture<'a, (Vec<Row>, u64)> {
        Box::pin(self.list_sessions(principal, after, limit))
    }

    fn usage<'a>(&'a self, principal: &'a Principal) -> StoreFuture<'a, Usage> {
        Box::pin(self.usage_of(principal))
    }

    fn look(&self, id: SessionId) -> StoreFuture<'_, Row> {
        let look = self.looking(id);
        Box::pin(async move {
            self.one(id, look)
                .await
                .and_then(|mut reply| row(id, &mut reply, self.0.clock.now_ms()))
        })
    }

    /// The server expires keys itself; only evicted sessions are counted.
    fn sweep(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.count_evicted())
    }

    fn announce<'a>(&'a self, node: &'a NodeRecord) -> StoreFuture<'a, ()> {
        Box::pin(self.announce_node(node))
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        Box::pin(self.known_nodes())
    }
}

impl RedisStore {
    pub(super) async fn one(
        &self,
        id: SessionId,
        invocation: Invocation,
    ) -> Result<Reply, StoreError> {
        let mut answers = self.lane(id).run(vec![invocation]).await?;
        Reply::read(answers.pop().unwrap_or(Ok(Value::Nil)))
    }

    async fn acquire_session(
        &self,
        id: SessionId,
        node: NodeId,
        after: u64,
    ) -> Result<Acquired, StoreError> {
        let keys = self.0.keys.session(id);
        let acquire = script::ACQUIRE
            .on(&[&keys.session, &keys.journal])
            .arg(node.to_string())
            .arg(self.lease())
            .arg(after);
        let mut reply = self.one(id, acquire).await?;
        let (epoch, version, left_ms) = (reply.number()?, reply.number()?, reply.number()?);
        let expires_ms = self.ends_in(left_ms);
        let (last_commit, _principal) = (reply.commit()?, reply.text()?);
        let fence = Fence { epoch, node };
        let stored = frame::state(&reply.bytes()?, reply.list()?, version);
        // An unreadable lineage is treated as empty.
        let lineage = Lineage::parse(&reply.text()?).unwrap_or_default();
        if matches!(stored, Err(StoreError::NewerSchema(_))) {
            // A node of that version should be able to continue at once.
            self.release(id, fence, version).await?;
        }
        let (snapshot, deltas) = stored?;
        Ok(Acquired {
            fence,
            version,
            snapshot,
            deltas,
            expires_ms,
            last_commit,
            reached: self.acknowledged(),
            lineage,
            lost: Lost::default(),
        })
    }

    /// Quarantines a damaged session until an operator has looked at it.
    async fn take_out(&self, id: SessionId, reason: String) -> StoreError {
        tracing::error!(session = %id, reason, "a stored session cannot be read: it is quarantined until an operator releases it");
        let quarantine = self.quarantining(id, Some(&reason));
        match self.one(id, quarantine).await {
            Ok(_) => Quarantines {}.add(1),
            Err(StoreError::Corrupt(_)) => {}
            Err(error) => {
                tracing::warn!(session = %id, %error, "a session that cannot be read could not be quarantined: its next call tries again")
            }
        }
        match self.look(id).await {
            Ok(Row { principal, .. }) | Err(StoreError::Quarantined { principal, .. }) => {
                StoreError::Quarantined { principal, reason }
            }
            Err(_) => StoreError::Corrupt(reason),
        }
    }

    fn quarantining(&self, id: SessionId, reason: Option<&str>) -> Invocation {
        let keys = self.0.keys.session(id);
        script::QUARANTINE
            .on(&[&keys.session])
            .arg(u8::from(reason.is_some()))
            .arg(reason.unwrap_or_default())
    }

    pub(super) fn looking(&self, id: SessionId) -> Invocation {
        let keys = self.0.keys.session(id);
        script::LOOK.on(&[&keys.session])
    }

    async fn repair_session(&self, repair: Repair) -> Result<Repaired, StoreError> {
        let Repair {
            session,
            created_ms,
            fence,
            version,
            lineage,
            last,
            out,
            aside,
        } = repair;
        let keys = self.0.keys.session(session.id);
        let ttl_ms = session.ttl_ms;
        let snapshot = state(&session.snapshot, version)?;
        let weight = index::weight(snapshot.len());
        let enlisted = self
            .enlist(session.id, &session.principal, created_ms, ttl_ms, weight)
            .await?;
        let invocation = script::REPAIR
            .on(&keys.all())
            .arg(fence.epoch)
            .arg(fence.node.to_string())
            .arg(version)
            .arg(session.principal.as_str())
            .arg(session.label.unwrap_or_default())
            .arg(created_ms)
            .arg(ttl_ms)
            .arg(snapshot)
            .arg(self.lease())
            .arg(out.map(|id| id.to_string()).unwrap_or_default())
            .arg(weight)
            .arg(lineage.to_string())
            .arg(last.map(|id| id.to_string()).unwrap_or_default())
            .arg(aside.map(written).unwrap_or_default())
            .arg(u8::from(enlisted == index::Enlisted::Yes));
        let answered = self.one(session.id, invocation).await;
        let mut reply = answered.map_err(|error| expecting(error, version))?;
        let repaired = Repaired {
            fence: Fence {
                epoch: reply.number()?,
                node: fence.node,
            },
            dropped: reply.number()?,
            holder: reply.node()?,
            forgotten: 0,
        };
        let (counts, was_missing) = (&self.0.shared.counts, reply.number()? == 1);
        if was_missing && counts.evicted_keys.load(Ordering::Relaxed) > 0 {
            counts.stored_again.fetch_add(1, Ordering::Relaxed);
        }
        Ok(repaired)
    }

    async fn which_results(
        &self,
        id: SessionId,
        results: &[ResultId],
    ) -> Result<Vec<bool>, StoreError> {
        if results.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.0.keys.session(id).results;
        let mut lengths = redis::pipe();
        for (result, part) in results
            .iter()
            .flat_map(|id| [(*id, Part::Answer), (*id, Part::Whole)])
        {
            lengths.cmd("HSTRLEN").arg(&stored).arg(field(result, part));
        }
        let answers = self.lane(id).ask(lengths.ignore_errors()).await?;
        let lengths = answers.into_iter().map(|answer| match answer {
            // Another client wrote a value of another type: the results are lost.
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(0),
            answer => index::read::<u64>(Some(answer)),
        });
        let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
        Ok(lengths
            .chunks(2)
            .map(|parts| parts.iter().all(|length| *length > 0))
            .collect())
    }

    /// Over the pool, because a whole result may be megabytes and commits must not wait for it.
    async fn read_result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> Result<Option<Arc<[u8]>>, StoreError> {
        let keys = self.0.keys.session(id);
        let wanted = script::RESULT
            .on(&[&keys.session, &keys.results])
            .arg(field(result, part));
        let framed = self.run_apart(wanted).await?.bytes()?;
        if framed.is_empty() {
            return Ok(None);
        }
        let (_, bytes) =
            frame::unwrap(&framed, RESULT_MAX).map_err(|unread| unread.of("a result"))?;
        Ok(Some(bytes))
    }
}
