//! Sessions with an actor on this node, in pages. The content of a session belongs to its owner and is not shown here.

use actors::ids::SessionId;
use actors::status::{ActorStatus, Status};
use axum::extract::Query;
use axum::extract::State as Shared;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{State, answer};
use crate::answer::rfc3339;

const DEFAULT_LIMIT: usize = 100;
/// About as many as all supervisors report together.
const MAX_LIMIT: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    limit: Option<usize>,
    /// The last session of the previous page.
    #[serde(default)]
    after: Option<String>,
}

pub(super) async fn page(
    Shared(state): Shared<State>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let wanted = wanted.map_err(|error| error.body_text());
    let (limit, after) = match wanted.and_then(|Query(wanted)| wanted.check()) {
        Ok(wanted) => wanted,
        Err(error) => return answer::refused(StatusCode::BAD_REQUEST, "invalid_query", &error),
    };
    let status = state.0.looks.recent(&state.0.service).await;
    answer::json(StatusCode::OK, rows(&status, limit, after))
}

impl Wanted {
    fn check(self) -> Result<(usize, Option<SessionId>), String> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(format!("limit is a whole number from 1 to {MAX_LIMIT}"));
        }
        let after = self.after.map(|after| SessionId::parse(&after)).transpose();
        let after = after.map_err(|error| format!("after is the id of a session: {error}"))?;
        Ok((limit, after))
    }
}

/// Ordered by id, so that paging continues correctly while sessions start and stop.
fn rows(status: &Status, limit: usize, after: Option<SessionId>) -> Value {
    let mut shown: Vec<(SessionId, &ActorStatus)> = status
        .tree
        .children
        .iter()
        .flat_map(|supervisor| &supervisor.children)
        .filter_map(|actor| Some((id_of(actor)?, actor)))
        .collect();
    shown.sort_unstable_by_key(|(id, _)| *id);
    let all = shown.len();
    let mut rest = shown
        .into_iter()
        .filter(|(id, _)| after.is_none_or(|after| *id > after));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(page.last()).map(|(id, _)| *id);
    json!({
        "node": status.node,
        "awake": status.sessions.awake,
        "quarantined": status.sessions.quarantined,
        "calls_in_flight": status.sessions.calls_in_flight,
        "shown": all,
        "sessions": page.into_iter().map(|(id, actor)| row(id, actor)).collect::<Vec<_>>(),
        "next": next,
    })
}

fn id_of(actor: &ActorStatus) -> Option<SessionId> {
    SessionId::parse(actor.name.strip_prefix("session:")?).ok()
}

fn row(id: SessionId, actor: &ActorStatus) -> Value {
    json!({
        "session_id": id,
        "status": actor.status,
        "restarts": actor.restarts,
        "last_failure": actor.last_failure,
        "mailbox": actor.doing.mailbox,
        "since": rfc3339(actor.since_ms),
    })
}
