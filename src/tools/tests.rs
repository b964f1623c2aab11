//! Tests of every tool, and of every reason in the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::answer::reason::REASONS;
use crate::workspace::Workspace;

mod published;

/// Every agent pays for names, titles, descriptions and input schemas on every turn.
const TOKENS: usize = 2400;
const BYTES_PER_TOKEN: usize = 4;

#[test]
fn the_list_is_small() {
    let paid: Vec<Value> = catalogue()
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name,
                "title": entry.title,
                "description": entry.description,
                "inputSchema": entry.listed_input_schema,
            })
        })
        .collect();
    let bytes = json!(paid).to_string().len();
    assert!(bytes <= TOKENS * BYTES_PER_TOKEN, "{bytes} bytes");
}

/// A property without a type makes some clients refuse the whole list.
#[test]
fn every_argument_has_a_type_and_a_description() {
    fn look(tool: &str, schema: &Value, seen: &mut usize) {
        assert!(schema["type"].is_string(), "{tool}: {schema} has no type");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let description = property["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{tool}: {name} is not described");
            *seen += 1;
            look(tool, property, seen);
        }
        if let Some(items) = schema.get("items") {
            look(tool, items, seen);
        }
    }
    let mut seen = 0;
    for entry in catalogue() {
        look(entry.name, &entry.listed_input_schema, &mut seen);
    }
    assert!(seen > 60, "only {seen} arguments were looked at");
}

/// Some clients send null for arguments that their user left out.
#[test]
fn null_for_every_optional_argument_is_an_empty_call() {
    for entry in catalogue() {
        let filled = entry.arguments.iter();
        let filled: serde_json::Map<_, _> = filled
            .filter(|argument| !argument.required)
            .map(|argument| (argument.name.to_owned(), Value::Null))
            .collect();
        assert_eq!(entry.normalized(filled.into()), json!({}), "{}", entry.name);
        assert_eq!(entry.normalized(Value::Null), json!({}), "{}", entry.name);
    }
}

#[test]
fn the_order_is_fixed() {
    let names: Vec<_> = catalogue().iter().map(|entry| entry.name).collect();
    expect_test::expect![[r#"
        [
            "analyze_complexity",
            "analyze_dependencies",
            "analyze_structure",
            "compare_results",
            "run_batch",
            "create_session",
            "get_session",
            "list_sessions",
            "close_session",
            "find_tools",
            "get_server_status",
        ]
    "#]]
    .assert_debug_eq(&names);
}

#[test]
fn schemas_are_schemas_and_inputs_are_strict() {
    for entry in catalogue() {
        for schema in [
            &entry.input_schema,
            &entry.listed_input_schema,
            &entry.output_schema,
        ] {
            assert!(
                jsonschema::draft202012::meta::is_valid(schema),
                "{}",
                entry.name
            );
            assert_eq!(schema["type"], "object", "{}", entry.name);
        }
        let mut left = vec![&entry.input_schema];
        while let Some(schema) = left.pop() {
            if schema.get("properties").is_some() {
                assert_eq!(schema["additionalProperties"], false, "{}", entry.name);
            }
            left.extend(
                schema["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(_, s)| s),
            );
            left.extend(schema.get("items"));
        }
        for argument in &entry.arguments {
            assert!(
                argument.doc.ends_with('.'),
                "{} {}",
                entry.name,
                argument.name
            );
        }
    }
}

#[test]
fn every_analysis_tool_is_registered() {
    let registered = analysis_tools(&ReadAccess::of(&Workspace::open(&[".".into()]).unwrap()));
    for entry in catalogue() {
        let known = registered.get(entry.name).is_some();
        assert_eq!(known, entry.kind == Kind::Analysis, "{}", entry.name);
    }
}

#[test]
fn examples_are_valid_and_have_no_placeholder_left() {
    for entry in catalogue() {
        assert!(!entry.examples.is_empty(), "{} has no example", entry.name);
        for example in &entry.examples {
            let arguments = example.arguments_with("ses_1", "res_1");
            assert_eq!(
                entry.check(&arguments, false),
                Ok(()),
                "{}: {}",
                entry.name,
                example.title
            );
            let text = arguments.to_string();
            assert!(!text.contains(SESSION_ID) && !text.contains(RESULT_ID));
        }
    }
}

#[test]
fn an_empty_call_is_refused_only_for_what_is_required() {
    for entry in catalogue() {
        let required = entry.arguments.iter().any(|argument| argument.required);
        let checked = entry.check(&json!({}), false);
        assert_eq!(checked.is_err(), required, "{}: {checked:?}", entry.name);
        if let Err(failure) = checked {
            assert_eq!(failure.reason, "missing_argument");
        }
    }
}

#[test]
fn limit_zero_is_refused_unless_allowed() {
    let entry = entry("analyze_complexity").unwrap();
    assert!(entry.check(&json!({"limit": 0}), true).is_ok());
    let failure = entry.check(&json!({"limit": 0}), false).unwrap_err();
    assert_eq!(failure.reason, "invalid_argument");
    assert!(failure.message.starts_with("/limit"), "{}", failure.message);
}

#[test]
fn every_failure_is_an_answer_that_fits_its_schema() {
    for entry in catalogue() {
        for reason in REASONS {
            let called = crate::answer::Called {
                tool: entry.name,
                started: std::time::Instant::now(),
                max_bytes: 1000,
                detail: Detail::Lean,
            };
            let failure = Failure::new(reason.name, "x".repeat(5000));
            let answer = called.failed(&failure, crate::answer::Context::default());
            assert_eq!(output_errors(entry.name, &answer.structured), [""; 0]);
            assert!(answer.is_error && answer.text.len() <= 1000);
            assert_eq!(answer.structured["status"]["reason"], reason.name);
        }
    }
}

#[test]
fn tools_name_only_reasons_of_the_table() {
    let known = known_reasons();
    for entry in catalogue() {
        for reason in entry.reasons {
            assert!(known.contains(reason), "{}: {reason}", entry.name);
        }
    }
}

/// Walks the sources: every failure is created with its reason as a literal.
#[test]
fn every_reason_in_the_code_is_in_the_table() {
    let known = known_reasons();
    let mut found = 0;
    // Requests that never became a call have other reasons.
    let refusals = ["src/server/access", "src/server/admin"];
    for path in sources() {
        if refusals
            .iter()
            .any(|part| path.to_string_lossy().contains(part))
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for reason in reasons_in(&text) {
            found += 1;
            assert!(
                known.contains(reason.as_str()),
                "{}: {reason}",
                path.display()
            );
        }
    }
    assert!(
        found > 20,
        "the walk found {found} reasons: it does not find them"
    );
}

fn known_reasons() -> BTreeSet<&'static str> {
    REASONS.iter().map(|reason| reason.name).collect()
}

/// Production code only: tests use invented reasons.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut left = vec![root.join("src"), root.join("actors")];
    let mut found = Vec::new();
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() && name != "tests" && name != "target" {
                left.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    found
}

/// The literals after `Failure::new(` and `ToolError::new(`, and those in `fn reason`.
fn reasons_in(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut reasons = Vec::new();
    for made in ["Failure::new(", "ToolError::new("] {
        for rest in text.split(made).skip(1) {
            reasons.extend(literal(rest.trim_start()));
        }
    }
    for body in text.split("fn reason(&self) -> &'static str {").skip(1) {
        let body = body.split("\n    }\n").next().unwrap_or_default();
        reasons.extend(body.split("=> ").skip(1).filter_map(literal));
    }
    reasons
}

fn literal(text: &str) -> Option<String> {
    let (word, _) = text.strip_prefix('"')?.split_once('"')?;
    let is_reason = word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_reason.then(|| word.to_owned())
}
