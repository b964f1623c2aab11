//! The schema of `data`, and its fields in a lean answer.

use serde_json::{Value, json};

use super::super::names::{self, SYMBOL_KINDS};
use crate::answer::envelope::{count, list, or_null, strict, strict_but, string};
use crate::answer::lean::Field;

/// The fields of `data` in a lean answer. Rows are grouped by file, which has the path. A signature is left out if it
/// only repeats kind and name.
pub(super) const LEAN: &[Field] = &[
    ("totals", &["files", "symbols", "imports", "exports"]),
    (
        "symbols",
        &[
            "path",
            "kind",
            "qualified_name",
            "start_line",
            "end_line",
            "visibility",
            "signature",
        ],
    ),
    (
        "imports",
        &[
            "path",
            "line",
            "specifier",
            "names",
            "type_only",
            "conditional",
        ],
    ),
    ("exports", &["path", "line", "name", "from"]),
];

pub(super) fn data() -> Value {
    let kinds: Vec<_> = SYMBOL_KINDS.map(names::symbol_kind).into();
    strict_but(
        &["totals", "symbols", "imports", "exports"],
        json!({
            "totals": strict(json!({
                "files": count(), "symbols": count(), "matched": count(), "imports": count(), "exports": count(),
            })),
            "symbols": list(strict(json!({
                "path": string(), "name": string(), "qualified_name": string(),
                "kind": {"enum": kinds},
                "signature": string(),
                "visibility": {"enum": ["public", "restricted", "private"]},
                "start_line": count(), "end_line": count(),
                "doc": or_null("string"), "parent": or_null("string"),
            }))),
            "imports": list(strict(json!({
                "path": string(), "line": count(), "kind": string(), "specifier": string(),
                "names": list(string()), "type_only": {"type": "boolean"}, "conditional": {"type": "boolean"},
            }))),
            "exports": list(strict(json!({
                "path": string(), "line": count(), "name": string(), "from": or_null("string"),
            }))),
        }),
    )
}
