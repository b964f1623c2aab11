//! The changes, worst first. A change has indexes of rows: words and JSON are made only for shown changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::rows::FileErrors;

/// One row of `changes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// `regressed`, `added`, `removed`, …: counted in the summary.
    pub(super) kind: &'static str,
    /// Lower comes first.
    pub(super) rank: u8,
    /// Within a rank, higher comes first.
    pub(super) severity: u32,
    /// The row before and the row after. One of them is always set.
    pub(super) was: Option<u32>,
    pub(super) is: Option<u32>,
}

/// Rows that are missing in a file that does not parse are not reported as added or removed.
pub(super) const UNPARSED: &str = "unparsed";

pub(super) struct Changes {
    pub(super) rows: Vec<Change>,
    pub(super) unchanged: u64,
    pub(super) unparsed: UnparsedFiles,
}

impl Changes {
    /// Sorts the worst first; equal ones keep the given order, which is by path.
    pub(super) fn new(mut rows: Vec<Change>, unchanged: u64, unparsed: UnparsedFiles) -> Self {
        rows.sort_by_key(|row| (row.rank, std::cmp::Reverse(row.severity)));
        Self {
            rows,
            unchanged,
            unparsed,
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

/// The files with more errors in one of the two results, and the number of rows missing because of them, by path.
#[derive(Debug, Default, PartialEq)]
pub(super) struct UnparsedFiles {
    now: BTreeMap<String, u64>,
    before: BTreeMap<String, u64>,
}

/// Files of each result that the heading names.
const FILES_NAMED: usize = 5;

impl UnparsedFiles {
    /// Records a row that is missing now. Returns false if its file has no more errors than before.
    pub(super) fn missing(&mut self, path: &str, errors: &Sides<'_>) -> bool {
        let unparsed = errors.after.get(path) > errors.before.get(path);
        if unparsed {
            note(&mut self.now, path);
        }
        unparsed
    }

    /// The same for one that was missing before.
    pub(super) fn new_here(&mut self, path: &str, errors: &Sides<'_>) -> bool {
        let unparsed = errors.before.get(path) > errors.after.get(path);
        if unparsed {
            note(&mut self.before, path);
        }
        unparsed
    }

    /// Lines for the heading.
    pub(super) fn lines(&self) -> String {
        let mut lines = String::new();
        for (files, when) in [(&self.now, "now"), (&self.before, "in the baseline")] {
            if files.is_empty() {
                continue;
            }
            let named: Vec<String> = (files.iter().take(FILES_NAMED))
                .map(|(path, missing)| format!("{path} ({missing})"))
                .collect();
            let more = match files.len().checked_sub(FILES_NAMED) {
                None | Some(0) => String::new(),
                Some(more) => format!(" and {more} more"),
            };
            lines.push_str(&format!(
                "careful: these files did not parse {when}, and what is missing there is unparsed, not added or removed: {}{more}\n",
                named.join(", "),
            ));
        }
        lines
    }
}

fn note(files: &mut BTreeMap<String, u64>, path: &str) {
    match files.get_mut(path) {
        Some(missing) => *missing += 1,
        None => _ = files.insert(path.to_owned(), 1),
    }
}

/// The numbers of errors in both results.
#[derive(Clone, Copy)]
pub(super) struct Sides<'e> {
    pub(super) before: &'e FileErrors,
    pub(super) after: &'e FileErrors,
}

/// `{before, after, delta}` for the summary figures of both results.
pub(super) fn totals(before: &Value, after: &Value) -> Value {
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
