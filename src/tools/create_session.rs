//! `create_session`: creates a stored session. Answered by the service.

use actors::sessions::SessionView;
use serde_json::json;

use super::argument::{Argument, integer};
use super::session_data::{LEAN_OF_NEW, session, session_schema, session_text};
use super::shared::idempotency_key;
use super::{Example, Kind, Spec};
use crate::answer::Finding;
use crate::answer::lean::{Detail, Shape};

pub(crate) const NAME: &str = "create_session";
/// With less, a session could expire while a model thinks.
const MIN_TTL_SECONDS: u64 = 60;
/// Thirty days: after that, code should be analysed again.
const MAX_TTL_SECONDS: u64 = 30 * 24 * 3600;
const MAX_ROOTS: usize = 20;
const MAX_LABEL: usize = 200;

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Create session",
        description: "A session that keeps results, so that they can be compared and read again; says how long.",
        category: "sessions",
        tags: &["session", "state", "durable"],
        words: &[
            "start",
            "open",
            "begin",
            "new",
            "keep",
            "remember",
            "save",
            "store",
            "resume",
            "persist",
            "workspace",
        ],
        kind: Kind::Control,
        read_only: false,
        idempotent: false,
        destructive: false,
        cost: "low",
        arguments: vec![
            Argument::new(
                "label",
                json!({"type": "string", "maxLength": MAX_LABEL}),
                "to know it again",
                "A name that list_sessions shows.",
            ),
            Argument::new(
                "roots",
                json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_ROOTS}),
                "narrow to these folders",
                "Folders inside the server's roots that this session may read. Without it: all of them.",
            ),
            Argument::new(
                "ttl_seconds",
                integer(MIN_TTL_SECONDS, MAX_TTL_SECONDS),
                "kept after last use",
                "How long it is kept after its last use. Without it: as the server is set, a day by default.",
            ),
            idempotency_key(),
        ],
        data: session_schema(),
        lean: LEAN_OF_NEW,
        grouped: false,
        returns: "The session: its `session_id`, until when it is kept, and what it may read.",
        examples: vec![
            Example::new(
                "A session for one task",
                json!({"label": "refactor the cart"}),
            ),
            Example::new(
                "A session that reads one folder and is kept for an hour",
                json!({"roots": ["python"], "ttl_seconds": 3600}),
            ),
        ],
        reasons: &[
            "path_not_found",
            "path_outside_roots",
            "limit_reached",
            "key_reused",
        ],
    }
}

pub(crate) fn finding(view: &SessionView) -> Finding {
    let shape = Shape::new(Detail::Lean, LEAN_OF_NEW);
    Finding::plain(shape.value(session(view)), session_text(view))
}
