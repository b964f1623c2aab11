//! `close_session`: ends a session and deletes its data. Answered by the service.

use actors::ids::SessionId;
use serde_json::json;

use super::shared::session_id;
use super::{Example, Kind, SESSION_ID, Spec};
use crate::answer::Finding;
use crate::answer::envelope::{strict, string};

pub(crate) const NAME: &str = "close_session";

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Close session",
        description: "Ends a session, cancels its calls and deletes what it stored. A quarantined one, too.",
        category: "sessions",
        tags: &["session", "delete", "cleanup"],
        words: &[
            "end", "stop", "remove", "delete", "drop", "clean", "free", "finish", "forget",
        ],
        kind: Kind::Control,
        read_only: false,
        idempotent: true,
        destructive: true,
        cost: "low",
        arguments: vec![session_id().required()],
        data: strict(json!({"session_id": string(), "closed": {"type": "boolean"}})),
        lean: &[("session_id", &[]), ("closed", &[])],
        grouped: false,
        returns: "`closed`. Closing what is already gone fails with `unknown_session`, and changes nothing.",
        examples: vec![Example::new(
            "End a session",
            json!({"session_id": SESSION_ID}),
        )],
        reasons: &["unknown_session", "session_expired"],
    }
}

pub(crate) fn finding(id: SessionId) -> Finding {
    Finding::plain(
        json!({"session_id": id, "closed": true}),
        format!("closed {id}; its results are deleted\n"),
    )
}
