//! HTTP+SSE (revision 2024-11-05): the client opens a stream at `/sse`, receives an address, and posts its messages to
//! `/messages` on any node. The stream lives on one node. If that node dies, the client opens another stream and finds
//! its sessions unchanged.

use crate::server::traced::HttpTrace;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actors::connections::{Connection, ConnectionError};
use actors::ids::{ConnectionId, Principal};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::{ServerHandler, ServiceExt};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::refusal::{not_connected, not_now, refuse};
use super::{Edge, KEEP_ALIVE, batch, body};
use crate::server::connections::stream::{MESSAGES_MAX, Pipe};
use crate::server::connections::{Known, posted};

/// Suggested retry time for a client whose messages are not accepted, or who has too many streams.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Address {
    #[serde(rename = "sessionId")]
    id: String,
}

/// `GET /sse`: a new connection, which lasts as long as the stream.
pub(super) async fn open<H: ServerHandler>(
    State(edge): State<Edge<H>>,
    Extension(principal): Extension<Principal>,
) -> Response {
    let inner = &edge.0;
    let connection = Connection {
        id: ConnectionId::random(),
        principal,
        opening: b"null".as_slice().into(),
        node: Some(inner.service.sessions.node()),
    };
    if inner.lifecycle.is_draining() {
        let message = "this node is shutting down: open the stream again on another";
        return not_now(
            StatusCode::SERVICE_UNAVAILABLE,
            message.to_owned(),
            TRY_AGAIN_AFTER,
        );
    }
    let id = connection.id;
    if let Err(error) = inner.table.connections().open(connection.clone()).await {
        return not_connected(&error);
    }
    // No await from here to the task that removes the entry, so that a client that disconnects leaves nothing behind.
    let (inbox, messages) = mpsc::channel(MESSAGES_MAX);
    let known = inner
        .table
        .remember(Known::new(&connection, None, Some(inbox)));
    let (pipe, events) = Pipe::new(known.caller(None), messages);
    let left = CancellationToken::new();
    let guard = left.clone().drop_guard();
    tokio::spawn(serve(edge.clone(), known, pipe, left));
    respond(Outgoing {
        id,
        events,
        told: false,
        _guard: guard,
    })
}

/// Runs until the client disconnects or closes, or the node drains and all answers are sent.
async fn serve<H: ServerHandler>(
    edge: Edge<H>,
    known: Arc<Known>,
    pipe: Pipe,
    left: CancellationToken,
) {
    let inner = &edge.0;
    let owed = pipe.owed();
    let calls = known.closed.child_token();
    let running = async {
        match (inner.handler)().serve_with_ct(pipe, calls.clone()).await {
            // The result is not needed.
            Ok(running) => drop(running.waiting().await),
            Err(error) => tracing::debug!(%error, "a stream ended before it was initialised"),
        }
    };
    let drained = async {
        inner.closing.cancelled().await;
        owed.nothing().await;
    };
    tokio::select! {
        () = running => {}
        () = inner.table.until_over(&known) => {}
        () = left.cancelled() => {}
        () = drained => {}
    }
    calls.cancel();
    inner.table.forget(known.id);
    inner.table.connections().close(known.id).await;
}

struct Outgoing {
    id: ConnectionId,
    events: mpsc::Receiver<ServerJsonRpcMessage>,
    told: bool,
    /// Dropped when the client disconnects.
    _guard: DropGuard,
}

fn respond(outgoing: Outgoing) -> Response {
    let mut response = Response::new(Body::from_stream(events(outgoing)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn events(outgoing: Outgoing) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(outgoing, |mut outgoing| async move {
        if !outgoing.told {
            outgoing.told = true;
            let event = format!(
                "event: endpoint\ndata: /messages?sessionId={}\n\n",
                outgoing.id
            );
            return Some((Ok(event.into()), outgoing));
        }
        let event = match tokio::time::timeout(KEEP_ALIVE, outgoing.events.recv()).await {
            Err(_silent) => Bytes::from_static(b": alive\n\n"),
            Ok(message) => event(&message?)?,
        };
        Some((Ok(event), outgoing))
    })
}

pub(super) fn event(message: &ServerJsonRpcMessage) -> Option<Bytes> {
    let mut event = b"event: message\ndata: ".to_vec();
    serde_json::to_writer(&mut event, message).ok()?;
    event.extend_from_slice(b"\n\n");
    Some(event.into())
}

/// `POST /messages?sessionId=…`: accepted by the node that holds the stream, where the answer will appear.
pub(super) async fn take<H: ServerHandler>(
    State(edge): State<Edge<H>>,
    Extension(principal): Extension<Principal>,
    trace: Option<Extension<HttpTrace>>,
    address: Result<Query<Address>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(Query(Address { id })) = address else {
        let message = "name the stream: POST to the address that `/sse` gave";
        return refuse(StatusCode::BAD_REQUEST, message.to_owned());
    };
    if !is_json(&headers) {
        let message = "send messages as application/json";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message.to_owned());
    }
    let body = match body::read(body, &edge.0.room).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let messages = match batch::messages(&body.bytes) {
        Ok(messages) => messages,
        Err(unfit) => return unfit.refuse(),
    };
    let stream = match find(&edge, &id, &principal).await {
        Ok(Some(stream)) => stream,
        Ok(None) => {
            let message = "no such stream is open: GET /sse opens one";
            return refuse(StatusCode::NOT_FOUND, message.to_owned());
        }
        Err(error) => return not_connected(&error),
    };
    for mut message in messages {
        if let Some(Extension(trace)) = trace {
            message.insert_extension(trace);
        }
        if let Err(refusal) = hand_on(&edge, &stream, message).await {
            return refusal;
        }
    }
    StatusCode::ACCEPTED.into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or(kind).trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

/// The node of a stream.
enum Place {
    Here(Arc<Known>),
    There(Connection),
}

async fn find<H: ServerHandler>(
    edge: &Edge<H>,
    id: &str,
    principal: &Principal,
) -> Result<Option<Place>, ConnectionError> {
    let Ok(id) = ConnectionId::parse(id) else {
        return Ok(None);
    };
    let table = &edge.0.table;
    if let Some(known) = table.at_hand(id).filter(|known| known.inbox().is_some()) {
        return Ok((known.principal == *principal).then_some(Place::Here(known)));
    }
    let connection = table.connections().find(id).await?;
    Ok(connection
        .filter(|found| found.principal == *principal)
        .map(Place::There))
}

async fn hand_on<H: ServerHandler>(
    edge: &Edge<H>,
    place: &Place,
    message: ClientJsonRpcMessage,
) -> Result<(), Response> {
    let connection = match place {
        Place::Here(known) => {
            let taken = known
                .inbox()
                .is_some_and(|inbox| inbox.try_send(message).is_ok());
            return if taken { Ok(()) } else { Err(full()) };
        }
        Place::There(connection) => connection,
    };
    let (Some(node), Some(message)) = (connection.node, posted::message(&message)) else {
        let message = "this session has no HTTP+SSE stream: POST its messages to /mcp";
        return Err(refuse(StatusCode::NOT_FOUND, message.to_owned()));
    };
    match edge
        .0
        .table
        .connections()
        .post(node, connection.id, message)
        .await
    {
        Ok(true) => Ok(()),
        Ok(false) => Err(full()),
        Err(error) => {
            tracing::debug!(%error, %node, "a message was not forwarded to the node of its stream");
            let message = "the node that has the stream does not answer: GET /sse opens another";
            Err(not_now(
                StatusCode::SERVICE_UNAVAILABLE,
                message.to_owned(),
                TRY_AGAIN_AFTER,
            ))
        }
    }
}

fn full() -> Response {
    let message = "the stream accepts no more messages now";
    not_now(
        StatusCode::SERVICE_UNAVAILABLE,
        message.to_owned(),
        TRY_AGAIN_AFTER,
    )
}
