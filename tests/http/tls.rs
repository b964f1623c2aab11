//! TLS served by the program itself.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::node::Node;
use crate::support::{Project, certificates};

/// The answer to one request through `openssl s_client`, and whether it trusts the certificate.
fn ask(node: &Node, ca: &std::path::Path, request: &str) -> Option<(bool, String)> {
    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-connect",
            &node.http.to_string(),
            "-CAfile",
        ])
        .arg(ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = client.stdin.take().expect("piped");
    // It may have exited already; its status tells.
    let _ = stdin.write_all(request.as_bytes());
    drop(stdin);
    let output = client.wait_with_output().expect("it ends");
    Some((
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ))
}

#[test]
fn requests_are_served_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    if !certificates::make(folder.path()) {
        return;
    }
    let project = Project::small();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let node = Node::start(
        project.path(),
        &["--tls-cert", &certificate, "--tls-key", &key],
    );
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    let length = body.len();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let (trusted, answer) =
        ask(&node, &folder.path().join("ca.pem"), &request).expect("openssl runs");
    assert!(trusted && answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("2025-11-25"), "{answer}");
}
