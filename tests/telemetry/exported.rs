//! What is exported in a run is on the list, and nothing else.

use std::collections::BTreeSet;

use serde_json::json;
use telemetry::list;

use super::receivers::{Tap, exporting};
use crate::support::Project;
use crate::support::node::Node;
use crate::support::redis::Redis;

/// Attributes of the process, which the SDK adds.
fn listed(key: &str) -> bool {
    list::ATTRIBUTES
        .iter()
        .any(|attribute| attribute.key() == key)
}

#[test]
fn everything_that_is_exported_is_on_the_list() {
    let (Some(redis), Some(tap)) = (Redis::good(), Tap::start()) else {
        return;
    };
    let project = Project::small();
    let url = redis.url();
    let arguments = ["--store", "redis", "--redis-url", &url];
    let mut variables = tap.variables();
    variables.push(("OTEL_LOGS_EXPORTER".to_owned(), "otlp".to_owned()));
    let mut node = Node::of(exporting(&variables), project.path(), &arguments);
    let mut client = node.client().connected("2025-11-25");
    for tool in [
        "analyze_complexity",
        "analyze_structure",
        "analyze_dependencies",
        "get_server_status",
        "find_tools",
    ] {
        client.good(tool, json!({}));
    }
    client.request("tools/list", json!({}));
    client.request("resources/list", json!({}));
    node.signal(rustix::process::Signal::TERM);
    assert!(node.over().success(), "{}", node.log());
    let spans = tap.until(|spans| {
        spans
            .iter()
            .any(|span| span.name == "tools/call find_tools")
    });
    for span in &spans {
        let kind = list::SPANS.iter().any(|listed| {
            let name = listed.name();
            name.is_empty() || span.name == name || span.name.starts_with(&format!("{name} "))
        });
        assert!(kind, "{span:?}");
        for key in span.attributes.keys() {
            assert!(listed(key), "{key} of {span:?}");
        }
        for event in &span.events {
            assert!(
                list::EVENTS.iter().any(|known| known.name() == event),
                "{event}"
            );
        }
    }
    let known: BTreeSet<_> = list::METRICS
        .iter()
        .map(|metric| metric.name().to_owned())
        .collect();
    let exported = tap.metrics();
    assert!(
        exported.contains("mcp.server.operation.duration"),
        "{exported:?}"
    );
    assert!(
        exported.contains("db.client.operation.duration"),
        "{exported:?}"
    );
    let unknown: Vec<_> = exported.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let logs = tap.logs();
    assert!(
        logs.iter().any(|(body, _)| body.contains("is served")),
        "{logs:?}"
    );
}

#[test]
fn a_trace_that_is_not_sampled_exports_nothing_and_the_client_decides() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let root = project.path().to_string_lossy();
    let mut variables = tap.variables();
    variables.push((
        "OTEL_TRACES_SAMPLER".to_owned(),
        "parentbased_always_off".to_owned(),
    ));
    let mut server =
        crate::support::server::Server::start_in(&["serve", "--root", &root], &variables);
    server.initialize("2025-11-25");
    server.good("find_tools", json!({}));
    let meta = json!({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
    server.request(
        "tools/call",
        json!({"name": "find_tools", "arguments": {}, "_meta": meta}),
    );
    assert!(server.close().status.success());
    let spans = tap.until(|spans| !spans.is_empty());
    assert!(
        spans
            .iter()
            .all(|span| span.trace == "4bf92f3577b34da6a3ce929d0e0e4736"),
        "{spans:?}"
    );
}

#[test]
fn without_traces_no_line_names_one() {
    let Some(tap) = Tap::start() else { return };
    let project = Project::small();
    let mut variables = tap.variables();
    variables.push(("OTEL_TRACES_EXPORTER".to_owned(), "none".to_owned()));
    let arguments = [
        "serve",
        "--log",
        "debug",
        "--root",
        &project.path().to_string_lossy(),
    ];
    let mut server = crate::support::server::Server::start_in(&arguments, &variables);
    server.initialize("2025-11-25");
    server.good("analyze_complexity", json!({}));
    let over = server.close();
    assert!(tap.metrics().contains("mcp.server.operation.duration"));
    assert!(!over.stderr.contains("trace_id"), "{}", over.stderr);
    assert!(tap.spans().is_empty());
}
