//! `serve`: runs the server until its client or its operator ends it, or until the sessions fail.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::signals::EndRequests;
use super::{Exit, complain};
use crate::config::pid_file::PidFile;
use crate::config::{Config, Layer};
use crate::server::event_loops::EventLoops;
use crate::server::lifecycle::Lifecycle;
use crate::server::ports::Ports;
use crate::service::Service;
use crate::tools::get_server_status::{Feature, FeatureState};
use crate::{server, startup};

/// After the last connection has ended, no call needs to finish.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "\
Examples:
  mcp-code-analysis serve                                 over stdin and stdout, for the client that starts it
  mcp-code-analysis serve --root ~/code/shop              for another folder
  mcp-code-analysis serve --http 127.0.0.1:8642           for many clients, at http://127.0.0.1:8642/mcp
  mcp-code-analysis serve --http 127.0.0.1:8642 --auth-tokens tokens --admin 127.0.0.1:8643
  mcp-code-analysis serve --store redis --redis-url redis://127.0.0.1:6379

Every flag is also a variable (--redis-url: MCA_REDIS_URL) and a key of the file of --config (redis_url).";

/// Printed if stdin is a terminal, because a person has started the server.
const WAITS: &str = "\
waiting for an MCP client on stdin. A client starts this program itself: give it the command `mcp-code-analysis serve`.
  To analyse code yourself:  mcp-code-analysis analyze
  To serve over HTTP:        mcp-code-analysis serve --http 127.0.0.1:8642
  Ctrl-C ends the server.";

/// Serve MCP (Model Context Protocol): to one client over stdin and stdout, or to many over HTTP
///
/// Without --http it uses stdin and stdout, for the client that started it. With --http ADDRESS it serves Streamable
/// HTTP at /mcp, and HTTP+SSE at /sse and /messages for older clients; add --stdio for both. It reads only files below
/// --root.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    #[command(flatten)]
    pub settings: Layer,
}

/// Serves until the end. Errors are printed to stderr.
pub async fn run(mut config: Config) -> Exit {
    // Before the first message: a signal sent in answer to it already ends the server cleanly.
    let requests = match EndRequests::listen() {
        Ok(requests) => requests,
        Err(error) => {
            complain(&format!("cannot listen for signals: {error}"));
            return Exit::Internal;
        }
    };
    let lifecycle = Lifecycle::new();
    let signals = tokio::spawn(drain_on_signal(requests, lifecycle.clone()));
    let ports = match Ports::open(&config).await {
        Ok(ports) => ports,
        Err(error) => {
            complain(&error.to_string());
            return Exit::of_ports(&error);
        }
    };
    let _pid_file = match config.pid_file.take().map(PidFile::write).transpose() {
        Ok(file) => file,
        Err(error) => {
            complain(&error.to_string());
            return Exit::Config;
        }
    };
    if config.stdio && std::io::stdin().is_terminal() {
        otel::stderr::show(&format!("mcp-code-analysis: {WAITS}\n"));
    }
    // Announce the bound address, not the configured one: port 0 means any free port.
    if let (Some(http), Some(address)) = (&mut config.http, ports.http_address()) {
        http.address = address;
    }
    let started = tokio::select! {
        started = startup::start(&config) => started,
        // No client is connected yet, so no call has to finish.
        () = lifecycle.draining() => return Exit::Ok,
    };
    let service = match started {
        Ok(service) => service.with_features(transports(&config)),
        Err(error) => {
            complain(&error.to_string());
            return Exit::of_startup(&error);
        }
    };
    let loops = match EventLoops::start() {
        Ok(loops) => loops,
        Err(error) => {
            complain(&format!(
                "cannot start the threads for connections: {error}"
            ));
            return Exit::Internal;
        }
    };
    loops.watched_by(&service);
    let runtime = service.sessions.heart("runtime".to_owned(), "runtime");
    let runtime = tokio::spawn(runtime);
    let serving = serve(&config, &service, ports, &loops, lifecycle.clone());
    let exit = until_over(&service, serving).await;
    signals.abort();
    runtime.abort();
    lifecycle.stop();
    service.sessions.shutdown(SHUTDOWN_GRACE).await;
    // Dropped last: resources of the sessions may have been opened on these threads.
    drop(loops);
    exit
}

/// The transports, as features in `get_server_status`.
fn transports(config: &Config) -> Vec<Feature> {
    let feature = |name, on, why: &str| Feature {
        name,
        state: if on {
            FeatureState::Available
        } else {
            FeatureState::Off
        },
        why: if on { String::new() } else { why.to_owned() },
    };
    vec![
        feature(
            "stdio",
            config.stdio,
            "served without --http, or with --stdio",
        ),
        feature(
            "http",
            config.http.is_some(),
            "start the server with --http 127.0.0.1:8642",
        ),
        feature(
            "admin_port",
            config.admin.is_some(),
            "start the server with --admin 127.0.0.1:8643",
        ),
    ]
}

/// Serves until all transports have ended. The end of stdin also ends the ports.
async fn serve(
    config: &Config,
    service: &Service,
    ports: Ports,
    loops: &EventLoops,
    lifecycle: Lifecycle,
) -> Result<(), server::stdio::Error> {
    let ports = ports.serve(service.clone(), loops, lifecycle.clone());
    if !config.stdio {
        ports.await;
        return Ok(());
    }
    let stop = CancellationToken::new();
    let stopping = async {
        lifecycle.draining().await;
        stop.cancel();
    };
    let stdio = async {
        let served = server::stdio::serve(service.clone(), loops, stop.clone()).await;
        lifecycle.drain();
        served
    };
    let (served, (), ()) = tokio::join!(stdio, stopping, ports);
    served
}

/// Time to write the last answers after the sessions have failed.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(300);

/// Serves until the transport ends or the sessions fail. If they fail, restarts inside the process did not help, so the
/// process must be restarted. Running calls are answered `shutting_down` first.
async fn until_over<E: std::error::Error>(
    service: &Service,
    serving: impl Future<Output = Result<(), E>>,
) -> Exit {
    let mut serving = std::pin::pin!(serving);
    let failure = tokio::select! {
        served = &mut serving => match served {
            Ok(()) => return Exit::Ok,
            Err(error) => error.to_string(),
        },
        cause = service.sessions.failed() => {
            service.sessions.leave();
            // The transport does not end by itself then.
            let _ = tokio::time::timeout(LAST_WORDS_WITHIN, &mut serving).await;
            format!("the sessions failed: {cause}")
        }
    };
    complain(&failure);
    Exit::Internal
}

/// SIGTERM and Ctrl-C: finish the running calls, then end.
async fn drain_on_signal(mut requests: EndRequests, lifecycle: Lifecycle) {
    requests.recv().await;
    lifecycle.drain();
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use actors::InjectedFault;

    use super::*;

    /// More than a slow machine needs.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn service() -> Service {
        let config = Config::resolve(Layer::default(), std::iter::empty()).expect("defaults");
        startup::start(&config).await.expect("starts")
    }

    #[tokio::test]
    async fn the_process_ends_with_its_transport() {
        let service = service().await;
        let fine = async { Ok::<_, Infallible>(()) };
        assert_eq!(until_over(&service, fine).await, Exit::Ok);
        let broken = async { Err(io::Error::other("broken")) };
        assert_eq!(until_over(&service, broken).await, Exit::Internal);
        service.sessions.shutdown(SHUTDOWN_GRACE).await;
    }

    #[tokio::test]
    async fn failed_sessions_end_the_process() {
        let service = service().await;
        let never = std::future::pending::<Result<(), Infallible>>();
        assert!(service.sessions.strike("root", InjectedFault::Kill).await);
        let over = until_over(&service, never);
        let exit = tokio::time::timeout(PATIENCE, over).await;
        assert_eq!(exit, Ok(Exit::Internal));
        assert_eq!(Exit::Internal.code(), 70);
    }
}
