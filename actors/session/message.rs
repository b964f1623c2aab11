//! What a session is told.

use super::*;

pub(crate) enum SessionMsg {
    Call(Box<CallMsg>),
    Cancel {
        request: RequestId,
        reply: RpcReplyPort<()>,
    },
    View {
        principal: Principal,
        replayed: bool,
        reply: RpcReplyPort<Result<SessionView, CallError>>,
    },
    /// Asks whether `principal` may read here, and extends the session's expiry.
    Touch {
        principal: Principal,
        reply: RpcReplyPort<Result<(), CallError>>,
    },
    Close {
        principal: Principal,
        reply: RpcReplyPort<Result<(), CallError>>,
    },
    /// The store answered the renewal of the expiry; `asked` can be answered now.
    Renewed {
        result: Result<Reached, StoreError>,
        asked: Box<SessionMsg>,
    },
    Loaded(Box<Result<Acquired, StoreError>>),
    Job {
        request: RequestId,
        news: News,
    },
    Commit {
        id: CommitId,
        fate: CommitOutcome,
    },
    Resend {
        id: CommitId,
    },
    Deleted {
        result: Result<(), StoreError>,
    },
    /// The store had lost the session or held an older version, and a repair was sent.
    Repaired {
        result: Result<Repaired, StoreError>,
    },
    /// A timer: if no caller was active for a while, the session goes to sleep.
    Rest,
    /// Another node asks for the session.
    HandOver {
        reply: RpcReplyPort<Option<HandOver>>,
    },
    /// The lease had ended, and the session was acquired again on behalf of commit `id`.
    Reacquired {
        id: CommitId,
        result: Box<Result<Acquired, StoreError>>,
    },
    /// A request in the trace of its caller.
    Traced {
        trace: Trace,
        message: Box<SessionMsg>,
    },
    Fault(Fault),
}

messages!(SessionMsg {
    Call => "call",
    Cancel => "cancel",
    View => "view",
    Touch => "touch",
    Close => "close",
    Renewed => "renewed",
    Loaded => "loaded",
    Job => "job",
    Commit => "commit",
    Resend => "resend",
    Deleted => "deleted",
    Repaired => "repaired",
    Rest => "rest",
    HandOver => "hand_over",
    Reacquired => "reacquired",
    Traced => "traced",
    Fault => "fault",
});

impl From<Fault> for SessionMsg {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl SessionMsg {
    /// The same request, in the current trace.
    pub(crate) fn traced(self) -> Self {
        match telemetry::current() {
            None => self,
            Some(trace) => Self::Traced {
                trace,
                message: Box::new(self),
            },
        }
    }

    pub(super) fn is_hand_over(&self) -> bool {
        if let Self::Traced { message, .. } = self {
            return message.is_hand_over();
        }
        matches!(self, Self::HandOver { .. })
    }

    /// The principal of a request that changes nothing.
    pub(super) fn asker(&self) -> Option<&Principal> {
        if let Self::View { principal, .. } | Self::Touch { principal, .. } = self {
            Some(principal)
        } else {
            None
        }
    }
}

/// One call, with the reply port of its caller.
pub(crate) struct CallMsg {
    pub(crate) request: RequestId,
    pub(crate) principal: Principal,
    pub(crate) call: Requested,
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: ProgressSink,
    pub(crate) reply: RpcReplyPort<Result<CallAnswer, CallError>>,
    pub(crate) span: Follower,
    /// Held while the message waits, which bounds the messages that wait for this session.
    pub(crate) _permit: OwnedSemaphorePermit,
}
