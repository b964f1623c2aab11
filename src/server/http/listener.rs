//! Accepts connections and serves them with a router: TCP_NODELAY, TLS if configured, a limit on connections, and
//! timeouts for slow clients. It is no actor, and ends with the drain.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::server::access::Peer;
use crate::server::event_loops::EventLoops;

/// Connections at once, if the system allows three times as many file handles. Each may hold a stream open; a team's
/// agents need far fewer.
const CONNECTIONS_MAX: usize = 4096;
/// Longest wait for the head of a request, also on an idle connection: proxies keep idle connections for a minute.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// The same, for a connection accepted while more than half of all are in use: idle ones make room for others, and a
/// proxy simply reconnects.
const CROWDED_HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for a TLS handshake.
const TLS_WITHIN: Duration = Duration::from_secs(10);
/// A peer that reads nothing for this long is gone or hostile.
const WRITE_WITHIN: Duration = Duration::from_secs(60);
/// Time to write the last answers after the drain.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);
/// Size of a request's head, enough for tokens and a proxy's cookies.
const HEAD_BYTES: usize = 32 << 10;
/// Header lines of one request.
const HEADERS_MAX: usize = 64;
/// Pause after a failed `accept`, most often for lack of file handles.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Limits of each connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    connections: usize,
    head_within: Duration,
    crowded_head_within: Duration,
    tls_within: Duration,
    write_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: connections(),
            head_within: HEAD_WITHIN,
            crowded_head_within: CROWDED_HEAD_WITHIN,
            tls_within: TLS_WITHIN,
            write_within: WRITE_WITHIN,
        }
    }
}

impl Limits {
    /// Limits for one more connection, if this many are still free.
    fn beside(self, free: usize) -> Self {
        let is_crowded = free < self.connections / 2;
        Self {
            head_within: if is_crowded {
                self.crowded_head_within
            } else {
                self.head_within
            },
            ..self
        }
    }
}

/// Raises the limit of file handles to the maximum. Each port gets a third of them for connections, so that clients
/// cannot use up the handles needed for files and the store.
fn connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let handles = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    let third = handles.map(|handles| usize::try_from(handles / 3).unwrap_or(usize::MAX));
    third.map_or(CONNECTIONS_MAX, |third| third.min(CONNECTIONS_MAX))
}

/// How the listener shuts down.
pub struct Drain {
    within: Duration,
    time_up: Box<dyn FnOnce() + Send>,
}

impl Drain {
    /// Running requests get this long to finish.
    pub fn within(within: Duration) -> Self {
        Self {
            within,
            time_up: Box::new(|| ()),
        }
    }

    /// Called when that time is over: requests that still run must be answered at once.
    pub fn then(self, time_up: impl FnOnce() + Send + 'static) -> Self {
        Self {
            time_up: Box::new(time_up),
            ..self
        }
    }
}

/// Serves until `closing`. Then it accepts nothing new, and running requests get their time to finish. The remaining
/// ones send a last answer and are disconnected.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    loops: &EventLoops,
    limits: Limits,
    closing: impl Future<Output = ()>,
    drain: Drain,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut closing = std::pin::pin!(closing);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut closing => break,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection was accepted: the server tries again");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let most = limits.connections;
            tracing::warn!(
                most,
                "too many connections: one was refused, and its client must connect again"
            );
            continue;
        };
        let limits = limits.beside(room.available_permits());
        let (tls, router, watcher) = (tls.clone(), router.clone(), graceful.watcher());
        loops.spawn(async move {
            if let Err(error) = connected(stream, tls, router, limits, watcher, permit).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let mut quiet = std::pin::pin!(graceful.shutdown());
    if tokio::time::timeout(drain.within, &mut quiet).await.is_ok() {
        return;
    }
    (drain.time_up)();
    let quiet = tokio::time::timeout(LAST_WORDS_WITHIN, quiet).await;
    if quiet.is_err() {
        tracing::info!(
            "the time for draining is over: closing the connections that are still open"
        );
    }
}

/// Not registered with a runtime yet: the loop that serves it does that.
async fn accept(listener: &TcpListener) -> io::Result<std::net::TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.into_std()
}

async fn connected(
    stream: std::net::TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) -> io::Result<()> {
    let stream = TcpStream::from_std(stream)?;
    let peer = Peer(stream.peer_addr()?.ip());
    // Otherwise an event waits some 40 ms for the acknowledgement of the one before (Nagle's algorithm).
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return answer(stream, peer, router, limits, watcher).await;
    };
    let secured = tokio::time::timeout(limits.tls_within, tls.accept(stream)).await;
    let secured = secured.map_err(io::Error::from)??;
    answer(secured, peer, router, limits, watcher).await
}

async fn answer<S>(
    stream: S,
    peer: Peer,
    router: Router,
    limits: Limits,
    watcher: Watcher,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_within));
    let service = router.map_request(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            TowerToHyperService::new(service),
        );
    watcher.watch(connection).await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
