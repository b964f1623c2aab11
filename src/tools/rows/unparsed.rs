//! The files of a result that did not parse, so that rows missing there do not count as removed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::number;
use super::text;

/// Files with errors in a kept result, those with the most errors first: far more than in a project whose results are
/// reliable.
pub(in crate::tools) const FILES_KEPT: usize = 10_000;

/// The key of the errors in a kept result, in addition to `data` and `coverage`.
pub(in crate::tools) const KEY: &str = "parse_errors";

/// It has errors of unknown number.
const UNCOUNTED: u32 = u32::MAX;

/// The number of errors and missing tokens of each file, by path. A file that is not listed has none.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::tools) struct FileErrors(HashMap<String, u32>);

impl FileErrors {
    /// The worst [`FILES_KEPT`].
    pub(in crate::tools) fn of<'a>(files: impl Iterator<Item = (&'a str, u32)>) -> Self {
        let mut broken: Vec<(&str, u32)> = files.filter(|(_, errors)| *errors > 0).collect();
        broken.sort_unstable_by_key(|(path, errors)| (std::cmp::Reverse(*errors), *path));
        broken.truncate(FILES_KEPT);
        Self(
            broken
                .into_iter()
                .map(|(path, errors)| (path.to_owned(), errors))
                .collect(),
        )
    }

    /// Results of versions without [`KEY`] have the count of every file in `data.files` (analyze_complexity), and the
    /// worst few in their coverage.
    pub(super) fn read(whole: &Value) -> Self {
        if let Some(kept) = whole[KEY].as_object() {
            let files = kept.iter();
            return Self::of(files.map(|(path, errors)| (path.as_str(), number(errors))));
        }
        if let Some(files) = whole["data"]["files"].as_array() {
            let files = files.iter();
            return Self::of(files.map(|row| (text(row, "path"), number(&row["parse_errors"]))));
        }
        let named = whole["coverage"]["parse_errors"]["files"].as_array();
        let named = named.into_iter().flatten();
        Self::of(named.map(|file| (text(file, "path"), UNCOUNTED)))
    }

    pub(in crate::tools) fn get(&self, path: &str) -> u32 {
        self.0.get(path).copied().unwrap_or(0)
    }

    pub(in crate::tools) fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|(path, errors)| (path.clone(), Value::from(*errors)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}
