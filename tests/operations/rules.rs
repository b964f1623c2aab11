//! The alert rules and the configuration of Prometheus.

use std::fs;
use std::process::Command;

use saphyr::Yaml;

use super::dashboards::panels;
use super::promql::unknown;
use super::{text, yaml};
use crate::support::foreign;
use crate::support::redis::installed;
use crate::tidy::root;

const RULES: &str = "otel/alerts.yaml";
/// Where docker-compose.yml puts the token of Prometheus.
const TOKEN: &str = "/run/secrets/prometheus-token";

pub(super) struct Rule {
    pub(super) name: String,
    pub(super) query: String,
    yaml: Yaml<'static>,
}

pub(super) fn rules() -> Vec<Rule> {
    let groups = yaml(RULES);
    let groups = groups["groups"].as_sequence().expect("groups").clone();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().expect("rules").clone());
    let rules: Vec<_> = rules
        .map(|yaml| Rule {
            name: yaml["alert"].as_str().expect("a name").to_owned(),
            query: yaml["expr"].as_str().expect("a query").to_owned(),
            yaml,
        })
        .collect();
    assert!(rules.len() > 10, "the rules were not found");
    rules
}

#[test]
fn every_name_in_a_rule_is_exported() {
    for rule in rules() {
        assert_eq!(unknown(&rule.query), Vec::<String>::new(), "{}", rule.name);
    }
}

#[test]
fn every_rule_says_what_to_do_first() {
    let panels = panels();
    for Rule { name, yaml, .. } in rules() {
        let severity = yaml["labels"]["severity"].as_str().expect("a severity");
        assert!(
            ["critical", "warning"].contains(&severity),
            "{name}: {severity}"
        );
        let annotation = |what: &str| {
            let text = yaml["annotations"][what].as_str();
            text.unwrap_or_else(|| panic!("{name}: no {what}"))
                .to_owned()
        };
        assert!(annotation("summary").contains("{{ $labels.instance }}") || name == "McaDown");
        let anchor = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(annotation("runbook_url"), anchor);
        let says = annotation("description");
        for told in says.split("dashboard ").skip(1) {
            let told = told.split(')').next().unwrap_or_default();
            let (dashboard, title) = told.split_once(", panel ").unwrap_or((told, ""));
            let found = panels.iter().any(|panel| {
                panel.dashboard == dashboard && (title.is_empty() || panel.title() == title)
            });
            assert!(found, "{name}: no panel {told}");
        }
    }
}

/// The bound of the rule is nine tenths of the limit of a node's container.
#[test]
fn the_bound_of_memory_is_that_of_the_container() {
    let compose = yaml("docker-compose.yml");
    let limit = compose["x-node"]["deploy"]["resources"]["limits"]["memory"].as_str();
    let gigabytes = limit.and_then(|limit| limit.strip_suffix('g'));
    let bound = format!(
        "> 0.9 * {} * 1024 * 1024 * 1024",
        gigabytes.expect("a limit")
    );
    let rules = rules();
    let rule = rules.iter().find(|rule| rule.name == "McaMemoryHigh");
    assert!(rule.expect("the rule").query.ends_with(&bound), "{bound}");
}

#[test]
fn promtool_accepts_the_rules_and_runs_their_tests() {
    if !installed("promtool") {
        return;
    }
    for arguments in [
        ["check", "rules", RULES],
        ["test", "rules", "otel/alerts-test.yaml"],
    ] {
        let mut promtool = Command::new("promtool");
        let output = foreign(promtool.args(arguments).current_dir(root()));
        let said = String::from_utf8_lossy(&output.stderr);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {told}{said}");
    }
}

/// Each rule is named by a test in which it fires.
#[test]
fn every_rule_has_a_test() {
    let tests = text("otel/alerts-test.yaml");
    for rule in rules() {
        let fires = format!("'{{alertname=\"{}\"}}', value: ", rule.name);
        assert!(tests.contains(&fires), "{}", rule.name);
    }
}

#[test]
fn promtool_accepts_the_configuration() {
    if !installed("promtool") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (config, token) = (
        folder.path().join("prometheus.yaml"),
        folder.path().join("token"),
    );
    let text = text("otel/prometheus.yaml");
    assert!(text.contains(TOKEN));
    let text = text.replace(TOKEN, &token.to_string_lossy());
    fs::write(&config, text).expect("written");
    fs::write(&token, "secret").expect("written");
    fs::copy(root().join(RULES), folder.path().join("alerts.yaml")).expect("copied");
    let output = foreign(
        Command::new("promtool")
            .args(["check", "config"])
            .arg(&config),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
