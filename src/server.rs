//! The MCP server: lists the catalogue and forwards calls to the [`Service`]. The only part that uses `rmcp`.
//!
//! One [`Handler`] serves one connection. It never sees the crash of an actor: `Sessions::call` retries.

use std::borrow::Cow;
use std::sync::Arc;

use actors::ids::Principal;
use axum::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, GetPromptRequestParams,
    GetPromptResponse, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::service::{Caller, DefaultSession, Service, UnknownTool};
use left::Left;
use traced::Traced;

pub mod access;
pub mod admin;
pub mod event_loops;
pub mod http;
pub mod lifecycle;
pub mod ports;
pub mod stdio;

mod completion;
mod connections;
mod convert;
pub mod docs;
mod hints;
mod left;
mod lines;
mod progress;
mod prompts;
mod resources;
mod traced;

/// Sent to each model once per connection. As short as possible, because every agent pays for it in tokens.
const INSTRUCTIONS: &str = "Measures and maps source code on disk: complexity, dependencies, structure. \
Every answer is about the files as they are now. Start with a folder and a small `limit`; follow `next_cursor` for more. \
`find_tools` explains one tool with examples. Pass `session_id` from `create_session` to keep results for comparison.";

/// Methods served here. A request for one of them that cannot be parsed has invalid parameters; others are unknown.
const SERVED: [&str; 11] = [
    "completion/complete",
    "initialize",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// Methods among these that a stateless revision no longer has.
const GIVEN_UP: [&str; 2] = ["initialize", "ping"];

/// Serves one connection.
pub struct Handler {
    service: Service,
    tools: Arc<[Tool]>,
    /// The session of calls without `session_id`, on an initialised connection.
    default_session: DefaultSession,
    /// Cancelled when requests must be answered `shutting_down`.
    leaving: CancellationToken,
}

impl Handler {
    pub fn new(service: Service) -> Self {
        Self {
            leaving: service.sessions.leaving(),
            service,
            tools: convert::tools(),
            default_session: DefaultSession::default(),
        }
    }

    /// A request with its own protocol version is stateless, and so is every request on a connection that was never
    /// initialised (2026-07-28): each runs in a throwaway session.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        if let Some(caller) = context.extensions.get::<Caller>() {
            let mut caller = caller.clone();
            caller.default_session.take_if(|_| is_stateless(context));
            return caller;
        }
        if let Some(parts) = context.extensions.get::<Parts>() {
            // Access control has set the principal of the request.
            let principal = parts.extensions.get::<Principal>().cloned();
            return Caller {
                principal: principal.unwrap_or_else(Principal::local),
                default_session: None,
                request: None,
            };
        }
        Caller {
            principal: Principal::local(),
            default_session: (!is_stateless(context)).then(|| self.default_session.clone()),
            request: None,
        }
    }

    /// The caller of a request other than a call; calls are counted where they run.
    fn admitted(&self, context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
        let caller = self.caller(context);
        let counted = self.service.quotas.request(&caller.principal);
        counted.map_err(|failure| resources::refused(&failure))?;
        Ok(caller)
    }

    async fn call(
        &self,
        tool: &str,
        arguments: Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let caller = self.caller(context);
        let (sink, forwarder) = progress::forward(context);
        let span = tracing::info_span!("tools/call", tool, id = %context.id);
        let mut traced = Traced::call(tool, context);
        traced.of(&caller, self.service.sessions.node());
        traced.batch(&arguments);
        if self.service.trace_arguments {
            traced.arguments(&arguments);
        }
        let session_id = arguments["session_id"].clone();
        // Not the request's own token: that one is cancelled after every answer, and an answer `shutting_down` must not
        // end the call.
        let cancel = CancellationToken::new();
        let asked = self
            .service
            .call(&caller, tool, arguments, cancel.clone(), sink)
            .instrument(span);
        let mut asked = std::pin::pin!(telemetry::traced(traced.trace(), asked));
        let answer = loop {
            tokio::select! {
                biased;
                () = self.leaving.cancelled() => {
                    Left::note(context);
                    break self.service.left(tool, session_id, &left::failure());
                }
                answer = &mut asked => break answer,
                () = context.ct.cancelled(), if !cancel.is_cancelled() => {
                    traced.cancelled();
                    cancel.cancel();
                }
            }
        };
        let done = answer.as_ref().is_ok_and(|answer| !answer.is_error);
        traced.called(&answer);
        forwarder.finish(done).await;
        match answer {
            Ok(answer) => Ok(convert::result(answer)),
            Err(unknown) => Err(unknown_tool(&unknown)),
        }
    }

    /// Runs a request other than a call, which may have to wait for a store.
    async fn unless_left<T>(
        &self,
        method: &'static str,
        context: &RequestContext<RoleServer>,
        work: impl Future<Output = Result<T, ErrorData>>,
    ) -> Result<T, ErrorData> {
        let traced = Traced::other(method, context);
        let work = telemetry::traced(traced.trace(), work);
        let done = self.unless_leaving(context, work).await;
        traced.ended(&done);
        done
    }

    async fn unless_leaving<T>(
        &self,
        context: &RequestContext<RoleServer>,
        work: impl Future<Output = Result<T, ErrorData>>,
    ) -> Result<T, ErrorData> {
        tokio::select! {
            biased;
            () = self.leaving.cancelled() => {
                Left::note(context);
                Err(resources::refused(&left::failure()))
            }
            done = work => done,
        }
    }

    /// Answers a call whose arguments are not an object like any call with invalid arguments, so that the model sees
    /// it.
    async fn call_unreadable(
        &self,
        params: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let (Some(tool), Some(arguments)) = (
            params.get("name").and_then(Value::as_str),
            params.get("arguments").filter(|value| !value.is_object()),
        ) else {
            return Err(malformed("tools/call"));
        };
        let mut result = self.call(tool, arguments.clone(), context).await?;
        if !is_stateless(context) {
            // Revisions with `initialize` do not have this field.
            result.result_type = None;
        }
        serde_json::to_value(result)
            .map(CustomResult)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}

fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    names_stateless_version(context) || context.peer.peer_info().is_none()
}

fn names_stateless_version(context: &RequestContext<RoleServer>) -> bool {
    let version = context.meta.protocol_version();
    version.is_some_and(|version| !version.has_initialize())
}

fn unknown_tool(unknown: &UnknownTool) -> ErrorData {
    let advice = match unknown.nearest {
        Some(near) => format!("did you mean {near:?}?"),
        None => "`tools/list` names all tools".to_owned(),
    };
    ErrorData::invalid_params(
        format!("{unknown}: {advice}"),
        Some(json!({"reason": "unknown_tool", "nearest": unknown.nearest})),
    )
}

/// Lists returned as a whole have no second page.
fn one_page(request: Option<PaginatedRequestParams>, what: &str) -> Result<(), ErrorData> {
    if request.is_some_and(|page| page.cursor.is_some()) {
        return Err(ErrorData::invalid_params(
            format!("the first page has all {what}: no cursor is valid"),
            None,
        ));
    }
    Ok(())
}

fn malformed(method: &str) -> ErrorData {
    let expected = match method {
        "tools/call" => "expected {name: string, arguments?: object}",
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" => {
            "expected {cursor?: string}"
        }
        "prompts/get" => "expected {name: string, arguments?: object of strings}",
        "resources/read" => "expected {uri: string}",
        "completion/complete" => {
            "expected {ref: {type: \"ref/prompt\", name} | {type: \"ref/resource\", uri}, argument: {name, value}, \
             context?: {arguments}}"
        }
        "initialize" => {
            "expected {protocolVersion: string, capabilities: object, clientInfo: {name, version}}"
        }
        _ => "see the specification of the protocol",
    };
    ErrorData::invalid_params(
        format!("the parameters of {method:?} cannot be read: {expected}"),
        None,
    )
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_title("MCP Code Analysis");
        // No `listChanged`, no `subscribe`: no change is ever announced, and `subscriptions/listen` is unknown.
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        traced::at_once("initialize", &context, || {
            context.peer.set_peer_info(request.clone());
            self.negotiate_initialize(&request)
        })
    }

    async fn discover(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        traced::at_once("server/discover", &context, || {
            let versions = self.supported_protocol_versions().into_owned();
            let mut told = DiscoverResult::from_server_info(versions, self.get_info());
            (told.ttl_ms, told.cache_scope) = hints::CATALOGUE;
            Ok(told)
        })
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        traced::at_once("tools/list", &context, || {
            one_page(request, "tools")?;
            let mut listed = ListToolsResult::with_all_items(self.tools.to_vec());
            (listed.ttl_ms, listed.cache_scope) = hints::for_peer(hints::CATALOGUE, &context);
            Ok(listed)
        })
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        self.call(&request.name, arguments, &context)
            .await
            .map(CallToolResponse::Complete)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method.as_str();
        if method == "tools/call" {
            let params = request.params.as_ref().unwrap_or(&Value::Null);
            return self.call_unreadable(params, &context).await;
        }
        let name = SERVED.into_iter().find(|served| *served == method);
        traced::at_once(name.unwrap_or(traced::OTHER), &context, || {
            let given_up = GIVEN_UP.contains(&method) && names_stateless_version(&context);
            if SERVED.contains(&method) && !given_up {
                return Err(malformed(method));
            }
            Err(ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                request.method.clone(),
                None,
            ))
        })
    }

    // === requests other than tools ===

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        traced::at_once("prompts/list", &context, || {
            one_page(request, "prompts")?;
            let mut listed = prompts::list();
            (listed.ttl_ms, listed.cache_scope) = hints::for_peer(hints::CATALOGUE, &context);
            Ok(listed)
        })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        traced::at_once("prompts/get", &context, || {
            Ok(prompts::get(&request.name, request.arguments)?.into())
        })
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let work = async {
            let caller = self.admitted(&context)?;
            completion::complete(&self.service, &caller, request).await
        };
        self.unless_left("completion/complete", &context, work)
            .await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let work = async {
            let caller = self.admitted(&context)?;
            resources::list(&self.service, &caller, request).await
        };
        let mut listed = self.unless_left("resources/list", &context, work).await?;
        (listed.ttl_ms, listed.cache_scope) = hints::for_peer(hints::LIST, &context);
        Ok(listed)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        traced::at_once("resources/templates/list", &context, || {
            one_page(request, "templates")?;
            let mut listed = resources::templates();
            (listed.ttl_ms, listed.cache_scope) = hints::for_peer(hints::CATALOGUE, &context);
            Ok(listed)
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let work = async {
            let caller = self.admitted(&context)?;
            resources::read(&self.service, &caller, &request.uri).await
        };
        let (mut read, hint) = self.unless_left("resources/read", &context, work).await?;
        (read.ttl_ms, read.cache_scope) = hints::for_peer(hint, &context);
        Ok(read.into())
    }
}
