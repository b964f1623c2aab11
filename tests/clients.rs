//! Real clients from their registries: each lists and calls every tool over every transport it supports, receives
//! progress, and disconnects.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::support::node::Node;
use crate::support::{Project, clients_folder, foreign, skip};
use crate::tidy::root;

mod inspector;

const SERVER: &str = env!("CARGO_BIN_EXE_mcp-code-analysis");

/// The calls and transports that a script reports, in order, and the revision if the client reports it.
fn talks(interpreter: &Path, script: &str, spoken: &[&str]) {
    let project = busy_project();
    let mut node = Node::start(project.path(), &[]);
    let mut client = Command::new(interpreter);
    client
        .arg(root().join("tests/clients").join(script))
        .args([SERVER.as_ref(), project.path()])
        .arg(format!("http://{}", node.http))
        .env("CLIENT_PACKAGES", packages());
    let output = foreign(&mut client);
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    let wanted: Vec<_> = spoken
        .iter()
        .map(|how| format!("{how}: called 11 of 11 tools"))
        .collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), wanted, "{complaints}");
    // The client has no complaint about open connections.
    assert!(!complaints.contains("failed"), "{complaints}");
    node.signal(Signal::TERM);
    assert!(node.over().success(), "{}", node.log());
}

/// Enough work for progress reports: some clients drop progress that arrives with the answer.
fn busy_project() -> Project {
    let function = "def f(a, b):\n    if a and b:\n        return a\n    return b\n\n\n";
    let project = Project::small();
    for file in 0..8 {
        project.write(&format!("busy/m{file}.py"), function.repeat(300).as_bytes());
    }
    project
}

fn packages() -> PathBuf {
    clients_folder().join("node_modules")
}

#[test]
fn the_python_client_calls_every_tool() {
    let python = clients_folder().join("venv/bin/python");
    if !python.exists() {
        return skip("the Python client `mcp`");
    }
    let spoken = [
        "stdio 2025-11-25",
        "http 2025-11-25",
        "stdio 2026-07-28",
        "http 2026-07-28",
        "sse 2025-11-25",
    ];
    talks(&python, "client.py", &spoken);
}

#[test]
fn the_typescript_client_calls_every_tool() {
    let package = packages().join("@modelcontextprotocol/sdk");
    let Some(node) = node().filter(|_| package.exists()) else {
        return skip("the TypeScript client `@modelcontextprotocol/sdk`");
    };
    talks(&node, "client.mjs", &["stdio", "http", "sse"]);
}

#[test]
fn the_newest_typescript_client_calls_every_tool() {
    let package = packages().join("@modelcontextprotocol/client");
    let Some(node) = node().filter(|_| package.exists()) else {
        return skip("the TypeScript client `@modelcontextprotocol/client`");
    };
    let spoken = [
        "stdio 2025-11-25",
        "http 2025-11-25",
        "stdio 2026-07-28",
        "http 2026-07-28",
        "stdio 2026-07-28",
        "http 2026-07-28",
        "sse 2025-11-25",
    ];
    talks(&node, "client-next.mjs", &spoken);
}

/// A stored result of more than 1 MiB, which the Python client does not read in one message.
fn reads_large(interpreter: &Path, script: &str, package: Option<&str>, spoken: &[&str]) {
    /// Functions of the project; together they are more than 1.1 MB. A debug build takes minutes for more over HTTP.
    const ROWS: usize = 300 * LARGE_FILES;
    let project = Project::large(LARGE_FILES);
    let mut node = Node::start(project.path(), &[]);
    let mut client = Command::new(interpreter);
    client
        .arg(root().join("tests/clients").join(script))
        .args([SERVER.as_ref(), project.path()])
        .arg(format!("http://{}", node.http))
        .args(package)
        .env("CLIENT_PACKAGES", packages());
    let output = foreign(&mut client);
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    let wanted: Vec<_> = (spoken.iter())
        .map(|how| format!("{how}: read {ROWS} rows"))
        .collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), wanted, "{complaints}");
    node.signal(Signal::TERM);
    assert!(node.over().success(), "{}", node.log());
}

/// Files of the project whose complete result is large but still stored.
const LARGE_FILES: usize = 7;

#[test]
fn the_python_client_reads_a_large_result() {
    let python = clients_folder().join("venv/bin/python");
    if !python.exists() {
        return skip("the Python client `mcp`");
    }
    let spoken = [
        "stdio 2025-11-25",
        "http 2025-11-25",
        "http 2026-07-28",
        "sse 2025-11-25",
    ];
    reads_large(&python, "large.py", None, &spoken);
}

#[test]
fn the_typescript_clients_read_a_large_result() {
    for package in ["@modelcontextprotocol/sdk", "@modelcontextprotocol/client"] {
        let Some(node) = node().filter(|_| packages().join(package).exists()) else {
            return skip(&format!("the TypeScript client `{package}`"));
        };
        reads_large(&node, "large.mjs", Some(package), &["stdio", "http", "sse"]);
    }
}

/// The Node that `tests/run` fetched, or the installed one.
pub(crate) fn node() -> Option<PathBuf> {
    let fetched = packages().join(".bin/node");
    if fetched.exists() {
        return Some(fetched);
    }
    let installed = std::env::var_os("PATH")?;
    std::env::split_paths(&installed)
        .map(|folder| folder.join("node"))
        .find(|path| path.exists())
}
