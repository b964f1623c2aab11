//! The output schema in `tools/list`. Every answer is valid under it: lean, full or failed. It is derived from the
//! schema of the full `data` and from the list of lean fields. Lean fields have names and types. All other fields of a
//! full answer share one type, because every client pays for the list in tokens.

use serde_json::{Map, Value, json};

use super::super::lean::{Field, by_first_name};

/// The form of a tool's answers.
pub(crate) struct Answers {
    /// Rows are grouped by file.
    pub(crate) grouped: bool,
    pub(crate) pages: bool,
    /// Answers have a coverage.
    pub(crate) reads_code: bool,
    /// Answers have more parts: full ones have the metadata, and parts that are null.
    pub(crate) more: bool,
}

/// `data`: its full schema.
pub(crate) fn published(data: &Value, fields: &[Field], of: &Answers) -> Value {
    let mut properties = json!({
        "data": if of.grouped { grouped_data(data, fields) } else { of_data(data, fields) },
        "status": status(),
        "context": context(),
    });
    if of.pages {
        properties["page"] = page();
    }
    if of.reads_code {
        properties["coverage"] = coverage();
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": ["data", "status", "context"],
    });
    if of.more {
        schema["additionalProperties"] = json!({"type": ["object", "null"]});
    }
    schema
}

/// The lists of `data` whose columns are named in the schema: those that the tool's lean table lists first.
const NAMED_LISTS: usize = 2;

fn status() -> Value {
    json!({
        "type": "object",
        "properties": {"success": {"type": "boolean"}},
        "required": ["success"],
        "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
    })
}

fn context() -> Value {
    json!({
        "type": "object",
        "required": ["durability"],
        "additionalProperties": {"type": ["string", "object", "array", "boolean", "null"]},
    })
}

fn page() -> Value {
    json!({
        "type": ["object", "null"],
        "properties": {
            "total": {"type": "integer"},
            "returned": {"type": "integer"},
            "truncated": {"type": "boolean"},
            "next_cursor": {"type": ["string", "null"]},
        },
    })
}

fn coverage() -> Value {
    json!({
        "type": ["object", "null"],
        "additionalProperties": {"type": ["integer", "object"]},
    })
}

/// The named keys, and the common type of all others.
fn of_data(full: &Value, fields: &[Field]) -> Value {
    let known = full["properties"].as_object();
    let mut properties = Map::new();
    let mut lists = 0;
    for (name, columns) in fields {
        let Some(schema) = known.and_then(|known| known.get(*name)) else {
            continue;
        };
        let is_list = is_list_of_rows(schema, columns);
        lists += usize::from(is_list);
        let is_value = types(schema)
            .iter()
            .all(|kind| !["array", "object"].contains(kind));
        if is_value || (is_list && lists <= NAMED_LISTS) {
            properties.insert((*name).to_owned(), of_key(schema, columns));
        }
    }
    let rest = known.into_iter().flatten();
    let rest = types_of(rest.filter(|(name, _)| !properties.contains_key(*name)));
    let mut schema = json!({"type": ["object", "null"], "properties": properties});
    schema["additionalProperties"] = typed(&rest);
    schema
}

/// Lists of rows are in `files`; in a full answer they are in `data`.
fn grouped_data(full: &Value, fields: &[Field]) -> Value {
    const PATH: &str = "path";
    let mut schema = of_data(full, fields);
    let mut file = Map::new();
    file.insert(PATH.into(), json!({"type": "string"}));
    let lists = fields.iter().filter(|(_, columns)| columns.contains(&PATH));
    for (name, columns) in lists.take(NAMED_LISTS) {
        let columns: Vec<&str> = columns
            .iter()
            .copied()
            .filter(|name| *name != PATH)
            .collect();
        file.insert(
            (*name).to_owned(),
            of_key(&full["properties"][*name], &columns),
        );
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.remove(*name);
        }
    }
    let rest = json!({"type": "array"});
    let files = json!({
        "type": "array",
        "items": {"type": "object", "properties": file, "additionalProperties": rest},
    });
    schema["properties"]["files"] = files;
    // Totals, and the lists of a full answer.
    schema["additionalProperties"] = json!({"type": ["array", "object"]});
    schema
}

/// Whether more than one column of these rows is shown.
fn is_list_of_rows(full: &Value, columns: &[&str]) -> bool {
    columns.len() > 1 && !fields_of(&full["items"]).is_empty()
}

/// A list of rows has the types of its shown columns; any other value has its plain type.
fn of_key(full: &Value, columns: &[&str]) -> Value {
    let known = fields_of(&full["items"]);
    if columns.is_empty() || known.is_empty() {
        return flat(full);
    }
    json!({"type": "array", "items": of_row(&known, columns)})
}

/// The schema of a row; `anyOf` if the list has several kinds of rows.
fn fields_of(row: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    let kinds = row["oneOf"].as_array().into_iter().flatten();
    for kind in kinds.chain([row]) {
        for (name, schema) in kind["properties"].as_object().into_iter().flatten() {
            match fields.get_mut(name) {
                None => drop(fields.insert(name.clone(), schema.clone())),
                Some(known) => *known = json!({"anyOf": [known.take(), schema]}),
            }
        }
    }
    fields
}

fn of_row(known: &Map<String, Value>, columns: &[&str]) -> Value {
    let mut properties = Map::new();
    for (name, _) in by_first_name(columns) {
        if let Some(schema) = known.get(name) {
            properties.insert(name.to_owned(), flat(schema));
        }
    }
    let rest = known.iter();
    let rest = types_of(rest.filter(|(name, _)| !properties.contains_key(*name)));
    let mut schema = json!({"type": "object", "properties": properties});
    if !rest.is_empty() {
        schema["additionalProperties"] = typed(&rest);
    }
    schema
}

/// Types without names: the value's own, and those of its direct children.
fn flat(full: &Value) -> Value {
    let mut schema = typed(&types(full));
    let inner = match full.get("properties") {
        Some(properties) => types_of(properties.as_object().into_iter().flatten()),
        None => full
            .get("additionalProperties")
            .map(types)
            .unwrap_or_default(),
    };
    if !inner.is_empty() {
        schema["additionalProperties"] = typed(&inner);
    }
    if let Some(items) = full.get("items") {
        schema["items"] = flat(items);
    }
    schema
}

fn typed(types: &[&str]) -> Value {
    match types {
        [] => json!(false),
        [one] => json!({"type": one}),
        several => json!({"type": several}),
    }
}

fn types_of<'s>(schemas: impl Iterator<Item = (&'s String, &'s Value)>) -> Vec<&'s str> {
    let mut all: Vec<&str> = schemas.flat_map(|(_, schema)| types(schema)).collect();
    all.sort_unstable();
    all.dedup();
    // A number may be an integer.
    if all.contains(&"number") {
        all.retain(|name| *name != "integer");
    }
    all
}

/// In alphabetical order.
fn types(schema: &Value) -> Vec<&str> {
    let mut all: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    for key in ["anyOf", "oneOf"] {
        let choices = schema[key].as_array().into_iter().flatten();
        all.extend(choices.flat_map(types));
    }
    if schema.get("enum").is_some() || schema.get("const").is_some() {
        // All enumerations are strings.
        all.push("string");
    }
    if schema.get("$ref").is_some() {
        // A part of the envelope of a call in a batch.
        all.extend(["null", "object"]);
    }
    all.sort_unstable();
    all.dedup();
    all
}
