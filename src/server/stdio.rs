//! MCP over stdin and stdout, with one client.

use std::time::{Duration, Instant};

use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};
use rmcp::transport::stdio_pipes;
use telemetry::list::metric::ConnectionDuration;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::Handler;
use super::event_loops::EventLoops;
use super::lines::Lines;
use crate::service::Service;

/// How long calls may run after the client closed its stream: enough for `printf … | mcp-code-analysis serve` to get an
/// answer, short enough not to leave an orphan process.
const GRACE_AFTER_END: Duration = Duration::from_millis(500);
/// How long calls may run after a stop signal: service managers kill after 10 s at the earliest.
const GRACE_AFTER_STOP: Duration = Duration::from_secs(3);
/// Time to write the answers of calls that did not finish.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// The connection failed, rather than being ended by its client or operator.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the connection could not be opened: {0}")]
    Open(#[source] Box<ServerInitializeError>),
    #[error("the connection's own task died: {0}")]
    Died(String),
}

/// Serves until the client closes stdin, writing fails, or `stop` is cancelled. Running calls then get a grace period.
/// After it, a stopped program answers them `shutting_down`; if the client disconnected, they are cancelled.
///
/// # Errors
/// A fault of the server itself; a client that disconnects is no error.
pub async fn serve(
    service: Service,
    loops: &EventLoops,
    stop: CancellationToken,
) -> Result<(), Error> {
    let served = loops.spawn(serve_here(service, stop)).await;
    served.map_err(|error| Error::Died(error.to_string()))?
}

async fn serve_here(service: Service, stop: CancellationToken) -> Result<(), Error> {
    let (reader, writer) = stdio_pipes();
    let ended = CancellationToken::new();
    let calls = CancellationToken::new();
    let lines = Lines::new(reader, writer, ended.clone());
    let mut handler = Handler::new(service);
    // A child token: calls over HTTP may run longer.
    handler.leaving = handler.leaving.child_token();
    let watch = tokio::spawn(watch(stop, ended, handler.leaving.clone(), calls.clone()));
    let opened = Instant::now();
    let outcome = run(handler, lines, calls).await;
    ConnectionDuration {
        transport: "pipe",
        error: match outcome {
            Ok(()) => "",
            Err(_) => "failed",
        },
    }
    .record(opened.elapsed().as_secs_f64());
    watch.abort();
    outcome
}

/// Ends the remaining calls after a grace period.
async fn watch(
    stop: CancellationToken,
    ended: CancellationToken,
    leaving: CancellationToken,
    calls: CancellationToken,
) {
    let last = tokio::select! {
        () = ended.cancelled() => GRACE_AFTER_END,
        () = stop.cancelled() => {
            ended.cancel();
            tokio::time::sleep(GRACE_AFTER_STOP).await;
            leaving.cancel();
            LAST_WORDS_WITHIN
        }
    };
    tokio::time::sleep(last).await;
    calls.cancel();
}

async fn run<T>(handler: Handler, transport: T, calls: CancellationToken) -> Result<(), Error>
where
    T: rmcp::transport::Transport<rmcp::RoleServer, Error = std::io::Error> + 'static,
{
    let running = match handler.serve_with_ct(transport, calls).await {
        Ok(running) => running,
        Err(error) => return opening_failed(error),
    };
    match running.waiting().await {
        Ok(QuitReason::JoinError(error)) => Err(Error::Died(error.to_string())),
        Ok(_) => Ok(()),
        Err(error) => Err(Error::Died(error.to_string())),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's own list, which may grow"
)]
fn opening_failed(error: ServerInitializeError) -> Result<(), Error> {
    match error {
        // The client disconnected or the program was stopped before the first request.
        ServerInitializeError::ConnectionClosed(_)
        | ServerInitializeError::Cancelled
        | ServerInitializeError::TransportError { .. } => Ok(()),
        other => Err(Error::Open(Box::new(other))),
    }
}
