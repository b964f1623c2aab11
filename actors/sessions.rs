//! The interface of this crate: everything that a server or a command line asks of sessions.
//!
//! It is not an actor, so it cannot crash. It alone handles retries, request ids, attempts and deadlines. If the
//! session of a call dies, the call is sent again under the same request id. It is then attached to its running job, or
//! answered from its stored result; the caller only sees latency.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use telemetry::list::attribute::{ATTEMPT, NODE, REQUEST, SESSION};
use telemetry::list::span::{ADMISSION, SESSION_CALL};
use telemetry::{Follower, Parent, Span, Trace};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::cache::CacheMsg;
use crate::clock::{Clock, millis};
use crate::connections::Connections;
use crate::handle::InjectedFault;
use crate::ids::{Principal, RequestId, ResultId, SessionId};
use crate::leases::KeeperThread;
use crate::options::Options;
use crate::persistence::{in_time, patiently};
use crate::pool::JobKey;
use crate::registry::{RegistryMsg, Resolved};
use crate::results;
use crate::session::machine::{Machine, Requested};
use crate::session::{CallMsg, SessionMsg, Start, Surroundings, size_of, snapshot, traces};
use crate::store::{CreateKey, Created, NewSession, Store, StoreError};
use crate::supervisor::sessions::{SupervisorMsg, place_of};
use crate::supervisor::store::StoreSupervisorMsg;
use crate::supervisor::{Places, RootMsg};
use crate::tool::{Catalogue, ProgressSink, StoredResult};
use crate::watch::{Watch, WatchThread};

mod activity;
mod digest;
mod elsewhere;
mod manage;
mod measured;
mod owners;
mod status;
mod tree;
mod types;
mod usage;

use digest::digest;
pub use tree::Backing;
pub use types::{
    CallAnswer, CallError, CallRequest, CallView, CreateRequest, Durability, DurabilityLevel,
    HistoryView, Kept, SessionRow, SessionStatus, SessionView, Target,
};

/// Suggested retry time after `busy`.
pub(crate) const BUSY_RETRY: Duration = Duration::from_millis(250);
/// Pause before a request is sent again to a session that died over it.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// Deaths of its session that one call survives, of any cause: far more than any chaos test causes, but not
/// unbounded.
const DEATHS_MAX: u32 = 1000;
/// Longest wait for a request that runs nothing, such as viewing or closing a session.
const ASK_WITHIN: Duration = Duration::from_secs(30);
/// How long a caller that cancels waits for its session to be told.
const CANCEL_WITHIN: Duration = Duration::from_millis(100);
/// Later deadlines are cut to this one: a point in time further away cannot be represented.
const DEADLINE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// The `error.type` of a session's span whose actor died over the call.
const SESSION_DIED: &str = "session_died";
/// The `error.type` of the search for a session that did not find it awake.
const NOT_FOUND: &str = "not_admitted";
/// Most rows in one list.
const LIST_MAX: usize = 1000;

/// Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

/// As [`Sessions`], for code inside the tree; does not keep it alive.
pub(crate) struct WeakSessions(Weak<Inner>);

impl Sessions {
    pub(crate) fn downgrade(&self) -> WeakSessions {
        WeakSessions(Arc::downgrade(&self.0))
    }
}

impl WeakSessions {
    pub(crate) fn upgrade(&self) -> Option<Sessions> {
        self.0.upgrade().map(Sessions)
    }
}

struct Inner {
    around: Arc<Surroundings>,
    connections: Connections,
    usages: usage::Usages,
    places: Places,
    started: Instant,
    /// Milliseconds since 1970.
    started_ms: u64,
    in_flight: Arc<Semaphore>,
    /// Cancelled once new calls are refused.
    draining: CancellationToken,
    /// Cancelled once the tree has stopped, so that no caller waits for it any longer.
    stopped: CancellationToken,
    watch: Arc<Watch>,
    /// Dropped with the tree.
    _watching: WatchThread,
    /// Dropped with the tree.
    _keeper: Option<Arc<KeeperThread>>,
}

impl Sessions {
    /// Runs one call, surviving the crash of any actor. Cancelling `request.cancel` ends it within a moment. Dropping
    /// the future does not: the call runs on, and its result is stored.
    pub async fn call(&self, request: CallRequest) -> Result<CallAnswer, CallError> {
        self.call_as(request, RequestId::random(), false).await
    }

    /// As [`Sessions::call`], under a given id. A second call with the same id, on any node, is attached to the running
    /// call, or gets the same answer.
    pub async fn call_under(
        &self,
        id: RequestId,
        request: CallRequest,
    ) -> Result<CallAnswer, CallError> {
        self.call_as(request, id, false).await
    }

    async fn call_as(
        &self,
        request: CallRequest,
        id: RequestId,
        for_neighbour: bool,
    ) -> Result<CallAnswer, CallError> {
        if self.0.draining.is_cancelled() {
            return Err(CallError::ShuttingDown);
        }
        let Ok(permit) = Arc::clone(&self.0.in_flight).try_acquire_owned() else {
            return Err(CallError::Busy {
                what: "calls of this server".into(),
                retry_after: BUSY_RETRY,
            });
        };
        let (session, start, call) = self.check(&request)?;
        let wanted = request
            .deadline
            .unwrap_or(self.0.around.options.call_deadline);
        let call = Call {
            trace: telemetry::current(),
            asked: Asked {
                id: session,
                start,
                principal: request.principal,
                until: deadline_in(wanted),
            },
            request: id,
            call,
            key: request.idempotency_key,
            cancel: request.cancel,
            progress: request.progress,
            for_neighbour,
            there: AtomicBool::new(false),
        };
        tokio::select! {
            biased;
            answer = self.run(&call) => match (answer, &call.asked.start) {
                (Err(error), Start::Stored) => {
                    Err(self.unless_anothers(&call.asked.principal, session, error).await)
                }
                (answer, _) => answer,
            },
            () = self.0.stopped.cancelled() => Err(CallError::ShuttingDown),
            // The call continues here, or on the node that takes the session over.
            () = self.0.around.leaving.cancelled() => Err(CallError::ShuttingDown),
            () = call.cancel.cancelled() => {
                self.cancel(&call, permit).await;
                Err(CallError::Cancelled)
            }
            () = tokio::time::sleep_until(call.asked.until) => {
                self.cancel(&call, permit).await;
                Err(CallError::DeadlineExceeded(wanted))
            }
        }
    }

    fn check(&self, request: &CallRequest) -> Result<(SessionId, Start, Requested), CallError> {
        let Some(tool) = self.0.around.catalogue.get(&request.tool) else {
            return Err(CallError::UnknownTool(request.tool.clone()));
        };
        let (size, limit) = (
            size_of(&request.arguments),
            self.0.around.options.limits.arguments_bytes,
        );
        if size > limit {
            return Err(CallError::ArgumentsTooLarge { size, limit });
        }
        let (id, start) = match &request.target {
            Target::Session(id) => (*id, Start::Stored),
            Target::Throwaway(_) if request.idempotency_key.is_some() => {
                return Err(CallError::SessionRequired);
            }
            Target::Throwaway(roots) => {
                let (principal, roots) = (request.principal.clone(), Arc::clone(roots));
                (SessionId::random(), Start::Throwaway { principal, roots })
            }
        };
        let key = request
            .idempotency_key
            .as_ref()
            .map(|key| (key.as_str().into(), digest(&request.arguments)));
        let requested = Requested {
            tool: request.tool.as_str().into(),
            idempotent: tool.idempotent(),
            arguments: Arc::new(request.arguments.clone()),
            bytes: size,
            key,
            pin: request.pin,
            trace: telemetry::current(),
        };
        Ok((id, start, requested))
    }

    /// Asks this node's session until there is an answer. Fails only if the session keeps failing over this call.
    async fn run_here(&self, call: &Call) -> Result<CallAnswer, CallError> {
        let limit = self.0.around.options.limits.attempts;
        let (mut own, mut seen): (u32, Option<u32>) = (0, None);
        let (mut asked_before, mut deaths) = (false, 0);
        while deaths < DEATHS_MAX {
            let mut admission = Span::start(&ADMISSION, Parent::Of(call.trace));
            if admission.is_recorded() {
                admission.set(SESSION, call.asked.id.to_string());
                admission.set(REQUEST, call.request.to_string());
                admission.set(ATTEMPT, deaths + 1);
            }
            let resolving = self.resolve(&call.asked);
            let resolved = telemetry::traced(admission.context(), resolving).await;
            if resolved.is_err() {
                admission.fail(NOT_FOUND);
            }
            admission.end();
            let session = resolved?;
            let failures = session.failures;
            own += failures.saturating_sub(seen.unwrap_or(failures));
            seen = Some(failures);
            if own >= limit {
                let cause = session
                    .last_failure
                    .as_deref()
                    .unwrap_or("its session kept failing")
                    .to_owned();
                return Err(CallError::Interrupted {
                    attempts: own,
                    cause,
                });
            }
            let admission = Arc::clone(&session.admission);
            let permit = match admission.try_acquire_owned() {
                Ok(permit) => permit,
                // The call was admitted before; the death of its session must not make it `busy`.
                Err(_) if asked_before => {
                    tokio::time::sleep(ASK_AGAIN_AFTER).await;
                    continue;
                }
                Err(_) => {
                    return Err(CallError::Busy {
                        what: "messages to this session".into(),
                        retry_after: BUSY_RETRY,
                    });
                }
            };
            asked_before = true;
            deaths += 1;
            let span = self.span_of(call, deaths);
            let (reply, answer) = oneshot::channel();
            let message = CallMsg {
                request: call.request,
                principal: call.asked.principal.clone(),
                call: call.call.clone(),
                deadline: call.asked.until,
                cancel: call.cancel.clone(),
                progress: call.progress.clone(),
                reply: reply.into(),
                span: Arc::clone(&span),
                _permit: permit,
            };
            if session
                .actor
                .send_message(SessionMsg::Call(Box::new(message)))
                .is_ok()
                && let Ok(answer) = answer.await
            {
                traces::end(span);
                return answer;
            }
            traces::lock(&span).fail(SESSION_DIED);
            traces::end(span);
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Err(CallError::Interrupted {
            attempts: DEATHS_MAX,
            cause: "its session died again and again".to_owned(),
        })
    }

    /// The span of one attempt; the session adds to it.
    fn span_of(&self, call: &Call, attempt: u32) -> Follower {
        let mut span = Span::start(&SESSION_CALL, Parent::Of(call.trace));
        if span.is_recorded() {
            span.set(SESSION, call.asked.id.to_string());
            span.set(REQUEST, call.request.to_string());
            span.set(ATTEMPT, attempt);
            span.set(NODE, self.0.around.options.node.to_string());
        }
        Arc::new(Mutex::new(span))
    }

    async fn resolve(&self, call: &Asked) -> Result<Resolved, CallError> {
        let resolved = match &call.start {
            Start::Stored => return self.find(call.id, call.until).await,
            throwaway @ Start::Throwaway { .. } => {
                let ask = |reply| SupervisorMsg::Ensure {
                    id: call.id,
                    start: throwaway.clone(),
                    trace: telemetry::current(),
                    reply,
                };
                place_of(&self.0.places.supervisors, call.id)
                    .ask(left(call.until), ask)
                    .await
            }
        };
        resolved.unwrap_or(Err(CallError::StoreUnavailable(
            "the session did not start in time".to_owned(),
        )))
    }

    pub(crate) async fn find(&self, id: SessionId, until: Instant) -> Result<Resolved, CallError> {
        let resolved = self
            .0
            .places
            .registry
            .ask(left(until), |reply| RegistryMsg::Resolve {
                id,
                trace: telemetry::current(),
                reply,
            })
            .await;
        match resolved {
            Ok(found) => found,
            Err(_) => Err(CallError::StoreUnavailable(
                "the session did not start in time".to_owned(),
            )),
        }
    }

    /// Cancels a call: the tool is told at once, the session as soon as it runs. The caller waits only a moment for
    /// that. `permit` is held meanwhile, so that the limit on running calls stays valid.
    async fn cancel(&self, call: &Call, permit: OwnedSemaphorePermit) {
        self.0.around.pool.table.cancel(JobKey {
            session: call.asked.id,
            request: call.request,
        });
        if call.there.load(Ordering::Relaxed) {
            // The node that owns the session has been told.
            return;
        }
        let (sessions, request) = (self.clone(), call.request);
        let asked = Asked {
            until: Instant::now() + ASK_WITHIN,
            ..call.asked.clone()
        };
        let told = tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                () = sessions.tell_cancelled(&asked, request) => {}
                () = sessions.0.stopped.cancelled() => {}
                () = tokio::time::sleep_until(asked.until) => {}
            }
        });
        let _ = tokio::time::timeout(CANCEL_WITHIN, told).await;
    }

    /// Repeats until the session has been told, or there is none.
    async fn tell_cancelled(&self, asked: &Asked, request: RequestId) {
        while let Ok(session) = self.resolve(asked).await {
            let (reply, heard) = oneshot::channel();
            let reply = reply.into();
            let message = SessionMsg::Cancel { request, reply };
            if session.actor.send_message(message).is_ok() && heard.await.is_ok() {
                return;
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }
}

/// A call in progress.
struct Call {
    /// The trace that the call belongs to.
    trace: Option<Trace>,
    asked: Asked,
    request: RequestId,
    call: Requested,
    key: Option<String>,
    cancel: CancellationToken,
    progress: ProgressSink,
    /// Another node forwarded it here, so it is not forwarded again.
    for_neighbour: bool,
    /// It has been forwarded to another node.
    there: AtomicBool,
}

/// The session to ask, the caller, and the deadline.
#[derive(Clone)]
struct Asked {
    id: SessionId,
    start: Start,
    principal: Principal,
    until: Instant,
}

/// A deadline that cannot be represented becomes the longest one.
fn deadline_in(wanted: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wanted.min(DEADLINE_MAX)).unwrap_or(now)
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests;
