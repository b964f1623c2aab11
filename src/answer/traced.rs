//! What the span of a call says of its answer.

use telemetry::Span;
use telemetry::list::attribute::{DURABILITY, FAULT, REASON, RESULT, SESSION};

use super::Answer;

/// The `error.type` of a call that answers with an error, as the conventions of MCP name it.
pub(crate) const TOOL_ERROR: &str = "tool_error";

impl Answer {
    /// Describes the answer, and ends the span.
    pub(crate) fn describe_all(&self, mut span: Span) {
        self.describe(&mut span);
        span.end();
    }

    pub(crate) fn describe(&self, span: &mut Span) {
        if !span.is_recorded() {
            return;
        }
        if let Some(session) = self.session {
            span.set(SESSION, session.to_string());
        }
        let context = &self.structured["context"];
        if let Some(result) = context["result_id"].as_str() {
            span.set(RESULT, result.to_owned());
        }
        if let Some(level) = context["durability"]["level"].as_str() {
            span.set(DURABILITY, level.to_owned());
        }
        if let Some((reason, _)) = &self.failed {
            span.set(REASON, reason.name);
            span.set(FAULT, reason.fault().name());
            span.fail(TOOL_ERROR);
        }
    }
}
