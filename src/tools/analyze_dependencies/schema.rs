//! The schema of `data`, and its fields in a lean answer.

use serde_json::{Value, json};

use crate::answer::envelope::{count, list, or_null, strict, strict_but, string};
use crate::answer::lean::Field;

const TOTALS: Field = (
    "totals",
    &["nodes", "edges", "cycles", "external", "unresolved"],
);
const NODES: Field = ("nodes", &["id", "fan_in", "fan_out", "outside", "left_out"]);
const EDGES: Field = ("edges", &["from", "to", "type_only"]);
const CYCLES: Field = ("cycles", &[]);
const UNRESOLVED: Field = ("unresolved", &[]);

/// The fields of `data` in a lean answer.
pub(super) const LEAN: &[Field] = &[
    TOTALS,
    NODES,
    EDGES,
    CYCLES,
    UNRESOLVED,
    ("external", &["name"]),
    ("format", &[]),
    ("diagram", &[]),
    ("nodes_shown", &[]),
    ("edges_shown", &[]),
];

/// The lean fields for these arguments. A question for dependents does not need the packages that the dependents use.
pub(super) fn fields(arguments: &Value) -> &'static [Field] {
    let incoming = arguments["focus"].is_string() && arguments["direction"] == "in";
    let listed = matches!(arguments["format"].as_str(), None | Some("json"));
    if incoming && listed {
        return &[
            TOTALS,
            NODES,
            EDGES,
            ("cycles", &["size", "path", "more", "cut"]),
            UNRESOLVED,
        ];
    }
    LEAN
}

pub(super) fn data() -> Value {
    // A diagram replaces the lists; a very small `max_bytes` drops dispensable ones.
    strict_but(
        &[
            "totals",
            "nodes",
            "edges",
            "cycles",
            "external",
            "unresolved",
            "format",
            "diagram",
            "nodes_shown",
            "edges_shown",
        ],
        json!({
            "totals": strict(json!({
                "cycles_by": {"type": "string", "enum": ["runtime", "all"]},
                "nodes": count(), "edges": count(), "cycles": count(), "largest_cycle": count(),
                "external": count(), "unresolved": count(),
            })),
            "nodes": list(strict_but(&["not_computed", "outside", "left_out"], json!({
                "outside": {"type": "boolean"}, "left_out": string(),
                "id": string(), "path": string(), "language": or_null("string"), "files": count(),
                "external": {"type": "boolean"},
                "fan_in": count(), "fan_out": count(), "instability": or_null("number"),
                "not_computed": {"type": "object", "additionalProperties": string()},
            }))),
            "edges": list(strict(json!({
                "from": string(), "to": string(), "kind": string(),
                "lines": list(count()), "specifiers": list(string()), "type_only": {"type": "boolean"},
            }))),
            "cycles": list(strict_but(&["lines", "members", "cut", "more"], json!({
                "more": count(),
                "size": count(), "path": list(string()), "cut": {"type": "boolean"},
                "lines": list(list(count())), "members": list(string()),
            }))),
            "external": list(strict(json!({
                "name": string(), "standard_library": {"type": "boolean"},
                "importers": list(string()), "importers_total": count(),
            }))),
            "unresolved": list(strict(json!({
                "path": string(), "line": count(), "specifier": string(), "reason": string(),
            }))),
            "format": {"enum": ["mermaid", "dot"]},
            "diagram": string(),
            "nodes_shown": count(),
            "edges_shown": count(),
        }),
    )
}
