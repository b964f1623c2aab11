//! The dashboards of Grafana.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::promql::unknown;
use super::{text, yaml};
use crate::support::foreign;
use crate::support::redis::installed;
use crate::tidy::root;

/// The files, and the titles in them.
pub(super) const ALL: [(&str, &str); 4] = [
    ("service", "Service"),
    ("sessions", "Sessions"),
    ("redis", "Redis"),
    ("analysis", "Analysis"),
];
/// Sentences of a description: what to look for, and a remark.
const SENTENCES: usize = 3;

/// Of a panel whose counter `/metrics` may not have yet.
const RARE: &str = "It shows 0 until there was one.";

/// One panel, with the title of its dashboard.
pub(super) struct Panel {
    pub(super) dashboard: &'static str,
    pub(super) json: Value,
}

impl Panel {
    pub(super) fn title(&self) -> &str {
        self.json["title"].as_str().expect("a title")
    }

    pub(super) fn queries(&self) -> impl Iterator<Item = &str> {
        let targets = self.json["targets"].as_array().expect("queries").iter();
        targets.map(|target| target["expr"].as_str().expect("a query"))
    }
}

fn dashboard(file: &str) -> Value {
    let path = format!("otel/dashboards/{file}.json");
    serde_json::from_str(&text(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(super) fn panels() -> Vec<Panel> {
    let of = |(file, title)| {
        let panels = dashboard(file)["panels"].as_array().cloned();
        let panels = panels.expect("panels").into_iter();
        panels.map(move |json| Panel {
            dashboard: title,
            json,
        })
    };
    ALL.into_iter().flat_map(of).collect()
}

#[test]
fn every_name_in_a_panel_is_exported() {
    let mut wrong = Vec::new();
    for panel in panels() {
        for query in panel.queries() {
            let title = panel.title();
            wrong.extend(
                unknown(query)
                    .into_iter()
                    .map(|what| format!("{title}: {what}")),
            );
            assert!(
                query.contains("instance=~\"$instance\""),
                "{title}: {query}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_panel_explains_itself() {
    let mut titles = BTreeSet::new();
    for panel in panels() {
        let (dashboard, title) = (panel.dashboard, panel.title());
        assert!(
            titles.insert((dashboard, title.to_owned())),
            "twice: {title}"
        );
        let says = panel.json["description"].as_str().expect("a description");
        let sentences = says.matches(['.', ':']).count();
        assert!(
            says.ends_with('.') && (1..=SENTENCES + 1).contains(&sentences),
            "{title}: {says}"
        );
        // A query with a value before the first event: the panel says so.
        let rare = panel.queries().any(|query| query.contains("vector(0)"));
        assert_eq!(says.ends_with(RARE), rare, "{title}: {says}");
        let unit = panel.json["fieldConfig"]["defaults"]["unit"].as_str();
        assert!(unit.is_some_and(|unit| !unit.is_empty()), "{title}");
        assert_eq!(panel.json["datasource"]["uid"], "prometheus", "{title}");
        for target in panel.json["targets"].as_array().expect("queries") {
            let legend = target["legendFormat"].as_str();
            assert!(legend.is_some_and(|legend| !legend.is_empty()), "{title}");
        }
    }
}

/// A dot on a panel of latency is a trace: Prometheus gives them, and Grafana knows where the trace is.
#[test]
fn panels_of_latency_lead_to_traces() {
    let mut leading = 0;
    for panel in panels() {
        let title = panel.title();
        // Others are measured outside of calls, where there is no trace.
        let within_calls = |query: &str| {
            let names = ["mcp_server_operation", "db_client_operation"];
            names
                .iter()
                .any(|name| query.contains(&format!("{name}_duration_seconds_bucket")))
        };
        if !panel.queries().any(within_calls) {
            continue;
        }
        for target in panel.json["targets"].as_array().expect("queries") {
            assert_eq!(target["exemplar"], true, "{title}");
        }
        leading += 1;
    }
    assert!(leading >= 5, "{leading} panels of latency");
    let sources = yaml("otel/datasources.yaml");
    let sources = sources["datasources"].as_sequence().expect("a list");
    let to = &sources[0]["jsonData"]["exemplarTraceIdDestinations"][0];
    assert_eq!(to["name"].as_str(), Some("trace_id"));
    let uid = to["datasourceUid"].as_str().expect("a data source");
    let traces = sources
        .iter()
        .find(|source| source["uid"].as_str() == Some(uid));
    assert_eq!(traces.expect("it exists")["type"].as_str(), Some("tempo"));
}

#[test]
fn a_node_can_be_selected() {
    for (file, title) in ALL {
        let dashboard = dashboard(file);
        assert_eq!(dashboard["title"], title);
        let variable = &dashboard["templating"]["list"][0];
        assert_eq!(variable["name"], "instance");
        assert_eq!(variable["allValue"], ".*");
        let query = variable["query"]["query"].as_str().expect("a query");
        let metric = query
            .strip_prefix("label_values(")
            .and_then(|query| query.strip_suffix(", instance)"));
        assert_eq!(unknown(metric.expect("a metric")), Vec::<String>::new());
    }
}

#[test]
fn the_dashboards_are_those_of_the_script() {
    if !installed("python3") {
        return;
    }
    let script = root().join("otel/dashboards/generate.py");
    let output = foreign(Command::new("python3").arg(script).arg("--check"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
