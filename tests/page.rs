//! The page of the admin port in a real browser, over the port of the real program. `tests/clients/page.mjs` checks it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::clients::node;
use crate::support::node::{Node, STRUCK};
use crate::support::redis::Redis;
use crate::support::{Project, foreign, skip};
use crate::tidy::root;

const CHECKS: [&str; 9] = [
    "shows the node",
    "shows a restart",
    "says what is stuck",
    "fits a phone",
    "is light and dark",
    "is usable by keyboard",
    "says when it is old",
    "shows foreign text as text",
    "runs no foreign script",
];

#[test]
fn the_page_works_in_a_browser() {
    let Some(redis) = Redis::good() else { return };
    let (Some(browser), Some(node)) = (browser(), node()) else {
        return skip("the browser `chromium`, or Node");
    };
    let project = Project::small();
    let server = Node::on(&redis, project.path(), &STRUCK);
    let mut client = server.client();
    let made = client.good_stateless("create_session", json!({}));
    let session = made["data"]["session_id"].as_str().expect("an id");
    let arguments = json!({"session_id": session, "limit": 1});
    client.good_stateless("analyze_complexity", arguments);
    let unknown = json!({"session_id": format!("ses_{}", "0".repeat(31) + "1")});
    let call = json!({"name": "get_session", "arguments": unknown});
    client.stateless("tools/call", call);

    let admin = server.admin.expect("an admin port");
    let mut checks = Command::new(node);
    checks
        .arg(root().join("tests/clients/page.mjs"))
        .arg(browser)
        .arg(format!("http://{admin}"));
    let output = foreign(&mut checks);
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    assert_eq!(said.lines().collect::<Vec<_>>(), CHECKS, "{complaints}");
}

/// The installed one; `tests/run` installs it where it may.
fn browser() -> Option<PathBuf> {
    let installed = std::env::var_os("PATH")?;
    std::env::split_paths(&installed)
        .map(|folder| folder.join("chromium"))
        .find(|path| path.exists())
}
