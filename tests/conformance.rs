//! The official MCP conformance suite: against fixture tools on the program's own stack, where everything relevant must
//! pass, and against the program itself, for the scenarios that need no fixture.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mcp_code_analysis::config::http::Names;
use mcp_code_analysis::config::{Config, Layer};
use mcp_code_analysis::server::access::{Access, Allowed, Anonymous};
use mcp_code_analysis::server::event_loops::EventLoops;
use mcp_code_analysis::server::http::{Edge, listener};
use mcp_code_analysis::server::lifecycle::Lifecycle;
use mcp_code_analysis::startup;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::clients::node;
use crate::support::node::Node;
use crate::support::{PATIENCE, Project, clients_folder, foreign, skip};
use fixture::{Changes, Fixture};

mod fixture;
mod rounds;

const SUITE: &str = "node_modules/@modelcontextprotocol/conformance/dist/index.js";

/// Characters shown of a cause: some quote complete messages.
const CAUSE_MAX: usize = 300;

/// After the suite has ended, no call runs.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// One check of the suite.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: String,
    error_message: Option<String>,
}

/// The output of the suite.
struct Report {
    /// Whether all checks that count for the revision passed.
    passed: bool,
    said: String,
    scored: Vec<String>,
    checks: BTreeMap<String, Vec<Check>>,
}

impl Report {
    /// The failed checks, except those in `forgiven`.
    fn wrong<'a>(
        &'a self,
        scenario: &'a str,
        forgiven: &'a [&str],
    ) -> impl Iterator<Item = String> + 'a {
        let checks = self.checks.get(scenario);
        let missing = checks.is_none_or(Vec::is_empty);
        let missing = missing.then(|| format!("{scenario}: nothing was looked at"));
        let failed = checks.into_iter().flatten().filter(|check| {
            let bad = matches!(check.status.as_str(), "FAILURE" | "WARNING");
            bad && !forgiven.contains(&check.id.as_str())
        });
        let failed = failed.map(move |check| {
            let cause = check.error_message.as_deref().unwrap_or_default();
            let cause: String = cause.chars().take(CAUSE_MAX).collect();
            format!("{scenario}: {}: {}: {cause}", check.id, check.status)
        });
        missing.into_iter().chain(failed)
    }
}

/// `None` if the suite is not installed.
fn examine(url: &str, revision: &str) -> Option<Report> {
    let suite = clients_folder().join(SUITE);
    let Some(node) = node().filter(|_| suite.exists()) else {
        skip("the suite `@modelcontextprotocol/conformance`");
        return None;
    };
    let results = tempfile::TempDir::new().expect("a folder");
    let mut examination = Command::new(node);
    examination
        .arg(suite)
        .args([
            "server",
            "--url",
            url,
            "--requirements",
            revision,
            "--output-dir",
        ])
        .arg(results.path());
    let output = foreign(&mut examination);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, summary) = said.split_once("=== SUMMARY ===").unwrap_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("the suite did not end: {said}\n{errors}")
    });
    let checks = checks(results.path());
    let unscored: Vec<_> = summary.lines().filter_map(unscored).collect();
    let ran = checks.keys().cloned();
    let scored = ran
        .filter(|name| !unscored.contains(&name.as_str()))
        .collect();
    Some(Report {
        passed: output.status.success(),
        scored,
        checks,
        said,
    })
}

/// `  ✓ name (why it does not count)`, in the second part of the summary.
fn unscored(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("  ")?.split_once(" (")?;
    name.split_once(' ').map(|(_, name)| name)
}

/// The results of each scenario: its folder is `server-<name>-<time>`.
fn checks(results: &Path) -> BTreeMap<String, Vec<Check>> {
    let folders = std::fs::read_dir(results).expect("results");
    folders
        .map(|folder| {
            let folder = folder.expect("a folder").path();
            let name = folder
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name");
            let name = name.strip_prefix("server-").expect("of a server");
            let time = "-2026-01-01T00-00-00-000Z".len();
            let name = name[..name.len() - time].to_owned();
            let checks = std::fs::read(folder.join("checks.json")).expect("checks");
            (name, serde_json::from_slice(&checks).expect("checks"))
        })
        .collect()
}

// === the fixture, on the program's stack ===

/// Runs the program's stack with the fixture's tools until `examined` returns.
fn with_fixture<T: Send + 'static>(examined: impl FnOnce(String) -> T + Send + 'static) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let config = Config::resolve(Layer::default(), std::iter::empty()).expect("defaults");
        let service = startup::start(&config).await.expect("a service");
        let lifecycle = Lifecycle::new();
        let changes = Arc::<Changes>::default();
        let edge = Edge::new(service.clone(), lifecycle.clone(), move || {
            Fixture::new(&changes)
        });
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = port.local_addr().expect("an address");
        let access = Access::new(Allowed::new(address, &Names::default()), Anonymous);
        let serving = tokio::spawn({
            let (router, lifecycle) = (access.protect(edge.router()), lifecycle.clone());
            async move {
                let (limits, closing) = (listener::Limits::default(), lifecycle.draining());
                let loops = EventLoops::start().expect("threads");
                listener::serve(
                    port,
                    None,
                    router,
                    &loops,
                    limits,
                    closing,
                    listener::Drain::within(DRAIN_WITHIN),
                )
                .await;
            }
        });
        lifecycle.ready();
        let url = format!("http://{address}/mcp");
        let result = tokio::task::spawn_blocking(move || examined(url)).await;
        lifecycle.drain();
        let drained = tokio::time::timeout(PATIENCE, serving).await;
        drained.expect("in time").expect("no panic");
        lifecycle.stop();
        service.sessions.shutdown(DRAIN_WITHIN).await;
        result.expect("no panic")
    })
}

/// All scenarios that count, and those that do not count yet but are about features of this server.
fn all_pass(revision: &'static str, scored: usize, beside: &[&str]) {
    let Some(report) = with_fixture(move |url| examine(&url, revision)) else {
        return;
    };
    let names = report.scored.iter().map(String::as_str);
    let wrong: Vec<_> = names
        .chain(beside.iter().copied())
        .flat_map(|name| report.wrong(name, &[]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", report.said);
    assert!(report.passed, "{}", report.said);
    assert_eq!(report.scored.len(), scored, "{}", report.said);
}

#[test]
fn the_fixture_conforms_to_november_2025() {
    let beside = [
        "server-session-lifecycle",
        "json-schema-2020-12",
        "server-sse-polling",
    ];
    all_pass("2025-11-25", 30, &beside);
}

#[test]
fn the_fixture_conforms_to_july_2026() {
    let beside = [
        "json-schema-2020-12",
        "http-header-validation",
        "http-custom-header-server-validation",
    ];
    all_pass("2026-07-28", 37, &beside);
}

// === the program itself ===

/// Scenarios that need no fixture, with their checks that do.
fn program_passes(revision: &str, scenarios: &[(&str, &[&str])]) {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let Some(report) = examine(&format!("http://{}/mcp", node.http), revision) else {
        return;
    };
    let wrong: Vec<_> = scenarios
        .iter()
        .flat_map(|(scenario, forgiven)| report.wrong(scenario, forgiven))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", report.said);
}

#[test]
fn the_program_conforms_to_november_2025() {
    // The others use tools, resources, prompts or arguments of the fixture, or need features that this server does not
    // have: sampling, elicitation, logging, subscriptions to a resource.
    program_passes(
        "2025-11-25",
        &[
            ("server-initialize", &[]),
            ("ping", &[]),
            ("tools-list", &[]),
            ("resources-list", &[]),
            ("prompts-list", &[]),
            ("server-sse-multiple-streams", &[]),
            ("dns-rebinding-protection", &[]),
            ("server-session-lifecycle", &[]),
        ],
    );
}

#[test]
fn the_program_conforms_to_july_2026() {
    // The program's tools send no requests to their client, and do not log, so scenarios about that cannot run here.
    let needs_tools = [
        "sep-2575-server-rejects-undeclared-capability",
        "sep-2575-missing-capability-http-400",
        "sep-2575-http-server-no-independent-requests-on-stream",
        "sep-2575-server-no-log-without-loglevel",
    ];
    program_passes(
        "2026-07-28",
        &[
            ("server-stateless", &needs_tools),
            ("tools-list", &[]),
            ("server-sse-multiple-streams", &[]),
            ("dns-rebinding-protection", &[]),
            ("caching", &[]),
            ("resources-list", &[]),
            ("prompts-list", &[]),
            ("sep-2164-resource-not-found", &[]),
            ("input-required-result-unsupported-methods", &[]),
            ("http-header-validation", &[]),
        ],
    );
}
