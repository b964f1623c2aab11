//! A stream that is taken up again, on whichever node: what was recorded after the last event that the client got, and
//! then what follows, until the answer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actors::ids::StreamId;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::request::EVENTS_MAX;
use super::{Known, Table};

/// How often a stream that another node writes is looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Longest time that a stream is followed: beyond the deadline of any call. A node that died leaves it without an end.
const FOLLOWED_FOR: Duration = Duration::from_secs(3600);
/// A stream to which nothing was added for so long is taken for left by its node.
const SILENT_FOR: Duration = Duration::from_secs(360);

/// Where in which stream: `<stream>.<number>`.
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

/// Ends at once where there is no such stream: the client then asks anew.
pub(crate) fn follow(
    table: &Table,
    known: &Arc<Known>,
    from: EventId,
) -> mpsc::Receiver<ServerSseMessage> {
    let (client, events) = mpsc::channel(EVENTS_MAX);
    let (table, known) = (table.clone(), Arc::clone(known));
    tokio::spawn(async move {
        tokio::select! {
            () = copy(&table, &known, from, &client) => {}
            () = client.closed() => {}
            () = known.closed.cancelled() => {}
        }
    });
    events
}

async fn copy(
    table: &Table,
    known: &Known,
    from: EventId,
    client: &mpsc::Sender<ServerSseMessage>,
) {
    let EventId { stream, mut number } = from;
    let until = Instant::now() + FOLLOWED_FOR;
    let mut heard = Instant::now();
    let running = known.running_on(stream);
    if let Some(running) = &running {
        running.taken_over.cancel();
    }
    while Instant::now() < until && heard.elapsed() < SILENT_FOR {
        let more = running.as_ref().map(|running| running.written.notified());
        let Some(recorded) = table.connections().read(known.id, stream, number).await else {
            return;
        };
        for (at, bytes) in recorded.events {
            (number, heard) = (at, Instant::now());
            // Nothing but an end, or of another version: there is nothing to give.
            let Ok(message) = serde_json::from_slice(&bytes) else {
                continue;
            };
            let mut event = ServerSseMessage::from_message(message);
            event.event_id = Some(EventId { stream, number }.to_string());
            if client.send(event).await.is_err() {
                return;
            }
        }
        if recorded.ended {
            return;
        }
        // What is written between the look and the wait is found by the next look.
        match more {
            Some(more) => drop(tokio::time::timeout(LOOK_AGAIN_AFTER, more).await),
            None => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
        }
    }
}
