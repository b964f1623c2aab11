//! The spans of a session's calls. Lost with the actor: spans that it held end as `abandoned`, and the caller, who holds
//! the span of the call too, records that the session died. What runs the call again finds the call's trace in its state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use telemetry::list::attribute::{
    ATTEMPT, COMMIT_BYTES, COMMIT_PART, DURABILITY, OUTCOME, REQUEST, SESSION,
};
use telemetry::list::event::SENT_AGAIN;
use telemetry::list::span::{COMMIT, POOL_WAIT, SESSION_CALL, SESSION_LOAD};
use telemetry::{Event, Follower, Parent, Span, Trace};

use crate::ids::{CommitId, RequestId, SessionId};
use crate::persistence::CommitOutcome;
use crate::store::StoreError;

/// What a commit records of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitPart {
    Accepted,
    Outcome,
    Other,
}

impl CommitPart {
    /// The one that says more.
    pub(crate) fn most(self, other: Self) -> Self {
        match (self, other) {
            (Self::Outcome, _) | (_, Self::Outcome) => Self::Outcome,
            (Self::Accepted, _) | (_, Self::Accepted) => Self::Accepted,
            (Self::Other, Self::Other) => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Outcome => "outcome",
            Self::Other => "other",
        }
    }
}

#[derive(Default)]
pub(super) struct Traces {
    calls: HashMap<RequestId, Follower>,
    waker: Option<Trace>,
    /// Of the call that closes the session.
    closer: Option<Trace>,
    /// The calls that wait for the commit that is at the store.
    waiting: Option<(CommitId, Arc<[Follower]>)>,
}

impl Traces {
    /// Of a session that starts for a call.
    pub(super) fn waking(waker: Option<Trace>) -> Self {
        Self {
            waker,
            ..Self::default()
        }
    }

    /// The span of loading the session, in the trace of the call that needs it.
    pub(super) fn load(&self, session: SessionId) -> Span {
        let mut span = Span::start(&SESSION_LOAD, Parent::Of(self.waker));
        if span.is_recorded() {
            span.set(SESSION, session.to_string());
        }
        span
    }

    /// The call of a caller, who holds the span too.
    pub(super) fn hold(&mut self, request: RequestId, span: Follower) {
        if telemetry::is_on() {
            self.calls.insert(request, span);
        }
    }

    /// A call that runs again although no caller has asked: it continues the trace in its state.
    pub(super) fn resume(
        &mut self,
        session: SessionId,
        request: RequestId,
        attempt: u32,
        trace: Option<Trace>,
    ) {
        if !telemetry::is_on() || self.calls.contains_key(&request) {
            return;
        }
        let mut span = Span::start(&SESSION_CALL, Parent::Of(trace));
        if span.is_recorded() {
            span.set(SESSION, session.to_string());
            span.set(REQUEST, request.to_string());
            span.set(ATTEMPT, attempt);
        }
        self.calls.insert(request, Arc::new(Mutex::new(span)));
    }

    /// The current call closes the session, once that is committed.
    pub(super) fn close(&mut self) {
        self.closer = self.closer.or(telemetry::current());
    }

    pub(super) fn closer(&self) -> Option<Trace> {
        self.closer
    }

    /// The trace of one of the calls.
    pub(super) fn any(&self) -> Option<Trace> {
        self.calls.values().next().and_then(context)
    }

    pub(super) fn of(&self, request: RequestId) -> Option<Trace> {
        self.calls.get(&request).and_then(context)
    }

    /// The span of the wait for a thread.
    pub(super) fn wait(&self, session: SessionId, request: RequestId) -> Span {
        let mut span = Span::start(&POOL_WAIT, Parent::Of(self.of(request)));
        if span.is_recorded() {
            span.set(SESSION, session.to_string());
            span.set(REQUEST, request.to_string());
        }
        span
    }

    pub(super) fn note(&self, request: RequestId, event: Event) {
        if let Some(span) = self.calls.get(&request) {
            lock(span).event(event);
        }
    }

    /// The call was answered.
    pub(super) fn end(&mut self, request: RequestId) {
        if let Some(span) = self.calls.remove(&request) {
            end(span);
        }
    }

    /// Starts a span for each call that waits for the commit, or says in each that the commit is sent again.
    pub(super) fn commit(
        &mut self,
        session: SessionId,
        id: CommitId,
        bytes: usize,
        parts: impl FnOnce() -> Vec<(RequestId, CommitPart)>,
    ) -> Arc<[Follower]> {
        if !telemetry::is_on() {
            return Arc::default();
        }
        if let Some((_, spans)) = self.waiting.as_ref().filter(|(sent, _)| *sent == id) {
            for span in spans.iter() {
                lock(span).event(SENT_AGAIN);
            }
            return Arc::clone(spans);
        }
        let spans: Arc<[Follower]> = parts()
            .into_iter()
            .filter_map(|(request, part)| {
                let call = self.calls.get(&request)?;
                let mut span = Span::start(&COMMIT, Parent::Of(context(call)));
                if span.is_recorded() {
                    span.set(SESSION, session.to_string());
                    span.set(REQUEST, request.to_string());
                    span.set(COMMIT_PART, part.name());
                    span.set(COMMIT_BYTES, bytes);
                }
                Some(Arc::new(Mutex::new(span)))
            })
            .collect();
        self.waiting = Some((id, Arc::clone(&spans)));
        spans
    }

    /// Ends the spans that wait for the commit, unless it is sent again.
    pub(super) fn committed(&mut self, id: CommitId, fate: &CommitOutcome) {
        let CommitOutcome::Answered(answer) = fate else {
            return;
        };
        let level = match answer {
            Ok(committed) => Some(committed.reached.level.name()),
            Err(StoreError::Unavailable(_) | StoreError::Lapsed) => return,
            Err(_) => None,
        };
        let outcome = fate.name();
        let Some((_, spans)) = self.waiting.take_if(|(sent, _)| *sent == id) else {
            return;
        };
        for span in spans.iter() {
            let mut span = lock(span);
            span.set(OUTCOME, outcome);
            match level {
                Some(level) => span.set(DURABILITY, level),
                None => span.fail(outcome),
            }
            std::mem::take(&mut *span).end();
        }
    }
}

/// The context that children and messages take along.
pub(crate) fn context(span: &Follower) -> Option<Trace> {
    lock(span).context()
}

/// Ends a span that others may still hold.
pub(crate) fn end(span: Follower) {
    std::mem::take(&mut *lock(&span)).end();
}

/// Attributes are added one by one, so a span is valid even after a panic.
pub(crate) fn lock(span: &Follower) -> std::sync::MutexGuard<'_, Span> {
    span.lock().unwrap_or_else(PoisonError::into_inner)
}
