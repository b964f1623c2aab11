//! The stored part of a result in addition to its answer: the whole result as JSON or, if that is too large, the
//! compact form that a comparison reads.

use actors::tool::ToolContext;
use serde_json::{Map, Value, json};

use super::analyzed::Analyzed;
use super::rows::{self, COMPACT, COMPACT_CAP, FileErrors, Kept, PARSE_ERRORS, Rows};
use crate::answer::page::json_len;

/// Bytes of JSON of a result that is kept whole. A larger one takes several times as much memory as values, and clients
/// do not read it whole, so it is kept in the compact form.
pub const WHOLE_CAP: usize = 8 * 1024 * 1024;
/// Rows between two checks of whether to stop: well under a millisecond of work.
pub(crate) const ROWS_PER_CHECK: usize = 256;

/// Called from time to time; returns true if the work should stop.
type Stop<'s> = &'s dyn Fn() -> bool;

/// The stored form of a whole result.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) value: Option<Value>,
    /// Notes for the reader.
    pub(crate) notice: Option<String>,
}

/// Builds the stored form. Returns early if no session keeps it, or if the call should stop.
pub(crate) struct Whole<'c> {
    ctx: &'c ToolContext,
    /// The parts that are kept in both forms.
    base: Map<String, Value>,
    lists: Map<String, Value>,
    left: Left,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(usize),
    /// The whole result is larger than [`WHOLE_CAP`].
    TooLarge,
    GivenUp,
}

impl<'c> Whole<'c> {
    pub(crate) fn new(ctx: &'c ToolContext, base: Map<String, Value>) -> Self {
        let left = match WHOLE_CAP.checked_sub(json_len(&base)) {
            _ if !ctx.keep_whole => Left::GivenUp,
            Some(left) => Left::Bytes(left),
            None => Left::TooLarge,
        };
        Self {
            ctx,
            base,
            lists: Map::new(),
            left,
        }
    }

    /// `at_least`: the least bytes of the rows, so that a result that cannot fit is not started. The largest list comes
    /// first.
    pub(crate) fn add(&mut self, key: &str, at_least: usize, rows: impl Iterator<Item = Value>) {
        let Left::Bytes(mut left) = self.left else {
            return;
        };
        if at_least > left {
            return self.give_up(Left::TooLarge);
        }
        let mut kept = Vec::new();
        for row in rows {
            if kept.len() % ROWS_PER_CHECK == 0 && self.ctx.stop_reason().is_some() {
                return self.give_up(Left::GivenUp);
            }
            match left.checked_sub(json_len(&row) + 1) {
                Some(rest) => left = rest,
                None => return self.give_up(Left::TooLarge),
            }
            kept.push(row);
        }
        self.left = Left::Bytes(left);
        self.lists.insert(key.to_owned(), Value::Array(kept));
    }

    /// For a result over analysed files. `rows`: the rows of the compact form; `None` if the call should stop.
    pub(crate) fn finish(
        mut self,
        analyzed: &Analyzed,
        rows: impl FnOnce(Stop<'_>) -> Option<Rows>,
    ) -> Made {
        let errors = errors_of(analyzed);
        let listed = errors.to_json();
        if let Left::Bytes(left) = self.left
            && json_len(&listed) > left
        {
            self.give_up(Left::TooLarge);
        }
        match self.left {
            Left::Bytes(_) => {
                let mut whole = self.whole(json!(analyzed.coverage));
                whole[PARSE_ERRORS] = listed;
                Made {
                    value: Some(whole),
                    notice: None,
                }
            }
            Left::TooLarge => self.compact(analyzed, errors, rows),
            Left::GivenUp => Made::default(),
        }
    }

    /// For a comparison, which has no compact form: the compared results are kept.
    pub(crate) fn finish_comparison(self) -> Option<Value> {
        match self.left {
            Left::Bytes(_) => Some(self.whole(Value::Null)),
            Left::TooLarge | Left::GivenUp => None,
        }
    }

    fn whole(mut self, coverage: Value) -> Value {
        self.base.append(&mut self.lists);
        json!({"data": self.base, "coverage": coverage})
    }

    fn compact(
        mut self,
        analyzed: &Analyzed,
        errors: FileErrors,
        rows: impl FnOnce(Stop<'_>) -> Option<Rows>,
    ) -> Made {
        let stop = || self.ctx.stop_reason().is_some();
        let Some(rows) = rows(&stop) else {
            return Made::default();
        };
        let encoded = rows::encode(&Kept { rows, errors }, &stop);
        let stopped = stop();
        match encoded {
            Some(encoded) => {
                self.lists = Map::new();
                let mut whole = self.whole(json!(analyzed.coverage));
                whole[COMPACT] = encoded;
                Made {
                    value: Some(whole),
                    notice: Some(reduced()),
                }
            }
            None if stopped => Made::default(),
            None => Made {
                value: None,
                notice: Some(format!(
                    "the whole result takes more than {} even in the compact form, which is the limit: choose a narrower path",
                    mib(COMPACT_CAP)
                )),
            },
        }
    }

    fn give_up(&mut self, left: Left) {
        self.left = left;
        self.lists = Map::new();
    }
}

/// The note on a result in the compact form.
pub(crate) fn reduced() -> String {
    format!(
        "the whole result is larger than {}: it is kept in a compact form, which compare_results reads; its rows cannot be \
         read again",
        mib(WHOLE_CAP)
    )
}

fn mib(bytes: usize) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

/// The files that did not parse, for comparisons.
fn errors_of(analyzed: &Analyzed) -> FileErrors {
    let files = analyzed.files.iter();
    FileErrors::of(files.map(|file| {
        let syntax = &file.analysis.syntax;
        (file.path.as_str(), syntax.errors + syntax.missing)
    }))
}
