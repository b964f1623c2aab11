//! Pages: complete rows, at least one. `limit` bounds their number. `max_bytes` bounds the size of the text, and the
//! size of the structured part as JSON, including the envelope.

use std::io;

use otel::visible;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lean::{Detail, Shape};

mod grouped;

/// Rows of a page by default.
pub const DEFAULT_LIMIT: usize = 50;
/// More rows than this fit no context window.
pub const MAX_LIMIT: usize = 1000;
/// About 6,000 tokens: clients cap answers at 25,000 tokens, and text and structure may both be shown to a model.
pub const DEFAULT_MAX_BYTES: usize = 24_000;
/// Not even one row and its ids fit into less.
pub const MIN_MAX_BYTES: usize = 1000;
/// A message contains the text, which JSON escapes may double, and `data`: three times this, and an envelope. The
/// smallest known limit of a client is 1 MiB per message (the Python client over HTTP+SSE). Larger results are paged.
pub const MAX_MAX_BYTES: usize = 300_000;
/// Reserved in the text for ids, cursor and notices.
pub(crate) const FOOTER_BYTES: usize = 400;
/// Reserved in the structured part for status, context and page: both ids, a cursor and large numbers.
const ENVELOPE_BYTES: usize = 600;
/// The same for a full answer, with the metadata.
const FULL_ENVELOPE_BYTES: usize = 1100;
/// A clipped string keeps at least this many bytes.
const MIN_CLIPPED: usize = 16;

/// The rows of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub total: usize,
    pub returned: usize,
    /// More rows follow.
    pub truncated: bool,
    pub next_cursor: Option<String>,
}

/// Size limits of an answer. `usize::MAX`: no limit (the command line's `--limit 0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) rows: usize,
    /// Bytes of `data` as JSON, without the envelope.
    pub(crate) data: usize,
    /// Bytes of the text, without its footer.
    pub(crate) text: usize,
}

impl Budget {
    pub(crate) fn new(rows: usize, max_bytes: usize, detail: Detail) -> Self {
        let text = if max_bytes == usize::MAX {
            usize::MAX
        } else {
            max_bytes.saturating_sub(FOOTER_BYTES)
        };
        let budget = Self {
            rows,
            data: max_bytes,
            text,
        };
        budget.beside(match detail {
            Detail::Lean => ENVELOPE_BYTES,
            Detail::Full => FULL_ENVELOPE_BYTES,
        })
    }

    /// Subtracts the bytes of other parts. Rows come first: they always get at least half of the budget.
    pub(crate) fn beside(self, bytes: usize) -> Self {
        let data = match self.data {
            usize::MAX => usize::MAX,
            data => data - bytes.min(data / 2),
        };
        Self { data, ..self }
    }

    pub(crate) fn is_unlimited(&self) -> bool {
        self.rows == usize::MAX
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT, DEFAULT_MAX_BYTES, Detail::default())
    }
}

/// One row: the values that it adds to arrays of `data`, and its lines of text.
pub(crate) struct Row {
    pub(crate) parts: Vec<(&'static str, Value)>,
    /// Line breaks separate lines only. Those in names are escaped, or a name could forge lines of an answer.
    line: String,
}

impl Row {
    /// `value`: the projected row; `None` if it is not shown.
    pub(crate) fn new(key: &'static str, value: Option<Value>, line: &str) -> Self {
        Self {
            parts: value.map(|value| (key, value)).into_iter().collect(),
            line: visible::line(line).into_owned(),
        }
    }

    /// Adds a line above the existing ones.
    pub(crate) fn under(mut self, line: &str) -> Self {
        self.line = format!("{}\n{}", visible::line(line), self.line);
        self
    }

    /// Adds a line below the existing ones.
    pub(crate) fn over(mut self, line: &str) -> Self {
        self.line.push('\n');
        self.line.push_str(&visible::line(line));
        self
    }

    /// Adds another value to an array, if it is shown.
    pub(crate) fn add(&mut self, key: &'static str, value: Option<Value>) {
        self.parts.extend(value.map(|value| (key, value)));
    }

    fn none() -> Self {
        Self {
            parts: Vec::new(),
            line: String::new(),
        }
    }
}

/// The parts of an answer other than its rows.
pub(crate) struct Frame {
    /// The full `data`, with empty arrays.
    pub(crate) data: Map<String, Value>,
    /// The fields that are shown; rows are already projected.
    pub(crate) shape: Shape,
    /// Rows are grouped by file.
    pub(crate) grouped: bool,
    /// Keys of `data` that are dropped if not even one row fits, the least important first.
    pub(crate) droppable: &'static [&'static str],
    /// The lines above the rows. Names in them must be escaped.
    pub(crate) heading: String,
}

/// A page within its limits.
pub(crate) struct Fitted {
    pub(crate) data: Map<String, Value>,
    pub(crate) text: String,
    pub(crate) returned: usize,
}

/// Adds rows `from..total` in order, as long as they fit.
pub(crate) fn fit(
    frame: Frame,
    budget: Budget,
    from: usize,
    total: usize,
    mut row: impl FnMut(usize) -> Row,
) -> Fitted {
    let Frame {
        data,
        shape,
        grouped,
        droppable,
        heading,
    } = frame;
    let mut data = shape.data(data);
    if grouped {
        grouped::regroup(&mut data);
    }
    let mut text = clipped_lines(&heading, budget.text / 2);
    if from >= total {
        make_room(&mut data, droppable, &Row::none(), budget.data);
        return Fitted {
            data,
            text,
            returned: 0,
        };
    }
    let mut first = row(from);
    make_room(&mut data, droppable, &first, budget.data);
    let around = added_len(&data, &first, grouped).saturating_sub(parts_len(&first));
    let taken = json_len(&data) + around;
    shrink(&mut first, budget.data.saturating_sub(taken));
    clip(&mut first.line, budget.text.saturating_sub(text.len() + 1));
    let mut bytes = json_len(&data);
    let mut returned = 0;
    let mut next = Some(first);
    while let Some(row_now) = next.take() {
        bytes = bytes.saturating_add(added_len(&data, &row_now, grouped));
        text.push_str(&row_now.line);
        text.push('\n');
        for (key, value) in row_now.parts {
            match grouped {
                true => grouped::append(&mut data, key, value),
                false => append(&mut data, key, value),
            }
        }
        returned += 1;
        if returned >= budget.rows || from + returned >= total {
            break;
        }
        let candidate = row(from + returned);
        let candidate_len = added_len(&data, &candidate, grouped);
        let fits = bytes.saturating_add(candidate_len) <= budget.data
            && text.len() + candidate.line.len() < budget.text;
        next = fits.then_some(candidate);
    }
    Fitted {
        data,
        text,
        returned,
    }
}

fn append(data: &mut Map<String, Value>, key: &str, value: Value) {
    let slot = data.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(rows) = slot {
        rows.push(value);
    }
}

/// Bytes that a row adds to `data`.
fn added_len(data: &Map<String, Value>, row: &Row, grouped: bool) -> usize {
    match grouped {
        true => grouped::added_len(data, &row.parts),
        false => parts_len(row) + new_lists_len(data, row),
    }
}

/// Drops dispensable keys until the row fits.
fn make_room(data: &mut Map<String, Value>, droppable: &[&str], row: &Row, budget: usize) {
    let row_len = parts_len(row);
    for key in droppable {
        if json_len(&*data).saturating_add(row_len) <= budget {
            break;
        }
        data.remove(*key);
    }
}

/// Bytes of the parts as JSON, commas included.
fn parts_len(row: &Row) -> usize {
    row.parts.iter().map(|(_, value)| json_len(value) + 1).sum()
}

/// Bytes of the new lists that a row creates in `data`: `"key":[],`.
fn new_lists_len(data: &Map<String, Value>, row: &Row) -> usize {
    let mut new: Vec<&str> = Vec::new();
    for (key, _) in &row.parts {
        if !data.contains_key(*key) && !new.contains(key) {
            new.push(key);
        }
    }
    new.iter().map(|key| key.len() + 6).sum()
}

/// Makes one row fit: clips its longest strings and lists, then drops its additional values and says so in its line,
/// then clips more. Numbers stay.
fn shrink(row: &mut Row, budget: usize) {
    clip_parts(row, &[4096, 1024, 256], budget);
    let mut bytes = parts_len(row);
    let mut left_out = 0;
    while bytes > budget && row.parts.len() > 1 {
        if let Some((_, value)) = row.parts.pop() {
            bytes -= json_len(&value) + 1;
            left_out += 1;
        }
    }
    if left_out > 0 {
        row.line.push_str(&format!(
            "\n  ({left_out} entries of this row are left out: raise max_bytes)"
        ));
    }
    clip_parts(row, &[64, MIN_CLIPPED], budget);
}

fn clip_parts(row: &mut Row, caps: &[usize], budget: usize) {
    for &cap in caps {
        if parts_len(row) <= budget {
            return;
        }
        for (_, value) in &mut row.parts {
            cap_value(value, cap);
        }
    }
}

/// Rows are only a few levels deep.
fn cap_value(value: &mut Value, cap: usize) {
    match value {
        Value::String(text) => clip(text, cap),
        Value::Array(items) => {
            items.truncate((cap / MIN_CLIPPED).max(1));
            items.iter_mut().for_each(|item| cap_value(item, cap));
        }
        Value::Object(map) => map.values_mut().for_each(|item| cap_value(item, cap)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts a text to at most `max` bytes, at a character boundary, with `…` at the end.
pub(crate) fn clip(text: &mut String, max: usize) {
    const MARK: &str = "…";
    if text.len() <= max {
        return;
    }
    let mut end = max.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    if max >= MARK.len() {
        text.push_str(MARK);
    }
}

/// As many complete lines as fit; each ends in a line break.
pub(crate) fn clipped_lines(text: &str, max: usize) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        if kept.len() + line.len() + 1 > max {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Bytes of a value as compact JSON, without building it.
pub(crate) fn json_len(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and all keys are strings.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn page(texts: &[String], rows: usize, max_bytes: usize) -> Fitted {
        let mut data = Map::new();
        data.insert("totals".into(), json!({"rows": texts.len()}));
        data.insert("languages".into(), json!(["rust", "python"]));
        let frame = Frame {
            data,
            shape: Shape::default(),
            grouped: false,
            droppable: &["languages"],
            heading: "heading\n".into(),
        };
        let budget = Budget::new(rows, max_bytes, Detail::Lean);
        fit(frame, budget, 0, texts.len(), |at| {
            Row::new("rows", Some(json!({"text": texts[at]})), &texts[at])
        })
    }

    proptest! {
        #[test]
        fn a_page_stays_within_its_limits_and_has_a_row(
            texts in prop::collection::vec("(?s).{0,300}", 1..40),
            rows in 1_usize..20,
            max_bytes in MIN_MAX_BYTES..5000,
        ) {
            let fitted = page(&texts, rows, max_bytes);
            prop_assert!(fitted.returned >= 1);
            prop_assert!(fitted.returned <= rows.min(texts.len()));
            prop_assert!(json_len(&fitted.data) <= max_bytes);
            prop_assert!(fitted.text.len() <= max_bytes - FOOTER_BYTES);
            prop_assert_eq!(fitted.data["rows"].as_array().unwrap().len(), fitted.returned);
            // Each row is one line, for any content.
            prop_assert_eq!(fitted.text.split('\n').count(), 1 + fitted.returned + 1);
        }
    }

    #[test]
    fn without_limits_a_page_has_all_rows() {
        let texts = vec!["x".repeat(1000); 300];
        let fitted = page(&texts, usize::MAX, usize::MAX);
        assert_eq!(fitted.returned, 300);
    }

    #[test]
    fn a_row_that_is_too_large_is_clipped_not_dropped() {
        let fitted = page(&["y".repeat(100_000)], 50, MIN_MAX_BYTES);
        assert_eq!(fitted.returned, 1);
        assert!(json_len(&fitted.data) <= MIN_MAX_BYTES);
    }

    #[test]
    fn clipping_never_splits_a_character() {
        let mut text = "äöü".to_owned();
        clip(&mut text, 5);
        assert_eq!(text, "ä…");
    }
}
