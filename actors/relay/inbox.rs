//! Handles messages of other nodes: answers their questions, and passes their answers to the callers that wait.
//!
//! When this actor dies, questions in progress are still answered, because each has its own task. Messages that were
//! not taken up wait in the relay for the successor. A message that was taken up but not handled is lost: its sender
//! gets no answer and asks again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use telemetry::list::attribute::{NODE, SESSION};
use telemetry::list::metric::HandOvers;
use telemetry::list::span::{HAND_OVER, RELAY_ANSWER};
use telemetry::{Parent, Span, Trace};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::message::{Answer, Body, Call, HandOver, Message, Question};
use super::neighbours::Neighbours;
use crate::activity::messages;
use crate::faults::{CrashPoint, Fault, Faults};
use crate::ids::{NodeId, RequestId, SessionId};
use crate::persistence::in_time;
use crate::sessions::{Sessions, WeakSessions};
use crate::store::StoreError;
use crate::supervisor::sessions::{SupervisorMsg, place_of};
use crate::tool::{Progress, ProgressSink};

/// Questions of other nodes answered at once. Further ones are dropped, and their senders ask again.
const QUESTIONS_MAX: usize = 256;
/// Interval of signs of life for a long answer: shorter than the time after which the asking node asks again
/// ([`SILENT_AGAIN_EVERY`](super::neighbours::SILENT_AGAIN_EVERY)).
const ALIVE_EVERY: Duration = Duration::from_millis(600);
/// Pause after an error of the relay: short, because other nodes wait for this one.
const RECEIVE_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Longest wait for a session to be handed over.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(2);

pub(crate) enum InboxMsg {
    Arrived(Vec<Vec<u8>>),
    Fault(Fault),
}

messages!(InboxMsg {
    Arrived => "arrived",
    Fault => "fault",
});

impl From<Fault> for InboxMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What the inbox needs of its node. Lives above the tree.
pub(crate) struct Responder {
    pub(crate) node: NodeId,
    pub(crate) neighbours: Arc<Neighbours>,
    /// Set once, when [`Sessions`] exists.
    pub(crate) sessions: OnceLock<WeakSessions>,
    /// Calls that run here for other nodes, to be cancelled when their callers disconnect.
    running: Mutex<HashMap<RequestId, CancellationToken>>,
    /// Questions in progress, by asking node and number, so that a repeated question is not answered twice.
    answering: Mutex<HashSet<(NodeId, u64)>>,
    room: Arc<Semaphore>,
}

impl Responder {
    pub(crate) fn new(node: NodeId, neighbours: Arc<Neighbours>) -> Self {
        Self {
            node,
            neighbours,
            sessions: OnceLock::new(),
            running: Mutex::default(),
            answering: Mutex::default(),
            room: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        }
    }

    fn sessions(&self) -> Option<Sessions> {
        self.sessions.get().and_then(WeakSessions::upgrade)
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RequestId, CancellationToken>) -> R) -> R {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Inbox;

pub(crate) struct Arguments {
    pub(crate) responder: Arc<Responder>,
    pub(crate) faults: Faults,
}

pub(crate) struct State {
    arguments: Arguments,
    receiving: Option<AbortHandle>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(receiving) = &self.receiving {
            receiving.abort();
        }
    }
}

impl Actor for Inbox {
    type Msg = InboxMsg;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State {
            arguments,
            receiving: None,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let responder = Arc::clone(&state.arguments.responder);
        if responder.neighbours.relay().is_some() {
            state.receiving = Some(tokio::spawn(receive(responder, myself)).abort_handle());
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            InboxMsg::Arrived(messages) => {
                for message in messages {
                    state.arguments.faults.pass(CrashPoint::InboxReceived);
                    take_up(&state.arguments.responder, &message);
                }
            }
            InboxMsg::Fault(fault) => fault.strike().await,
        }
        Ok(())
    }
}

async fn receive(responder: Arc<Responder>, inbox: ActorRef<InboxMsg>) {
    let Some(relay) = responder.neighbours.relay() else {
        return;
    };
    let mut away = false;
    loop {
        match relay.receive(responder.node).await {
            Ok(messages) => {
                if std::mem::take(&mut away)
                    && let Some(sessions) = responder.sessions()
                {
                    // The relay and the store use the same server, so a message shows that the store is up.
                    tokio::spawn(async move { sessions.store().heard_from().await });
                }
                if !messages.is_empty() && inbox.send_message(InboxMsg::Arrived(messages)).is_err()
                {
                    return;
                }
            }
            Err(error) => {
                away = true;
                tracing::debug!(%error, "the relay cannot be read");
                tokio::time::sleep(RECEIVE_AGAIN_AFTER).await;
            }
        }
    }
}

fn take_up(responder: &Arc<Responder>, message: &[u8]) {
    let Message {
        from,
        trace,
        number,
        body,
    } = match Message::read(message) {
        Ok(message) => message,
        Err(error) => {
            // Of another version, or damaged: the sending node asks again, or waits for the lease to end.
            tracing::warn!(%error, "a message of another node cannot be read: it is ignored, and that node asks again");
            return;
        }
    };
    responder.neighbours.roster().heard(from);
    let question = match body {
        Body::Question(Question::Cancel { request }) => {
            if let Some(cancel) = responder.with(|running| running.get(&request).cloned()) {
                cancel.cancel();
            }
            return;
        }
        Body::Question(question) => question,
        news @ (Body::Alive | Body::Progress(_) | Body::Answer(_)) => {
            responder.neighbours.heard(number, news);
            return;
        }
    };
    let Some(answering) = Answering::begin(responder, from, number) else {
        return;
    };
    let Ok(permit) = Arc::clone(&responder.room).try_acquire_owned() else {
        tracing::warn!(%from, "too many questions of other nodes: one is ignored, and its node asks again");
        return;
    };
    let responder = Arc::clone(responder);
    tokio::spawn(async move {
        let (_permit, _answering) = (permit, answering);
        let Some(sessions) = responder.sessions() else {
            return;
        };
        let working = async {
            // The store may still count as down, but a question that arrived over it proves that it answers.
            sessions.store().heard_from().await;
            answer(&responder, &sessions, from, number, question).await
        };
        // A trace that cannot be read costs the trace, not the answer.
        let trace: Option<Trace> = trace.and_then(|trace| trace.parse().ok());
        let mut span = Span::NONE;
        if trace.is_some() {
            span = Span::start(&RELAY_ANSWER, Parent::Of(trace));
            span.set(NODE, from.to_string());
        }
        let working = telemetry::traced(span.context(), working);
        let mut working = std::pin::pin!(working);
        let answer = loop {
            tokio::select! {
                answer = &mut working => break answer,
                () = tokio::time::sleep(ALIVE_EVERY) => {
                    let _ = responder.neighbours.send(from, number, Body::Alive).await;
                }
            }
        };
        span.end();
        responder.neighbours.answer(from, number, answer).await;
    });
}

/// A question in progress, until dropped.
struct Answering(Arc<Responder>, (NodeId, u64));

impl Answering {
    /// `None`: the question is already being answered.
    fn begin(responder: &Arc<Responder>, from: NodeId, number: u64) -> Option<Self> {
        let asked = (from, number);
        let mut answering = responder
            .answering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        answering
            .insert(asked)
            .then(|| Self(Arc::clone(responder), asked))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut answering = self
            .0
            .answering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        answering.remove(&self.1);
    }
}

async fn answer(
    responder: &Arc<Responder>,
    sessions: &Sessions,
    from: NodeId,
    number: u64,
    question: Question,
) -> Answer {
    match question {
        Question::HandOver { session } => Answer::HandOver(sessions.hand_over(session).await),
        Question::Call(call) => Answer::Call(run(responder, sessions, from, number, *call).await),
        Question::View {
            session,
            principal,
            replayed,
        } => Answer::View(Box::new(
            sessions.view_here(&principal, session, replayed).await,
        )),
        Question::Touch { session, principal } => {
            Answer::Done(sessions.touch_here(&principal, session).await)
        }
        Question::Close { session, principal } => {
            Answer::Done(sessions.close_here(&principal, session).await)
        }
        Question::ForgetCache => {
            sessions.forget_cache_here();
            Answer::Done(Ok(()))
        }
        Question::Post {
            connection,
            message,
        } => {
            let connections = sessions.connections();
            Answer::Posted(connections.deliver(connection, message.into()).await)
        }
        Question::Repairing { session, claim } => {
            let Ok(claim) = claim.try_into() else {
                return Answer::Said(None);
            };
            let said = sessions.store().asked(session, claim).await;
            Answer::Said(said.map(Into::into))
        }
        // Handled when it arrived.
        Question::Cancel { .. } => Answer::Done(Ok(())),
    }
}

async fn run(
    responder: &Arc<Responder>,
    sessions: &Sessions,
    from: NodeId,
    number: u64,
    call: Call,
) -> Result<crate::sessions::CallAnswer, crate::sessions::CallError> {
    let (request, cancel) = (call.request, CancellationToken::new());
    responder.with(|running| running.insert(request, cancel.clone()));
    let answer = sessions
        .run_for_neighbour(call, cancel, progress_to(responder, from, number))
        .await;
    responder.with(|running| running.remove(&request));
    answer
}

/// Sends the newest progress; while one report is on its way, a newer one replaces the one that waits.
fn progress_to(responder: &Arc<Responder>, from: NodeId, number: u64) -> ProgressSink {
    let (newest, mut changes) = tokio::sync::watch::channel(None::<Progress>);
    let responder = Arc::clone(responder);
    tokio::spawn(async move {
        // Ends with the sink.
        while changes.changed().await.is_ok() {
            let progress = changes.borrow_and_update().clone();
            if let Some(progress) = progress {
                let _ = responder
                    .neighbours
                    .send(from, number, Body::Progress(progress))
                    .await;
            }
        }
    });
    ProgressSink::new(move |progress| drop(newest.send(Some(progress))))
}

impl Sessions {
    /// Hands a session over to another node, if no call runs in it here.
    pub(crate) async fn hand_over(&self, id: SessionId) -> HandOver {
        let asked = place_of(&self.places().supervisors, id)
            .ask(HAND_OVER_WITHIN, |reply| SupervisorMsg::HandOver {
                id,
                trace: telemetry::current(),
                reply,
            })
            .await;
        match asked {
            Ok(Some(answer)) => answer,
            // No actor here runs it, but the store says that this node owns it: it was not released when its actor
            // ended.
            Ok(None) => self.give_up(id).await,
            Err(_) => HandOver::Failed,
        }
    }

    /// As [`Sessions::hand_over`], at shutdown: nobody's call.
    pub(crate) async fn give_up_in_a_trace(&self, id: SessionId) -> HandOver {
        let mut span = Span::start(&HAND_OVER, Parent::None);
        if span.is_recorded() {
            span.set(SESSION, id.to_string());
        }
        let answer = telemetry::traced(span.context(), self.hand_over(id)).await;
        span.end();
        answer
    }

    async fn give_up(&self, id: SessionId) -> HandOver {
        let (store, node) = (self.store(), self.node());
        let given_up = async {
            let acquired = in_time(store.acquire(id, node)).await?;
            if acquired.lost.all() > 0 {
                return Ok(false);
            }
            in_time(store.release(id, acquired.fence, acquired.version)).await?;
            Ok(true)
        };
        let given_up: Result<bool, StoreError> = given_up.await;
        match given_up {
            Ok(true) => {
                HandOvers { direction: "given" }.add(1);
                HandOver::Released
            }
            Ok(false) => {
                // Its actor reports the loss to the owner. The session is handed over when the other node asks again.
                let until = Instant::now() + HAND_OVER_WITHIN;
                if let Err(error) = self.find(id, until).await {
                    tracing::debug!(session = %id, %error, "a loss is reported later");
                }
                HandOver::Failed
            }
            Err(error) => {
                tracing::debug!(session = %id, %error, "a session could not be released");
                HandOver::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests;
