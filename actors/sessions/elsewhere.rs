//! Forwards calls and requests to the node that owns the session, and returns its answers.
//!
//! An idle session is handed over to this node. A busy one stays, and the call is forwarded to its owner. The owner may
//! die or release the session at any moment: then the call is tried here again, under the same request id.

use std::pin::Pin;
use std::sync::atomic::Ordering;

use super::*;
use crate::ids::NodeId;
use crate::relay::message::{self, Answer, Question};
use crate::relay::neighbours::{Neighbours, Silence};
use crate::tool::{ProgressSink, Root};

/// An owner without a sign of life for this long counts as down; a live one gives a sign every second.
const SILENCE: Duration = Duration::from_secs(4);
/// Longest wait for a silent owner. Its lease has ended by then.
const ELSEWHERE_WITHIN: Duration = Duration::from_secs(30);
/// Pause before a request is forwarded to the other node again.
const ASK_THERE_AGAIN_AFTER: Duration = Duration::from_millis(50);

impl Sessions {
    /// Runs the call here or on the session's owner, until there is an answer.
    pub(super) async fn run(&self, call: &Call) -> Result<CallAnswer, CallError> {
        let mut heard = Instant::now();
        loop {
            let answer = match self.run_here(call).await {
                Err(CallError::Unrecorded { roots, why }) => {
                    return self.run_unrecorded(call, roots, &why).await;
                }
                answer => answer,
            };
            let Err(CallError::Elsewhere { node, .. }) = &answer else {
                return answer;
            };
            if call.for_neighbour || heard.elapsed() >= ELSEWHERE_WITHIN {
                return answer;
            }
            if let Ok(there) = self.run_there(*node, call).await {
                heard = Instant::now();
                if !is_elsewhere(&there) {
                    return there;
                }
            }
            tokio::time::sleep(ASK_THERE_AGAIN_AFTER).await;
        }
    }

    /// Nothing can be recorded in the session now. The call runs as without a session, and its answer says so.
    async fn run_unrecorded(
        &self,
        call: &Call,
        roots: Arc<[Root]>,
        why: &str,
    ) -> Result<CallAnswer, CallError> {
        let principal = call.asked.principal.clone();
        let unrecorded = Call {
            trace: call.trace,
            asked: Asked {
                id: SessionId::random(),
                start: Start::Throwaway {
                    principal: principal.clone(),
                    roots,
                },
                principal,
                until: call.asked.until,
            },
            request: call.request,
            call: call.call.clone(),
            key: None,
            cancel: call.cancel.clone(),
            progress: call.progress.clone(),
            for_neighbour: call.for_neighbour,
            there: AtomicBool::new(false),
        };
        let answer = self.run_here(&unrecorded).await?;
        Ok(CallAnswer {
            session_id: Some(call.asked.id),
            notices: vec![format!(
                "not_recorded: {why}; the answer is correct, but the session does not contain it"
            )],
            ..answer
        })
    }

    async fn run_there(
        &self,
        node: NodeId,
        call: &Call,
    ) -> Result<Result<CallAnswer, CallError>, Silence> {
        let question = Question::Call(Box::new(message::Call {
            session: call.asked.id,
            request: call.request,
            principal: call.asked.principal.clone(),
            tool: call.call.tool.to_string(),
            arguments: call.call.arguments.as_ref().clone(),
            idempotency_key: call.key.clone(),
            pin: call.call.pin,
            left_ms: millis(left(call.asked.until)),
        }));
        let neighbours = Arc::clone(&self.0.around.responder.neighbours);
        // The caller may disconnect, which drops this future.
        let mut leaving = Leaving(
            Some((Arc::clone(&neighbours), node, call.request)),
            self.0.around.leaving.clone(),
        );
        call.there.store(true, Ordering::Relaxed);
        let answer = neighbours
            .ask(node, question, SILENCE, &call.progress)
            .await;
        call.there.store(false, Ordering::Relaxed);
        leaving.0 = None;
        match answer? {
            Answer::Call(answer) => Ok(answer),
            Answer::HandOver(_)
            | Answer::View(_)
            | Answer::Done(_)
            | Answer::Posted(_)
            | Answer::Said(_) => Err(Silence),
        }
    }

    /// Sends one request to a session, wherever it is.
    pub(super) async fn here_or_there<'a, R>(
        &self,
        here: impl Fn() -> Here<'a, R> + Send,
        question: impl Fn() -> Question + Send,
        read: impl Fn(Answer) -> Option<Result<R, CallError>> + Send,
    ) -> Result<R, CallError> {
        let until = Instant::now() + ASK_WITHIN;
        loop {
            let answer = here().await;
            let Err(CallError::Elsewhere { node, .. }) = &answer else {
                return answer;
            };
            let there = self
                .0
                .around
                .responder
                .neighbours
                .ask(*node, question(), SILENCE, &ProgressSink::default())
                .await;
            match there.ok().and_then(&read) {
                Some(there) if !is_elsewhere(&there) => return there,
                Some(_) | None if Instant::now() >= until => return answer,
                Some(_) | None => tokio::time::sleep(ASK_THERE_AGAIN_AFTER).await,
            }
        }
    }

    /// Runs a call that another node forwarded, but only if this node owns the session.
    pub(crate) async fn run_for_neighbour(
        &self,
        call: message::Call,
        cancel: CancellationToken,
        progress: ProgressSink,
    ) -> Result<CallAnswer, CallError> {
        let message::Call {
            session,
            request,
            principal,
            tool,
            arguments,
            idempotency_key,
            pin,
            left_ms,
        } = call;
        let request_here = CallRequest {
            target: Target::Session(session),
            principal,
            tool,
            arguments,
            idempotency_key,
            pin,
            deadline: Some(Duration::from_millis(left_ms)),
            cancel,
            progress,
        };
        self.call_as(request_here, request, true).await
    }

    /// Clears cached values on this node and on every node that shares the store, because they are outdated.
    ///
    /// # Errors
    /// The store cannot list the nodes, or the shared cache cannot be reached. This node's cache is cleared in any
    /// case.
    pub async fn forget_cache(&self) -> Result<(), CallError> {
        let away = |error: String| CallError::StoreUnavailable(error);
        let told = match self.0.around.cache.second_level() {
            Some(second) => second.invalidate().await,
            None => Ok(()),
        };
        self.forget_cache_here();
        let nodes = patiently(|| self.store().nodes()).await;
        let mut unheard = None;
        for node in nodes.map_err(|error| away(error.cause()))? {
            if node.node != self.node() {
                let neighbours = &self.0.around.responder.neighbours;
                let sent = neighbours.tell(node.node, Question::ForgetCache).await;
                if sent.is_err() {
                    unheard = Some(node.node);
                }
            }
        }
        told.map_err(|error| away(error.to_string()))?;
        unheard.map_or(Ok(()), |node| {
            Err(away(format!("node {node} could not be reached")))
        })
    }

    pub(crate) fn forget_cache_here(&self) {
        if let Some(second) = self.0.around.cache.second_level() {
            second.invalidated();
        }
        self.0.places.cache.cast(CacheMsg::Clear);
    }

    pub(crate) async fn view_here(
        &self,
        principal: &Principal,
        id: SessionId,
        replayed: bool,
    ) -> Result<SessionView, CallError> {
        let make = |reply| {
            SessionMsg::View {
                principal: principal.clone(),
                replayed,
                reply,
            }
            .traced()
        };
        let mut view = self.ask(id, make).await?;
        self.tell_what_is_stored(&mut view).await;
        Ok(view)
    }

    /// A store that was rolled back may lack results that the session refers to. A store that does not answer is
    /// assumed to have them.
    async fn tell_what_is_stored(&self, view: &mut SessionView) {
        let kept = view.history.iter().filter(|entry| entry.stored);
        let kept: Vec<_> = kept.map(|entry| entry.result_id).collect();
        if kept.is_empty() {
            return;
        }
        if let Ok(stored) = in_time(self.store().has_results(view.id, &kept)).await {
            let kept = view.history.iter_mut().filter(|entry| entry.stored);
            for (entry, stored) in kept.zip(stored) {
                entry.stored = stored;
            }
        }
    }

    pub(crate) async fn touch_here(
        &self,
        principal: &Principal,
        id: SessionId,
    ) -> Result<(), CallError> {
        let make = |reply| {
            SessionMsg::Touch {
                principal: principal.clone(),
                reply,
            }
            .traced()
        };
        self.ask(id, make).await
    }

    pub(crate) async fn close_here(
        &self,
        principal: &Principal,
        id: SessionId,
    ) -> Result<(), CallError> {
        let make = |reply| {
            SessionMsg::Close {
                principal: principal.clone(),
                reply,
            }
            .traced()
        };
        self.ask(id, make).await
    }
}

/// The same request to this node's own session.
pub(super) type Here<'a, R> = Pin<Box<dyn Future<Output = Result<R, CallError>> + Send + 'a>>;

/// If dropped while it holds a call, tells the other node that its caller has gone. Not during shutdown of this node:
/// then the call should still finish.
struct Leaving(
    Option<(Arc<Neighbours>, NodeId, RequestId)>,
    CancellationToken,
);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some((neighbours, node, request)) = self.0.take().filter(|_| !self.1.is_cancelled())
        {
            tokio::spawn(async move {
                let _ = neighbours.tell(node, Question::Cancel { request }).await;
            });
        }
    }
}

/// The session is no longer there, or is about to be handed over: try here again.
fn is_elsewhere<R>(answer: &Result<R, CallError>) -> bool {
    matches!(
        answer,
        Err(CallError::Elsewhere { .. } | CallError::ShuttingDown)
    )
}
