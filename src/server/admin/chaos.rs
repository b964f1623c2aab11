//! Makes actors fail, by name, so that a test suite can check the consequences. Only with `--chaos`; each fault is
//! logged.

use std::time::Duration;

use actors::{Fault, InjectedFault};
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{State, actors as tree, answer};

/// Longest stall: every caller of an actor gives up long before.
const MAX_STALL_MS: u64 = 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The actor's name, as in `/admin/actors`.
    actor: String,
    mode: Mode,
    for_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Panic,
    Kill,
    Stall,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Kill => "kill",
            Self::Stall => "stall",
        }
    }
}

/// Returns 200 once the actor has been killed, or the fault is in its mailbox.
pub(super) async fn strike(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_json(&headers) {
        return answer::refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "send the body as `Content-Type: application/json`",
        );
    }
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            return answer::refused(error.status(), "unreadable_body", &error.body_text());
        }
    };
    let (wanted, strike) = match read(&body) {
        Ok(wanted) => wanted,
        Err(error) => return answer::refused(StatusCode::BAD_REQUEST, "invalid_strike", &error),
    };
    let struck = state.0.service.sessions.strike(&wanted.actor, strike).await;
    state.0.looks.forget().await;
    if !struck {
        return not_found(&state, &wanted.actor).await;
    }
    let (actor, mode) = (&wanted.actor, wanted.mode.name());
    tracing::warn!(
        actor,
        mode,
        for_ms = wanted.for_ms,
        "CHAOS: an actor was struck"
    );
    let done = json!({"struck": true, "actor": actor, "mode": mode, "for_ms": wanted.for_ms});
    answer::json(StatusCode::OK, done)
}

/// A web page cannot send this type to another site without a preflight request, which is not answered.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn read(body: &[u8]) -> Result<(Wanted, InjectedFault), String> {
    let wanted: Wanted = serde_json::from_slice(body).map_err(|error| {
        format!(
            "expected {{\"actor\": \"<name>\", \"mode\": \"panic\" | \"kill\" | \"stall\", \"for_ms\"}}: {error}"
        )
    })?;
    let strike = match (wanted.mode, wanted.for_ms) {
        (Mode::Panic, None) => InjectedFault::Fault(Fault::Panic),
        (Mode::Kill, None) => InjectedFault::Kill,
        (Mode::Stall, Some(ms @ 1..=MAX_STALL_MS)) => {
            InjectedFault::Fault(Fault::Stall(Duration::from_millis(ms)))
        }
        (Mode::Stall, _) => {
            return Err(format!(
                "a stall needs for_ms, a whole number from 1 to {MAX_STALL_MS}"
            ));
        }
        (Mode::Panic | Mode::Kill, Some(_)) => {
            return Err(format!(
                "for_ms is for stalls only: a {} takes effect at once",
                wanted.mode.name()
            ));
        }
    };
    Ok((wanted, strike))
}

/// Either the name is wrong, or the actor has just died and is being restarted.
async fn not_found(state: &State, actor: &str) -> Response {
    let status = state.0.looks.recent(&state.0.service).await;
    if tree::names(&status.tree, actor) {
        return answer::refused(
            StatusCode::CONFLICT,
            "not_running",
            "the actor is being restarted: strike it again",
        );
    }
    answer::refused(
        StatusCode::NOT_FOUND,
        "unknown_actor",
        "no actor has this name: /admin/actors lists the running actors; a session that sleeps has none",
    )
}
