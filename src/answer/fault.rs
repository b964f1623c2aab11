//! Whose fault a failure is: for operators, who act on their own failures only.

use super::code::Code;
use super::reason::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The caller asked for something that cannot be done, or for too much.
    Caller,
    /// This service, its store, or how it was started.
    Server,
}

impl Fault {
    pub const ALL: [Self; 2] = [Self::Caller, Self::Server];

    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Server => "server",
        }
    }
}

/// Reasons that are the server's fault, although failures with their code are usually the caller's. `busy` counts
/// because it says that the server is too small for its callers; a caller's own limits have other reasons.
const SERVERS: [&str; 6] = [
    "busy",
    "interrupted",
    "no_roots",
    "session_fenced",
    "session_newer",
    "session_quarantined",
];

impl Reason {
    pub fn fault(&self) -> Fault {
        match self.code {
            Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss => {
                Fault::Server
            }
            Code::Aborted | Code::FailedPrecondition | Code::ResourceExhausted
                if SERVERS.contains(&self.name) =>
            {
                Fault::Server
            }
            Code::Ok
            | Code::Aborted
            | Code::Cancelled
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::ResourceExhausted => Fault::Caller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reason::REASONS;
    use super::*;

    fn of(fault: Fault) -> Vec<&'static str> {
        let found = REASONS.iter().filter(|reason| reason.fault() == fault);
        found.map(|reason| reason.name).collect()
    }

    /// A new reason fails here until somebody has decided whose fault it is.
    #[test]
    fn each_reason_has_one_fault() {
        let servers = of(Fault::Server);
        assert_eq!(
            servers,
            [
                "busy",
                "data_loss",
                "deadline_exceeded",
                "internal",
                "interrupted",
                "no_roots",
                "session_elsewhere",
                "session_fenced",
                "session_newer",
                "session_quarantined",
                "shutting_down",
                "store_unavailable",
                "tool_panicked",
            ]
        );
        let callers = of(Fault::Caller);
        assert_eq!(
            callers,
            [
                "arguments_too_large",
                "batch_in_batch",
                "cancelled",
                "cursor_mismatch",
                "cursor_stale",
                "different_tools",
                "invalid_argument",
                "invalid_cursor",
                "invalid_glob",
                "invalid_path",
                "invalid_result_id",
                "invalid_session_id",
                "key_reused",
                "limit_reached",
                "missing_argument",
                "not_in_batch",
                "not_readable",
                "path_not_found",
                "path_outside_roots",
                "rate_limited",
                "rejected",
                "result_not_stored",
                "root_not_a_directory",
                "root_not_found",
                "root_not_readable",
                "session_expired",
                "session_required",
                "storage_full",
                "too_many_calls",
                "too_many_files",
                "unknown_argument",
                "unknown_node",
                "unknown_result",
                "unknown_session",
                "unknown_tool",
                "unsupported_language",
            ]
        );
    }

    #[test]
    fn every_exception_is_a_reason() {
        for name in SERVERS {
            assert!(REASONS.iter().any(|reason| reason.name == name), "{name}");
        }
    }
}
