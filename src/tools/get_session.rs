//! `get_session`: the running calls and the history of a session. Answered by the service.

use actors::sessions::{HistoryView, SessionView};
use serde_json::{Value, json};

use super::argument::{Argument, integer};
use super::session_data::{
    LEAN, kept_text, result, result_line, result_schema, session, session_schema, session_text,
};
use super::shared::{Paging, cursor, detail, session_id};
use super::{Example, Kind, SESSION_ID, Spec};
use crate::answer::envelope::list;
use crate::answer::page::{Budget, DEFAULT_LIMIT, Frame, MAX_LIMIT, Row, fit};
use crate::answer::{Failure, Finding};

pub(crate) const NAME: &str = "get_session";

pub(super) fn spec() -> Spec {
    let mut history_limit = integer(1, MAX_LIMIT as u64);
    history_limit["default"] = json!(DEFAULT_LIMIT);
    Spec {
        name: NAME,
        title: "Get session",
        description: "State of a session: running calls, earlier results with their ids, notices.",
        category: "sessions",
        tags: &["session", "history", "results"],
        words: &[
            "status",
            "state",
            "past",
            "earlier",
            "previous",
            "show",
            "inspect",
            "running",
            "progress",
            "quarantine",
        ],
        kind: Kind::Control,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "low",
        arguments: vec![
            session_id(),
            Argument::new(
                "history_limit",
                history_limit,
                "results of a page",
                "Maximum results of a page, newest first.",
            ),
            cursor(),
            detail(),
        ],
        data: data_schema(),
        lean: LEAN,
        grouped: false,
        returns: "The session, and one page of its `history`: each result with its id, tool, arguments and summary. \
                  Without `session_id`: the connection's own session. `kept` has the numbers of stored results and their \
                  limits. The oldest results are dropped first, and `pinned` ones last: baselines of `compare_results`, and \
                  the first results of a session with a label.",
        examples: vec![Example::new(
            "What was done so far",
            json!({"session_id": SESSION_ID, "history_limit": 5}),
        )],
        reasons: &["unknown_session", "session_expired", "cursor_stale"],
    }
}

fn data_schema() -> Value {
    let mut schema = session_schema();
    schema["properties"]["history"] = list(result_schema());
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("history"));
    }
    schema
}

/// The session with its complete history, for resources and the command line.
pub(crate) fn whole(view: &SessionView) -> Value {
    let mut data = session(view);
    data["history"] = view.history.iter().map(result).collect();
    data
}

/// The cursor names the last result shown, so that new results do not shift the page.
pub(crate) fn finding(view: &SessionView, arguments: &Value) -> Result<Finding, Failure> {
    let paging = Paging::read(NAME, arguments)?;
    let from = match paging.after() {
        None => 0,
        Some((_, mark)) => place_after(&view.history, mark)?,
    };
    let limit = arguments["history_limit"]
        .as_u64()
        .unwrap_or(DEFAULT_LIMIT as u64);
    let budget = Budget {
        rows: usize::try_from(limit).unwrap_or(MAX_LIMIT),
        ..paging.budget
    };
    let shape = paging.shape(LEAN);
    let mut data = session(view);
    data["history"] = json!([]);
    let frame = Frame {
        data: data.as_object().cloned().unwrap_or_default(),
        shape,
        grouped: false,
        droppable: &[],
        heading: session_text(view) + &kept_text(view),
    };
    let total = view.history.len();
    let fitted = fit(frame, budget, from, total, |at| {
        let entry = &view.history[at];
        let shown = shape.part("history", result(entry));
        Row::new("history", shown, &result_line(entry))
    });
    let end = from + fitted.returned;
    let last = end
        .checked_sub(1)
        .map_or(0, |at| view.history[at].result_id.as_u128());
    let page = paging.page_after(fitted.returned, total, end < total, (0, last));
    Ok(Finding {
        page: Some(page),
        ..Finding::plain(Value::Object(fitted.data), fitted.text)
    })
}

fn place_after(history: &[HistoryView], mark: u128) -> Result<usize, Failure> {
    let place = history
        .iter()
        .position(|entry| entry.result_id.as_u128() == mark);
    place.map(|at| at + 1).ok_or_else(|| {
        Failure::new(
            "cursor_stale",
            "the result that the cursor names is no longer in the history",
        )
    })
}
