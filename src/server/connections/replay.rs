//! Resumes a stream on any node: first the recorded events after the last one that the client has, then new ones, until
//! the answer. If the node that ran the request is gone, the request is run here.

use crate::server::traced::HttpTrace;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actors::ids::StreamId;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::request::{self, Begun, EVENTS_MAX};
use super::{Known, Running, Table, posted};

/// Interval of polling a stream that another node writes.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Longest time to follow a stream: longer than any call may run. A node that crashed leaves its streams without an
/// end.
const FOLLOWED_FOR: Duration = Duration::from_secs(3600);
/// After this silence the node that runs the request is asked whether it still does.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// After this many requests without an answer the node counts as down. If it is not, two nodes run the request: to
/// sessions both are the same call, and the first event of each number wins.
const SILENT_TIMES: u32 = 2;

/// A position in a stream: `<stream>.<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) stream: StreamId,
    pub(crate) number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stream, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (stream, number) = text.split_once('.').ok_or(())?;
        Ok(Self {
            stream: StreamId::parse(stream).map_err(|_| ())?,
            number: number.parse().map_err(|_| ())?,
        })
    }
}

/// Ends at once if there is no such stream; the client then sends its request again.
pub(crate) fn follow<H: ServerHandler>(
    table: &Table,
    known: &Arc<Known>,
    handler: Arc<dyn Fn() -> H + Send + Sync>,
    from: EventId,
) -> mpsc::Receiver<ServerSseMessage> {
    let (client, events) = mpsc::channel(EVENTS_MAX);
    let follower = Follower {
        table: table.clone(),
        known: Arc::clone(known),
        handler,
        at: from,
        silent: 0,
    };
    let closed = known.closed.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = follower.run(&client) => {}
            () = client.closed() => {}
            () = closed.cancelled() => {}
        }
    });
    events
}

struct Follower<H> {
    table: Table,
    known: Arc<Known>,
    handler: Arc<dyn Fn() -> H + Send + Sync>,
    /// The last event that the client has.
    at: EventId,
    /// How often the running node was asked without an answer.
    silent: u32,
}

impl<H: ServerHandler> Follower<H> {
    async fn run(mut self, client: &mpsc::Sender<ServerSseMessage>) {
        let until = Instant::now() + FOLLOWED_FOR;
        let mut heard = Instant::now();
        if let Some(running) = self.running() {
            running.taken_over.cancel();
        }
        while Instant::now() < until {
            let running = self.running();
            let more = running.as_ref().map(|running| running.written.notified());
            let (id, EventId { stream, number }) = (self.known.id, self.at);
            let Some(recorded) = self.table.connections().read(id, stream, number).await else {
                return;
            };
            for (number, bytes) in recorded.events {
                (self.at.number, heard, self.silent) = (number, Instant::now(), 0);
                if !self.give(&bytes, client).await {
                    return;
                }
            }
            if recorded.ended {
                return;
            }
            if running.is_none() && heard.elapsed() > ASK_AFTER {
                heard = Instant::now();
                if !self.ensure_running().await {
                    return;
                }
            }
            // Events written between the read and the wait are found by the next read.
            match more {
                Some(more) => drop(tokio::time::timeout(LOOK_AGAIN_AFTER, more).await),
                None => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
            }
        }
    }

    fn running(&self) -> Option<Running> {
        self.known.running_on(self.at.stream)
    }

    /// Returns false if the client has disconnected.
    async fn give(&self, bytes: &[u8], client: &mpsc::Sender<ServerSseMessage>) -> bool {
        // A start or end marker, or an event of another version: nothing for the client.
        let Ok(message) = serde_json::from_slice(bytes) else {
            return true;
        };
        let mut event = ServerSseMessage::from_message(message);
        event.event_id = Some(self.at.to_string());
        client.send(event).await.is_ok()
    }

    /// Asks the node that runs the request, and runs it here if that node is down. Returns false if it cannot run.
    async fn ensure_running(&mut self) -> bool {
        let (id, stream) = (self.known.id, self.at.stream);
        let begun = self.table.connections().read(id, stream, 0).await;
        let first = begun.and_then(|begun| begun.events.into_iter().next());
        let begun = first.and_then(|(_, bytes)| serde_json::from_slice::<Begun>(&bytes).ok());
        let Some(Begun {
            by,
            trace,
            mut request,
        }) = begun
        else {
            return false;
        };
        match self
            .table
            .connections()
            .post(by, id, posted::runs(stream))
            .await
        {
            Ok(true) => return true,
            Ok(false) => {}
            Err(_) => {
                self.silent += 1;
                if self.silent < SILENT_TIMES {
                    return true;
                }
            }
        }
        // If it already runs here, another client that follows the stream has started it.
        // A trace that cannot be read costs the trace, not the request.
        if let Some(trace) = trace.and_then(|trace| trace.parse().ok()) {
            request.insert_extension(HttpTrace(Some(trace)));
        }
        let handler = (self.handler)();
        request::take_over(&self.table, &self.known, handler, request, self.at);
        true
    }
}
