//! Every reason why a call can fail, with its canonical code and advice. Answers, the command line's exit codes and the
//! generated page use this one table.

use super::code::Code;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Stable, snake_case.
    pub name: &'static str,
    pub code: Code,
    /// The same call may succeed later, unchanged.
    pub retryable: bool,
    /// When a call fails with it.
    pub meaning: &'static str,
    /// What the caller should do next.
    pub recovery: &'static str,
}

/// The row of a reason. A reason that is not in the table is a bug of this server: [`INTERNAL`].
pub fn reason(name: &str) -> &'static Reason {
    REASONS
        .iter()
        .find(|reason| reason.name == name)
        .unwrap_or(&INTERNAL)
}

const fn row(
    name: &'static str,
    code: Code,
    retryable: bool,
    meaning: &'static str,
    recovery: &'static str,
) -> Reason {
    Reason {
        name,
        code,
        retryable,
        meaning,
        recovery,
    }
}

const INTERNAL_ROW: Reason = row(
    "internal",
    Code::Internal,
    false,
    "an internal error of the server, such as a panic in a tool; the session is intact",
    "Call again once with a narrower `path`; if it fails again, report it with the message.",
);

/// The row of every unknown reason.
pub static INTERNAL: Reason = INTERNAL_ROW;

/// Sorted by name.
pub static REASONS: &[Reason] = &[
    row(
        "arguments_too_large",
        Code::InvalidArgument,
        false,
        "the arguments are larger than the limit",
        "Shorten the lists of globs, or split a batch.",
    ),
    row(
        "batch_in_batch",
        Code::InvalidArgument,
        false,
        "a batch contains a call of run_batch",
        "Put the inner calls into the outer list.",
    ),
    row(
        "busy",
        Code::ResourceExhausted,
        true,
        "too many calls at once in this session or on this server",
        "Wait for `retry_after_ms`, then call again; or let a running call finish first.",
    ),
    row(
        "cancelled",
        Code::Cancelled,
        true,
        "the caller cancelled the call",
        "Call again if the answer is still wanted; what was analysed so far is cached.",
    ),
    row(
        "cursor_mismatch",
        Code::InvalidArgument,
        false,
        "the cursor belongs to a call with other arguments",
        "Repeat the arguments of the first page with the cursor (`limit` and `max_bytes` may differ), or leave the cursor out.",
    ),
    row(
        "cursor_stale",
        Code::Aborted,
        false,
        "the listed data has changed since the first page",
        "Start again without `cursor`.",
    ),
    row(
        "data_loss",
        Code::DataLoss,
        false,
        "stored data is damaged",
        "Run the analysis again, with a new idempotency_key if it had one. If only a result was lost, the session is still usable.",
    ),
    row(
        "deadline_exceeded",
        Code::DeadlineExceeded,
        true,
        "the call exceeded its deadline",
        "Call again: what was analysed so far is cached. Or narrow `path`, `include` or `languages`.",
    ),
    row(
        "different_tools",
        Code::FailedPrecondition,
        false,
        "compare_results got results of two different tools",
        "Compare results of one tool; get_session lists each result with its tool.",
    ),
    INTERNAL_ROW,
    row(
        "interrupted",
        Code::Aborted,
        true,
        "the call was interrupted more often than it is retried",
        "Call again with a narrower `path`; if it fails again, report it.",
    ),
    row(
        "invalid_argument",
        Code::InvalidArgument,
        false,
        "an argument has the wrong type, is out of bounds, or is not one of the allowed values",
        "Correct the argument that the message names; find_tools with `name` shows the tool in full.",
    ),
    row(
        "invalid_cursor",
        Code::InvalidArgument,
        false,
        "the cursor is not from this server, or was changed",
        "Use `page.next_cursor` of the previous answer unchanged, or leave the cursor out.",
    ),
    row(
        "invalid_glob",
        Code::InvalidArgument,
        false,
        "a pattern of `include` or `exclude` is invalid",
        "Correct the pattern: `*`, `**`, `?`, `[a-z]` and `{a,b}` are supported.",
    ),
    row(
        "invalid_path",
        Code::InvalidArgument,
        false,
        "the path is invalid: it contains a NUL, or leaves its root by `..`",
        "Give a path relative to the root, with `/`.",
    ),
    row(
        "invalid_result_id",
        Code::InvalidArgument,
        false,
        "the text is not a result id",
        "Use `context.result_id` of an earlier answer unchanged: `res_` and 32 hexadecimal digits.",
    ),
    row(
        "invalid_session_id",
        Code::InvalidArgument,
        false,
        "the text is not a session id",
        "Use `session_id` of create_session unchanged: `ses_` and 32 hexadecimal digits.",
    ),
    row(
        "key_reused",
        Code::FailedPrecondition,
        false,
        "the idempotency key was used before with other arguments",
        "Use a new key for a new call, and repeat a call with exactly the same arguments.",
    ),
    row(
        "limit_reached",
        Code::ResourceExhausted,
        false,
        "a limit on stored data is reached",
        "Close sessions that are no longer needed (list_sessions, close_session), or wait until they expire.",
    ),
    row(
        "missing_argument",
        Code::InvalidArgument,
        false,
        "a required argument is missing",
        "Add the argument that the message names; find_tools with `name` shows the tool in full.",
    ),
    row(
        "no_roots",
        Code::FailedPrecondition,
        false,
        "the server was started without a readable directory",
        "Start the server with --root.",
    ),
    row(
        "not_in_batch",
        Code::InvalidArgument,
        false,
        "a call inside run_batch deletes something",
        "Make this call alone.",
    ),
    row(
        "not_readable",
        Code::PermissionDenied,
        false,
        "the operating system denies the server access to the path",
        "Change the permissions of the path, or ask about another one.",
    ),
    row(
        "path_not_found",
        Code::NotFound,
        false,
        "the path does not exist",
        "Check the spelling; paths are relative to the root and case-sensitive. With several roots they start with the root's name.",
    ),
    row(
        "path_outside_roots",
        Code::PermissionDenied,
        false,
        "the path, or the target of a link in it, is outside the roots",
        "Give a path inside the roots (get_server_status lists them), or have the operator add a --root.",
    ),
    row(
        "rate_limited",
        Code::ResourceExhausted,
        true,
        "the caller sent too many requests",
        "Wait for `retry_after_ms`, then call again; run_batch counts each of its calls.",
    ),
    row(
        "rejected",
        Code::FailedPrecondition,
        false,
        "the session's state does not allow the call; nothing was changed",
        "Read the session's state with get_session, and correct the order of calls.",
    ),
    row(
        "result_not_stored",
        Code::FailedPrecondition,
        false,
        "the result was too large to store, or was dropped for newer ones",
        "Run the analysis again with a narrower `path`, and compare with that result.",
    ),
    row(
        "root_not_a_directory",
        Code::InvalidArgument,
        false,
        "a root is a file",
        "Name the directory that holds it.",
    ),
    row(
        "root_not_found",
        Code::NotFound,
        false,
        "a root does not exist",
        "Name a directory that exists; get_server_status lists the server's roots.",
    ),
    row(
        "root_not_readable",
        Code::PermissionDenied,
        false,
        "the operating system denies the server access to a root",
        "Change the permissions of the directory, or leave it out.",
    ),
    row(
        "session_elsewhere",
        Code::Unavailable,
        true,
        "another node holds the session and does not answer; its lease will expire",
        "Call again after `retry_after_ms`.",
    ),
    row(
        "session_expired",
        Code::NotFound,
        false,
        "the session was unused for longer than its ttl_seconds",
        "Call create_session and use the new id; a longer `ttl_seconds` keeps a session longer.",
    ),
    row(
        "session_fenced",
        Code::Aborted,
        true,
        "another node has taken over the session",
        "Call again: the call is forwarded to the node that holds the session.",
    ),
    row(
        "session_newer",
        Code::FailedPrecondition,
        true,
        "a newer version of this service wrote the session, and this node cannot read it",
        "Call again until a node with the newer version gets the call, or call create_session.",
    ),
    row(
        "session_quarantined",
        Code::FailedPrecondition,
        false,
        "the session crashed too often and is quarantined; other sessions are not affected",
        "Call create_session and use the new id; get_session gives the cause, and close_session frees its storage.",
    ),
    row(
        "session_required",
        Code::FailedPrecondition,
        false,
        "an idempotency key and compare_results need a stored session",
        "Call create_session and give its `session_id`.",
    ),
    row(
        "shutting_down",
        Code::Unavailable,
        true,
        "the service is shutting down",
        "Connect again in a moment and call again.",
    ),
    row(
        "storage_full",
        Code::ResourceExhausted,
        true,
        "the caller's sessions have reached their storage limit",
        "Close sessions that are not needed (list_sessions, close_session), or wait until some have expired.",
    ),
    row(
        "store_unavailable",
        Code::Unavailable,
        true,
        "the store of the sessions is down",
        "Wait for `retry_after_ms`, then call again; get_server_status has the details. A call without `session_id` and key may need no store.",
    ),
    row(
        "too_many_calls",
        Code::ResourceExhausted,
        true,
        "the caller has too many running calls",
        "Wait for `retry_after_ms`, then call again; or let a running call finish first.",
    ),
    row(
        "too_many_files",
        Code::ResourceExhausted,
        false,
        "the path has more files than one call may read",
        "Narrow `path`, or use `include`, `exclude` or `languages`.",
    ),
    row(
        "tool_panicked",
        Code::Internal,
        false,
        "a tool failed on this input, which is a bug of this server; the session and its other calls are not affected",
        "Leave out the input that it failed on (`exclude`, or a narrower `path`), and report the message.",
    ),
    row(
        "unknown_argument",
        Code::InvalidArgument,
        false,
        "the tool has no argument with that name",
        "Use the name that the message suggests, or leave the argument out.",
    ),
    row(
        "unknown_node",
        Code::NotFound,
        false,
        "no node of the graph has the id of `focus`, or is below its folder",
        "Use an `id` of `nodes` from an answer without `focus`, or the id that the message suggests.",
    ),
    row(
        "unknown_result",
        Code::NotFound,
        false,
        "the session has no result with that id",
        "get_session lists the results of a session, newest first.",
    ),
    row(
        "unknown_session",
        Code::NotFound,
        false,
        "no session has that id: it never existed, was closed, or belongs to another caller",
        "Call create_session and use the new id, or list_sessions for the open sessions.",
    ),
    row(
        "unknown_tool",
        Code::NotFound,
        false,
        "no tool has that name",
        "Use the name that the message suggests, or find_tools.",
    ),
    row(
        "unsupported_language",
        Code::InvalidArgument,
        false,
        "the file is in a language that is not analysed",
        "get_server_status lists the languages; ask about files in one of them.",
    ),
];

/// Why a successful answer is empty: given as `status.reason`, with code `OK`.
pub static EMPTY_REASONS: &[(&str, &str)] = &[
    ("no_files", "there is no file below the path"),
    (
        "nothing_supported",
        "no file below the path is in a supported language",
    ),
    (
        "everything_excluded",
        "every file below the path was left out; `coverage.skipped` says why",
    ),
    (
        "nothing_matched",
        "files were analysed, but nothing in them matched the arguments",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_reason_once() {
        let names: Vec<_> = REASONS.iter().map(|reason| reason.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn an_unknown_reason_is_internal() {
        assert_eq!(reason("flux_capacitor").code, Code::Internal);
        assert_eq!(reason("busy").code, Code::ResourceExhausted);
    }

    #[test]
    fn every_reason_has_advice() {
        for reason in REASONS {
            assert!(reason.recovery.ends_with('.'), "{}", reason.name);
            assert!(!reason.meaning.ends_with('.'), "{}", reason.name);
        }
    }
}
