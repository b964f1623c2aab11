//! `list_sessions`: lists the caller's sessions. Answered by the service.

use actors::ids::SessionId;
use actors::sessions::SessionRow;
use serde_json::{Map, Value, json};

use super::session_data::{row, row_line, row_schema};
use super::shared::{Paging, cursor, limit};
use super::text::counted;
use super::{Example, Kind, Spec};
use crate::answer::envelope::{list, strict};
use crate::answer::lean::Field;
use crate::answer::page::{Frame, Row, fit};
use crate::answer::{Empty, Finding};

pub(crate) const NAME: &str = "list_sessions";

/// The fields of `data` in a lean answer: all of them.
const LEAN: &[Field] = &[(
    "sessions",
    &["session_id", "status", "label", "created", "expires"],
)];
/// Most sessions of one answer: one less than a store lists at once.
const MAX_ROWS: usize = 999;

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "List sessions",
        description: "Your own sessions, newest first.",
        category: "sessions",
        tags: &["session", "list"],
        words: &["mine", "open", "exist", "existing", "own"],
        kind: Kind::Control,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "low",
        arguments: vec![limit(), cursor()],
        data: strict(json!({"sessions": list(row_schema())})),
        lean: LEAN,
        grouped: false,
        returns: "One page of `sessions`: id, status, label, creation and expiry.",
        examples: vec![Example::new("The newest sessions", json!({"limit": 10}))],
        reasons: &["store_unavailable"],
    }
}

/// The session before the page, and the number of rows to request: one more than shown, to detect a next page.
pub(crate) fn wanted(paging: &Paging) -> (Option<(u64, SessionId)>, usize) {
    let rows = paging.budget.rows.min(MAX_ROWS);
    let after = paging.after();
    (
        after.map(|(at, id)| (at, SessionId::from_u128(id))),
        rows + 1,
    )
}

pub(crate) fn finding(rows: &[SessionRow], total: u64, paging: &Paging) -> Finding {
    let mut data = Map::new();
    data.insert("sessions".into(), json!([]));
    let shape = paging.shape(LEAN);
    let frame = Frame {
        data,
        shape,
        grouped: false,
        droppable: &[],
        heading: format!("{}\n", counted(total, "session")),
    };
    let fitted = fit(frame, paging.budget, 0, rows.len(), |at| {
        let shown = shape.part("sessions", row(&rows[at]));
        Row::new("sessions", shown, &row_line(&rows[at]))
    });
    let more = fitted.returned < rows.len();
    let last = fitted.returned.checked_sub(1).map(|at| &rows[at]);
    let last = last.map_or((0, 0), |row| (row.created_ms, row.id.as_u128()));
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let page = paging.page_after(fitted.returned, total, more, last);
    let empty = rows.is_empty().then(|| Empty {
        reason: "nothing_matched".to_owned(),
        message: "you have no sessions; create_session creates one".to_owned(),
    });
    Finding {
        page: Some(page),
        empty,
        ..Finding::plain(Value::Object(fitted.data), fitted.text)
    }
}
