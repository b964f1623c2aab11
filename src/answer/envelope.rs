//! The JSON Schema of the envelope: one definition, in every tool's output schema.

use serde_json::{Value, json};

use super::code::Code;
use super::reason::{EMPTY_REASONS, REASONS};

/// The output schema of a tool whose `data` has this schema.
pub(crate) fn output_schema(data: Value) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "data": {"anyOf": [{"$ref": "#/$defs/data"}, {"type": "null"}]},
            "metadata": {"$ref": "#/$defs/metadata"},
            "status": {"$ref": "#/$defs/status"},
            "context": {"$ref": "#/$defs/context"},
            "page": {"$ref": "#/$defs/page"},
            "coverage": {"$ref": "#/$defs/coverage"},
        },
        "required": ["data", "metadata", "status", "context", "page", "coverage"],
        "additionalProperties": false,
        "$defs": {
            "data": data,
            "metadata": metadata(),
            "status": status(),
            "context": context(),
            "page": page(),
            "coverage": coverage(),
        },
    })
}

/// An object all of whose properties are required and that has no others.
pub(crate) fn strict(properties: Value) -> Value {
    let required: Vec<&String> = properties
        .as_object()
        .map(|properties| properties.keys().collect())
        .unwrap_or_default();
    let required = json!(required);
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// As [`strict`], but these may be missing.
pub(crate) fn strict_but(optional: &[&str], properties: Value) -> Value {
    let mut schema = strict(properties);
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name.as_str().is_some_and(|name| !optional.contains(&name)));
    }
    schema
}

pub(crate) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub(crate) fn string() -> Value {
    json!({"type": "string"})
}

pub(crate) fn or_null(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

pub(crate) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn metadata() -> Value {
    strict(json!({
        "tool": string(),
        "version": string(),
        "duration_ms": {"type": "number", "minimum": 0},
        "timestamp": {"type": "string", "format": "date-time"},
        "input_digest": or_null("string"),
        "cache": strict(json!({"hits": count(), "misses": count()})),
    }))
}

fn status() -> Value {
    let codes: Vec<_> = Code::ALL.map(Code::name).into();
    let reasons: Vec<Value> = REASONS
        .iter()
        .map(|reason| reason.name)
        .chain(EMPTY_REASONS.iter().map(|(name, _)| *name))
        .map(Value::from)
        .chain([Value::Null])
        .collect();
    strict(json!({
        "success": {"type": "boolean"},
        "code": {"enum": codes},
        "reason": {"enum": reasons},
        "message": or_null("string"),
        "retryable": {"type": "boolean"},
        "retry_after_ms": {"type": ["integer", "null"], "minimum": 0},
        "recovery": or_null("string"),
    }))
}

fn context() -> Value {
    strict(json!({
        "session_id": or_null("string"),
        "result_id": or_null("string"),
        "related_results": list(string()),
        "durability": strict(json!({
            "level": {"enum": ["none", "memory", "redis", "fsync", "replicated"]},
            "durable": {"type": "boolean"},
            "version": {"type": "integer", "minimum": 0, "description": "of the session; answers committed together share it"},
            "epoch": count(),
        })),
        "replayed": {"type": "boolean"},
        "notices": list(string()),
    }))
}

fn page() -> Value {
    let mut schema = strict(json!({
        "total": count(),
        "returned": count(),
        "truncated": {"type": "boolean"},
        "next_cursor": or_null("string"),
    }));
    schema["type"] = json!(["object", "null"]);
    schema
}

fn coverage() -> Value {
    let by_name = json!({"type": "object", "additionalProperties": count()});
    let mut schema = strict(json!({
        "files_seen": count(),
        "files_analyzed": count(),
        "skipped": by_name,
        "parse_errors": count(),
        "languages": by_name,
    }));
    schema["type"] = json!(["object", "null"]);
    schema
}
