//! The metrics of the program, read from its admin port as Prometheus reads them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::Project;
use crate::support::node::Node;
use reading::{Reading, scrape};

mod load;
mod reading;

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];
const OPEN: &str = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

#[test]
fn the_metrics_have_two_formats() {
    let project = Project::small();
    let node = Node::start(project.path(), &ADMIN);
    let plain = Reading::of(&node);
    let open = scrape(&node, OPEN).of_status(200);
    let kind = open.header("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
    assert_eq!(open.header("cache-control").as_deref(), Some("no-store"));
    let open = open.text();
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    let open = Reading::parse(open);
    plain.is_as_prometheus_wants();
    let names = |reading: &Reading| -> BTreeSet<String> {
        let names = reading.kinds.keys();
        names
            .map(|name| name.trim_end_matches("_total").to_owned())
            .collect()
    };
    assert_eq!(names(&plain), names(&open));
}

/// The figures that are kept elsewhere are those of the node.
#[test]
fn the_gauges_are_those_of_the_node() {
    let project = Project::small();
    let node = Node::start(project.path(), &ADMIN);
    let mut client = node.client().connected("2025-11-25");
    for _ in 0..2 {
        client.good("create_session", json!({}));
    }
    let session = client.good("create_session", json!({}))["data"]["session_id"].clone();
    client.good("analyze_structure", json!({"session_id": session}));
    let reading = Reading::of(&node);
    let (version, (memory, _)) = (env!("CARGO_PKG_VERSION"), node.memory());
    let build = format!("{{service_version=\"{version}\"}}");
    assert_eq!(reading.samples[&format!("mca_build{build}")], 1.0);
    let told = reading.sum("process_memory_usage_bytes", "");
    assert!((0.5..2.0).contains(&(told / memory as f64)), "{told}");
    let files = reading.sum("process_open_file_descriptor", "");
    let limit = reading.sum("mca_process_file_descriptor_limit", "");
    assert!(5.0 < files && files < limit, "{files} of {limit}");
    let cpu = reading.sum("process_cpu_time_seconds_total", "");
    assert!(cpu > 0.0, "{cpu}");
    assert!(reading.sum("process_uptime_seconds", "") > 0.0);
    assert!(reading.sum("mca_cache_size_bytes", "") > 1000.0);
    let state = |state: &str| reading.sum("mca_store_state", &format!("\"{state}\""));
    let states = ["ready", "returning", "away"].map(state);
    assert_eq!(states, [1.0, 0.0, 0.0], "{}", reading.text);
    let awake = reading.sum("mca_sessions", "\"awake\"");
    assert!((1.0..=3.0).contains(&awake), "{awake}");
    let calls = "{mca_permit=\"calls\"}";
    let permits = |of: &str| reading.samples[&format!("mca_permits_{of}{calls}")];
    assert_eq!((permits("used"), permits("limit")), (0.0, 1024.0));
    for kind in ["session", "registry", "cache", "pool", "persistence"] {
        let label = format!("\"{kind}\"");
        let handled = reading.sum("mca_actor_messages_total", &label);
        assert!(handled > 0.0, "{kind}: {}", reading.text);
        assert!(reading.sum("mca_actor_busy_seconds_total", &label) > 0.0);
        assert_eq!(reading.sum("mca_actor_stuck", &label), 0.0);
    }
    assert_eq!(reading.sum("mca_log_dropped_total", ""), 0.0);
}
