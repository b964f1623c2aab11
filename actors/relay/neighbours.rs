//! This node's link to the others: asks them, and passes their answers to the callers that wait. Lives above the tree.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use telemetry::list::attribute::NODE;
use telemetry::list::span::RELAY_ASK;
use telemetry::{Parent, Span};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::message::{Answer, Body, Message, Question};
use super::peers::Roster;
use super::{Relay, RelayError};
use crate::ids::NodeId;
use crate::tool::{Progress, ProgressSink};

/// Reports about one question that wait for its caller. Further progress is dropped; only the newest matters.
const NEWS_MAX: usize = 16;

/// A question without any sign of life for this long is asked again. The other node may have been cut off from the
/// relay for a moment, and may have lost the question; asking again costs the caller a second instead of a lease. A
/// node that works on a question signals more often than this.
pub(crate) const SILENT_AGAIN_EVERY: Duration = Duration::from_secs(1);
/// Pause between repeated questions to one node: thousands of sessions may wait for a node that is down.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long an answer that cannot be sent is kept: longer than its callers wait through a silence.
const ANSWER_KEPT_FOR: Duration = Duration::from_secs(10);
const ANSWER_AGAIN_AFTER: Duration = Duration::from_millis(100);

pub(crate) struct Neighbours {
    node: NodeId,
    relay: Option<Arc<dyn Relay>>,
    next: AtomicU64,
    asked: Mutex<HashMap<u64, mpsc::Sender<News>>>,
    /// When a question was last repeated to each node.
    again: Mutex<HashMap<NodeId, Instant>>,
    roster: Roster,
}

enum News {
    Alive,
    Progress(Progress),
    Answer(Answer),
}

/// The `error.type` of a question without an answer.
const SILENT: &str = "silent";

/// No answer, no progress and no sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence;

impl Neighbours {
    pub(crate) fn new(node: NodeId, relay: Option<Arc<dyn Relay>>) -> Self {
        Self {
            node,
            relay,
            next: AtomicU64::new(0),
            asked: Mutex::default(),
            again: Mutex::default(),
            roster: Roster::default(),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn relay(&self) -> Option<&Arc<dyn Relay>> {
        self.relay.as_ref()
    }

    /// The live nodes.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Asks `node`, and waits as long as it shows that it works on the question; `silence` without a message ends the
    /// wait. A question that may be repeated is asked again meanwhile.
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
        let repeats = question.may_be_repeated();
        let mut span = asking(node);
        let entered = telemetry::enter(span.context());
        let message = self.write(node, number, Body::Question(question))?;
        drop(entered);
        let asked = self
            .await_answer(node, message, silence, progress, repeats, &mut news)
            .await;
        if asked.is_err() {
            span.fail(SILENT);
        }
        span.end();
        asked
    }

    async fn await_answer(
        &self,
        node: NodeId,
        message: Arc<[u8]>,
        silence: Duration,
        progress: &ProgressSink,
        repeats: bool,
        news: &mut mpsc::Receiver<News>,
    ) -> Result<Answer, Silence> {
        self.deliver(node, Arc::clone(&message))
            .await
            .map_err(|error| unsent(node, &error))?;
        let mut heard = Instant::now();
        loop {
            let left = silence.saturating_sub(heard.elapsed());
            match tokio::time::timeout(left.min(SILENT_AGAIN_EVERY), news.recv()).await {
                Ok(Some(News::Answer(answer))) => return Ok(answer),
                Ok(Some(News::Progress(at))) => progress.report(at.done, at.total, at.message),
                Ok(Some(News::Alive)) => {}
                Ok(None) => return Err(Silence),
                Err(_) if heard.elapsed() >= silence => return Err(Silence),
                Err(_) => {
                    if repeats && self.may_ask_again(node) {
                        // If sending fails, the question counts as lost and is asked again.
                        let _ = self.deliver(node, Arc::clone(&message)).await;
                    }
                    continue;
                }
            }
            heard = Instant::now();
        }
    }

    fn may_ask_again(&self, node: NodeId) -> bool {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.retain(|_, at| at.elapsed() < AGAIN_AFTER);
        if again.contains_key(&node) {
            return false;
        }
        again.insert(node, Instant::now());
        true
    }

    /// Sends a message that needs no answer.
    pub(crate) async fn send(&self, to: NodeId, number: u64, body: Body) -> Result<(), Silence> {
        let message = self.write(to, number, body)?;
        let sent = self.deliver(to, message).await;
        sent.map_err(|error| unsent(to, &error))
    }

    /// Sends an answer. While the relay is down the answer is kept for a moment, because its caller waits for it.
    pub(crate) async fn answer(&self, to: NodeId, number: u64, answer: Answer) {
        let Ok(message) = self.write(to, number, Body::Answer(answer)) else {
            return;
        };
        let until = Instant::now() + ANSWER_KEPT_FOR;
        loop {
            match self.deliver(to, Arc::clone(&message)).await {
                Err(RelayError::Unavailable(_)) if Instant::now() < until => {
                    tokio::time::sleep(ANSWER_AGAIN_AFTER).await;
                }
                Err(error) => {
                    unsent(to, &error);
                    return;
                }
                Ok(()) => return,
            }
        }
    }

    fn write(&self, to: NodeId, number: u64, body: Body) -> Result<Arc<[u8]>, Silence> {
        let message = Message {
            from: self.node,
            trace: telemetry::current().map(|trace| trace.to_string()),
            number,
            body,
        };
        message.write().map(Into::into).map_err(|error| {
            tracing::error!(%to, %error, "a message to another node cannot be written: it counts as unanswered");
            Silence
        })
    }

    async fn deliver(&self, to: NodeId, message: Arc<[u8]>) -> Result<(), RelayError> {
        match &self.relay {
            Some(relay) => relay.send(to, message).await,
            None => Err(RelayError::Unavailable("no relay is configured".to_owned())),
        }
    }

    /// Sends a question without waiting for an answer.
    pub(crate) async fn tell(&self, to: NodeId, question: Question) -> Result<(), Silence> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(to, number, Body::Question(question)).await
    }

    /// Passes a message about question `number` to its caller, which may no longer wait.
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
        // The last place is reserved for the answer.
        if matches!(news, News::Answer(_)) || asker.capacity() > 1 {
            let _ = asker.try_send(news);
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<u64, mpsc::Sender<News>>) -> R) -> R {
        act(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The span of a question, within the current trace.
fn asking(node: NodeId) -> Span {
    if telemetry::current().is_none() {
        return Span::NONE;
    }
    let mut span = Span::start(&RELAY_ASK, Parent::Current);
    if span.is_recorded() {
        span.set(NODE, node.to_string());
    }
    span
}

fn unsent(to: NodeId, error: &RelayError) -> Silence {
    tracing::warn!(%to, %error, "a message to another node was not sent: it counts as unanswered");
    Silence
}

/// Removes the caller when it stops waiting.
struct Forget<'a>(&'a Neighbours, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.with(|asked| asked.remove(&self.1));
    }
}
