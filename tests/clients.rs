//! Real clients, from their registries: each lists and calls every tool.

use std::path::Path;
use std::process::Command;

use crate::support::{Project, clients_folder, skip};
use crate::tidy::root;

const SERVER: &str = env!("CARGO_BIN_EXE_mcp-code-analysis");

fn talks(interpreter: &Path, script: &str) {
    let project = Project::small();
    let output = Command::new(interpreter)
        .arg(root().join("tests/clients").join(script))
        .args([SERVER.as_ref(), project.path()])
        .env("NODE_PATH", clients_folder().join("node_modules"))
        .env("CLIENT_PACKAGES", clients_folder().join("node_modules"))
        .output()
        .expect("the client starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("called 11 of 11 tools"), "{said}");
}

#[test]
fn the_python_client_calls_every_tool() {
    let python = clients_folder().join("venv/bin/python");
    if !python.exists() {
        return skip("the Python client `mcp`");
    }
    talks(&python, "client.py");
}

#[test]
fn the_typescript_client_calls_every_tool() {
    let packages = clients_folder().join("node_modules/@modelcontextprotocol/sdk");
    let Some(node) = node().filter(|_| packages.exists()) else {
        return skip("the TypeScript client `@modelcontextprotocol/sdk`");
    };
    talks(&node, "client.mjs");
}

#[test]
fn the_newest_typescript_client_calls_every_tool() {
    let packages = clients_folder().join("node_modules/@modelcontextprotocol/client");
    let Some(node) = node().filter(|_| packages.exists()) else {
        return skip("the TypeScript client `@modelcontextprotocol/client`");
    };
    talks(&node, "client-next.mjs");
}

/// The one that `tests/run` fetched, or the one that is installed.
pub(crate) fn node() -> Option<std::path::PathBuf> {
    let fetched = clients_folder().join("node_modules/.bin/node");
    if fetched.exists() {
        return Some(fetched);
    }
    let installed = std::env::var_os("PATH")?;
    std::env::split_paths(&installed)
        .map(|folder| folder.join("node"))
        .find(|path| path.exists())
}
