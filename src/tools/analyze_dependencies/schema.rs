//! The schema of `data`.

use serde_json::{Value, json};

use crate::answer::envelope::{count, list, or_null, strict, strict_but, string};

pub(super) fn data() -> Value {
    // A diagram takes the place of the lists; a very small `max_bytes` leaves dispensable ones out.
    strict_but(
        &[
            "totals",
            "nodes",
            "edges",
            "cycles",
            "cycle_sizes",
            "external",
            "unresolved",
            "format",
            "diagram",
            "nodes_shown",
            "edges_shown",
        ],
        json!({
            "totals": strict(json!({
                "nodes": count(), "edges": count(), "cycles": count(), "largest_cycle": count(),
                "external": count(), "unresolved": count(),
            })),
            "nodes": list(strict_but(&["not_computed"], json!({
                "id": string(), "path": string(), "language": or_null("string"), "files": count(),
                "external": {"type": "boolean"},
                "fan_in": count(), "fan_out": count(), "instability": or_null("number"),
                "not_computed": {"type": "object", "additionalProperties": string()},
            }))),
            "edges": list(strict(json!({
                "from": string(), "to": string(), "kind": string(),
                "lines": list(count()), "specifiers": list(string()), "type_only": {"type": "boolean"},
            }))),
            "cycles": list(list(string())),
            "cycle_sizes": list(count()),
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
