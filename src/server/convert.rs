//! Our catalogue and answers in the protocol's words.

use std::sync::{Arc, LazyLock};

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::Value;

use crate::answer::Answer;
use crate::tools::{self, Entry};

/// In the order of the catalogue: the same for every caller.
pub(super) fn tools() -> Arc<[Tool]> {
    /// Over HTTP every request has a handler of its own, and the list never changes.
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

/// A schema that is no object would be a fault of the catalogue; its own tests forbid it.
fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// A failed call is a result too: the model sees it, and can do better.
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
