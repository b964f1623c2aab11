//! The schema of `data`, and the parts of it in a lean answer.

use serde_json::{Value, json};

use crate::answer::envelope::{count, list, or_null, strict, strict_but, string};
use crate::answer::lean::Field;

/// The fields of `data` in a lean answer: the complexity of functions, the signature of symbols, and the names of the
/// parts of a graph.
pub(super) const LEAN: &[Field] = &[
    ("tool", &[]),
    ("baseline", &["result_id"]),
    ("against", &["result_id"]),
    ("identical_inputs", &[]),
    ("differing_arguments", &[]),
    ("summary", &[]),
    ("totals", &["delta"]),
    (
        "changes",
        &[
            "change",
            "what",
            "path",
            "qualified_name",
            "kind",
            "moved",
            "renamed",
            "before.path",
            "before.qualified_name",
            "before.start_line",
            "before.cyclomatic",
            "before.cognitive",
            "before.signature",
            "before.visibility",
            "after.start_line",
            "after.cyclomatic",
            "after.cognitive",
            "after.signature",
            "after.visibility",
            "delta.cyclomatic",
            "delta.cognitive",
            "detail.id",
            "detail.name",
            "detail.from",
            "detail.to",
            "detail.kind",
            "detail.path",
            "detail.line",
            "detail.specifier",
            "detail.reason",
            "detail.size",
            "detail.more",
        ],
    ),
];

pub(super) fn data() -> Value {
    let result = || {
        strict(json!({
            "result_id": string(),
            "created": {"type": "string", "format": "date-time"},
            "input_digest": string(),
        }))
    };
    let figures = json!({"type": "object"});
    strict_but(
        &["totals", "differing_arguments"],
        json!({
            "tool": string(),
            "baseline": result(),
            "against": result(),
            "identical_inputs": {"type": "boolean"},
            "differing_arguments": list(string()),
            "summary": {"type": "object", "additionalProperties": count()},
            "totals": strict(json!({"before": figures, "after": figures, "delta": figures})),
            "changes": list(json!({"oneOf": [function(), part(), symbol()]})),
        }),
    )
}

fn function() -> Value {
    let side = json!({"type": ["object", "null"]});
    strict(json!({
        "change": {"enum": ["regressed", "unparsed", "added", "changed", "moved", "renamed", "improved", "removed"]},
        "what": {"const": "function"},
        "path": string(), "qualified_name": string(),
        "moved": {"type": "boolean"}, "renamed": {"type": "boolean"},
        "before": side, "after": side, "delta": or_null("object"),
    }))
}

fn part() -> Value {
    strict(json!({
        "change": {"enum": ["added", "removed"]},
        "what": {"enum": ["cycle", "unresolved", "external", "edge", "node"]},
        "detail": {"type": ["object", "array"]},
    }))
}

fn symbol() -> Value {
    let side = json!({"type": ["object", "null"]});
    strict(json!({
        "change": {"enum": ["unparsed", "added", "changed", "moved", "removed"]},
        "what": {"const": "symbol"},
        "path": string(), "qualified_name": string(), "kind": string(),
        "before": side, "after": side,
    }))
}
