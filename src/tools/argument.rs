//! One argument of a tool: its schema, and its documentation for the generated page.

use serde_json::{Map, Value, json};

/// Agents pay for schemas on every turn, so the schema has a brief description. `doc` is the full one.
#[derive(Debug, Clone)]
pub struct Argument {
    pub name: &'static str,
    pub schema: Value,
    pub required: bool,
    /// The full documentation, for `find_tools` and the generated page.
    pub doc: &'static str,
    /// False if the argument is accepted but has no effect on the tool's answer: `tools/list` leaves it out.
    pub listed: bool,
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
            listed: true,
        }
    }

    pub(crate) fn unlisted(mut self) -> Self {
        self.listed = false;
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

/// The schema in `tools/list`, without the bounds of values. They would cost every agent some 200 tokens on every turn.
/// The documentation has them, and so does the error for a value out of bounds.
pub(crate) fn listed(schema: &Value) -> Value {
    const BOUNDS: [&str; 6] = [
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    ];
    let Some(keywords) = schema.as_object() else {
        return schema.clone();
    };
    let mut listed = Map::new();
    for (keyword, value) in keywords {
        let value = match keyword.as_str() {
            bound if BOUNDS.contains(&bound) => continue,
            "items" => self::listed(value),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                properties
                    .map(|(name, property)| (name.clone(), self::listed(property)))
                    .collect()
            }
            _ => value.clone(),
        };
        listed.insert(keyword.clone(), value);
    }
    Value::Object(listed)
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
