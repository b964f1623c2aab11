//! A store that is slow, refuses, or applies requests without answering, as a store over a network may.

use std::sync::Mutex;

use super::*;
use crate::ids::NodeId;
use crate::store::{
    Acquired, Commit, CommitsFuture, Fence, KeepFuture, NodeRecord, Part, Reached, Repair,
    Repaired, Row, StoreFuture, Usage,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Acquire,
    Commit,
    Renew,
    Delete,
    Quarantine,
    Result,
    Other,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Well,
    /// Not applied, and answered as by a store that cannot know that.
    Fails,
    /// Applied, but the answer is lost.
    Unheard,
    /// Never answers.
    Hangs,
    After(Duration),
}

type Mood = Box<dyn FnMut(Op) -> How + Send>;

pub(super) struct Flaky {
    inner: Arc<MemoryStore>,
    mood: Mutex<Mood>,
    /// The level that it reports, and that every commit reaches.
    level: DurabilityLevel,
}

impl Flaky {
    pub(super) fn over(
        inner: Arc<MemoryStore>,
        mood: impl FnMut(Op) -> How + Send + 'static,
    ) -> Arc<Self> {
        Self::at(DurabilityLevel::Memory, inner, mood)
    }

    pub(super) fn at(
        level: DurabilityLevel,
        inner: Arc<MemoryStore>,
        mood: impl FnMut(Op) -> How + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner,
            mood: Mutex::new(Box::new(mood)),
            level,
        })
    }

    fn reached(&self) -> Reached {
        Reached {
            level: self.level,
            durable: self.level != DurabilityLevel::Memory,
            evictable: false,
        }
    }

    async fn through<T>(
        &self,
        op: Op,
        act: impl Future<Output = T> + Send,
        lost: impl Fn() -> T,
    ) -> T {
        let how = (self.mood.lock().unwrap())(op);
        match how {
            How::Well => act.await,
            How::Fails => lost(),
            How::Unheard => {
                act.await;
                lost()
            }
            How::Hangs => std::future::pending().await,
            How::After(wait) => {
                tokio::time::sleep(wait).await;
                act.await
            }
        }
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        op: Op,
        act: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(self.through(op, act, || Err(lost())))
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("no answer".to_owned())
}

// The memory store acts when called, so each call is deferred until its future is polled.
impl Store for Flaky {
    fn kind(&self) -> &'static str {
        "flaky"
    }
    fn level(&self) -> DurabilityLevel {
        self.level
    }
    fn probe(&self) -> StoreFuture<'_, ()> {
        self.ask(Op::Other, async { Ok(()) })
    }
    fn create(&self, session: NewSession) -> StoreFuture<'_, Created> {
        self.ask(Op::Other, async {
            match self.inner.create(session).await? {
                Created::New(_) => Ok(Created::New(self.reached())),
                before @ Created::Before(_) => Ok(before),
            }
        })
    }
    fn acquire_after(&self, id: SessionId, node: NodeId, after: u64) -> StoreFuture<'_, Acquired> {
        self.ask(Op::Acquire, async move {
            let acquired = self.inner.acquire_after(id, node, after).await?;
            Ok(Acquired {
                reached: self.reached(),
                ..acquired
            })
        })
    }
    fn commit<'a>(&'a self, commits: &'a [Commit]) -> CommitsFuture<'a> {
        let act = async {
            let mut answers = self.inner.commit(commits).await;
            for committed in answers.iter_mut().flatten() {
                committed.reached = self.reached();
            }
            answers
        };
        Box::pin(self.through(Op::Commit, act, || {
            commits.iter().map(|_| Err(lost())).collect()
        }))
    }
    fn renew(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, Reached> {
        self.ask(Op::Renew, async move {
            self.inner.renew(id, fence).await?;
            Ok(self.reached())
        })
    }
    fn release(&self, id: SessionId, fence: Fence, version: u64) -> StoreFuture<'_, ()> {
        self.ask(Op::Other, async move {
            self.inner.release(id, fence, version).await
        })
    }
    fn delete(&self, id: SessionId, fence: Fence) -> StoreFuture<'_, ()> {
        self.ask(
            Op::Delete,
            async move { self.inner.delete(id, fence).await },
        )
    }
    fn quarantine(&self, id: SessionId, reason: Option<String>) -> StoreFuture<'_, ()> {
        self.ask(Op::Quarantine, async move {
            self.inner.quarantine(id, reason).await
        })
    }
    fn close_quarantined<'a>(&'a self, id: SessionId, owner: &'a Principal) -> StoreFuture<'a, ()> {
        self.ask(Op::Other, async move {
            self.inner.close_quarantined(id, owner).await
        })
    }
    fn result(
        &self,
        id: SessionId,
        result: ResultId,
        part: Part,
    ) -> StoreFuture<'_, Option<Arc<[u8]>>> {
        self.ask(Op::Result, async move {
            self.inner.result(id, result, part).await
        })
    }
    fn has_results<'a>(
        &'a self,
        id: SessionId,
        results: &'a [ResultId],
    ) -> StoreFuture<'a, Vec<bool>> {
        self.ask(Op::Other, async move {
            self.inner.has_results(id, results).await
        })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> StoreFuture<'a, (Vec<Row>, u64)> {
        self.ask(Op::Other, async move {
            self.inner.list(principal, after, limit).await
        })
    }
    fn usage<'a>(&'a self, principal: &'a Principal) -> StoreFuture<'a, Usage> {
        self.ask(Op::Other, async { self.inner.usage(principal).await })
    }
    fn look(&self, id: SessionId) -> StoreFuture<'_, Row> {
        self.ask(Op::Other, async move { self.inner.look(id).await })
    }
    fn keep<'a>(&'a self, held: &'a [(SessionId, Fence)]) -> KeepFuture<'a> {
        let act = async { self.inner.keep(held).await };
        Box::pin(self.through(Op::Renew, act, || {
            held.iter().map(|_| Err(lost())).collect()
        }))
    }
    fn repair(&self, repair: Repair) -> StoreFuture<'_, Repaired> {
        self.ask(Op::Other, async { self.inner.repair(repair).await })
    }
    fn announce<'a>(&'a self, node: &'a NodeRecord) -> StoreFuture<'a, ()> {
        self.ask(Op::Other, async { self.inner.announce(node).await })
    }
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        self.ask(Op::Other, async { self.inner.nodes().await })
    }
    fn sweep(&self) -> StoreFuture<'_, ()> {
        self.ask(Op::Other, async { self.inner.sweep().await })
    }
}
