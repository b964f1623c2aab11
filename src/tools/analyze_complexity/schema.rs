//! The schema of `data`, and its fields in a lean answer.

use serde_json::{Value, json};

use crate::analysis::Profile;
use crate::answer::envelope::{count, list, or_null, strict, strict_but, string};
use crate::answer::lean::Field;

const TOTALS: Field = (
    "totals",
    &[
        "files",
        "functions",
        "ploc",
        "cyclomatic_mean",
        "cyclomatic_max",
        "cognitive_max",
    ],
);
const LANGUAGES: Field = (
    "languages",
    &[
        "language",
        "files",
        "functions",
        "ploc",
        "cyclomatic_mean",
        "cyclomatic_max",
    ],
);
const FUNCTIONS: Field = (
    "functions",
    &[
        "path",
        "qualified_name",
        "start_line",
        "end_line",
        "own.cyclomatic",
        "own.cognitive",
        "recovered",
    ],
);
const FILES: Field = (
    "files",
    &[
        "path",
        "cyclomatic",
        "cyclomatic_max",
        "cognitive",
        "cognitive_max",
        "sloc",
        "functions",
    ],
);
/// The fields of `data` in a lean answer, at any level.
pub(super) const LEAN: &[Field] = &[TOTALS, FUNCTIONS, FILES, LANGUAGES];

/// The fields at one level.
pub(super) fn fields(level: &Value) -> &'static [Field] {
    match level.as_str() {
        Some("summary") => LEAN,
        Some("files") => &[TOTALS, FILES],
        Some(_) | None => &[TOTALS, FUNCTIONS],
    }
}

pub(super) fn data() -> Value {
    let profiles: Vec<_> = Profile::ALL.map(Profile::name).into();
    // A very small `max_bytes` drops the dispensable lists.
    strict_but(
        &["functions", "files", "languages", "totals"],
        json!({
            "profile": {"enum": profiles},
            "totals": tally(&[]),
            "languages": list(tally(&["language"])),
            "files": list(file()),
            "functions": list(function()),
        }),
    )
}

fn tally(names: &[&str]) -> Value {
    let mut properties = json!({
        "files": count(), "functions": count(),
        "sloc": count(), "ploc": count(), "cloc": count(), "blank": count(), "lloc": count(),
        "cyclomatic": count(), "cyclomatic_mean": or_null("number"), "cyclomatic_max": count(),
        "cognitive": count(), "cognitive_max": count(),
    });
    for name in names {
        properties[name] = string();
    }
    strict(properties)
}

fn file() -> Value {
    strict_but(
        &["not_computed"],
        json!({
            "path": string(), "language": string(), "functions": count(),
            "cyclomatic": count(), "cyclomatic_max": count(),
            "cognitive": count(), "cognitive_max": count(), "max_nesting": count(), "max_parameters": count(),
            "sloc": count(), "ploc": count(), "cloc": count(), "blank": count(), "lloc": count(),
            "halstead": halstead(),
            "maintainability_index": or_null("number"), "mi_sei": or_null("number"),
            "parse_errors": count(),
            "not_computed": not_computed(),
        }),
    )
}

fn function() -> Value {
    strict_but(
        &["not_computed", "recovered"],
        json!({
            "path": string(), "name": string(), "qualified_name": string(), "kind": string(),
            "start_line": count(), "end_line": count(),
            "own": scores(), "total": scores(),
            "halstead": halstead(),
            "maintainability_index": or_null("number"), "mi_sei": or_null("number"),
            "sloc": count(), "ploc": count(), "cloc": count(), "blank": count(), "lloc": count(),
            "max_nesting": count(), "parameters": count(),
            "has_receiver": {"type": "boolean"}, "exits": count(),
            "recovered": {"type": "boolean", "description": "some of its source did not parse: its lines may be a guess"},
            "not_computed": not_computed(),
        }),
    )
}

fn scores() -> Value {
    strict(json!({
        "cyclomatic": count(), "cyclomatic_modified": count(),
        "cognitive": count(),
        "cognitive_recursion": {
            "type": "integer",
            "minimum": 0,
            "description": "functions that call themselves by name; a guess, since types are not known: a call on another \
                            object is not counted, nor a call of an overload where its arguments tell",
        },
    }))
}

fn halstead() -> Value {
    strict(json!({
        "n1": count(), "n2": count(), "N1": count(), "N2": count(),
        "volume": or_null("number"), "difficulty": or_null("number"), "effort": or_null("number"),
        "time": or_null("number"), "bugs": or_null("number"),
    }))
}

fn not_computed() -> Value {
    json!({"type": "object", "additionalProperties": string()})
}
