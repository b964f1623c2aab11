//! `sessions list`: the sessions of all principals, or the nodes.

use actors::ids::Principal;
use actors::operator::{Operator, OperatorError};
use actors::store::Row;
use clap::Args;
use serde_json::{Value, json};

use super::super::screen::{Color, Screen};
use super::super::table::{Column, Page, column};
use super::{Format, Reach, pretty};
use crate::answer::rfc3339;
use crate::tools::session_data::node;

/// Rows of a table by default; `--limit` changes it.
const DEFAULT_ROWS: usize = 50;

const SESSIONS: [Column; 8] = [
    column("session", "/session_id").whole().always(),
    column("principal", "/principal").keep(70),
    column("label", "/label").keep(40),
    column("status", "/status").whole().always(),
    column("created", "/created").whole().keep(20),
    column("expires", "/expires").whole().keep(30),
    column("held by", "/held_by").whole().keep(10),
    column("quarantined for", "/quarantine").words().keep(80),
];
const NODES: [Column; 8] = [
    column("node", "/node").whole().always(),
    column("version", "/version").whole().keep(40),
    column("address", "/address").whole().keep(70),
    column("started", "/started").whole().keep(10),
    column("seen", "/seen").whole().keep(20),
    column("sessions", "/sessions").keep(60),
    column("calls", "/calls_in_flight").keep(50),
    column("draining", "/draining").keep(30),
];

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only sessions of this principal
    #[arg(long, value_name = "NAME")]
    pub(super) principal: Option<String>,
    /// Only quarantined sessions, with the reason
    #[arg(long)]
    pub(super) quarantined: bool,
    /// Rows to show; 0 shows all [default: 50]
    #[arg(long, value_name = "ROWS")]
    pub(super) limit: Option<usize>,
    /// List the running nodes instead of sessions
    #[arg(long, conflicts_with_all = ["principal", "quarantined", "limit"])]
    pub(super) nodes: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// When to colour the table
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl List {
    pub(super) async fn run(&self, operator: &Operator) -> Result<String, OperatorError> {
        if self.nodes {
            let nodes: Value = operator.nodes().await?.iter().map(node).collect();
            return Ok(match self.format {
                Format::Json => pretty(&json!({"nodes": nodes})),
                Format::Table => {
                    let none = "no node is running";
                    self.titled("Nodes", &NODES, &nodes, none)
                }
            });
        }
        let principal = self.principal.as_ref().map(Principal::named);
        let ids = operator.ids(principal.as_ref()).await?;
        let rows = match self.limit.unwrap_or(DEFAULT_ROWS) {
            0 => usize::MAX,
            rows => rows,
        };
        let (mut shown, mut looked_at) = (Vec::new(), 0);
        for (_, id) in &ids {
            if shown.len() >= rows {
                break;
            }
            looked_at += 1;
            match operator.row(*id).await {
                Ok(row) => shown.extend(
                    row.filter(|row| !self.quarantined || row.quarantine.is_some())
                        .map(|row| session(&row)),
                ),
                // A damaged session must not hide the others.
                Err(OperatorError::Unreadable { id, cause }) => shown.push(json!({
                    "session_id": id, "status": "unreadable", "quarantine": cause.to_string(),
                })),
                Err(error) => return Err(error),
            }
        }
        let more = ids.len() - looked_at;
        let returned = shown.len();
        let sessions = Value::from(shown);
        if self.format == Format::Json {
            let page = json!({"returned": returned, "more": more > 0});
            return Ok(pretty(&json!({"sessions": sessions, "page": page})));
        }
        let none = if self.quarantined {
            "no quarantined sessions"
        } else {
            "no sessions"
        };
        let mut text = self.titled("Sessions", &SESSIONS, &sessions, none);
        if more > 0 {
            text.push_str(&format!("{more} more; --limit 0 shows all.\n"));
        }
        Ok(text)
    }

    fn titled(&self, title: &str, columns: &[Column], rows: &Value, none: &str) -> String {
        let mut page = Page::new(Screen::stdout(self.color));
        page.section(title, columns.iter().copied(), rows);
        match page.end() {
            text if text.is_empty() => format!("{none}\n"),
            text => text,
        }
    }
}

pub(super) fn session(row: &Row) -> Value {
    let status = match (&row.quarantine, row.closed) {
        (Some(_), _) => "quarantined",
        (None, true) => "closed",
        (None, false) => "open",
    };
    json!({
        "session_id": row.id,
        "principal": row.principal,
        "label": row.label,
        "status": status,
        "quarantine": row.quarantine,
        "created": rfc3339(row.created_ms),
        "expires": rfc3339(row.expires_ms),
        "held_by": row.node,
    })
}
