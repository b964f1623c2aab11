//! How telemetry leaves: over HTTP and gRPC, with and without TLS, with headers; and what a receiver that is slow, away or
//! refuses costs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::receivers::{Rotel, Tap, Terminator, variables};
use crate::support::server::Server;
use crate::support::{Project, certificates, run};

/// The program ends within this time, whatever its receiver does: the bound of its last batch, and some more for a slow
/// machine.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

fn one_call(variables: &[(String, String)]) -> Duration {
    let project = Project::small();
    let arguments = ["serve", "--root", &project.path().to_string_lossy()];
    let mut server = Server::start_in(&arguments, variables);
    server.initialize("2025-11-25");
    server.good("find_tools", json!({}));
    let begun = Instant::now();
    let over = server.close();
    assert!(over.status.success(), "{}", over.stderr);
    begun.elapsed()
}

#[test]
fn spans_go_over_grpc() {
    let Some(rotel) = Rotel::start() else {
        return;
    };
    one_call(&variables(rotel.port, "grpc"));
    rotel.until("tools/call find_tools");
}

#[test]
fn spans_go_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    if !certificates::make(folder.path()) {
        return;
    }
    let (Some(rotel), Some(tap)) = (Rotel::start(), Tap::start()) else {
        return;
    };
    let of = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (protocol, to) in [("grpc", rotel.port), ("http/protobuf", tap.port)] {
        let Some(tls) = Terminator::before(to, folder.path()) else {
            return;
        };
        let mut variables = variables(tls.port, protocol);
        variables[0].1 = format!("https://127.0.0.1:{}", tls.port);
        variables.push(("OTEL_EXPORTER_OTLP_CERTIFICATE".to_owned(), of("ca.pem")));
        one_call(&variables);
    }
    rotel.until("tools/call find_tools");
    tap.until(|spans| {
        spans
            .iter()
            .any(|span| span.name == "tools/call find_tools")
    });
}

#[test]
fn the_command_line_exports_too() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let variables = tap.variables();
    let output = super::receivers::exporting(&variables)
        .args(["analyze", "complexity", "."])
        .current_dir(project.path())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    tap.until(|spans| {
        spans
            .iter()
            .any(|span| span.name == "execute_tool analyze_complexity")
    });
    run(project.path(), &["analyze", "complexity", "."]).ok();
}

#[test]
fn headers_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut head = [0; 4096];
        let read = stream.read(&mut head).expect("bytes");
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        String::from_utf8_lossy(&head[..read]).to_lowercase()
    });
    let mut variables = variables(port, "http/protobuf");
    variables.push(("OTEL_METRICS_EXPORTER".to_owned(), "none".to_owned()));
    variables.push((
        "OTEL_EXPORTER_OTLP_HEADERS".to_owned(),
        "authorization=Bearer%20token".to_owned(),
    ));
    one_call(&variables);
    let head = heard.join().expect("heard");
    assert!(head.starts_with("post /v1/traces "), "{head}");
    assert!(head.contains("authorization: bearer token"), "{head}");
}

#[test]
fn no_receiver_keeps_a_call_or_the_end_waiting() {
    // Away: nothing listens. Silent: it takes everything and never answers. Refusing: it answers 503.
    let away = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = away.local_addr().expect("an address").port();
    drop(away);
    assert!(one_call(&variables(port, "http/protobuf")) < ENDS_WITHIN);
    assert!(one_call(&variables(port, "grpc")) < ENDS_WITHIN);

    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    assert!(one_call(&variables(port, "http/protobuf")) < ENDS_WITHIN);

    let refusing = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = refusing.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in refusing.incoming().take(100).map_while(Result::ok) {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 65536]);
            let _ = stream
                .write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    assert!(one_call(&variables(port, "http/protobuf")) < ENDS_WITHIN);
}

#[test]
fn a_wrong_variable_is_named_at_the_start() {
    let project = Project::small();
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-code-analysis"))
        .args(["serve", "--root"])
        .arg(project.path())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
        .output()
        .expect("it ends");
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_PROTOCOL=carrier-pigeon"),
        "{said}"
    );
    assert!(said.contains("grpc or http/protobuf"), "{said}");
}
