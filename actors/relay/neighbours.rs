//! This node among others: asks them, and finds who waits for what they say. Owned above the tree.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Relay;
use super::message::{Answer, Body, Message, Question};
use super::peers::Roster;
use crate::ids::NodeId;
use crate::tool::{Progress, ProgressSink};

/// What is said about one question and not yet heard. Progress beyond it is dropped: the newest matters.
const NEWS_MAX: usize = 16;

pub(crate) struct Neighbours {
    node: NodeId,
    relay: Option<Arc<dyn Relay>>,
    next: AtomicU64,
    asked: Mutex<HashMap<u64, mpsc::Sender<News>>>,
    roster: Roster,
}

enum News {
    Alive,
    Progress(Progress),
    Answer(Answer),
}

/// No answer, no progress, no sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence;

impl Neighbours {
    pub(crate) fn new(node: NodeId, relay: Option<Arc<dyn Relay>>) -> Self {
        Self {
            node,
            relay,
            next: AtomicU64::new(0),
            asked: Mutex::default(),
            roster: Roster::default(),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn relay(&self) -> Option<&Arc<dyn Relay>> {
        self.relay.as_ref()
    }

    /// The nodes that are there.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Asks `node`, and waits as long as it shows that it is at work; `silence` without a word ends it.
    pub(crate) async fn ask(
        &self,
        node: NodeId,
        question: Question,
        silence: Duration,
        progress: &ProgressSink,
    ) -> Result<Answer, Silence> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (heard, mut news) = mpsc::channel(NEWS_MAX);
        self.with(|asked| asked.insert(number, heard));
        let _forget = Forget(self, number);
        self.send(node, number, Body::Question(question)).await?;
        loop {
            match tokio::time::timeout(silence, news.recv()).await {
                Ok(Some(News::Answer(answer))) => return Ok(answer),
                Ok(Some(News::Progress(at))) => progress.report(at.done, at.total, at.message),
                Ok(Some(News::Alive)) => {}
                Ok(None) | Err(_) => return Err(Silence),
            }
        }
    }

    /// Says something that needs no answer, or is one.
    pub(crate) async fn send(&self, to: NodeId, number: u64, body: Body) -> Result<(), Silence> {
        let Some(relay) = &self.relay else {
            return Err(Silence);
        };
        let from = self.node;
        let message = serde_json::to_vec(&Message { from, number, body });
        let message = message.map_err(|error| {
            tracing::error!(%error, "a message to another node cannot be written");
            Silence
        })?;
        relay.send(to, message.into()).await.map_err(|error| {
            tracing::warn!(%to, %error, "a message to another node was not sent");
            Silence
        })
    }

    /// Asks without waiting for an answer.
    pub(crate) async fn tell(&self, to: NodeId, question: Question) -> Result<(), Silence> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(to, number, Body::Question(question)).await
    }

    /// Something was said about question `number`. Nobody may wait for it any more.
    pub(crate) fn heard(&self, number: u64, body: Body) {
        let news = match body {
            Body::Question(_) => return,
            Body::Alive => News::Alive,
            Body::Progress(progress) => News::Progress(progress),
            Body::Answer(answer) => News::Answer(answer),
        };
        let Some(asker) = self.with(|asked| asked.get(&number).cloned()) else {
            return;
        };
        // The last place is kept for the answer.
        if matches!(news, News::Answer(_)) || asker.capacity() > 1 {
            let _ = asker.try_send(news);
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<u64, mpsc::Sender<News>>) -> R) -> R {
        act(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whoever stops waiting, by whatever way out, is not kept.
struct Forget<'a>(&'a Neighbours, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.with(|asked| asked.remove(&self.1));
    }
}
