//! Selects the fields of an answer. Models pay for every byte of the structured part, so by default an answer has only
//! the fields of each row that its tool lists, and no null, empty or usual values. Tools build full rows. Stored
//! results have the full rows; answers are projected here.

use serde_json::{Map, Value};

/// The argument `detail`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    #[default]
    Lean,
    /// Every field, also those without a value.
    Full,
}

impl Detail {
    pub(crate) const ARGUMENT: &str = "detail";
    pub(crate) const NAMES: [&str; 2] = ["lean", "full"];

    pub(crate) fn of(arguments: &Value) -> Self {
        match arguments[Self::ARGUMENT].as_str() {
            Some("full") => Self::Full,
            Some(_) | None => Self::Lean,
        }
    }
}

/// A key of `data` in a lean answer, and the fields below it; for a list, the fields of each row. A dot selects a field
/// of an inner object, or of each object of an inner list. An empty list selects all fields.
pub(crate) type Field = (&'static str, &'static [&'static str]);

/// The usual values: fields that have them are left out of a lean answer.
pub(crate) const USUAL: [(&str, &str); 12] = [
    ("conditional", "false"),
    ("draining", "false"),
    ("external", "false"),
    ("identical_inputs", "false"),
    ("moved", "false"),
    ("renamed", "false"),
    ("replayed", "false"),
    ("required", "false"),
    ("stored", "true"),
    ("truncated", "false"),
    ("type_only", "false"),
    ("visibility", "public"),
];

/// Fields with foreign objects: a call's arguments, a JSON schema. Nothing inside them is left out.
const FOREIGN: [&str; 2] = ["arguments", "schema"];

/// Projects the rows of one answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    /// `None`: all fields.
    fields: Option<&'static [Field]>,
    /// Additional columns of some lists: the metrics that rows are sorted by.
    also: [Option<(&'static str, &'static str)>; 2],
}

impl Shape {
    pub(crate) fn new(detail: Detail, fields: &'static [Field]) -> Self {
        Self {
            fields: (detail == Detail::Lean).then_some(fields),
            also: [None; 2],
        }
    }

    /// Shows these additional columns, in at most two lists.
    pub(crate) fn and(
        self,
        first: Option<(&'static str, &'static str)>,
        second: Option<(&'static str, &'static str)>,
    ) -> Self {
        Self {
            also: [first, second],
            ..self
        }
    }

    pub(crate) fn is_lean(&self) -> bool {
        self.fields.is_some()
    }

    /// Whether a key of `data` is shown at all.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.fields
            .is_none_or(|fields| fields.iter().any(|(name, _)| *name == key))
    }

    /// `data` without its rows.
    pub(crate) fn data(&self, data: Map<String, Value>) -> Map<String, Value> {
        if !self.is_lean() {
            return data;
        }
        let mut shown = Map::new();
        for (key, value) in data {
            let value = if let Value::Array(rows) = value {
                let rows = rows.into_iter().filter_map(|row| self.part(&key, row));
                Some(rows.collect())
            } else {
                self.part(&key, value)
            };
            if let Some(value) = value.filter(|value| !is_empty(value)) {
                shown.insert(key, value);
            }
        }
        shown
    }

    /// `data` without a page.
    pub(crate) fn value(&self, data: Value) -> Value {
        if let Value::Object(data) = data {
            return Value::Object(self.data(data));
        }
        data
    }

    /// Projects a row of a list, or the value of another key. `None`: the key is not shown.
    pub(crate) fn part(&self, key: &str, value: Value) -> Option<Value> {
        let Some(fields) = self.fields else {
            return Some(value);
        };
        let (_, columns) = fields.iter().find(|(name, _)| *name == key)?;
        let mut value = if columns.is_empty() {
            value
        } else {
            let also = self.also.iter().flatten().filter(|(list, _)| *list == key);
            let also = also.map(|(_, column)| *column);
            let columns: Vec<&str> = columns.iter().copied().chain(also).collect();
            picked(&value, &columns)
        };
        strip(&mut value);
        Some(value)
    }
}

/// The fields of an object, or of each object of a list, in the order of `columns`.
fn picked(value: &Value, columns: &[&str]) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| picked(item, columns)).collect(),
        Value::Object(all) => {
            let mut some = Map::new();
            for (name, below) in by_first_name(columns) {
                if let Some(value) = all.get(name) {
                    let value = if below.is_empty() {
                        value.clone()
                    } else {
                        picked(value, &below)
                    };
                    some.insert(name.to_owned(), value);
                }
            }
            Value::Object(some)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// `["a", "b.c", "b.d"]` as `a: []`, `b: [c, d]`.
pub(crate) fn by_first_name<'c>(columns: &[&'c str]) -> Vec<(&'c str, Vec<&'c str>)> {
    let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
    for column in columns {
        let (name, below) = match column.split_once('.') {
            Some((name, below)) => (name, Some(below)),
            None => (*column, None),
        };
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.extend(below),
            None => named.push((name, below.into_iter().collect())),
        }
    }
    named
}

/// Removes null, empty and usual values, at every depth.
pub(crate) fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(all) => {
            for (name, value) in all.iter_mut() {
                let is_foreign = value.is_object() && FOREIGN.contains(&name.as_str());
                if !is_foreign {
                    strip(value);
                }
            }
            all.retain(|name, value| !is_empty(value) && !is_usual(name, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_usual(name: &str, value: &Value) -> bool {
    let usual = USUAL.iter().find(|(known, _)| *known == name);
    usual.is_some_and(|(_, usual)| match value {
        Value::Bool(true) => *usual == "true",
        Value::Bool(false) => *usual == "false",
        Value::String(text) => text == usual,
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        ("rows", &["name", "own.a", "own.b", "parts.id"]),
        ("totals", &[]),
    ];

    fn row() -> Value {
        json!({
            "kind": "x", "name": "n", "own": {"c": 3, "b": null, "a": 0},
            "parts": [{"id": 1, "size": 2}, {"id": 3}], "total": {"a": 1},
        })
    }

    #[test]
    fn a_lean_row_has_its_columns_and_its_sort_key() {
        let shape = Shape::new(Detail::Lean, FIELDS).and(Some(("rows", "total.a")), None);
        let lean = shape.part("rows", row()).unwrap();
        let expected = json!({"name": "n", "own": {"a": 0}, "parts": [{"id": 1}, {"id": 3}], "total": {"a": 1}});
        assert_eq!(lean.to_string(), expected.to_string(), "in this order");
        assert_eq!(shape.part("others", row()), None);
        assert_eq!(
            Shape::new(Detail::Full, FIELDS).part("others", row()),
            Some(row())
        );
    }

    #[test]
    fn empty_values_are_left_out_and_zeros_are_kept() {
        let data = json!({
            "totals": {"files": 0, "type_only": false, "stored": false, "success": false, "why": "", "none": {"x": []}},
            "rows": [], "else": 1,
        });
        let mut call = json!({"arguments": {"path": "", "required": false, "x": null}, "why": ""});
        strip(&mut call);
        assert_eq!(
            call,
            json!({"arguments": {"path": "", "required": false, "x": null}}),
            "a caller's values stay unchanged"
        );
        let shape = Shape::new(Detail::Lean, FIELDS);
        let lean = shape.data(data.as_object().unwrap().clone());
        assert_eq!(
            Value::Object(lean),
            json!({"totals": {"files": 0, "stored": false, "success": false}})
        );
    }
}
