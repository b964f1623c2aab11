//! Splits documents that are too large for one message. Each part is a document of the same form with some of the rows,
//! so a model can read it by itself, and a program joins the parts by appending their lists.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Bytes of one part inside a message, where the text is escaped once more. The smallest known limit of a client is 1
/// MiB per stream event (the Python client over HTTP+SSE). A quarter of that leaves room for what a client or proxy
/// adds, and a model can still read it.
pub(super) const PART_BYTES: usize = 256 * 1024;
/// Reserved in each part for the address of the next part and the counts.
const RESERVED: usize = 1024;
/// A larger field that is not a list is split like rows.
const SMALL_FIELD: usize = 32 * 1024;

/// A document: fields of every part, fields of the first part only, and the object whose lists are split.
pub(super) struct Document {
    pub(super) every: Map<String, Value>,
    pub(super) first: Map<String, Value>,
    /// The field that holds `body`; `None`: its fields are next to those of every part.
    pub(super) under: Option<&'static str>,
    pub(super) body: Map<String, Value>,
}

/// There is no part with this number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSuchPart {
    pub(super) parts: usize,
}

/// One row of a list, or a piece of a text that is larger than a part.
struct Item {
    key: String,
    content: Content,
    bytes: usize,
}

enum Content {
    Row(Value),
    /// A field that is not a list.
    Field(Value),
    Piece {
        of: String,
        number: usize,
        text: String,
    },
}

impl Document {
    pub(super) fn of(body: Map<String, Value>, under: Option<&'static str>) -> Self {
        Self {
            every: Map::new(),
            first: Map::new(),
            under,
            body,
        }
    }

    /// The whole document if it fits in one part, otherwise the part with this number, counted from 1. `address` is
    /// that of a part.
    pub(super) fn part(
        self,
        number: usize,
        address: impl Fn(usize) -> String,
    ) -> Result<String, NoSuchPart> {
        let all = [&self.every, &self.first, &self.body];
        if all.map(escaped).iter().sum::<usize>() + RESERVED <= PART_BYTES {
            return match number {
                1 => Ok(self.whole().to_string()),
                _ => Err(NoSuchPart { parts: 1 }),
            };
        }
        let Self {
            every,
            mut first,
            under,
            body,
        } = self;
        let keys: Vec<String> = body.keys().cloned().collect();
        let mut small = Map::new();
        let items = items_of(body, &mut small);
        let later = escaped(&every) + RESERVED;
        let taken = later + escaped(&first) + escaped(&small);
        let cuts = cuts(&items, taken, later);
        let parts = cuts.len();
        let Some(range) = number.checked_sub(1).and_then(|at| cuts.get(at)).cloned() else {
            return Err(NoSuchPart { parts });
        };
        let mut document = every;
        let mut body = if number == 1 { small } else { Map::new() };
        if number == 1 {
            document.append(&mut first);
        }
        document.insert("part".into(), json!(number));
        document.insert("parts".into(), json!(parts));
        let next = (number < parts).then(|| address(number + 1));
        document.insert("next".into(), json!(next));
        let mut pieces = Vec::new();
        for item in items.into_iter().skip(range.start).take(range.len()) {
            match item.content {
                Content::Row(row) => {
                    let rows = body.entry(item.key).or_insert_with(|| json!([]));
                    if let Value::Array(rows) = rows {
                        rows.push(row);
                    }
                }
                Content::Field(value) => drop(body.insert(item.key, value)),
                Content::Piece { of, number, text } => {
                    pieces.push(json!({"of": of, "number": number, "text": text}));
                }
            }
        }
        if !pieces.is_empty() {
            document.insert("pieces".into(), json!(pieces));
        }
        // In the order of the whole document.
        let mut ordered = Map::new();
        for key in keys {
            if let Some(value) = body.remove(&key) {
                ordered.insert(key, value);
            }
        }
        match under {
            Some(name) => drop(document.insert(name.to_owned(), Value::Object(ordered))),
            None => document.append(&mut ordered),
        }
        Ok(Value::Object(document).to_string())
    }

    fn whole(self) -> Value {
        let mut document = self.every;
        document.extend(self.first);
        match self.under {
            Some(name) => drop(document.insert(name.to_owned(), Value::Object(self.body))),
            None => document.extend(self.body),
        }
        Value::Object(document)
    }
}

/// The rows of all lists in order; small other fields go to `small`.
fn items_of(body: Map<String, Value>, small: &mut Map<String, Value>) -> Vec<Item> {
    let mut items = Vec::new();
    for (key, value) in body {
        match value {
            Value::Array(rows) => {
                // Keep empty lists.
                small.insert(key.clone(), json!([]));
                for (at, row) in rows.into_iter().enumerate() {
                    let of = || format!("{key}[{at}]");
                    push(&mut items, &key, of, row, Content::Row);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {
                if escaped(&value) <= SMALL_FIELD {
                    small.insert(key, value);
                    continue;
                }
                push(&mut items, &key, || key.clone(), value, Content::Field);
            }
        }
    }
    items
}

/// Adds a value as it is, or in pieces if it is larger than half a part.
fn push(
    items: &mut Vec<Item>,
    key: &str,
    of: impl Fn() -> String,
    value: Value,
    content: fn(Value) -> Content,
) {
    let bytes = escaped(&value) + escaped(key) + 8;
    if bytes <= PART_BYTES / 2 {
        let (key, content) = (key.to_owned(), content(value));
        items.push(Item {
            key,
            content,
            bytes,
        });
        return;
    }
    for (at, text) in pieces(&value.to_string()).into_iter().enumerate() {
        let piece = Content::Piece {
            of: of(),
            number: at + 1,
            text: text.to_owned(),
        };
        items.push(Item {
            key: key.to_owned(),
            content: piece,
            // As a text within a text within a message it is escaped twice.
            bytes: escaped(text) + escaped(&of()) + 64,
        });
    }
}

/// Pieces that fit in a part even if every byte takes four.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(PART_BYTES / 8);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Distributes the items over parts. `first` and `later`: bytes already used in the first part and in the others.
fn cuts(items: &[Item], first: usize, later: usize) -> Vec<std::ops::Range<usize>> {
    let mut cuts = Vec::new();
    let (mut start, mut taken) = (0, first);
    for (at, item) in items.iter().enumerate() {
        // At least one item, even if the other fields are large.
        if taken + item.bytes > PART_BYTES && (at > start || cuts.is_empty()) {
            cuts.push(start..at);
            (start, taken) = (at, later);
        }
        taken += item.bytes;
    }
    cuts.push(start..items.len());
    cuts
}

/// Bytes of a value as JSON within a text of JSON.
fn escaped<T: Serialize + ?Sized>(value: &T) -> usize {
    /// Keeps nothing: a document is measured many times, and may be 8 MiB.
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let quoted = bytes.iter().filter(|byte| matches!(byte, b'"' | b'\\'));
            self.0 += bytes.len() + quoted.count();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value of JSON can be written, and nothing stops this writer.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests;
