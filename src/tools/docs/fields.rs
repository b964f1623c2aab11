//! The fields of a full answer, with their types, and whether a lean answer has them.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::Entry;
use crate::answer::lean::USUAL;

/// A table of all fields of `data`.
pub(super) fn table(entry: &Entry) -> String {
    let mut rows = Vec::new();
    walk(&entry.full_schema["$defs"]["data"], "", &mut rows);
    if rows.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n| field of `data` in full | type | lean |\n|---|---|---|\n");
    for (path, kind) in rows {
        let lean = if is_lean(entry, &path) { "yes" } else { "" };
        let _ = writeln!(text, "| `{path}` | {kind} | {lean} |");
    }
    text
}

/// Fields with plain values; those in a list of objects are written `rows[].field`.
fn walk(schema: &Value, path: &str, rows: &mut Vec<(String, String)>) {
    let choices = ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|key| schema[key].as_array());
    let mut is_leaf = true;
    for choice in choices
        .flatten()
        .filter(|choice| choice.get("properties").is_some())
    {
        is_leaf = false;
        walk(choice, path, rows);
    }
    if let Some(properties) = schema["properties"].as_object() {
        is_leaf = false;
        for (name, schema) in properties {
            let path = match path {
                "" => name.clone(),
                outer => format!("{outer}.{name}"),
            };
            walk(schema, &path, rows);
        }
    }
    let items = &schema["items"];
    if items.is_object() && (items.get("properties").is_some() || items.get("oneOf").is_some()) {
        is_leaf = false;
        walk(items, &format!("{path}[]"), rows);
    }
    // Kinds of rows in one list share fields.
    if is_leaf && rows.iter().all(|(known, _)| known != path) {
        rows.push((path.to_owned(), kind(schema)));
    }
}

fn kind(schema: &Value) -> String {
    if let Some(options) = schema["enum"].as_array() {
        let options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", options.join(", "));
    }
    if let Some(only) = schema["const"].as_str() {
        return format!("`{only}`");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind_of_items(schema)),
        Value::String(name) if name == "object" => match schema.get("additionalProperties") {
            Some(each) if each.is_object() => format!("object of {}", kind(each)),
            Some(_) | None => "object".to_owned(),
        },
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            names.join(" or ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".to_owned(),
    }
}

fn kind_of_items(schema: &Value) -> String {
    match schema.get("items") {
        Some(items) => kind(items),
        None => "any".to_owned(),
    }
}

fn is_lean(entry: &Entry, path: &str) -> bool {
    let path = path.replace("[]", "");
    let (key, below) = path.split_once('.').unwrap_or((&path, ""));
    let columns = entry.lean.iter().find(|(name, _)| *name == key);
    columns.is_some_and(|(_, columns)| {
        let holds = |column: &&str| {
            below == *column
                || below
                    .strip_prefix(*column)
                    .is_some_and(|rest| rest.starts_with('.'))
        };
        columns.is_empty() || columns.iter().any(holds)
    })
}

/// `truncated` false, `stored` true, …
pub(super) fn usual() -> String {
    let usual: Vec<String> = USUAL
        .iter()
        .map(|(name, value)| format!("`{name}` {value}"))
        .collect();
    usual.join(", ")
}
