//! `sessions show`: one session, read without taking it from its node.

use std::fmt::Write;

use actors::ids::SessionId;
use actors::operator::{Operator, OperatorError, Shown};
use actors::sessions::SessionView;
use clap::Args;
use serde_json::{Value, json};

use super::super::printable;
use super::super::screen::{Color, Screen};
use super::super::table::{Column, Page, column};
use super::{Format, Reach, list, parse_id, pretty};
use crate::answer::rfc3339;

const CALLS: [Column; 5] = [
    column("state", "/state").whole().always(),
    column("tool", "/tool").whole().always(),
    column("attempt", "/attempt").keep(20),
    column("since", "/since").whole().keep(30),
    column("request", "/request_id").whole().keep(40),
];
const RESULTS: [Column; 5] = [
    column("at", "/at").whole().keep(30),
    column("tool", "/tool").whole().keep(40),
    column("kept whole", "/stored").keep(10),
    column("summary", "/summary").words().keep(20),
    column("result", "/result_id").whole().always(),
];

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Id of the session
    #[arg(value_name = "SESSION", value_parser = parse_id)]
    pub(super) id: SessionId,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// When to colour tables
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Show {
    pub(super) async fn run(&self, operator: &Operator) -> Result<String, OperatorError> {
        let shown = operator.show(self.id).await?;
        let facts = facts(&shown);
        Ok(match self.format {
            Format::Json => pretty(&facts),
            Format::Table => text(&facts, Screen::stdout(self.color)),
        })
    }
}

fn facts(shown: &Shown) -> Value {
    let mut facts = list::session(&shown.row);
    for key in ["lease_left_ms", "version", "epoch", "stored_results"] {
        facts[key] = Value::Null;
    }
    if let Some(stored) = &shown.stored {
        facts["lease_left_ms"] = json!(shown.row.node.map(|_| stored.left_ms));
        facts["version"] = json!(stored.version);
        facts["epoch"] = json!(stored.epoch);
        facts["stored_results"] = json!({"parts": stored.results, "bytes": stored.result_bytes});
    }
    match &shown.view {
        Ok(view) => add_view(&mut facts, view),
        // Show the readable parts.
        Err(error) => facts["unreadable"] = json!(error.to_string()),
    }
    facts
}

fn add_view(facts: &mut Value, view: &SessionView) {
    facts["ttl_seconds"] = json!(view.ttl.as_secs());
    facts["roots"] = view
        .roots
        .iter()
        .map(|root| json!({"name": root.name, "path": root.path.to_string_lossy()}))
        .collect();
    facts["idempotency_keys"] = json!(view.keys_remembered);
    facts["notices"] = json!(view.notices);
    let call = |call: &actors::sessions::CallView| {
        json!({
            "request_id": call.request_id, "tool": call.tool, "state": call.state, "attempt": call.attempt,
            "since": rfc3339(call.since_ms),
        })
    };
    facts["calls"] = view.calls.iter().map(call).collect();
    let result = |result: &actors::sessions::HistoryView| {
        json!({
            "result_id": result.result_id, "tool": result.tool, "arguments": result.arguments,
            "summary": result.summary, "at": rfc3339(result.at_ms), "stored": result.stored,
        })
    };
    facts["results"] = view.history.iter().map(result).collect();
}

fn text(facts: &Value, screen: Screen) -> String {
    let mut text = String::new();
    for (title, key) in [
        ("session", "session_id"),
        ("principal", "principal"),
        ("label", "label"),
        ("status", "status"),
        ("quarantined for", "quarantine"),
        ("unreadable", "unreadable"),
        ("created", "created"),
        ("expires", "expires"),
        ("version", "version"),
        ("epoch", "epoch"),
        ("held by", "held_by"),
        ("lease left, ms", "lease_left_ms"),
        ("idempotency keys", "idempotency_keys"),
    ] {
        let said = match &facts[key] {
            Value::Null => continue,
            Value::String(said) => printable(said),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "{title:<17} {said}");
    }
    for root in facts["roots"].as_array().into_iter().flatten() {
        let path = root["path"].as_str().unwrap_or_default();
        let _ = writeln!(text, "{:<17} {}", "root", printable(path));
    }
    for notice in facts["notices"].as_array().into_iter().flatten() {
        let notice = notice.as_str().unwrap_or_default();
        let _ = writeln!(text, "{:<17} {}", "notice", printable(notice));
    }
    let stored = &facts["stored_results"];
    if !stored.is_null() {
        let _ = writeln!(
            text,
            "{:<17} {} parts, {} bytes\n",
            "stored results", stored["parts"], stored["bytes"]
        );
    }
    let mut page = Page::new(screen);
    page.section("Calls", CALLS, &facts["calls"]);
    page.section("Results", RESULTS, &facts["results"]);
    text + &page.end()
}
