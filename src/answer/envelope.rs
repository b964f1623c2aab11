//! The envelope of every answer, lean and full, and its JSON Schema: one definition for all tools.

use std::time::Duration;

use actors::sessions::DurabilityLevel;
use serde_json::{Map, Value, json};

use super::code::Code;
use super::lean::strip;
use super::reason::{EMPTY_REASONS, REASONS};
use super::{Context, Coverage, Empty, Failure, Page, ParseErrors, object};

mod published;

pub(crate) use published::{Answers, published};

/// The parts of one answer.
pub(super) struct Parts<'a> {
    pub(super) data: Value,
    pub(super) status: Status<'a>,
    pub(super) context: &'a Context,
    pub(super) page: Option<&'a Page>,
    pub(super) coverage: Option<&'a Coverage>,
}

pub(super) enum Status<'a> {
    /// A success; `Some`: without rows, for this reason.
    Success(Option<&'a Empty>),
    Failed(&'a Failure),
}

impl Parts<'_> {
    /// The full answer: every part with every field.
    pub(super) fn full(self, metadata: Value) -> Value {
        object([
            ("data", self.data),
            ("metadata", metadata),
            ("status", self.status.full()),
            ("context", context(self.context)),
            ("page", json!(self.page)),
            ("coverage", json!(self.coverage)),
        ])
    }

    /// The lean answer. It always has `data`, `status.success` and `context.durability`, and the other fields unless
    /// they are empty. `data` is as its tool made it.
    pub(super) fn lean(self) -> Value {
        let mut context = context(self.context);
        let durability = context["durability"].take();
        strip(&mut context);
        context["durability"] = durability;
        let mut lean = Map::new();
        lean.insert("data".into(), self.data);
        lean.insert("status".into(), self.status.lean());
        lean.insert("context".into(), context);
        for (name, mut value) in [
            ("page", json!(self.page)),
            ("coverage", coverage_told(self.coverage)),
        ] {
            strip(&mut value);
            if !value.is_null() {
                lean.insert(name.into(), value);
            }
        }
        Value::Object(lean)
    }
}

fn coverage_told(coverage: Option<&Coverage>) -> Value {
    let mut told = json!(coverage);
    // Mention files with syntax errors only if there are any.
    if let Some(told) = told.as_object_mut()
        && told["parse_errors"]["count"] == 0
    {
        told.remove("parse_errors");
    }
    told
}

impl Status<'_> {
    fn full(&self) -> Value {
        match self {
            Self::Success(empty) => json!({
                "success": true,
                "code": Code::Ok.name(),
                "reason": empty.map(|empty| &empty.reason),
                "message": empty.map(|empty| &empty.message),
                "retryable": false,
                "retry_after_ms": null,
                "recovery": null,
            }),
            Self::Failed(failure) => {
                let row = failure.row();
                json!({
                    "success": false,
                    "code": row.code.name(),
                    "reason": row.name,
                    "message": failure.message,
                    "retryable": row.retryable,
                    "retry_after_ms": failure.retry_after.map(millis),
                    "recovery": row.recovery,
                })
            }
        }
    }

    fn lean(&self) -> Value {
        let mut status = self.full();
        if let (Self::Success(_), Some(status)) = (self, status.as_object_mut()) {
            status.retain(|name, _| ["success", "reason", "message"].contains(&name.as_str()));
        }
        strip(&mut status);
        status
    }
}

fn context(context: &Context) -> Value {
    // A throwaway session stores nothing, even if the store is durable.
    let durability = match (context.session_id, context.durability) {
        (Some(_), Some(kept)) => json!({
            "level": DurabilityLevel::name(kept.level),
            "durable": kept.durable,
            "version": kept.version,
            "epoch": kept.epoch,
        }),
        (None, _) | (_, None) => json!({
            "level": "none", "durable": false, "version": 0, "epoch": 0,
        }),
    };
    json!({
        "session_id": context.session_id,
        "result_id": context.result_id,
        "related_results": context.related,
        "durability": durability,
        "replayed": context.replayed,
        "notices": context.notices,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

// === the schema of full answers ===

/// The schema of a tool's full answers. `data`: the schema of that field.
pub(crate) fn full_schema(data: &Value) -> Value {
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
            "metadata": metadata_schema(),
            "status": status_schema(),
            "context": context_schema(),
            "page": page_schema(),
            "coverage": coverage_schema(),
        },
    })
}

/// An object with exactly these properties, all required.
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

/// As [`strict`], but these properties are optional.
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

fn metadata_schema() -> Value {
    strict(json!({
        "tool": string(),
        "version": string(),
        "duration_ms": {"type": "number", "minimum": 0},
        "timestamp": {"type": "string", "format": "date-time"},
        "input_digest": or_null("string"),
        "cache": strict(json!({"hits": count(), "misses": count()})),
    }))
}

fn status_schema() -> Value {
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

fn context_schema() -> Value {
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

fn page_schema() -> Value {
    let mut schema = strict(json!({
        "total": count(),
        "returned": count(),
        "truncated": {"type": "boolean"},
        "next_cursor": or_null("string"),
    }));
    schema["type"] = json!(["object", "null"]);
    schema
}

fn coverage_schema() -> Value {
    let by_name = json!({"type": "object", "additionalProperties": count()});
    let mut schema = strict(json!({
        "files_seen": count(),
        "files_analyzed": count(),
        "skipped": by_name,
        "parse_errors": ParseErrors::schema(),
        "languages": by_name,
    }));
    schema["type"] = json!(["object", "null"]);
    schema
}
