//! Sessions in answers.

use actors::sessions::{CallView, HistoryView, SessionRow, SessionStatus, SessionView};
use actors::store::NodeRecord;
use actors::tool::Root;
use otel::visible::line;
use serde_json::{Value, json};

use super::text::one_line;
use crate::answer::envelope::{count, list, or_null, strict, strict_but, string};
use crate::answer::lean::Field;
use crate::answer::page::clip;
use crate::answer::rfc3339;

/// Bytes of an earlier call's arguments on its line of text.
const ARGUMENTS_SHOWN: usize = 200;

/// Calls shown of a session: running ones, at most 16, come first.
const CALLS_SHOWN: usize = 20;

/// The fields of a session in a lean answer.
pub(crate) const LEAN: &[Field] = &[
    ("session_id", &[]),
    ("status", &[]),
    ("status_reason", &[]),
    ("label", &[]),
    ("roots", &["name"]),
    ("expires", &[]),
    ("ttl_seconds", &[]),
    (
        "history",
        &[
            "result_id",
            "at",
            "tool",
            "arguments",
            "summary",
            "stored",
            "pinned",
        ],
    ),
    ("calls", &["request_id", "tool", "state", "attempt"]),
    ("kept", &[]),
];

/// The same for a new session.
pub(crate) const LEAN_OF_NEW: &[Field] = LEAN.split_at(LEAN.len() - 3).0;

/// A session without its history.
pub(crate) fn session(view: &SessionView) -> Value {
    let calls: Vec<Value> = view.calls.iter().take(CALLS_SHOWN).map(call).collect();
    json!({
        "session_id": view.id,
        "status": status(&view.status),
        "status_reason": status_reason(&view.status),
        "label": view.label,
        "roots": roots(&view.roots),
        "created": rfc3339(view.created_ms),
        "expires": rfc3339(view.expires_ms),
        "ttl_seconds": view.ttl.as_secs(),
        "version": view.version,
        "calls": calls,
        "results": view.history.len(),
        "kept": {
            "results_limit": view.kept.results_limit,
            "bytes": view.kept.bytes,
            "bytes_limit": view.kept.bytes_limit,
            "pinned": view.kept.pinned,
            "pinned_limit": view.kept.pinned_limit,
        },
        "idempotency_keys": {"remembered": view.keys_remembered, "limit": view.keys_limit},
    })
}

pub(crate) fn session_schema() -> Value {
    strict(json!({
        "session_id": string(),
        "status": {"enum": ["open", "quarantined", "closed"]},
        "status_reason": or_null("string"),
        "label": or_null("string"),
        "roots": list(root_schema()),
        "created": time(),
        "expires": time(),
        "ttl_seconds": count(),
        "version": count(),
        "calls": list(strict(json!({
            "request_id": string(), "tool": or_null("string"), "state": string(), "attempt": count(), "since": time(),
        }))),
        "results": count(),
        "kept": strict(json!({
            "results_limit": count(), "bytes": count(), "bytes_limit": count(), "pinned": count(),
            "pinned_limit": count(),
        })),
        "idempotency_keys": strict(json!({"remembered": count(), "limit": count()})),
    }))
}

/// The stored results, and their limits.
pub(crate) fn kept_text(view: &SessionView) -> String {
    let kept = &view.kept;
    format!(
        "results: {} of at most {}, whole results {} of at most {} bytes, pinned {} of at most {}\n",
        view.history.len(),
        kept.results_limit,
        kept.bytes,
        kept.bytes_limit,
        kept.pinned,
        kept.pinned_limit,
    )
}

pub(crate) fn session_text(view: &SessionView) -> String {
    let label = view.label.as_deref().map(one_line);
    let mut text = format!(
        "session {} {}{}: kept until {} (expires after {} s idle), version {}\n",
        view.id,
        status(&view.status),
        label.map_or_else(String::new, |label| format!(" {:?}", line(&label))),
        rfc3339(view.expires_ms),
        view.ttl.as_secs(),
        view.version,
    );
    if let Some(reason) = status_reason(&view.status) {
        text.push_str(&format!("reason: {}\n", line(&one_line(reason))));
    }
    let roots: Vec<&str> = view.roots.iter().map(|root| root.name.as_str()).collect();
    text.push_str(&format!("roots: {}\n", line(&roots.join(", "))));
    // Successful calls are in the history, with their results.
    let calls = view.calls.iter().filter(|call| call.state != "succeeded");
    for call in calls.take(CALLS_SHOWN) {
        text.push_str(&format!(
            "call {} {} {} (attempt {})\n",
            call.request_id,
            call.tool.as_deref().unwrap_or("-"),
            call.state,
            call.attempt,
        ));
    }
    text
}

pub(crate) fn roots(roots: &[Root]) -> Value {
    roots
        .iter()
        .map(|root| json!({"name": root.name, "path": root.path.to_string_lossy()}))
        .collect()
}

pub(crate) fn root_schema() -> Value {
    strict(json!({"name": string(), "path": string()}))
}

pub(crate) fn result(view: &HistoryView) -> Value {
    let mut row = json!({
        "result_id": view.result_id,
        "tool": view.tool,
        "arguments": view.arguments,
        "summary": view.summary,
        "input_digest": (!view.input_digest.is_empty()).then_some(&view.input_digest),
        "at": rfc3339(view.at_ms),
        "stored": view.stored,
    });
    if view.pinned {
        row["pinned"] = json!(true);
    }
    row
}

pub(crate) fn result_schema() -> Value {
    let fields = json!({
        "result_id": string(), "tool": string(), "arguments": or_null("object"), "summary": string(),
        "input_digest": or_null("string"), "at": time(), "stored": {"type": "boolean"},
        "pinned": {"type": "boolean"},
    });
    strict_but(&["pinned"], fields)
}

pub(crate) fn result_line(view: &HistoryView) -> String {
    let mut arguments = view.arguments.to_string();
    clip(&mut arguments, ARGUMENTS_SHOWN);
    let kept = match (view.stored, view.pinned) {
        (true, true) => " (pinned)",
        (true, false) => "",
        (false, _) => " (not stored)",
    };
    format!(
        "{} {} {} {arguments}: {}{kept}",
        view.result_id,
        rfc3339(view.at_ms),
        view.tool,
        one_line(&view.summary),
    )
}

pub(crate) fn row(row: &SessionRow) -> Value {
    json!({
        "session_id": row.id,
        "status": status(&row.status),
        "label": row.label,
        "created": rfc3339(row.created_ms),
        "expires": rfc3339(row.expires_ms),
    })
}

pub(crate) fn row_schema() -> Value {
    strict(json!({
        "session_id": string(),
        "status": {"enum": ["open", "quarantined", "closed"]},
        "label": or_null("string"),
        "created": time(),
        "expires": time(),
    }))
}

pub(crate) fn row_line(row: &SessionRow) -> String {
    let label = row.label.as_deref().map(one_line).unwrap_or_default();
    format!(
        "{} {} created {} kept until {} {label}",
        row.id,
        status(&row.status),
        rfc3339(row.created_ms),
        rfc3339(row.expires_ms),
    )
}

/// The announcement of a node.
pub(crate) fn node(node: &NodeRecord) -> Value {
    json!({
        "node": node.node,
        "version": node.version,
        "address": node.address,
        "started": rfc3339(node.started_ms),
        "seen": rfc3339(node.seen_ms),
        "sessions": node.sessions,
        "calls_in_flight": node.calls_in_flight,
        "features": node.features,
        "draining": node.draining,
    })
}

fn call(view: &CallView) -> Value {
    json!({
        "request_id": view.request_id,
        "tool": view.tool,
        "state": view.state,
        "attempt": view.attempt,
        "since": rfc3339(view.since_ms),
    })
}

fn status(status: &SessionStatus) -> &'static str {
    match status {
        SessionStatus::Open => "open",
        SessionStatus::Quarantined { .. } => "quarantined",
        SessionStatus::Closed => "closed",
    }
}

fn status_reason(status: &SessionStatus) -> Option<&str> {
    match status {
        SessionStatus::Quarantined { reason } => Some(reason),
        SessionStatus::Open | SessionStatus::Closed => None,
    }
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}
