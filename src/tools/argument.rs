//! One argument of a tool: its schema, and what the generated page says about it.

use serde_json::{Map, Value, json};

/// Agents pay for schemas on every turn: the schema describes an argument in a few words, `doc` in full.
#[derive(Debug, Clone)]
pub struct Argument {
    pub name: &'static str,
    pub schema: Value,
    pub required: bool,
    /// In full, for `find_tools` and the generated page.
    pub doc: &'static str,
}

impl Argument {
    /// `brief` is the description in the schema.
    pub(crate) fn new(
        name: &'static str,
        mut schema: Value,
        brief: &'static str,
        doc: &'static str,
    ) -> Self {
        schema["description"] = json!(brief);
        Self {
            name,
            schema,
            required: false,
            doc,
        }
    }

    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// The strict input schema of these arguments.
pub(crate) fn input_schema(arguments: &[Argument]) -> Value {
    let properties: Map<String, Value> = arguments
        .iter()
        .map(|argument| (argument.name.to_owned(), argument.schema.clone()))
        .collect();
    let required: Vec<_> = arguments
        .iter()
        .filter(|argument| argument.required)
        .map(|argument| argument.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

pub(crate) fn integer(minimum: u64, maximum: u64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

pub(crate) fn one_of(names: &[&str], default: &str) -> Value {
    json!({"type": "string", "enum": names, "default": default})
}
