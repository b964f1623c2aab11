//! Two results of analyze_structure: which symbols came, went, moved, or have another signature. What was public and
//! is gone breaks others, so it comes first.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::change::{Change, Changes};
use crate::answer::Failure;

pub(super) fn compare(before: &Value, after: &Value) -> Result<Changes, Failure> {
    let (befores, afters) = (rows(before)?, rows(after)?);
    let mut left: Vec<Option<&Value>> = befores.iter().map(Some).collect();
    let mut of_after: Vec<Option<&Value>> = vec![None; afters.len()];
    // First what is equal, then what kept its name, then what kept everything but its file.
    let passes: [&[&str]; 3] = [
        &["path", "qualified_name", "kind", "signature", "visibility"],
        &["path", "qualified_name", "kind"],
        &["qualified_name", "kind", "signature"],
    ];
    for fields in passes {
        pair(&mut left, &mut of_after, afters, fields);
    }
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for (is, was) in afters.iter().zip(of_after) {
        let Some(was) = was else {
            changes.push(change("added", 3, None, Some(is)));
            continue;
        };
        if was["signature"] != is["signature"] || was["visibility"] != is["visibility"] {
            let rank = if is_public(was) { 0 } else { 1 };
            changes.push(change("changed", rank, Some(was), Some(is)));
        } else if was["path"] != is["path"] {
            changes.push(change("moved", 2, Some(was), Some(is)));
        } else {
            unchanged += 1;
        }
    }
    for was in left.into_iter().flatten() {
        let rank = if is_public(was) { 0 } else { 4 };
        changes.push(change("removed", rank, Some(was), None));
    }
    Ok(Changes::new(changes, unchanged, before, after))
}

/// Pairs what agrees in these fields, in order.
fn pair<'d>(
    left: &mut [Option<&'d Value>],
    of_after: &mut [Option<&'d Value>],
    afters: &[Value],
    fields: &[&str],
) {
    let key = |row: &Value| -> Vec<String> {
        let values = fields.iter().map(|field| row[*field].as_str());
        values
            .map(|value| value.unwrap_or_default().to_owned())
            .collect()
    };
    let mut waiting: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
    for (at, row) in left.iter().enumerate().rev() {
        if let Some(row) = row {
            waiting.entry(key(row)).or_default().push(at);
        }
    }
    for (slot, row) in of_after.iter_mut().zip(afters) {
        if slot.is_none() {
            *slot = waiting
                .get_mut(&key(row))
                .and_then(Vec::pop)
                .and_then(|at| left[at].take());
        }
    }
}

fn rows(data: &Value) -> Result<&[Value], Failure> {
    data["symbols"]
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| Failure::new("data_loss", "a stored result holds no symbols"))
}

fn is_public(row: &Value) -> bool {
    row["visibility"] == "public"
}

fn change(kind: &'static str, rank: u8, was: Option<&Value>, is: Option<&Value>) -> Change {
    let shown = is.or(was).unwrap_or(&Value::Null);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut line = format!(
        "{kind} {}:{} {} {} {}",
        text(shown, "path"),
        shown["start_line"],
        text(shown, "visibility"),
        text(shown, "kind"),
        text(shown, "qualified_name"),
    );
    if let (Some(was), Some(is)) = (was, is) {
        line.push_str(&match kind {
            "moved" => format!(" (was in {})", text(was, "path")),
            _ => format!(": {} -> {}", text(was, "signature"), text(is, "signature")),
        });
    }
    Change {
        kind,
        rank,
        severity: i64::from(kind == "removed"),
        value: json!({
            "change": kind,
            "what": "symbol",
            "path": shown["path"],
            "qualified_name": shown["qualified_name"],
            "kind": shown["kind"],
            "before": was.map(side),
            "after": is.map(side),
        }),
        line: super::super::text::one_line(&line),
    }
}

fn side(row: &Value) -> Value {
    json!({
        "path": row["path"],
        "signature": row["signature"],
        "visibility": row["visibility"],
        "start_line": row["start_line"],
        "end_line": row["end_line"],
    })
}
