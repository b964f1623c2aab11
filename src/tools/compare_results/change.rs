//! What changed, the worst first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One row of `changes`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// `regressed`, `added`, `removed`, …: counted in the summary.
    pub(super) kind: &'static str,
    /// Lower comes first.
    pub(super) rank: u8,
    /// Within a rank, higher comes first.
    pub(super) severity: i64,
    pub(super) value: Value,
    pub(super) line: String,
}

pub(super) struct Changes {
    pub(super) rows: Vec<Change>,
    pub(super) unchanged: u64,
    /// `{before, after, delta}` over the figures that both results sum up.
    pub(super) totals: Value,
}

impl Changes {
    /// Sorts the worst first; rows that are as bad stay in the order given, which is by path.
    pub(super) fn new(
        mut rows: Vec<Change>,
        unchanged: u64,
        before: &Value,
        after: &Value,
    ) -> Self {
        rows.sort_by_key(|row| (row.rank, -row.severity));
        Self {
            rows,
            unchanged,
            totals: totals(&before["totals"], &after["totals"]),
        }
    }

    pub(super) fn summary(&self) -> Value {
        let mut summary = json!(self.counts());
        summary["unchanged"] = json!(self.unchanged);
        summary
    }

    pub(super) fn one_line(&self) -> String {
        let mut parts: Vec<String> = (self.counts().iter())
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        parts.push(format!("{} unchanged", self.unchanged));
        parts.join(", ")
    }

    fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.kind).or_default() += 1;
        }
        counts
    }
}

fn totals(before: &Value, after: &Value) -> Value {
    let mut delta = serde_json::Map::new();
    for (name, was) in before.as_object().into_iter().flatten() {
        if let (Some(was), Some(is)) = (was.as_f64(), after[name].as_f64()) {
            let change = ((is - was) * 10_000.0).round() / 10_000.0;
            // Counts stay whole numbers.
            let whole = before[name].is_i64() || before[name].is_u64();
            let value = if whole {
                json!(change as i64)
            } else {
                json!(change)
            };
            delta.insert(name.clone(), value);
        }
    }
    json!({"before": before, "after": after, "delta": delta})
}
