//! One argument of a tool: its schema, and what the generated page says about it.

use serde_json::{Map, Value, json};

/// Schemas are paid for by every agent on every turn, so most of what is to be said is in `doc` alone.
#[derive(Debug, Clone)]
pub struct Argument {
    pub name: &'static str,
    pub schema: Value,
    pub required: bool,
    /// In full, for `find_tools` and the generated page.
    pub doc: &'static str,
}

impl Argument {
    pub(crate) fn new(name: &'static str, schema: Value, doc: &'static str) -> Self {
        Self {
            name,
            schema,
            required: false,
            doc,
        }
    }

    /// Words that a model needs even in the list.
    pub(crate) fn brief(mut self, description: &'static str) -> Self {
        self.schema["description"] = json!(description);
        self
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
    json!({"enum": names, "default": default})
}
