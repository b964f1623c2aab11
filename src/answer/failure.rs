//! A failed call: a reason of the table, and a message about this case. Errors of all layers are converted to it.

use std::time::Duration;

use actors::sessions::CallError;
use actors::tool::ToolError;

use super::reason::{self, Reason};

/// Suggested retry time: most running calls have ended by then.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// Suggested retry time: another node has taken over by then, or this one has restarted.
const RESTART_RETRY: Duration = Duration::from_secs(1);
/// Longest message: it may quote a client's text.
const MESSAGE_BYTES: usize = 1000;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Failure {
    /// A name of [`reason::REASONS`].
    pub reason: String,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        super::page::clip(&mut message, MESSAGE_BYTES);
        Self {
            reason: reason.into(),
            message,
            retry_after: None,
        }
    }

    /// The row of the table: code, recovery, whether to retry.
    pub fn row(&self) -> &'static Reason {
        reason::reason(&self.reason)
    }

    /// Rounded up to whole milliseconds, so that a client that waits this long does not retry too early.
    pub fn after(mut self, retry_after: Duration) -> Self {
        let millis = retry_after.as_nanos().div_ceil(1_000_000);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.retry_after = Some(Duration::from_millis(millis));
        self
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        let failure = Self::new(error.reason, error.message);
        match error.retry_after {
            Some(retry_after) => failure.after(retry_after),
            None => failure,
        }
    }
}

/// The reverse conversion: a tool fails with a failure of shared code.
impl From<Failure> for ToolError {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.reason, failure.message);
        error.retry_after = failure.retry_after;
        error
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let retry_after = match &error {
            CallError::Busy { retry_after, .. } | CallError::Elsewhere { retry_after, .. } => {
                Some(*retry_after)
            }
            CallError::StoreUnavailable(_) | CallError::Unrecorded { .. } => Some(STORE_RETRY),
            CallError::ShuttingDown => Some(RESTART_RETRY),
            CallError::UnknownSession(_)
            | CallError::SessionExpired(_)
            | CallError::Quarantined { .. }
            | CallError::NewerSchema { .. }
            | CallError::UnknownResult(_)
            | CallError::ResultNotStored(_)
            | CallError::ResultDamaged { .. }
            | CallError::SessionRequired
            | CallError::KeyReused
            | CallError::LimitReached { .. }
            | CallError::ArgumentsTooLarge { .. }
            | CallError::UnknownTool(_)
            | CallError::Rejected(_)
            | CallError::Cancelled
            | CallError::DeadlineExceeded(_)
            | CallError::Interrupted { .. }
            | CallError::Fenced(_) => None,
        };
        let failure = Self::new(reason_of(&error), words(&error));
        match retry_after {
            Some(retry_after) => failure.after(retry_after),
            None => failure,
        }
    }
}

fn words(error: &CallError) -> String {
    if matches!(error, CallError::UnknownSession(_)) {
        return format!("{error}; call create_session for a new one");
    }
    error.to_string()
}

fn reason_of(error: &CallError) -> &'static str {
    match error {
        CallError::UnknownSession(_) => "unknown_session",
        CallError::SessionExpired(_) => "session_expired",
        CallError::Quarantined { .. } => "session_quarantined",
        CallError::NewerSchema { .. } => "session_newer",
        CallError::UnknownResult(_) => "unknown_result",
        CallError::ResultNotStored(_) => "result_not_stored",
        CallError::ResultDamaged { .. } => "data_loss",
        CallError::SessionRequired => "session_required",
        CallError::KeyReused => "key_reused",
        CallError::Busy { .. } => "busy",
        CallError::LimitReached { .. } => "limit_reached",
        CallError::ArgumentsTooLarge { .. } => "arguments_too_large",
        CallError::UnknownTool(_) => "unknown_tool",
        CallError::Rejected(_) => "rejected",
        CallError::Cancelled => "cancelled",
        CallError::DeadlineExceeded(_) => "deadline_exceeded",
        CallError::Interrupted { .. } => "interrupted",
        CallError::Fenced(_) => "session_fenced",
        CallError::Elsewhere { .. } => "session_elsewhere",
        CallError::StoreUnavailable(_) | CallError::Unrecorded { .. } => "store_unavailable",
        CallError::ShuttingDown => "shutting_down",
    }
}

impl From<crate::workspace::Error> for Failure {
    fn from(error: crate::workspace::Error) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
