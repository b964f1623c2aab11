//! The server that the official conformance suite expects: tools, prompts and resources with fixed names. Their texts
//! are in `fixture.json`, their behaviour is here. One [`Fixture`] answers one request, like the program's handler.
#![expect(
    deprecated,
    reason = "scenarios of the earlier revision call methods that the later one removed"
)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities,
    CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, LoggingLevel, LoggingMessageNotificationParam,
    PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig, ServerRequest,
    SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::rounds::{self, Outcome};

/// Interval between two messages of the slow tools.
const STEP: Duration = Duration::from_millis(50);

pub(super) static TEXTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("fixture.json")).expect("JSON"));

/// State shared between requests.
#[derive(Default)]
pub(super) struct Changes {
    tools: watch::Sender<u64>,
    prompts: watch::Sender<u64>,
}

pub(super) struct Fixture {
    changes: Arc<Changes>,
    tools: watch::Receiver<u64>,
    prompts: watch::Receiver<u64>,
}

impl Fixture {
    /// Subscribes to all changes from now on.
    pub(super) fn new(changes: &Arc<Changes>) -> Self {
        Self {
            changes: Arc::clone(changes),
            tools: changes.tools.subscribe(),
            prompts: changes.prompts.subscribe(),
        }
    }
}

type Context = RequestContext<RoleServer>;

/// Converts a part of the texts to a type of the library.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// A complete result; the library drops the fields that earlier revisions do not have.
fn whole<T: DeserializeOwned>(mut result: Value) -> T {
    result["resultType"] = json!("complete");
    read(&result)
}

fn text(text: String) -> CallToolResult {
    whole(json!({"content": [{"type": "text", "text": text}]}))
}

fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

// === tools ===

/// Sends the client a request while the call runs, and returns its answer.
async fn ask(context: &Context, method: &str, params: Value) -> Result<String, ErrorData> {
    let question: ServerRequest = read(&json!({"method": method, "params": params}));
    let answer = context
        .peer
        .send_request(question)
        .await
        .map_err(internal)?;
    serde_json::to_string(&answer).map_err(internal)
}

async fn log(context: &Context) -> Result<CallToolResult, ErrorData> {
    let said = [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ];
    // Since 2026-07-28 each request sets its log level; before, a connection gets everything from `info` on.
    let wanted = context.meta.log_level();
    let stateless = context.meta.protocol_version().is_some();
    for message in said {
        if wanted.is_some() || !stateless {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(message));
            let sent = context.peer.notify_logging_message(message).await;
            sent.map_err(internal)?;
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(text("It was logged.".to_owned()))
}

async fn progress(context: &Context) -> Result<CallToolResult, ErrorData> {
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, done).with_total(100.0);
            let sent = context.peer.notify_progress(progress).await;
            sent.map_err(internal)?;
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(text("It is done.".to_owned()))
}

fn needs_sampling(context: &Context) -> Result<CallToolResult, ErrorData> {
    if context
        .client_capabilities()
        .is_some_and(|client| client.sampling.is_some())
    {
        return Ok(text("The client samples.".to_owned()));
    }
    let needed: ClientCapabilities = read(&json!({"sampling": {}}));
    Err(ErrorData::missing_required_client_capability(needed))
}

impl Fixture {
    async fn run(
        &self,
        name: &str,
        arguments: &Value,
        context: &Context,
    ) -> Result<CallToolResult, ErrorData> {
        match name {
            "test_tool_with_logging" | "test_logging_tool" => log(context).await,
            "test_tool_with_progress" => progress(context).await,
            "test_reconnection" => {
                tokio::time::sleep(STEP).await;
                Ok(text("It took a while.".to_owned()))
            }
            "test_sampling" => {
                let content = json!({"type": "text", "text": arguments["prompt"]});
                let params = json!({
                    "messages": [{"role": "user", "content": content}], "maxTokens": 100,
                });
                let answer = ask(context, "sampling/createMessage", params).await?;
                Ok(text(format!("LLM response: {answer}")))
            }
            "test_elicitation" => {
                let fields = json!({"username": {"type": "string"}, "email": {"type": "string"}});
                let params = json!({
                    "message": arguments["message"],
                    "requestedSchema": {
                        "type": "object", "properties": fields, "required": ["username", "email"],
                    },
                });
                let answer = ask(context, "elicitation/create", params).await?;
                Ok(text(format!("User response: {answer}")))
            }
            "test_missing_capability" => needs_sampling(context),
            "test_trigger_tool_change" => {
                self.changes.tools.send_modify(|changes| *changes += 1);
                Ok(text("The tools have changed.".to_owned()))
            }
            "test_trigger_prompt_change" => {
                self.changes.prompts.send_modify(|changes| *changes += 1);
                Ok(text("The prompts have changed.".to_owned()))
            }
            _ => {
                if let Some(question) = TEXTS["questions"].get(name) {
                    let answer = ask(context, "elicitation/create", question.clone()).await?;
                    return Ok(text(format!("Elicitation completed: {answer}")));
                }
                let result = TEXTS["results"].get(name);
                result.cloned().map(whole).ok_or_else(|| {
                    ErrorData::invalid_params(format!("no tool is called {name:?}"), None)
                })
            }
        }
    }
}

// === prompts and resources ===

fn prompt(name: &str, arguments: &Value) -> Result<GetPromptResult, ErrorData> {
    let messages = TEXTS["messages"]
        .get(name)
        .ok_or_else(|| ErrorData::invalid_params(format!("no prompt is called {name:?}"), None))?;
    let mut filled = messages.to_string();
    for (argument, value) in arguments.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        filled = filled.replace(&format!("{{{argument}}}"), value);
    }
    let messages: Value = serde_json::from_str(&filled).map_err(internal)?;
    Ok(whole(json!({"messages": messages})))
}

fn resource(uri: &str) -> Option<ReadResourceResult> {
    let mut contents = TEXTS["contents"].get(uri).cloned().or_else(|| {
        let id = uri
            .strip_prefix("test://template/")?
            .strip_suffix("/data")?;
        let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
        Some(json!({"mimeType": "application/json", "text": data.to_string()}))
    })?;
    contents["uri"] = json!(uri);
    Some(whole(json!({"contents": [contents]})))
}

type Page = Option<PaginatedRequestParams>;

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities: ServerCapabilities = read(&json!({
            "tools": {"listChanged": true},
            "prompts": {"listChanged": true},
            "resources": {"subscribe": true, "listChanged": true},
            "logging": {},
            "completions": {},
        }));
        ServerConfig::new(capabilities)
    }

    async fn list_tools(&self, _: Page, _: Context) -> Result<ListToolsResult, ErrorData> {
        Ok(whole(json!({"tools": TEXTS["tools"]})))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools = TEXTS["tools"].as_array()?;
        tools.iter().find(|tool| tool["name"] == name).map(read)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let (state, answers) = (request.request_state, request.input_responses);
        if let Some(outcome) = rounds::next(&request.name, state, answers, &context)? {
            return Ok(match outcome {
                Outcome::More(needed) => needed.into(),
                Outcome::Done(answers) => text(format!("state-ok: {answers}")).into(),
            });
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let result = self.run(&request.name, &arguments, &context).await?;
        Ok(result.into())
    }

    async fn list_prompts(&self, _: Page, _: Context) -> Result<ListPromptsResult, ErrorData> {
        Ok(whole(json!({"prompts": TEXTS["prompts"]})))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let (state, answers) = (request.request_state, request.input_responses);
        if let Some(outcome) = rounds::next(&request.name, state, answers, &context)? {
            return Ok(match outcome {
                Outcome::More(needed) => needed.into(),
                Outcome::Done(_) => prompt("test_simple_prompt", &Value::Null)?.into(),
            });
        }
        let arguments = serde_json::to_value(request.arguments).map_err(internal)?;
        Ok(prompt(&request.name, &arguments)?.into())
    }

    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        Ok(whole(json!({"resources": TEXTS["resources"]})))
    }

    async fn list_resource_templates(
        &self,
        _: Page,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(whole(
            json!({"resourceTemplates": TEXTS["resourceTemplates"]}),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let found = resource(&uri).ok_or_else(|| {
            ErrorData::resource_not_found("there is no such resource", Some(json!({"uri": uri})))
        });
        Ok(found?.into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let values = vec!["test".to_owned(), "testing".to_owned()];
        let completion = CompletionInfo::new(values).map_err(internal)?;
        Ok(CompleteResult::new(completion))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    /// The library filters out what the client did not subscribe to.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let (mut tools, mut prompts) = (self.tools.clone(), self.prompts.clone());
        loop {
            let sent = tokio::select! {
                () = context.cancelled() => return Ok(()),
                Ok(()) = tools.changed() => context.sink().notify_tool_list_changed().await,
                Ok(()) = prompts.changed() => context.sink().notify_prompt_list_changed().await,
            };
            // The stream has not subscribed to this.
            drop(sent);
        }
    }
}
