//! Attacks by strangers and by other principals, on every route of both ports. Each attempt is answered or its
//! connection closed, and well-behaved clients are served meanwhile.

use std::net::SocketAddr;

use crate::support::Project;
use crate::support::node::{Client, Node};
use crate::support::redis::Redis;
use crate::support::wire::{self, Reply};

mod floods;
mod memory;
mod names;
mod neighbours;
mod paths;
mod secrets;
mod shapes;
mod slow;
mod tokens;

/// Principals, their tokens, and what `printf %s TOKEN | sha256sum` prints.
const ALICE: (&str, &str) = (
    "alice-opens-sesame",
    "alice: 94434b3d3a0d8372da14897b05c520cd06b149f233c525d1396934b88c644eb1\n",
);
const BOB: (&str, &str) = (
    "bob-opens-sesame",
    "bob: faef7dc7dfb9927e68819f4e81dedf086aa7b3691ae1e85a81635d6edc559b2d\n",
);
const OPERATOR: (&str, &str) = (
    "operator-opens-sesame",
    "operator: 90a0342400c685f26554030c684afe30aa9369e9fd0ff244b7db2117526d95c3\n",
);

/// Headers that a client of `/mcp` sends with each message.
const USUAL: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
];
/// A name that every server on this machine accepts.
const HOME: (&str, &str) = ("host", "localhost");
const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// Every route of the MCP port with every method it supports, and one that does not exist.
const MCP_ROUTES: [(&str, &str); 9] = [
    ("POST", "/mcp"),
    ("GET", "/mcp"),
    ("DELETE", "/mcp"),
    ("GET", "/sse"),
    ("HEAD", "/sse"),
    (
        "POST",
        "/messages?sessionId=con_00000000000000000000000000000000",
    ),
    ("GET", "/.well-known/oauth-protected-resource"),
    ("GET", "/"),
    ("PUT", "/nothing/../mcp"),
];
/// Routes of the admin port that require a token.
const ADMIN_ROUTES: [(&str, &str); 7] = [
    ("GET", "/admin/actors"),
    ("GET", "/admin/sessions"),
    ("GET", "/admin/store"),
    ("DELETE", "/admin/cache"),
    ("POST", "/admin/chaos/actors"),
    ("GET", "/"),
    ("GET", "/mcp"),
];
/// Routes of the admin port without a token.
const PROBES: [(&str, &str); 2] = [("GET", "/healthz"), ("GET", "/readyz")];

/// A server with two principals and an operator, with the most verbose log.
struct Team {
    node: Node,
    project: Project,
    _files: tempfile::TempDir,
}

impl Team {
    fn start(arguments: &[&str]) -> Self {
        Self::over(Project::small(), arguments)
    }

    fn over(project: Project, arguments: &[&str]) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: String| {
            let path = files.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.to_string_lossy().into_owned()
        };
        let tokens = write("tokens", format!("{}{}", ALICE.1, BOB.1));
        let admin = write("admin", OPERATOR.1.to_owned());
        let usual = [
            "--auth-tokens",
            &tokens,
            "--admin",
            "127.0.0.1:0",
            "--admin-token-file",
            &admin,
        ];
        let node = Node::start(project.path(), &[&usual, arguments].concat());
        Self {
            node,
            project,
            _files: files,
        }
    }

    /// Two nodes over one Redis, with the same principals.
    fn pair() -> Option<(Redis, Self, Self)> {
        let redis = Redis::good()?;
        let url = redis.url();
        let start = || Self::start(&["--store", "redis", "--redis-url", &url]);
        let (one, two) = (start(), start());
        Some((redis, one, two))
    }

    fn admin(&self) -> SocketAddr {
        self.node.admin.expect("asked for")
    }

    fn client(&self, who: (&str, &str)) -> Client {
        self.node.client().with("authorization", &bearer(who))
    }

    /// A well-behaved client is still served.
    fn still_serves(&self) {
        let mut alice = self.client(ALICE).connected("2025-06-18");
        alice.good("analyze_structure", serde_json::json!({"limit": 1}));
        assert_eq!(alice.delete("/mcp"), 204);
    }
}

fn bearer((token, _): (&str, &str)) -> String {
    format!("Bearer {token}")
}

/// Sends one request and expects one answer; `headers` are sent in addition to the usual ones.
fn ask(to: SocketAddr, (method, target): (&str, &str), headers: &[(&str, &str)]) -> Reply {
    let headers = [&USUAL, headers].concat();
    let body = if method == "POST" { PING } else { b"" };
    let reply = wire::exchange(to, &wire::request(method, target, &headers, body));
    reply.unwrap_or_else(|| panic!("no answer to {method} {target} {headers:?}"))
}

/// A refusal is meant for the client: JSON, with a JSON-RPC error and advice.
fn refused(reply: &Reply, status: u16, what: &str) -> String {
    assert_eq!(reply.status, status, "{what}: {reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), None, "{what}");
    if reply.body.is_empty() {
        // The answer to a `HEAD` has no body.
        return String::new();
    }
    assert_eq!(
        reply.header("content-type"),
        Some("application/json"),
        "{what}"
    );
    let said = reply.json();
    assert_eq!(said["jsonrpc"], "2.0", "{what}: {said}");
    let message = said["error"]["message"].as_str().unwrap_or_default();
    assert!(message.len() > 20, "{what}: {said}");
    message.to_owned()
}
