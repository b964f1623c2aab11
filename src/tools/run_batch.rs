//! `run_batch`: many calls in one. The service expands it into ordinary calls, so that no job on the pool waits for
//! another job. This file has its schema, and joins the answers.

use serde_json::{Value, json};

use super::argument::Argument;
use super::shared::{idempotency_key, max_bytes, session_id};
use super::text::counted;
use super::{Example, Kind, Spec};
use crate::answer::page::{Budget, clipped_lines, json_len};
use crate::answer::{Answer, Detail, Finding, Page};

pub(crate) const NAME: &str = "run_batch";
/// Instead of more calls, use one call with a wider path.
pub const MAX_CALLS: usize = 50;
/// Calls of one batch that run at once: each uses all cores, so more would only hold memory.
pub const MAX_CONCURRENT: usize = 4;
/// The minimum for one call: less has no room for a row. Data that does not fit is left out, with a note.
const MIN_SHARE: usize = 1000;

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Run a batch",
        description: "Up to 50 tool calls in one, run concurrently, answered in order; one failure stays one failure.",
        category: "analysis",
        tags: &["batch", "parallel", "several"],
        words: &[
            "many", "multiple", "several", "together", "once", "bulk", "parallel", "concurrent", "all", "calls", "at",
            "combine",
        ],
        kind: Kind::Expanded,
        read_only: false,
        idempotent: false,
        // Calls that delete are refused in a batch.
        destructive: false,
        cost: "high",
        arguments: vec![
            Argument::new(
                "calls",
                json!({
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_CALLS,
                    "items": {
                        "type": "object",
                        "properties": {
                            "tool": {"type": "string", "description": "its name"},
                            "arguments": {"type": "object", "description": "as for the tool"},
                        },
                        "required": ["tool"],
                        "additionalProperties": false,
                    },
                }),
                "in order",
                "The calls. Any tool but run_batch and close_session; a call without `session_id` uses that of the batch.",
            )
            .required(),
            session_id(),
            max_bytes(),
            idempotency_key(),
        ],
        data: data(),
        lean: &[("succeeded", &[]), ("failed", &[]), ("answers", &[])],
        grouped: false,
        returns: "`answers`: one for each call, in order, each in the form of its tool, lean unless it asks for `detail: \"full\"`; `max_bytes` is shared \
                  among them, and what does not fit is null and noted. `succeeded` and `failed` count them. An \
                  `idempotency_key` K gives call i the key `K/i`, counted from 0.",
        examples: vec![Example::new(
            "Complexity and structure of two folders in one call",
            json!({"calls": [
                {"tool": "analyze_complexity", "arguments": {"path": "python", "level": "summary"}},
                {"tool": "analyze_structure", "arguments": {"path": "go", "limit": 5}},
            ]}),
        )],
        reasons: &["batch_in_batch", "not_in_batch", "session_required"],
    }
}

fn data() -> Value {
    let answer = json!({
        "type": "object",
        "properties": {
            "data": {"type": ["object", "null"]},
            "status": {"type": "object"},
            "context": {"type": "object"},
            "page": {"type": ["object", "null"]},
            "coverage": {"type": ["object", "null"]},
            // Of a full answer.
            "metadata": {"type": "object"},
        },
        "required": ["data", "status", "context"],
        "additionalProperties": false,
    });
    crate::answer::envelope::strict(json!({
        "succeeded": crate::answer::envelope::count(),
        "failed": crate::answer::envelope::count(),
        "answers": crate::answer::envelope::list(answer),
    }))
}

/// The share of `max_bytes` for one of `calls` calls.
pub(crate) fn share(max_bytes: usize, calls: usize) -> usize {
    (max_bytes / calls.max(1)).max(MIN_SHARE)
}

/// Joins the answers of all calls, in order. If they do not fit, `data` is left out, from the last answer on.
pub(crate) fn finding(answers: Vec<(String, Answer)>, max_bytes: usize) -> Finding {
    let total = answers.len();
    let failed = answers.iter().filter(|(_, answer)| answer.is_error).count();
    let calls = counted(total as u64, "call");
    let mut text = format!("{calls}: {} succeeded, {failed} failed\n", total - failed);
    let text_share =
        max_bytes.saturating_sub(text.len() + crate::answer::page::FOOTER_BYTES) / total.max(1);
    let around: usize = answers
        .iter()
        .map(|(_, answer)| around(&answer.structured))
        .sum();
    let mut left = Budget::new(total, max_bytes, Detail::Lean)
        .beside(around)
        .data;
    let mut structured = Vec::with_capacity(total);
    for (at, (tool, mut answer)) in answers.into_iter().enumerate() {
        let heading = format!("[{at}] {}\n", otel::visible::line(&tool));
        text.push_str(&heading);
        text.push_str(&shortened(
            &answer.text,
            text_share.saturating_sub(heading.len()),
        ));
        match left.checked_sub(json_len(&answer.structured["data"])) {
            Some(rest) => left = rest,
            None => leave_out(&mut answer.structured),
        }
        structured.push(answer.structured);
    }
    let data = json!({
        "succeeded": total - failed,
        "failed": failed,
        "answers": structured,
    });
    Finding {
        page: Some(Page {
            total,
            returned: total,
            truncated: false,
            next_cursor: None,
        }),
        ..Finding::plain(data, text)
    }
}

/// As many lines as fit, and always the result's id, with which the complete result can be read.
fn shortened(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let id = text.lines().find(|line| line.starts_with("result_id="));
    let id = id.map_or_else(String::new, |id| format!("{id}\n"));
    clipped_lines(text, max.saturating_sub(id.len())) + &id
}

/// Bytes of an answer without its data, including the separator.
fn around(structured: &Value) -> usize {
    json_len(structured).saturating_sub(json_len(&structured["data"])) + 1
}

fn leave_out(structured: &mut Value) {
    structured["data"] = Value::Null;
    let notices = &mut structured["context"]["notices"];
    if notices.is_null() {
        *notices = json!([]);
    }
    if let Some(notices) = notices.as_array_mut() {
        notices.push(json!(
            "data is left out: it does not fit max_bytes of the batch; raise it, or make this call alone"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: Value) -> (String, Answer) {
        let structured = json!({"data": data, "context": {"notices": []}});
        let answer = Answer {
            structured,
            metadata: Value::Null,
            text: "line one\nline two\n".repeat(50),
            is_error: false,
            session: None,
            failed: None,
        };
        ("analyze_complexity".into(), answer)
    }

    #[test]
    fn data_that_does_not_fit_is_left_out_with_a_note() {
        let large = || answer(json!({"x": "y".repeat(900)}));
        let finding = finding(vec![large(), large(), answer(json!({}))], 2500);
        let answers = finding.data["answers"].as_array().unwrap();
        assert!(answers[0]["data"].is_object());
        assert!(answers[1]["data"].is_null());
        assert!(answers[1]["context"]["notices"][0].is_string());
        assert!(answers[2]["data"].is_object());
        assert!(finding.text.len() <= 2500);
    }
}
