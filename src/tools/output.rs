//! Shared parts of the analysis tools' answers: the reason of an empty answer, and the complete result that is stored.

use actors::tool::ToolOutput;
use serde_json::Value;

use super::analyzed::Analyzed;
use super::shared::Paging;
use super::text::{counted, one_line};
use super::whole::Made;
use crate::answer::page::Fitted;
use crate::answer::{CacheUse, Coverage, Empty, Finding, Page};
use crate::workspace::Selection;

/// One page of an answer about analysed files.
pub(crate) struct Outcome {
    pub(crate) fitted: Fitted,
    pub(crate) page: Option<Page>,
    /// The name of one row.
    pub(crate) row: &'static str,
    /// The total number of rows.
    pub(crate) rows: usize,
    pub(crate) whole: Made,
    pub(crate) summary: String,
}

pub(crate) fn output(analyzed: Analyzed, selection: &Selection, outcome: Outcome) -> ToolOutput {
    let empty = why_empty(&analyzed.coverage, selection, outcome.rows, outcome.row);
    let mut text = outcome.fitted.text;
    text.push_str(&coverage_line(&analyzed.coverage));
    let mut notices = analyzed.notices;
    notices.extend(outcome.whole.notice);
    let finding = Finding {
        data: Value::Object(outcome.fitted.data),
        text,
        page: outcome.page,
        coverage: Some(analyzed.coverage),
        cache: analyzed.cache,
        empty,
        notices,
    };
    ToolOutput {
        answer: finding.into_value(),
        whole: outcome.whole.value,
        summary: outcome.summary,
        input_digest: analyzed.digest,
    }
}

/// An answer about stored results, which reads no files.
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

/// The reason of an answer without rows.
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
    // Skipped directories do not count as files.
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
            format!("none of {files} below {place} is in a supported language"),
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

/// The line about the coverage.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(coverage: &Coverage, rows: usize) -> Option<String> {
        why_empty(coverage, &Selection::default(), rows, "function").map(|empty| empty.reason)
    }

    #[test]
    fn an_empty_answer_has_its_reason() {
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
