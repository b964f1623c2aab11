//! One JSON-RPC message per line, over any two byte streams. Unlike the library's transport, every line gets an answer:
//! a line that is not JSON, not a message, or too long is answered with an error. The end of either stream is reported at
//! once.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, GetMeta, JsonRpcMessage, ProtocolVersion,
    RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest line read: far longer than any call (arguments are limited to 64 KiB), and still harmless.
pub(super) const MAX_LINE_BYTES: usize = 4 << 20;
/// Most messages in one batch (revision 2025-03-26).
const MAX_BATCH: usize = 100;
/// After a long line, the buffer shrinks to this size.
const KEPT_LINE_BYTES: usize = 64 << 10;

pub(super) struct Lines<R, W> {
    reader: BufReader<R>,
    /// The bytes of an unfinished line: `receive` may be dropped between any two reads.
    line: Vec<u8>,
    /// True while the rest of a too long line is skipped.
    discarding: bool,
    /// Messages of the last line that have not been returned yet.
    ready: VecDeque<Incoming>,
    /// An error answer being written, in its own task because `receive` may be dropped meanwhile.
    answering: Option<JoinHandle<()>>,
    output: Output<W>,
    /// The client has opened the connection (`initialize`, or a self-contained request). Before that, notifications are
    /// skipped, because the library would disconnect.
    opened: bool,
}

/// The writing half. Only whole lines are written; after a partial one the stream is closed.
struct Output<W> {
    writer: Arc<Mutex<Option<W>>>,
    /// Cancelled when reading or writing fails, or when the program should stop.
    ended: CancellationToken,
}

enum Incoming {
    Message(Box<ClientJsonRpcMessage>),
    /// An error answer, with the id of the request if it could be read.
    Fault(ErrorData, Option<RequestId>),
}

enum Line {
    Whole,
    TooLong,
    End,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn new(reader: R, writer: W, ended: CancellationToken) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            discarding: false,
            ready: VecDeque::new(),
            answering: None,
            output: Output {
                writer: Arc::new(Mutex::new(Some(writer))),
                ended,
            },
            opened: false,
        }
    }

    async fn next(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(answering) = &mut self.answering {
                // A failed task has logged the reason; reading continues.
                let _ = answering.await;
                self.answering = None;
            }
            match self.ready.pop_front() {
                Some(Incoming::Message(message)) => {
                    if self.admits(&message) {
                        return Some(*message);
                    }
                }
                Some(Incoming::Fault(error, id)) => {
                    let answer = self.output.write(&JsonRpcMessage::error(error, id));
                    self.answering = Some(tokio::spawn(async move {
                        if let Err(error) = answer.await {
                            tracing::debug!(%error, "an error answer was not written");
                        }
                    }));
                }
                None => match self.read_line().await {
                    Ok(Line::Whole) => self.take_line(),
                    Ok(Line::TooLong) => self.ready.push_back(Incoming::Fault(too_long(), None)),
                    Ok(Line::End) => return None,
                    Err(error) => {
                        tracing::info!(%error, "cannot read from the client: its connection ends");
                        return None;
                    }
                },
            }
        }
    }

    /// Reads until a line is complete. Safe to drop: bytes already read stay in `self.line`.
    async fn read_line(&mut self) -> io::Result<Line> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(Line::End);
            }
            let newline = memchr::memchr(b'\n', available);
            let taken = newline.map_or(available.len(), |at| at + 1);
            let fits = self.line.len() + taken <= MAX_LINE_BYTES;
            if !self.discarding && fits {
                self.line.extend_from_slice(&available[..taken]);
            }
            self.reader.consume(taken);
            let was_discarding = self.discarding;
            if !was_discarding && !fits {
                self.line = Vec::new();
                self.discarding = newline.is_none();
                return Ok(Line::TooLong);
            }
            if newline.is_none() {
                continue;
            }
            self.discarding = false;
            if !was_discarding {
                return Ok(Line::Whole);
            }
        }
    }

    fn take_line(&mut self) {
        let line = self.line.trim_ascii();
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        if !line.is_empty() {
            read_messages(line, &mut self.ready);
        }
        self.line.clear();
        self.line.shrink_to(KEPT_LINE_BYTES);
    }

    /// Returns false for messages on which the library would disconnect.
    fn admits(&mut self, message: &ClientJsonRpcMessage) -> bool {
        if self.opened {
            return true;
        }
        let JsonRpcMessage::Request(request) = message else {
            tracing::debug!("skipped a notification before the first request");
            return false;
        };
        self.opened = opens(&request.request);
        true
    }
}

/// True if the library leaves its opening phase after this request.
fn opens(request: &ClientRequest) -> bool {
    if matches!(request, ClientRequest::InitializeRequest(_)) {
        return true;
    }
    if matches!(
        request,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_)
    ) {
        return false;
    }
    let meta = request.get_meta();
    let complete = meta
        .missing_required_keys(&ProtocolVersion::V_2026_07_28)
        .is_empty();
    let known = meta
        .protocol_version()
        .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version));
    complete && known
}

fn read_messages(line: &[u8], into: &mut VecDeque<Incoming>) {
    match serde_json::from_slice(line) {
        Ok(message) => return into.push_back(Incoming::Message(Box::new(message))),
        Err(error) if !error.is_data() => {
            return into.push_back(Incoming::Fault(no_json(&error), None));
        }
        Err(_) => {}
    }
    match serde_json::from_slice(line) {
        Ok(Value::Array(batch)) if batch.is_empty() || batch.len() > MAX_BATCH => {
            into.push_back(Incoming::Fault(bad_batch(batch.len()), None));
        }
        Ok(Value::Array(batch)) => into.extend(batch.into_iter().filter_map(read_message)),
        Ok(value) => into.extend(read_message(value)),
        Err(error) => into.push_back(Incoming::Fault(no_json(&error), None)),
    }
}

/// `None`: an unknown notification, which the protocol says to ignore.
fn read_message(value: Value) -> Option<Incoming> {
    let has_method = value.get("method").is_some_and(Value::is_string);
    let id = value.get("id").cloned();
    if let Ok(message) = serde_json::from_value(value) {
        return Some(Incoming::Message(Box::new(message)));
    }
    match id.map(serde_json::from_value) {
        None if has_method => None,
        Some(Ok(id)) if has_method => Some(Incoming::Fault(no_params(), Some(id))),
        None | Some(_) => Some(Incoming::Fault(no_message(), None)),
    }
}

fn no_json(error: &serde_json::Error) -> ErrorData {
    ErrorData::parse_error(format!("the line is not JSON: {error}"), None)
}

fn no_message() -> ErrorData {
    ErrorData::invalid_request(
        "not a JSON-RPC 2.0 message: expected an object with jsonrpc \"2.0\", a method, and an id that is a string or a whole number",
        None,
    )
}

fn no_params() -> ErrorData {
    ErrorData::invalid_params("the parameters of a request must be an object", None)
}

fn bad_batch(messages: usize) -> ErrorData {
    ErrorData::invalid_request(
        format!("a batch of {messages} messages: send between 1 and {MAX_BATCH}"),
        None,
    )
}

fn too_long() -> ErrorData {
    ErrorData::invalid_request(
        format!("the line is longer than {MAX_LINE_BYTES} bytes and was skipped"),
        None,
    )
}

// === impl Output ===

impl<W: AsyncWrite + Send + Unpin + 'static> Output<W> {
    /// The future owns its data, so it completes even if the transport is dropped.
    fn write(
        &self,
        message: &ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + use<W> {
        let line = serde_json::to_vec(message);
        let writer = self.writer.clone();
        let ended = self.ended.clone();
        async move {
            let mut line = line?;
            line.push(b'\n');
            let mut writer = writer.lock().await;
            let stream = writer.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let written = match stream.write_all(&line).await {
                Ok(()) => stream.flush().await,
                Err(error) => Err(error),
            };
            if written.is_err() {
                // Part of a line may have been written, so nothing valid can follow.
                writer.take();
                ended.cancel();
            }
            written
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.output.write(&item)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let ended = self.output.ended.clone();
        let message = tokio::select! {
            () = ended.cancelled() => None,
            message = self.next() => message,
        };
        if message.is_none() {
            ended.cancel();
        }
        message
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.writer.lock().await.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
