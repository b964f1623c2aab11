//! A real Prometheus scrapes two nodes under a small load, and runs every query of the dashboards and the alert rules.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::dashboards::panels;
use super::promql::Named;
use super::rules::rules;
use super::text;
use crate::support::node::{Client, Node, STRUCK};
use crate::support::redis::{Redis, free_port, installed};
use crate::support::{PATIENCE, Project, program};

/// The range of rates: several scrapes, which come each second.
const RANGE: &str = "15s";
/// Restarts that the panels show; too few for an alert.
const KILLS: usize = 2;
/// A receiver that is away. Traces are begun nevertheless, so that metrics have exemplars.
const RECEIVER: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1");
/// Another process may take the port first.
const TRIES: usize = 5;

/// A Prometheus on a free port, in a folder of its own, that ends with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(nodes: &[&Node]) -> Self {
        (0..TRIES)
            .find_map(|_| Self::start(nodes))
            .expect("a Prometheus")
    }

    fn start(nodes: &[&Node]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let targets: Vec<_> = nodes
            .iter()
            .map(|node| node.admin.expect("an admin port").to_string())
            .collect();
        let config = folder.path().join("prometheus.yaml");
        let targets = json!(targets);
        let scraped = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yaml]\nscrape_configs:\n\
             \x20 - job_name: mcp-code-analysis\n    static_configs: [{{targets: {targets}}}]\n"
        );
        fs::write(&config, scraped).expect("written");
        fs::write(folder.path().join("alerts.yaml"), text("otel/alerts.yaml")).expect("written");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--enable-feature=exemplar-storage", "--log.level=error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        let client = Client::of(&format!("http://{address}"));
        let mut started = Self {
            child,
            address,
            client,
            _folder: folder,
        };
        started.is_ready().then_some(started)
    }

    fn is_ready(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.child.try_wait().expect("a child of ours").is_some() {
                return false;
            }
            if TcpStream::connect(self.address).is_ok() && self.client.get("/-/ready").status == 200
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// The series of a query, now.
    fn query(&self, query: &str) -> Vec<Value> {
        let found = self.ask(&format!("query?query={}", escaped(query)));
        found["result"].as_array().expect("series").clone()
    }

    /// The traces that values of a histogram were measured in.
    fn traces(&self, histogram: &str) -> Vec<String> {
        let query = escaped(histogram);
        let found = self.ask(&format!(
            "query_exemplars?query={query}&start=0&end=9999999999"
        ));
        let series = found.as_array().expect("series").iter();
        let exemplars = series.flat_map(|series| series["exemplars"].as_array().expect("a list"));
        exemplars
            .map(|exemplar| {
                exemplar["labels"]["trace_id"]
                    .as_str()
                    .expect("a trace")
                    .to_owned()
            })
            .collect()
    }

    fn ask(&self, question: &str) -> Value {
        let query = format!("/api/v1/{question}");
        let mut answer: Value =
            serde_json::from_str(&self.client.get(&query).text()).expect("JSON");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"].take()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For a URL.
fn escaped(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// A bit of everything that the panels show: analyses of new and known files, mistakes, connections that end, sessions that
/// change their node, and an actor that is killed.
fn load(nodes: &[&Node], round: usize) {
    let mut client = nodes[0].client().connected("2025-11-25");
    let session = client.good("create_session", json!({}))["data"]["session_id"].clone();
    let in_session = json!({"session_id": session});
    client.good("analyze_complexity", in_session.clone());
    client.good("analyze_structure", in_session.clone());
    client.request("tools/list", json!({}));
    let mistake = json!({"name": "analyze_complexity", "arguments": {"path": "no/such/folder"}});
    let answer = client.request("tools/call", mistake);
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(client.delete("/mcp"), 200 + 4);
    let mut other = nodes[1].client();
    other.good_stateless("analyze_dependencies", in_session);
    if round.is_multiple_of(5) && round < KILLS * 5 {
        let session = session.as_str().expect("an id");
        let kill = json!({"actor": format!("session:{session}"), "mode": "kill"});
        // It may have gone to sleep.
        nodes[1].post_admin("/admin/chaos/actors", &kill);
    }
}

/// Histograms whose panels show exemplars.
fn leading() -> BTreeSet<String> {
    let panels = panels();
    let queries = panels
        .iter()
        .filter(|panel| panel.json["targets"][0]["exemplar"] == true)
        .flat_map(|panel| panel.queries());
    let selectors = queries.flat_map(|query| Named::of(query).selectors);
    let names = selectors.map(|selector| selector.metric);
    names.filter(|name| name.ends_with("_bucket")).collect()
}

#[test]
fn every_query_of_the_dashboards_returns_a_series() {
    if !installed("prometheus") {
        return;
    }
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let (url, mut arguments) = (redis.url(), STRUCK.to_vec());
    arguments.extend(["--store", "redis", "--redis-url", &url]);
    let nodes = [(); 2].map(|()| {
        let mut command = program();
        command.env(RECEIVER.0, RECEIVER.1);
        Node::of(command, project.path(), &arguments)
    });
    let nodes = [&nodes[0], &nodes[1]];
    let prometheus = Prometheus::scraping(&nodes);
    let mut waiting: BTreeSet<(String, String)> = panels()
        .iter()
        .flat_map(|panel| {
            let title = format!("{}, {}", panel.dashboard, panel.title());
            panel
                .queries()
                .map(move |query| (title.clone(), query.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(waiting.len() > 50, "{} queries", waiting.len());
    let (started, mut round) = (Instant::now(), 0);
    while !waiting.is_empty() {
        load(&nodes, round);
        round += 1;
        std::thread::sleep(Duration::from_millis(500));
        waiting.retain(|(_, query)| {
            let query = query
                .replace("$__rate_interval", RANGE)
                .replace("$instance", ".*");
            prometheus.query(&query).is_empty()
        });
        let late = started.elapsed() > PATIENCE;
        assert!(!late, "without a series: {waiting:#?}");
    }
    for histogram in leading() {
        let traces = prometheus.traces(&histogram);
        assert!(!traces.is_empty(), "{histogram} leads to no trace");
        assert!(traces.iter().all(|trace| trace.len() == 32), "{traces:?}");
    }
    for rule in rules() {
        prometheus.query(&rule.query);
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}");
    assert_eq!(
        firing,
        [Value::Null; 0],
        "an alert fires under a small load"
    );
}
