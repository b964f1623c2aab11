//! Converts arguments as clients really send them into the form that the input schema describes.
//!
//! Some clients fill every optional argument with `null`, some send `""` for an id that they do not have, and some send
//! a list or a number as a string of its JSON. Values with only one meaning are converted; all others stay as they are,
//! and validation refuses them by name.

use serde_json::{Map, Value};

/// Removes optional properties that are `null`, and those of `empty_is_absent` that are `""`. If the schema expects
/// another type than a string, a string with the JSON of that type is parsed. If it expects a list of strings, a single
/// word becomes a list of one. A whole number may be written `3.0`.
pub(crate) fn normalized(schema: &Value, value: Value, empty_is_absent: &[&str]) -> Value {
    match decoded(schema, value) {
        Value::Object(object) => Value::Object(normalized_object(schema, object, empty_is_absent)),
        Value::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| normalized(&schema["items"], item, empty_is_absent))
                .collect(),
        ),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

fn normalized_object(
    schema: &Value,
    object: Map<String, Value>,
    empty_is_absent: &[&str],
) -> Map<String, Value> {
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    let mut normal = Map::new();
    for (name, value) in object {
        let property = &schema["properties"][&name];
        let absent = value.is_null() && !property.is_null() && !is_required(&name)
            || value == "" && empty_is_absent.contains(&name.as_str());
        if !absent {
            normal.insert(name, normalized(property, value, empty_is_absent));
        }
    }
    normal
}

/// The value that a string (or a number with an empty fraction) stands for.
fn decoded(schema: &Value, value: Value) -> Value {
    let Some(wanted) = schema["type"].as_str() else {
        return value;
    };
    if wanted == "integer" {
        return whole(value);
    }
    match &value {
        Value::String(text) if wanted != "string" => {
            let parsed = serde_json::from_str(text).ok();
            let fits = parsed.filter(|parsed| is_a(wanted, parsed));
            fits.or_else(|| list_of_one(schema, text)).unwrap_or(value)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => value,
    }
}

/// `3`, `3.0`, `"3"` and `"3.0"` are all 3; `"3.5"` stays, and is refused later.
fn whole(value: Value) -> Value {
    let number = match &value {
        Value::String(text) => serde_json::from_str::<serde_json::Number>(text.trim()).ok(),
        Value::Number(number) => Some(number.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let Some(number) = number else {
        return value;
    };
    if number.is_u64() || number.is_i64() {
        return Value::Number(number);
    }
    number
        .as_f64()
        .filter(|number| number.fract() == 0.0 && number.abs() <= MAX_EXACT)
        .map_or(value, |number| Value::from(number as i64))
}

/// Above this, floats cannot represent every integer.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A single word becomes a list of one. Text with a space, comma or bracket may mean several words, and `null`, `true`
/// and `false` may mean no word: those are refused, not guessed.
fn list_of_one(schema: &Value, text: &str) -> Option<Value> {
    let of_strings = schema["type"] == "array" && schema["items"]["type"] == "string";
    let parts = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}' | '"');
    let is_literal = matches!(text, "null" | "true" | "false");
    let one = !text.is_empty() && !text.contains(parts) && !is_literal;
    (of_strings && one).then(|| Value::Array(vec![text.into()]))
}

fn is_a(wanted: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => wanted == "boolean",
        Value::Number(_) => wanted == "number",
        Value::String(_) => wanted == "string",
        Value::Array(_) => wanted == "array",
        Value::Object(_) => wanted == "object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "cursor": {"type": "string"},
                "limit": {"type": "integer"},
                "ratio": {"type": "number"},
                "strict": {"type": "boolean"},
                "languages": {"type": "array", "items": {"type": "string", "enum": ["python", "go"]}},
                "calls": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
                    "required": ["tool"],
                }},
            },
            "required": ["path"],
        })
    }

    fn check(sent: Value, taken: Value) {
        assert_eq!(normalized(&schema(), sent, &["cursor"]), taken);
    }

    #[test]
    fn null_is_absent_where_an_argument_is_optional() {
        check(json!({"limit": null, "languages": null}), json!({}));
        check(
            json!({"path": null, "limt": null}),
            json!({"path": null, "limt": null}),
        );
        check(
            json!({"calls": [{"tool": "x", "arguments": null}]}),
            json!({"calls": [{"tool": "x"}]}),
        );
    }

    #[test]
    fn an_empty_string_is_absent_only_for_ids() {
        check(json!({"cursor": "", "path": ""}), json!({"path": ""}));
    }

    #[test]
    fn json_in_a_string_is_parsed_unless_a_string_is_expected() {
        check(
            json!({"languages": "[\"python\", \"go\"]", "limit": "3", "strict": "true", "ratio": "0.5"}),
            json!({"languages": ["python", "go"], "limit": 3, "strict": true, "ratio": 0.5}),
        );
        check(
            json!({"calls": "[{\"tool\": \"x\", \"arguments\": \"{\\\"limit\\\": 2}\"}]"}),
            json!({"calls": [{"tool": "x", "arguments": {"limit": 2}}]}),
        );
        check(json!({"path": "3"}), json!({"path": "3"}));
        check(json!({"path": "[1]"}), json!({"path": "[1]"}));
    }

    #[test]
    fn a_word_becomes_a_list_of_one() {
        check(json!({"languages": "go"}), json!({"languages": ["go"]}));
        check(
            json!({"languages": "go,python"}),
            json!({"languages": "go,python"}),
        );
        for wrong in ["", "null", "true", "{go}", "go python", " go"] {
            check(json!({"languages": wrong}), json!({"languages": wrong}));
        }
        check(json!({"calls": "x"}), json!({"calls": "x"}));
    }

    #[test]
    fn whole_numbers_are_integers_in_any_notation() {
        check(json!({"limit": 3.0}), json!({"limit": 3}));
        check(json!({"limit": "3.0"}), json!({"limit": 3}));
        check(json!({"limit": " 3 "}), json!({"limit": 3}));
        for wrong in [
            json!("three"),
            json!("3.5"),
            json!(3.5),
            json!("1e300"),
            json!("[3]"),
        ] {
            check(json!({"limit": wrong}), json!({"limit": wrong}));
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let names = prop_oneof![
                Just("path".to_owned()),
                Just("limit".to_owned()),
                Just("languages".to_owned()),
                Just("calls".to_owned()),
                "[a-z]{1,4}",
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(names, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Otherwise an idempotency key could see different arguments for the same call.
        #[test]
        fn normalizing_twice_changes_nothing(value in any_json()) {
            let once = normalized(&schema(), value, &["cursor"]);
            prop_assert_eq!(normalized(&schema(), once.clone(), &["cursor"]), once);
        }

        #[test]
        fn a_value_and_its_json_string_are_equal(limit in any::<i64>(), words in prop::collection::vec("[a-z]{1,5}", 0..4)) {
            let plain = json!({"limit": limit, "languages": words});
            let quoted = json!({"limit": limit.to_string(), "languages": json!(words).to_string()});
            prop_assert_eq!(normalized(&schema(), quoted, &[]), normalized(&schema(), plain, &[]));
        }
    }
}
