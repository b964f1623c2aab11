//! Fake tools: a few lines each, and no analysis.

use std::thread;
use std::time::Duration;

use actors::tool::{Tool, ToolContext, ToolError, ToolOutput};
use serde_json::Value;

/// Returns its arguments.
pub(crate) struct Echo;
/// Runs until it is told to stop.
pub(crate) struct Patient;
/// Panics on every call.
pub(crate) struct Panics;

fn echoed(arguments: &Value) -> ToolOutput {
    ToolOutput {
        answer: arguments.clone(),
        whole: Some(arguments.clone()),
        summary: arguments.to_string(),
        input_digest: String::new(),
    }
}

impl Tool for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, _ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        Ok(echoed(arguments))
    }
}

impl Tool for Patient {
    fn name(&self) -> &'static str {
        "patient"
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, ctx: &ToolContext, _arguments: &Value) -> Result<ToolOutput, ToolError> {
        loop {
            if let Some(reason) = ctx.stop_reason() {
                return Err(reason);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Tool for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, _ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        panic!("asked to panic with {arguments}")
    }
}
