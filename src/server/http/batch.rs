//! Batches: several messages in one body (revision 2025-03-26). Each is answered as if it had been sent alone, and the
//! answers are sent on one stream as they become ready.

use actors::ids::Principal;
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::{self, BoxStream, StreamExt};
use rmcp::ServerHandler;
use rmcp::model::ClientJsonRpcMessage;
use serde_json::value::RawValue;
use thiserror::Error;

use super::Edge;
use super::refusal;
use super::streamable::{one, with_body};

/// Messages in one batch.
const BATCH_MAX: usize = 100;
/// The only revision with batches. It is assumed if the header is missing.
const REVISION: &str = "2025-03-26";
/// Size of one answer that is not a stream.
const WHOLE_ANSWER_BYTES: usize = 4 << 20;

/// Why a body is refused.
#[derive(Debug, Error)]
pub(super) enum Unfit {
    #[error("the body is not a JSON-RPC message: {0}")]
    NoMessage(#[from] serde_json::Error),
    #[error("a batch of {0} messages: send between 1 and {BATCH_MAX}")]
    Size(usize),
    #[error("only revision {REVISION} has batches: send messages one by one")]
    Revision,
    #[error("`initialize` cannot be part of a batch: send it alone")]
    Initialize,
}

pub(super) fn is_batch(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'[')
}

/// The messages of a body: a single message or a batch.
pub(super) fn messages(body: &[u8]) -> Result<Vec<ClientJsonRpcMessage>, Unfit> {
    if !is_batch(body) {
        return Ok(vec![serde_json::from_slice(body)?]);
    }
    let messages: Vec<_> = serde_json::from_slice(body)?;
    check_size(messages.len())?;
    Ok(messages)
}

fn check_size(messages: usize) -> Result<(), Unfit> {
    if messages == 0 || messages > BATCH_MAX {
        return Err(Unfit::Size(messages));
    }
    Ok(())
}

impl Unfit {
    pub(super) fn refuse(&self) -> Response {
        match self {
            Self::NoMessage(error) if !error.is_data() => refusal::no_json(self.to_string()),
            Self::NoMessage(_) | Self::Size(_) | Self::Revision | Self::Initialize => {
                refusal::refuse(StatusCode::BAD_REQUEST, self.to_string())
            }
        }
    }
}

pub(super) async fn answer<H: ServerHandler>(
    edge: &Edge<H>,
    principal: &Principal,
    parts: Parts,
    body: &[u8],
) -> Response {
    let messages = match read(&parts, body) {
        Ok(messages) => messages,
        Err(unfit) => return unfit.refuse(),
    };
    let answers = messages.iter().map(|message| {
        let message = Bytes::copy_from_slice(message.get().as_bytes());
        one(edge, principal, with_body(&parts, message))
    });
    let mut events = Vec::new();
    for answer in futures_util::future::join_all(answers).await {
        match events_of(answer).await {
            Ok(Some(more)) => events.push(more),
            Ok(None) => {}
            // The refusal concerns the connection, and so all messages.
            Err(refusal) => return refusal,
        }
    }
    let mut response = Response::new(Body::empty());
    if events.is_empty() {
        *response.status_mut() = StatusCode::ACCEPTED;
        return response;
    }
    *response.body_mut() = Body::from_stream(stream::select_all(events));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn read<'a>(parts: &Parts, body: &'a [u8]) -> Result<Vec<&'a RawValue>, Unfit> {
    let revision = parts.headers.get("mcp-protocol-version");
    if revision.is_some_and(|revision| revision != REVISION) {
        return Err(Unfit::Revision);
    }
    let messages: Vec<&RawValue> = serde_json::from_slice(body)?;
    check_size(messages.len())?;
    if messages.iter().any(|message| is_initialize(message)) {
        return Err(Unfit::Initialize);
    }
    Ok(messages)
}

fn is_initialize(message: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        method: Option<std::borrow::Cow<'a, str>>,
    }
    serde_json::from_str::<Named<'_>>(message.get())
        .is_ok_and(|message| message.method.as_deref() == Some("initialize"))
}

type Events = BoxStream<'static, Result<Bytes, axum::Error>>;

/// `None`: the message has no answer. `Err`: a refusal that applies to the whole batch.
async fn events_of(answer: Response) -> Result<Option<Events>, Response> {
    if answer.status() == StatusCode::ACCEPTED {
        return Ok(None);
    }
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is = |wanted: &str| {
        kind.and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with(wanted))
    };
    if is("text/event-stream") {
        return Ok(Some(answer.into_body().into_data_stream().boxed()));
    }
    if !is("application/json") {
        return Err(answer);
    }
    let body = http_body_util::Limited::new(answer.into_body(), WHOLE_ANSWER_BYTES);
    let Ok(body) = http_body_util::BodyExt::collect(body).await else {
        return Ok(None);
    };
    let mut event = b"data: ".to_vec();
    event.extend_from_slice(&body.to_bytes());
    event.extend_from_slice(b"\n\n");
    Ok(Some(stream::once(async { Ok(event.into()) }).boxed()))
}
