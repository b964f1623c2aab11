//! What the analysis tools have in common when they answer: why nothing was found, what is kept whole.

use actors::tool::{ToolContext, ToolOutput};
use serde_json::{Map, Value, json};

use super::analyzed::Analyzed;
use super::rows::{FileErrors, PARSE_ERRORS};
use super::shared::Paging;
use super::text::{counted, one_line};
use crate::answer::page::{Fitted, json_len};
use crate::answer::{CacheUse, Coverage, Empty, Finding, Page};
use crate::workspace::Selection;

/// Bytes of JSON of a result that is kept whole. A larger one is several times this as values in memory, and is
/// better asked for again with a narrower path.
pub const WHOLE_CAP: usize = 8 * 1024 * 1024;

/// An answer of one page over analysed files.
pub(crate) struct Outcome {
    pub(crate) fitted: Fitted,
    pub(crate) page: Option<Page>,
    /// What one row is called.
    pub(crate) row: &'static str,
    /// How many rows there are in all.
    pub(crate) rows: usize,
    pub(crate) whole: Option<Value>,
    pub(crate) summary: String,
}

pub(crate) fn output(analyzed: Analyzed, selection: &Selection, outcome: Outcome) -> ToolOutput {
    let empty = why_empty(&analyzed.coverage, selection, outcome.rows, outcome.row);
    let mut text = outcome.fitted.text;
    text.push_str(&coverage_line(&analyzed.coverage));
    let finding = Finding {
        data: Value::Object(outcome.fitted.data),
        text,
        page: outcome.page,
        coverage: Some(analyzed.coverage),
        cache: analyzed.cache,
        empty,
        notices: analyzed.notices,
    };
    ToolOutput {
        answer: finding.into_value(),
        whole: outcome.whole,
        summary: outcome.summary,
        input_digest: analyzed.digest,
    }
}

/// An answer over stored results, which read no files.
pub(crate) fn output_of_results(
    fitted: Fitted,
    page: Page,
    empty: Option<Empty>,
    whole: Option<Value>,
    summary: String,
    digest: String,
) -> ToolOutput {
    let finding = Finding {
        data: Value::Object(fitted.data),
        text: fitted.text,
        page: Some(page),
        coverage: None,
        cache: CacheUse::default(),
        empty,
        notices: Vec::new(),
    };
    ToolOutput {
        answer: finding.into_value(),
        whole,
        summary,
        input_digest: digest,
    }
}

pub(crate) fn page_of(
    paging: &Paging,
    digest: &str,
    from: usize,
    fitted: &Fitted,
    total: usize,
) -> Page {
    paging.page(digest, from, fitted.returned, total)
}

/// A zero says why.
pub(crate) fn why_empty(
    coverage: &Coverage,
    selection: &Selection,
    rows: usize,
    row: &str,
) -> Option<Empty> {
    if rows > 0 {
        return None;
    }
    let place = if selection.path.is_empty() {
        "the root".to_owned()
    } else {
        format!("{:?}", selection.path)
    };
    // Directories that were not entered say nothing of the files that were seen.
    let mut skipped_files = coverage
        .skipped
        .keys()
        .filter(|reason| !reason.ends_with("_directory"));
    let only_unsupported =
        coverage.files_seen > 0 && skipped_files.all(|reason| reason == "unsupported_language");
    let (reason, message) = if coverage.files_analyzed > 0 {
        let files = counted(coverage.files_analyzed, "file");
        (
            "nothing_matched",
            format!("{files} analysed, no {row} matched the arguments"),
        )
    } else if coverage.files_seen == 0 && coverage.skipped.is_empty() {
        ("no_files", format!("there is no file below {place}"))
    } else if only_unsupported {
        let files = counted(coverage.files_seen, "file");
        (
            "nothing_supported",
            format!("none of {files} below {place} is in a language that is analysed"),
        )
    } else {
        (
            "everything_excluded",
            format!("every file below {place} was left out: {}", skips(coverage)),
        )
    };
    Some(Empty {
        reason: reason.to_owned(),
        message,
    })
}

fn skips(coverage: &Coverage) -> String {
    if coverage.skipped.is_empty() {
        return "by include, exclude or languages".to_owned();
    }
    let skips: Vec<_> = (coverage.skipped.iter())
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    skips.join(", ")
}

/// The line that says how much of the code the answer is about.
fn coverage_line(coverage: &Coverage) -> String {
    let mut line = format!(
        "coverage: {} of {} analysed",
        coverage.files_analyzed,
        counted(coverage.files_seen, "file"),
    );
    if !coverage.skipped.is_empty() {
        line.push_str(&format!("; skipped: {}", skips(coverage)));
    }
    if coverage.parse_errors.count > 0 {
        let named = coverage.parse_errors.files.len();
        line.push_str(&format!(
            "; {} with syntax errors{}",
            counted(coverage.parse_errors.count, "file"),
            match named {
                0 => String::new(),
                _ => format!(" ({})", one_line(&coverage.parse_errors.places())),
            }
        ));
    }
    line.push('\n');
    line
}

/// Rows between two looks at whether to stop: well under a millisecond of work.
const ROWS_PER_CHECK: usize = 256;

/// Builds what is kept whole. Gives up where nobody keeps it, where it becomes larger than [`WHOLE_CAP`], or where the
/// call should stop.
pub(crate) struct Whole<'c> {
    ctx: &'c ToolContext,
    data: Map<String, Value>,
    left: Option<usize>,
}

impl<'c> Whole<'c> {
    pub(crate) fn new(ctx: &'c ToolContext, data: Map<String, Value>) -> Self {
        let left = WHOLE_CAP.checked_sub(json_len(&data));
        Self {
            ctx,
            data,
            left: left.filter(|_| ctx.keep_whole),
        }
    }

    /// `at_least`: bytes that the rows take in any case, so that what cannot fit is not begun. The largest list first.
    pub(crate) fn add(&mut self, key: &str, at_least: usize, rows: impl Iterator<Item = Value>) {
        self.left = self.left.filter(|left| at_least <= *left);
        let Some(mut left) = self.left else {
            return;
        };
        let mut kept = Vec::new();
        for row in rows {
            let stop = kept.len() % ROWS_PER_CHECK == 0 && self.ctx.stop_reason().is_some();
            match left.checked_sub(json_len(&row) + 1) {
                Some(rest) if !stop => left = rest,
                Some(_) | None => {
                    self.left = None;
                    return;
                }
            }
            kept.push(row);
        }
        self.left = Some(left);
        self.data.insert(key.to_owned(), Value::Array(kept));
    }

    pub(crate) fn finish(self, analyzed: Option<&Analyzed>) -> Option<Value> {
        let left = self.left?;
        let mut whole = json!({
            "data": self.data,
            "coverage": analyzed.map(|analyzed| &analyzed.coverage),
        });
        if let Some(analyzed) = analyzed {
            let errors = errors_of(analyzed).to_json();
            left.checked_sub(json_len(&errors))?;
            whole[PARSE_ERRORS] = errors;
        }
        Some(whole)
    }
}

/// What a comparison has to know of files that did not parse.
fn errors_of(analyzed: &Analyzed) -> FileErrors {
    let files = analyzed.files.iter();
    FileErrors::of(files.map(|file| {
        let syntax = &file.analysis.syntax;
        (file.path.as_str(), syntax.errors + syntax.missing)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(coverage: &Coverage, rows: usize) -> Option<String> {
        why_empty(coverage, &Selection::default(), rows, "function").map(|empty| empty.reason)
    }

    #[test]
    fn an_empty_answer_says_which_kind_of_empty() {
        let mut coverage = Coverage::default();
        assert_eq!(reason(&coverage, 0).as_deref(), Some("no_files"));
        coverage.files_seen = 3;
        coverage.skipped.insert("unsupported_language".into(), 3);
        assert_eq!(reason(&coverage, 0).as_deref(), Some("nothing_supported"));
        coverage.skipped.insert("file_too_large".into(), 1);
        assert_eq!(reason(&coverage, 0).as_deref(), Some("everything_excluded"));
        coverage.files_analyzed = 1;
        assert_eq!(reason(&coverage, 0).as_deref(), Some("nothing_matched"));
        assert_eq!(reason(&coverage, 1), None);
    }
}
