//! Compares two results of analyze_complexity: the functions that got worse.

use serde_json::{Value, json};

use super::super::rows::Functions;
use super::Stop;
use super::change::{Change, Changes, Sides, UNPARSED, UnparsedFiles};
use super::matching::{matched, plain_name, subjects};

/// Figures of a function whose differences are shown.
const FIGURES: [&str; 6] = [
    "cyclomatic",
    "cognitive",
    "sloc",
    "max_nesting",
    "parameters",
    "maintainability_index",
];

/// The functions of both.
#[derive(Clone, Copy)]
pub(super) struct Both<'r> {
    pub(super) before: &'r Functions,
    pub(super) after: &'r Functions,
}

impl Both<'_> {
    /// `None`: the call should stop.
    pub(super) fn compare(self, errors: Sides<'_>, stop: Stop<'_>) -> Option<Changes> {
        let Self { before, after } = self;
        let (befores, afters) = subjects(before, after);
        let matches = matched(&befores, &afters, stop)?;
        drop((befores, afters));
        let mut gone = vec![true; before.len()];
        let mut changes = Vec::new();
        let mut unchanged = 0;
        let mut unparsed = UnparsedFiles::default();
        for (is, was) in (0..).zip(matches) {
            let Some(was) = was else {
                let missed = unparsed.new_here(after.path.get(is as usize), &errors);
                changes.push(alone(after, None, Some(is), missed));
                continue;
            };
            gone[was as usize] = false;
            match self.changed(was, is) {
                Some(change) => changes.push(change),
                None => unchanged += 1,
            }
        }
        for (was, _) in (0..).zip(gone).filter(|(_, gone)| *gone) {
            let missed = unparsed.missing(before.path.get(was as usize), &errors);
            changes.push(alone(before, Some(was), None, missed));
        }
        Some(Changes::new(changes, unchanged, unparsed))
    }

    /// `None`: the function did not change, except possibly its lines.
    fn changed(self, at_was: u32, at_is: u32) -> Option<Change> {
        let (was, is) = (at_was as usize, at_is as usize);
        let Self { before, after } = self;
        let grown = |figure: fn(&Functions) -> &Vec<u32>| {
            i64::from(figure(after)[is]) - i64::from(figure(before)[was])
        };
        let cyclomatic = grown(|functions| &functions.cyclomatic);
        let cognitive = grown(|functions| &functions.cognitive);
        let (kind, rank) = if cyclomatic > 0 || cognitive > 0 {
            ("regressed", 0)
        } else if cyclomatic < 0 || cognitive < 0 {
            ("improved", 6)
        } else if before.body_digest(was) != after.body_digest(is) {
            ("changed", 3)
        } else if self.moved(was, is) {
            ("moved", 4)
        } else if self.renamed(was, is) {
            ("renamed", 5)
        } else {
            return None;
        };
        let severity = cyclomatic.unsigned_abs() + cognitive.unsigned_abs();
        Some(Change {
            kind,
            rank,
            severity: u32::try_from(severity).unwrap_or(u32::MAX),
            was: Some(at_was),
            is: Some(at_is),
        })
    }

    fn moved(self, was: usize, is: usize) -> bool {
        self.before.path.get(was) != self.after.path.get(is)
    }

    fn renamed(self, was: usize, is: usize) -> bool {
        let (before, after) = (&self.before.qualified_name, &self.after.qualified_name);
        plain_name(before.get(was)) != plain_name(after.get(is))
    }

    pub(super) fn line(self, change: &Change) -> String {
        let Self { before, after } = self;
        let kind = change.kind;
        let alone = |functions: &Functions, at: u32| {
            format!(
                "{kind} {}: cyclomatic {}, cognitive {}",
                place(functions, at),
                functions.cyclomatic[at as usize],
                functions.cognitive[at as usize],
            )
        };
        let (was, is) = match (change.was, change.is) {
            (Some(was), Some(is)) => (was as usize, is as usize),
            (Some(was), None) if kind == UNPARSED => {
                return format!("{} (its file does not parse now)", alone(before, was));
            }
            (Some(was), None) => return alone(before, was),
            (None, Some(is)) if kind == UNPARSED => {
                return format!("{} (its file did not parse before)", alone(after, is));
            }
            (None, Some(is)) => return alone(after, is),
            (None, None) => return String::new(),
        };
        let mut line = format!(
            "{kind} {}: cyclomatic {} -> {}, cognitive {} -> {}",
            place(after, is as u32),
            before.cyclomatic[was],
            after.cyclomatic[is],
            before.cognitive[was],
            after.cognitive[is],
        );
        if self.moved(was, is) || self.renamed(was, is) {
            line.push_str(&format!(
                " (was {} {})",
                before.path.get(was),
                before.qualified_name.get(was)
            ));
        }
        line
    }

    pub(super) fn value(self, change: &Change) -> Value {
        let Self { before, after } = self;
        let was = change.was.map(|was| was as usize);
        let is = change.is.map(|is| is as usize);
        let both = was.zip(is);
        let (was_side, is_side) = (was.map(|was| before.side(was)), is.map(|is| after.side(is)));
        let shown = is_side.as_ref().or(was_side.as_ref());
        let named = |name: &str| shown.map_or(Value::Null, |side| side[name].clone());
        json!({
            "change": change.kind,
            "what": "function",
            "path": named("path"),
            "qualified_name": named("qualified_name"),
            "moved": both.is_some_and(|(was, is)| self.moved(was, is)),
            "renamed": both.is_some_and(|(was, is)| self.renamed(was, is)),
            "delta": was_side.as_ref().zip(is_side.as_ref()).map(|(was, is)| delta(was, is)),
            "before": was_side,
            "after": is_side,
        })
    }
}

/// A function without a partner. `missed`: its file did not parse in the other result.
fn alone(functions: &Functions, was: Option<u32>, is: Option<u32>, missed: bool) -> Change {
    let complexity = |at: u32| {
        functions.cyclomatic[at as usize].saturating_add(functions.cognitive[at as usize])
    };
    let (kind, rank, severity) = match (missed, is) {
        (true, at) => (UNPARSED, 1, at.or(was).map_or(0, complexity)),
        (false, Some(is)) => ("added", 2, complexity(is)),
        (false, None) => ("removed", 7, 0),
    };
    Change {
        kind,
        rank,
        severity,
        was,
        is,
    }
}

fn place(functions: &Functions, at: u32) -> String {
    let at = at as usize;
    format!(
        "{}:{} {}",
        functions.path.get(at),
        functions.start_line[at],
        functions.qualified_name.get(at),
    )
}

fn delta(was: &Value, is: &Value) -> Value {
    let mut delta = json!({});
    for name in FIGURES {
        delta[name] = match (was[name].as_f64(), is[name].as_f64()) {
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
