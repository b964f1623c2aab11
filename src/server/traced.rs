//! The span and the metric of each request of a client.
//!
//! The parent of a request is the `traceparent` of its `_meta`, and its HTTP request is linked; without one, the parent is
//! the HTTP request, whose own parent is the `traceparent` header. The conventions of MCP say what counts as an error: a
//! call that answers with one, and the JSON-RPC errors of a server; a caller's mistakes only have their code.

use std::time::Instant;

use axum::http::request::Parts;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use telemetry::list::attribute::{
    ARGUMENTS, BATCH_CALLS, CONNECTION, JSONRPC_ID, METHOD, NODE, OPERATION, PRINCIPAL,
    PROTOCOL_VERSION, RPC_STATUS, TOOL, TRANSPORT,
};
use telemetry::list::event::CANCELLED;
use telemetry::list::metric::{CallErrors, MalformedParents, OperationDuration};
use telemetry::list::span::{CALL, REQUEST_OTHER};
use telemetry::{Link, Parent, Span, Trace};

use crate::answer::Answer;
use crate::answer::page::clip;
use crate::answer::traced::TOOL_ERROR;
use crate::service::{Caller, UnknownTool};
use crate::tools;

/// The trace of an HTTP request, as an extension of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HttpTrace(pub(super) Option<Trace>);

/// A name that a caller made up is exported as this one.
pub(super) const OTHER: &str = "_OTHER";
const CALLS: &str = "tools/call";
/// Bytes of an id that a client chose: more than any client uses.
const ID_BYTES: usize = 128;
/// Bytes of the arguments of one call: whole for nearly all calls.
const ARGUMENT_BYTES: usize = 4096;
/// The header that names a connection.
const CONNECTION_HEADER: &str = "mcp-session-id";
/// JSON-RPC errors that are the server's fault.
const INTERNAL: i32 = -32603;
const SERVER_ERRORS: std::ops::RangeInclusive<i32> = -32099..=-32000;
/// Of that range, but a caller's mistake: the resource does not exist.
const NO_RESOURCE: i32 = -32002;

/// A request, until its answer.
pub(super) struct Traced {
    span: Span,
    method: &'static str,
    tool: &'static str,
    transport: &'static str,
    begun: Instant,
}

impl Traced {
    pub(super) fn call(tool: &str, context: &RequestContext<RoleServer>) -> Self {
        let tool = tools::entry(tool).map_or(OTHER, |entry| entry.name);
        let (parent, links) = parents(context);
        let span = Span::of(&CALL, tool, parent, links.as_slice());
        let mut traced = Self::begin(span, CALLS, tool, context);
        if traced.span.is_recorded() {
            traced.span.set(TOOL, tool);
            traced.span.set(OPERATION, "execute_tool");
        }
        traced
    }

    pub(super) fn other(method: &'static str, context: &RequestContext<RoleServer>) -> Self {
        let (parent, links) = parents(context);
        let span = Span::of(&REQUEST_OTHER, method, parent, links.as_slice());
        Self::begin(span, method, "", context)
    }

    fn begin(
        mut span: Span,
        method: &'static str,
        tool: &'static str,
        context: &RequestContext<RoleServer>,
    ) -> Self {
        let parts = context.extensions.get::<Parts>();
        let over_http = parts.is_some() || context.extensions.get::<Caller>().is_some();
        let transport = if over_http { "tcp" } else { "pipe" };
        if span.is_recorded() {
            span.set(METHOD, method);
            span.set(TRANSPORT, transport);
            span.set(JSONRPC_ID, clipped(context.id.to_string(), ID_BYTES));
            if let Some(version) = context.protocol_version() {
                span.set(PROTOCOL_VERSION, version.to_string());
            }
            let connection = parts.and_then(|parts| parts.headers.get(CONNECTION_HEADER));
            if let Some(id) = connection.and_then(|id| id.to_str().ok()) {
                span.set(CONNECTION, clipped(id.to_owned(), ID_BYTES));
            }
        }
        Self {
            span,
            method,
            tool,
            transport,
            begun: Instant::now(),
        }
    }

    /// What the work of this request belongs to.
    pub(super) fn trace(&self) -> Option<Trace> {
        self.span.context()
    }

    pub(super) fn of(&mut self, caller: &Caller, node: impl ToString) {
        if self.span.is_recorded() {
            self.span
                .set(PRINCIPAL, caller.principal.as_str().to_owned());
            self.span.set(NODE, node.to_string());
        }
    }

    /// Records the arguments, which the operator has asked for.
    pub(super) fn arguments(&mut self, arguments: &Value) {
        if self.span.is_recorded() {
            self.span
                .set(ARGUMENTS, clipped(arguments.to_string(), ARGUMENT_BYTES));
        }
    }

    pub(super) fn batch(&mut self, arguments: &Value) {
        if let Some(calls) = arguments["calls"].as_array() {
            self.span.set(BATCH_CALLS, calls.len());
        }
    }

    /// The caller has given the request up.
    pub(super) fn cancelled(&mut self) {
        self.span.event(CANCELLED);
    }

    pub(super) fn called(mut self, answer: &Result<Answer, UnknownTool>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(_unknown) => {
                self.span.set(
                    RPC_STATUS,
                    rmcp::model::ErrorCode::INVALID_PARAMS.0.to_string(),
                );
                return self.end("", "");
            }
        };
        answer.describe(&mut self.span);
        match &answer.failed {
            None => self.end("", ""),
            Some((reason, _)) => {
                let fault = reason.fault().name();
                CallErrors {
                    tool: self.tool,
                    reason: reason.name,
                    fault,
                }
                .add(1);
                self.end(TOOL_ERROR, fault);
            }
        }
    }

    pub(super) fn ended<T>(mut self, answer: &Result<T, ErrorData>) {
        let Err(error) = answer else {
            return self.end("", "");
        };
        let code = error.code.0;
        self.span.set(RPC_STATUS, code.to_string());
        let ours = code == INTERNAL || (SERVER_ERRORS.contains(&code) && code != NO_RESOURCE);
        if ours {
            self.span.fail(code.to_string());
            return self.end("rpc_error", "server");
        }
        self.end("", "");
    }

    fn end(mut self, error: &'static str, fault: &'static str) {
        let entered = telemetry::enter(self.span.context());
        OperationDuration {
            method: self.method,
            tool: self.tool,
            error,
            fault,
            transport: self.transport,
        }
        .record(self.begun.elapsed().as_secs_f64());
        drop(entered);
        std::mem::take(&mut self.span).end();
    }
}

/// A request that waits for nothing.
pub(super) fn at_once<T>(
    method: &'static str,
    context: &RequestContext<RoleServer>,
    answer: impl FnOnce() -> Result<T, ErrorData>,
) -> Result<T, ErrorData> {
    let traced = Traced::other(method, context);
    let answer = answer();
    traced.ended(&answer);
    answer
}

/// The parent of a request, and the HTTP request if that is another one.
fn parents(context: &RequestContext<RoleServer>) -> (Parent, Option<Link>) {
    let in_parts = || {
        context
            .extensions
            .get::<Parts>()?
            .extensions
            .get::<HttpTrace>()
    };
    let http = context.extensions.get::<HttpTrace>().or_else(in_parts);
    let http = http.and_then(|HttpTrace(trace)| *trace);
    match context.meta.get_traceparent().map(str::parse::<Trace>) {
        Some(Ok(trace)) => (Parent::Of(Some(trace)), http.map(Link)),
        Some(Err(_malformed)) => {
            MalformedParents {}.add(1);
            (Parent::None, http.map(Link))
        }
        None => (Parent::Of(http), None),
    }
}

/// Callers choose how long their text is; an attribute has the beginning of it.
fn clipped(mut text: String, most: usize) -> String {
    clip(&mut text, most);
    text
}
