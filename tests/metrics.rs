//! The metrics of the program, read from its admin port as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::Project;
use crate::support::node::{Client, Node};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];
const OPEN: &str = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

/// The samples of one reading, by name and labels.
struct Reading {
    text: String,
    samples: BTreeMap<String, f64>,
    /// The kinds of the families, by name.
    kinds: BTreeMap<String, String>,
}

impl Reading {
    fn of(node: &Node) -> Self {
        let answer = scrape(node, "text/plain").of_status(200);
        let kind = answer.header("content-type").expect("a type");
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        Self::parse(answer.text())
    }

    fn parse(text: String) -> Self {
        let (mut samples, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(told) = line.strip_prefix("# TYPE ") {
                let (name, kind) = told.split_once(' ').expect("a name and a kind");
                let before = kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} is declared twice");
            } else if !line.starts_with('#') {
                let line = line.split(" # ").next().expect("the sample");
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                let before = samples.insert(series.to_owned(), value);
                assert_eq!(before, None, "{series} occurs twice");
            }
        }
        Self {
            text,
            samples,
            kinds,
        }
    }

    /// The samples of a name, by their labels.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.samples.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            let ends = labels.is_empty() || labels.starts_with('{');
            ends.then_some((labels, *value))
        })
    }

    /// The sum of the samples whose labels contain `label`.
    fn sum(&self, name: &str, label: &str) -> f64 {
        let samples = self.all(name).filter(|(labels, _)| labels.contains(label));
        samples.map(|(_, value)| value).sum()
    }

    /// The families that have samples.
    fn names(&self) -> BTreeSet<&str> {
        self.kinds.keys().map(String::as_str).collect()
    }
}

fn scrape(node: &Node, accept: &str) -> crate::support::node::Answer {
    let admin = node.admin.expect("an admin port");
    let client = Client::of(&format!("http://{admin}"));
    client.get_as("/metrics", accept)
}

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
    let files = reading.sum("process_open_file_descriptor_count", "");
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
    for name in reading.names() {
        assert!(reading.text.contains(&format!("# HELP {name} ")), "{name}");
    }
}
