//! The files with source that did not parse, and the lines: part of every answer's coverage.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::envelope::{count, list, strict, string};
use crate::analysis::SyntaxReport;

/// Files named in an answer; all are counted.
const FILES_NAMED: usize = 5;
/// Ranges of lines given for one file.
const STRETCHES_NAMED: usize = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub(crate) struct ParseErrors {
    /// The number of files with source that did not parse.
    pub(crate) count: u64,
    /// The files with the most such lines, worst first.
    pub(crate) files: Vec<Unparsed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unparsed {
    pub(crate) path: String,
    /// The number of lines with source that did not parse.
    pub(crate) broken_lines: u32,
    /// The first ranges of them: first and last line.
    pub(crate) lines: Vec<(u32, u32)>,
}

/// Answers stored by older versions have only the count.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Count(u64),
    Named { count: u64, files: Vec<Unparsed> },
}

impl From<Kept> for ParseErrors {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Count(count) => Self {
                count,
                files: Vec::new(),
            },
            Kept::Named { count, files } => Self { count, files },
        }
    }
}

impl ParseErrors {
    /// Counts a file, unless all of it parsed.
    pub(crate) fn add(&mut self, path: &str, syntax: &SyntaxReport) {
        if syntax.is_clean() {
            return;
        }
        self.count += 1;
        let rank = |file: &Unparsed| (std::cmp::Reverse(file.broken_lines), file.path.clone());
        let file = Unparsed {
            path: path.to_owned(),
            broken_lines: syntax.lines,
            lines: syntax
                .stretches
                .iter()
                .take(STRETCHES_NAMED)
                .copied()
                .collect(),
        };
        let place = self
            .files
            .partition_point(|other| rank(other) <= rank(&file));
        if place < FILES_NAMED {
            self.files.insert(place, file);
            self.files.truncate(FILES_NAMED);
        }
    }

    /// `a.ts:12-14 20, b.c:3`: the worst files, for a line of text.
    pub(crate) fn places(&self) -> String {
        let files = self.files.iter().map(|file| {
            let lines = file.lines.iter().map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
            format!("{}:{}", file.path, lines.collect::<Vec<_>>().join(" "))
        });
        files.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn schema() -> Value {
        let stretch = json!({"type": "array", "items": count()});
        strict(json!({
            "count": count(),
            "files": list(strict(json!({
                "path": string(),
                "broken_lines": count(),
                "lines": list(stretch),
            }))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: u32) -> SyntaxReport {
        SyntaxReport {
            errors: 1,
            lines,
            stretches: vec![(3, 3), (7, 6 + lines)],
            ..SyntaxReport::default()
        }
    }

    #[test]
    fn the_worst_files_are_named_and_all_are_counted() {
        let mut found = ParseErrors::default();
        found.add("clean.rs", &SyntaxReport::default());
        for at in 1..=9 {
            found.add(&format!("{at}.rs"), &report(at));
        }
        assert_eq!(found.count, 9);
        let named: Vec<_> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(named, ["9.rs", "8.rs", "7.rs", "6.rs", "5.rs"]);
        found.files.truncate(1);
        assert_eq!(found.places(), "9.rs:3 7-15");
    }

    #[test]
    fn a_stored_count_without_files_is_read() {
        let old: ParseErrors = serde_json::from_value(json!(3)).expect("it was a number");
        assert_eq!((old.count, old.files.len()), (3, 0));
        let mut new = ParseErrors::default();
        new.add("a.rs", &report(2));
        let read: ParseErrors = serde_json::from_value(json!(new)).expect("what was written");
        assert_eq!(read, new);
    }
}
