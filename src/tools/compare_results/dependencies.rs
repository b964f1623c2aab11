//! Two results of analyze_dependencies: which cycles, unresolved imports, packages and edges came or went.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::change::{Change, Changes};
use crate::answer::Failure;

/// What is compared, the worst to gain first.
const PARTS: [Part; 5] = [
    Part {
        list: "cycles",
        what: "cycle",
        identity: cycle_identity,
    },
    Part {
        list: "unresolved",
        what: "unresolved",
        identity: |row| format!("{} {}", plain(&row["path"]), plain(&row["specifier"])),
    },
    Part {
        list: "external",
        what: "external",
        identity: |row| plain(&row["name"]),
    },
    Part {
        list: "edges",
        what: "edge",
        identity: |row| {
            format!(
                "{} -> {} ({})",
                plain(&row["from"]),
                plain(&row["to"]),
                plain(&row["kind"])
            )
        },
    },
    Part {
        list: "nodes",
        what: "node",
        identity: |row| plain(&row["id"]),
    },
];

struct Part {
    list: &'static str,
    what: &'static str,
    /// What stays the same where lines move; also its words in the text.
    identity: fn(&Value) -> String,
}

pub(super) fn compare(before: &Value, after: &Value) -> Result<Changes, Failure> {
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for (rank, part) in (0_u8..).zip(&PARTS) {
        let was = part.rows(before)?;
        let is = part.rows(after)?;
        for (identity, row) in &is {
            if was.contains_key(identity) {
                unchanged += 1;
            } else {
                changes.push(part.change("added", rank, identity, row));
            }
        }
        // What went is good news, and comes after all that was gained.
        let rank = rank + PARTS.len() as u8;
        for (identity, row) in &was {
            if !is.contains_key(identity) {
                changes.push(part.change("removed", rank, identity, row));
            }
        }
    }
    Ok(Changes::new(changes, unchanged, before, after))
}

impl Part {
    fn rows<'d>(&self, data: &'d Value) -> Result<BTreeMap<String, &'d Value>, Failure> {
        let rows = data[self.list].as_array().ok_or_else(|| {
            Failure::new(
                "data_loss",
                format!("a stored result holds no {}", self.list),
            )
        })?;
        Ok(rows.iter().map(|row| ((self.identity)(row), row)).collect())
    }

    fn change(&self, kind: &'static str, rank: u8, identity: &str, row: &Value) -> Change {
        Change {
            kind,
            rank,
            severity: 0,
            value: json!({"change": kind, "what": self.what, "detail": row}),
            line: format!("{kind} {} {identity}", self.what),
        }
    }
}

/// The members, wherever the walk entered the cycle.
fn cycle_identity(row: &Value) -> String {
    let members = row.get("members").or_else(|| row.get("path"));
    // Results from before cycles had a path are lists of members.
    let members = members.unwrap_or(row).as_array();
    let mut members: Vec<String> = members.into_iter().flatten().map(plain).collect();
    members.sort_unstable();
    members.dedup();
    members.join(", ")
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
