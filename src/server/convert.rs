//! Converts the catalogue and answers to types of the protocol.

use std::sync::{Arc, LazyLock};

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::Value;

use crate::answer::Answer;
use crate::tools::{self, Entry};

/// In the order of the catalogue: the same for every caller.
pub(super) fn tools() -> Arc<[Tool]> {
    /// Built once: over HTTP every request has its own handler, and the list never changes.
    static TOOLS: LazyLock<Arc<[Tool]>> =
        LazyLock::new(|| tools::catalogue().iter().map(tool).collect());
    Arc::clone(&TOOLS)
}

fn tool(entry: &Entry) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(entry.read_only)
        .idempotent(entry.idempotent)
        .destructive(entry.destructive)
        // Only files below the roots and this server's own sessions.
        .open_world(false);
    let mut tool = Tool::new(
        entry.name,
        entry.description,
        object(&entry.listed_input_schema),
    )
    .with_title(entry.title)
    .with_annotations(annotations)
    .with_raw_output_schema(object(&entry.output_schema));
    if let Value::Object(meta) = &entry.meta {
        tool = tool.with_meta(MetaObject(meta.clone()));
    }
    tool
}

/// Every schema of the catalogue is an object; tests check that.
fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// A failed call is a result too, so that the model sees the error and can correct the call.
pub(super) fn result(answer: Answer) -> CallToolResult {
    let content = vec![ContentBlock::text(answer.text)];
    let mut result = if answer.is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    result.structured_content = Some(answer.structured);
    let mut meta = MetaObject::default();
    meta.insert("metadata".into(), answer.metadata);
    result.meta = Some(meta);
    result
}
