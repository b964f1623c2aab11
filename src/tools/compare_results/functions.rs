//! Two results of analyze_complexity: which functions got worse.

use serde_json::{Value, json};

use super::change::{Change, Changes};
use super::matching::{Subject, matched, plain_name};
use crate::answer::Failure;

/// Figures of a function whose difference is given.
const FIGURES: [(&str, &str); 6] = [
    ("cyclomatic", "/own/cyclomatic"),
    ("cognitive", "/own/cognitive"),
    ("sloc", "/sloc"),
    ("max_nesting", "/max_nesting"),
    ("parameters", "/parameters"),
    ("maintainability_index", "/maintainability_index"),
];

pub(super) fn compare(before: &Value, after: &Value) -> Result<Changes, Failure> {
    let (befores, afters) = (rows(before)?, rows(after)?);
    let before_subjects: Vec<Subject<'_>> = befores.iter().map(subject).collect();
    let after_subjects: Vec<Subject<'_>> = afters.iter().map(subject).collect();
    let matches = matched(&before_subjects, &after_subjects);
    let mut gone = vec![true; befores.len()];
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for (is, was) in matches.iter().enumerate() {
        let Some(was) = *was else {
            changes.push(added(&afters[is]));
            continue;
        };
        gone[was] = false;
        match changed(&befores[was], &afters[is]) {
            Some(change) => changes.push(change),
            None => unchanged += 1,
        }
    }
    let removals = befores.iter().zip(gone).filter(|(_, gone)| *gone);
    changes.extend(removals.map(|(row, _)| removed(row)));
    Ok(Changes::new(changes, unchanged, before, after))
}

fn rows(data: &Value) -> Result<&[Value], Failure> {
    data["functions"]
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| Failure::new("data_loss", "a stored result holds no functions"))
}

fn subject(row: &Value) -> Subject<'_> {
    Subject {
        path: text(row, "path"),
        qualified_name: text(row, "qualified_name"),
        name: text(row, "name"),
        kind: text(row, "kind"),
        body: text(row, "body_digest"),
        start_line: row["start_line"].as_u64().unwrap_or(0),
        lines: row["sloc"].as_u64().unwrap_or(0),
    }
}

fn text<'r>(row: &'r Value, name: &str) -> &'r str {
    row[name].as_str().unwrap_or_default()
}

fn figure(row: &Value, pointer: &str) -> i64 {
    row.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// `None`: the same function, wherever its lines are now.
fn changed(was: &Value, is: &Value) -> Option<Change> {
    let moved = was["path"] != is["path"];
    let renamed = is_renamed(was, is);
    let cyclomatic = figure(is, "/own/cyclomatic") - figure(was, "/own/cyclomatic");
    let cognitive = figure(is, "/own/cognitive") - figure(was, "/own/cognitive");
    let (kind, rank) = if cyclomatic > 0 || cognitive > 0 {
        ("regressed", 0)
    } else if cyclomatic < 0 || cognitive < 0 {
        ("improved", 5)
    } else if was["body_digest"] != is["body_digest"] {
        ("changed", 2)
    } else if moved {
        ("moved", 3)
    } else if renamed {
        ("renamed", 4)
    } else {
        return None;
    };
    let mut line = format!(
        "{kind} {}:{} {}: cyclomatic {} -> {}, cognitive {} -> {}",
        text(is, "path"),
        is["start_line"],
        text(is, "qualified_name"),
        figure(was, "/own/cyclomatic"),
        figure(is, "/own/cyclomatic"),
        figure(was, "/own/cognitive"),
        figure(is, "/own/cognitive"),
    );
    if moved || renamed {
        line.push_str(&format!(
            " (was {} {})",
            text(was, "path"),
            text(was, "qualified_name")
        ));
    }
    Some(Change {
        kind,
        rank,
        severity: cyclomatic.abs() + cognitive.abs(),
        value: row(kind, Some(was), Some(is)),
        line,
    })
}

fn is_renamed(was: &Value, is: &Value) -> bool {
    plain_name(text(was, "qualified_name")) != plain_name(text(is, "qualified_name"))
}

fn added(is: &Value) -> Change {
    let complexity = figure(is, "/own/cyclomatic") + figure(is, "/own/cognitive");
    Change {
        kind: "added",
        rank: 1,
        severity: complexity,
        value: row("added", None, Some(is)),
        line: alone("added", is),
    }
}

fn removed(was: &Value) -> Change {
    Change {
        kind: "removed",
        rank: 6,
        severity: 0,
        value: row("removed", Some(was), None),
        line: alone("removed", was),
    }
}

fn alone(kind: &str, row: &Value) -> String {
    format!(
        "{kind} {}:{} {}: cyclomatic {}, cognitive {}",
        text(row, "path"),
        row["start_line"],
        text(row, "qualified_name"),
        figure(row, "/own/cyclomatic"),
        figure(row, "/own/cognitive"),
    )
}

fn row(kind: &str, was: Option<&Value>, is: Option<&Value>) -> Value {
    let shown = is.or(was).unwrap_or(&Value::Null);
    let both = was.zip(is);
    json!({
        "change": kind,
        "what": "function",
        "path": shown["path"],
        "qualified_name": shown["qualified_name"],
        "moved": both.is_some_and(|(was, is)| was["path"] != is["path"]),
        "renamed": both.is_some_and(|(was, is)| is_renamed(was, is)),
        "before": was.map(side),
        "after": is.map(side),
        "delta": both.map(|(was, is)| delta(was, is)),
    })
}

fn side(row: &Value) -> Value {
    let mut side = json!({
        "path": row["path"],
        "qualified_name": row["qualified_name"],
        "start_line": row["start_line"],
        "end_line": row["end_line"],
    });
    for (name, pointer) in FIGURES {
        side[name] = row.pointer(pointer).cloned().unwrap_or_default();
    }
    side
}

fn delta(was: &Value, is: &Value) -> Value {
    let mut delta = json!({});
    for (name, pointer) in FIGURES {
        let of = |row: &Value| row.pointer(pointer).and_then(Value::as_f64);
        delta[name] = match (of(was), of(is)) {
            (Some(was), Some(is)) => whole_or_rounded(is - was),
            (None, _) | (_, None) => Value::Null,
        };
    }
    delta
}

fn whole_or_rounded(number: f64) -> Value {
    if number.fract() == 0.0 {
        return json!(number as i64);
    }
    super::super::text::rounded(Some(number))
}
