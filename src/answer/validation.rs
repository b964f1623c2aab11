//! Validates arguments against a tool's input schema, and answers against its output schema. An error names the path,
//! the expected value and the nearest known name.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::{Failure, nearest};

/// Bytes of a wrong value that an error shows.
const SHOWN: usize = 60;

/// Compiles one of this server's schemas (2020-12). A schema that does not compile would fail every test.
pub(crate) fn compile(schema: &Value) -> Validator {
    #[expect(
        clippy::expect_used,
        reason = "schemas are constants of the program; a test compiles each"
    )]
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .build(schema)
        .expect("the schema is valid")
}

/// Returns the first error. Unknown names come first, because they explain other errors.
pub(crate) fn check(
    validator: &Validator,
    schema: &Value,
    arguments: &Value,
) -> Result<(), Failure> {
    if !arguments.is_object() {
        return Err(Failure::new(
            "invalid_argument",
            format!("arguments: expected an object, got {}", shown(arguments)),
        ));
    }
    let mut worst: Option<(u8, Failure)> = None;
    for error in validator.iter_errors(arguments) {
        let failure = explain(&error, schema);
        let rank = match failure.reason.as_str() {
            "unknown_argument" => 0,
            "missing_argument" => 1,
            _ => 2,
        };
        if worst.as_ref().is_none_or(|(best, _)| rank < *best) {
            worst = Some((rank, failure));
        }
    }
    worst.map_or(Ok(()), |(_, failure)| Err(failure))
}

/// All errors of a value, for tests of answers.
pub(crate) fn all_errors(validator: &Validator, value: &Value) -> Vec<String> {
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", place(&error)))
        .collect()
}

fn explain(error: &ValidationError<'_>, schema: &Value) -> Failure {
    let place = place(error);
    let value = error.instance();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum; the schemas use these keywords, and other errors keep the library's message"
    )]
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unknown_name(&place, unexpected, &known_names(schema, error))
        }
        ValidationErrorKind::Required { property } => Failure::new(
            "missing_argument",
            format!("{place}: the argument {property} is required"),
        ),
        ValidationErrorKind::Enum { options } => not_among(&place, value, options),
        ValidationErrorKind::Type { kind } => invalid(&place, &type_name(kind), value),
        ValidationErrorKind::Minimum { limit } => {
            invalid(&place, &format!("at least {limit}"), value)
        }
        ValidationErrorKind::Maximum { limit } => {
            invalid(&place, &format!("at most {limit}"), value)
        }
        ValidationErrorKind::MinLength { limit } => {
            invalid(&place, &format!("at least {limit} characters"), value)
        }
        ValidationErrorKind::MaxLength { limit } => {
            invalid(&place, &format!("at most {limit} characters"), value)
        }
        ValidationErrorKind::MinItems { limit } => {
            invalid(&place, &format!("at least {limit} items"), value)
        }
        ValidationErrorKind::MaxItems { limit } => {
            invalid(&place, &format!("at most {limit} items"), value)
        }
        _ => Failure::new("invalid_argument", format!("{place}: {error}")),
    }
}

fn invalid(place: &str, expected: &str, got: &Value) -> Failure {
    Failure::new(
        "invalid_argument",
        format!("{place}: expected {expected}, got {}", shown(got)),
    )
}

fn unknown_name(place: &str, unexpected: &[String], known: &[&str]) -> Failure {
    let name = unexpected.first().map_or("", String::as_str);
    let mut quoted = name.to_owned();
    super::page::clip(&mut quoted, SHOWN);
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known are {}", known.join(", ")),
    };
    Failure::new(
        "unknown_argument",
        format!("{place}: there is no argument {quoted:?}; {hint}"),
    )
}

fn not_among(place: &str, value: &Value, options: &Value) -> Failure {
    let known: Vec<&str> = options
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let near = value
        .as_str()
        .and_then(|text| nearest(text, known.iter().copied()))
        .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    Failure::new(
        "invalid_argument",
        format!(
            "{place}: expected one of {}, got {}{near}",
            known.join(", "),
            shown(value)
        ),
    )
}

/// The valid names of the object at the error's place.
fn known_names<'s>(schema: &'s Value, error: &ValidationError<'_>) -> Vec<&'s str> {
    let pointer = error.schema_path().to_string();
    let object = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    schema
        .pointer(object)
        .and_then(|object| object["properties"].as_object())
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// A JSON pointer, `/` for the arguments as a whole.
fn place(error: &ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    if place.is_empty() {
        "/".to_owned()
    } else {
        place
    }
}

fn type_name(kind: &TypeKind) -> String {
    let name = |kind: &jsonschema::JsonType| format!("{kind}");
    match kind {
        TypeKind::Single(kind) => format!("a value of type {}", name(kind)),
        TypeKind::Multiple(kinds) => {
            let names: Vec<_> = kinds.iter().map(|kind| name(&kind)).collect();
            format!("a value of type {}", names.join(" or "))
        }
    }
}

fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    super::page::clip(&mut text, SHOWN);
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check_says(arguments: Value, expected: Expect) {
        let schema = json!({
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 10},
                "sort_by": {"enum": ["cyclomatic", "cognitive"]},
                "include": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                "calls": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
                    "required": ["tool"],
                    "additionalProperties": false,
                }},
            },
            "required": ["path"],
            "additionalProperties": false,
        });
        let said = match check(&compile(&schema), &schema, &arguments) {
            Ok(()) => "ok".to_owned(),
            Err(failure) => format!("{}: {}", failure.reason, failure.message),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn what_fits_passes() {
        check_says(json!({"path": "src", "limit": 3}), expect!["ok"]);
    }

    #[test]
    fn an_unknown_name_has_a_suggestion() {
        check_says(
            json!({"path": "src", "limti": 3}),
            expect![[
                r#"unknown_argument: /: there is no argument "limti"; did you mean "limit"?"#
            ]],
        );
        check_says(
            json!({"path": "src", "calls": [{"tool": "x", "argments": {}}]}),
            expect![[
                r#"unknown_argument: /calls/0: there is no argument "argments"; did you mean "arguments"?"#
            ]],
        );
        check_says(
            json!({"zzzzzzzzz": 3}),
            expect![[
                r#"unknown_argument: /: there is no argument "zzzzzzzzz"; known are calls, include, limit, path, sort_by"#
            ]],
        );
    }

    #[test]
    fn an_error_names_the_wrong_and_the_expected_value() {
        check_says(
            json!({"path": "src", "limit": 0}),
            expect!["invalid_argument: /limit: expected at least 1, got 0"],
        );
        check_says(
            json!({"path": 7}),
            expect!["invalid_argument: /path: expected a value of type string, got 7"],
        );
        check_says(
            json!({"path": "src", "sort_by": "cyclomattic"}),
            expect![[
                r#"invalid_argument: /sort_by: expected one of cyclomatic, cognitive, got "cyclomattic"; did you mean "cyclomatic"?"#
            ]],
        );
        check_says(
            json!({"path": "src", "include": ["a", 1]}),
            expect!["invalid_argument: /include/1: expected a value of type string, got 1"],
        );
        check_says(
            json!([1]),
            expect!["invalid_argument: arguments: expected an object, got [1]"],
        );
    }

    #[test]
    fn a_missing_argument_is_named() {
        check_says(
            json!({"limit": 3}),
            expect![[r#"missing_argument: /: the argument "path" is required"#]],
        );
    }
}
