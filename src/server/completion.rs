//! Completes arguments of prompts and of resource addresses: the caller's own ids, and paths inside the roots.

use std::time::{Duration, Instant};

use otel::visible;
use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};
use serde_json::json;
use tokio::sync::Semaphore;

use super::prompts::{self, Kind};
use super::resources;
use crate::service::{Caller, Ids, Service};
use crate::workspace::Completions;

/// The maximum of the protocol.
const MAX_VALUES: usize = CompletionInfo::MAX_VALUES;
/// Longest search on disk, because a person is typing.
const WITHIN: Duration = Duration::from_millis(200);
/// After this much longer, a disk that does not answer is no longer waited for.
const DISK_GRACE: Duration = Duration::from_secs(1);
/// Searches at once, abandoned ones included: each holds a thread.
const LOOKS_AT_ONCE: usize = 8;

/// Shared by the whole process.
static LOOKS: Semaphore = Semaphore::const_new(LOOKS_AT_ONCE);

/// # Errors
/// The prompt, template or argument does not exist.
pub(super) async fn complete(
    service: &Service,
    caller: &Caller,
    request: CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let argument = &request.argument;
    let kind = kind_of(&request.r#ref, &argument.name)?;
    let begun = argument.value.as_str();
    let completion = match kind {
        Kind::Path => path(service, caller, begun).await,
        Kind::Part => info(Vec::new(), None, false),
        Kind::Session => of_ids(
            service
                .session_ids(caller, begun, MAX_VALUES)
                .await
                .map_err(|failure| resources::refused(&failure))?,
        ),
        Kind::Result => {
            let context = request.context.as_ref();
            let session = context.and_then(|context| context.get_argument("session_id"));
            let session = session.map(String::as_str);
            of_ids(service.result_ids(caller, session, begun, MAX_VALUES).await)
        }
    };
    Ok(CompleteResult::new(completion))
}

/// If nothing is found in time, the answer only says that there may be more.
async fn path(service: &Service, caller: &Caller, begun: &str) -> CompletionInfo {
    let unknown = || of_paths(Completions::default());
    let Ok(permit) = LOOKS.try_acquire() else {
        return unknown();
    };
    let (workspace, begun) = (service.workspace_of(&caller.principal), begun.to_owned());
    let look = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        workspace.complete(&begun, MAX_VALUES, Instant::now() + WITHIN)
    });
    match tokio::time::timeout(WITHIN + DISK_GRACE, look).await {
        Ok(Ok(found)) => of_paths(found),
        Ok(Err(_)) | Err(_) => unknown(),
    }
}

fn kind_of(reference: &Reference, argument: &str) -> Result<Kind, ErrorData> {
    let no_template = || {
        invalid(
            "unknown_template",
            "no such template: `resources/templates/list` names all",
        )
    };
    if let Reference::Prompt(prompt) = reference {
        return Ok(prompts::find(&prompt.name)?.argument(argument)?.kind);
    }
    let Reference::Resource(template) = reference else {
        return Err(no_template());
    };
    match (template.uri.as_str(), argument) {
        (
            resources::RESULT
            | resources::SESSION
            | resources::RESULT_PART
            | resources::SESSION_PART,
            "session_id",
        ) => Ok(Kind::Session),
        (resources::RESULT | resources::RESULT_PART, "result_id") => Ok(Kind::Result),
        // The number of parts is stated in the document itself.
        (resources::RESULT_PART | resources::SESSION_PART, "part") => Ok(Kind::Part),
        (
            resources::RESULT
            | resources::SESSION
            | resources::RESULT_PART
            | resources::SESSION_PART,
            _,
        ) => Err(invalid(
            "unknown_argument",
            "the template has no such argument: its names are in its braces",
        )),
        _ => Err(no_template()),
    }
}

fn of_ids(ids: Ids) -> CompletionInfo {
    let has_more = ids.total.is_none_or(|total| total > ids.values.len());
    info(ids.values, ids.total, has_more)
}

fn of_paths(mut found: Completions) -> CompletionInfo {
    let has_more = found.has_more();
    // Names with invisible or misleading characters are not offered.
    let before = found.values.len();
    found
        .values
        .retain(|path| visible::line(path) == path.as_str());
    let left_out = before - found.values.len();
    let total = found.total.map(|total| total - left_out);
    info(found.values, total, has_more)
}

fn info(values: Vec<String>, total: Option<usize>, has_more: bool) -> CompletionInfo {
    let mut info = CompletionInfo::default();
    info.values = values;
    info.total = total.and_then(|total| u32::try_from(total).ok());
    info.has_more = Some(has_more);
    info
}

fn invalid(reason: &str, message: &'static str) -> ErrorData {
    ErrorData::invalid_params(message, Some(json!({"reason": reason})))
}
