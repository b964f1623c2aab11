//! The configuration of the OpenTelemetry collector. The collector itself is not here to check it.

use std::collections::BTreeSet;

use saphyr::Yaml;
use telemetry::list::{ATTRIBUTES, EVENTS, SPANS};

use super::{get, keys, strings, yaml};

const CONFIG: &str = "otel/collector.yaml";
const PARTS: [&str; 3] = ["receivers", "processors", "exporters"];

#[test]
fn every_component_is_defined_and_used() {
    let config = yaml(CONFIG);
    let pipelines = &config["service"]["pipelines"];
    assert_eq!(keys(pipelines), ["traces", "metrics", "logs"]);
    for part in PARTS {
        let defined: BTreeSet<_> = keys(&config[part]).into_iter().collect();
        let used: BTreeSet<_> = keys(pipelines)
            .iter()
            .flat_map(|signal| strings(&pipelines[signal.as_str()][part]))
            .collect();
        assert_eq!(defined, used, "{part}");
    }
    let extensions = strings(&config["service"]["extensions"]);
    assert_eq!(keys(&config["extensions"]), extensions);
}

/// Memory is limited before anything is kept, whole traces are judged before they are cut into batches.
#[test]
fn processors_are_in_the_right_order() {
    let config = yaml(CONFIG);
    let pipelines = &config["service"]["pipelines"];
    for signal in keys(pipelines) {
        let processors = strings(&pipelines[signal.as_str()]["processors"]);
        assert_eq!(
            processors.first().map(String::as_str),
            Some("memory_limiter")
        );
        assert_eq!(processors.last().map(String::as_str), Some("batch"));
        let samples = processors.contains(&"tail_sampling".to_owned());
        assert_eq!(samples, signal == "traces", "{signal}");
    }
}

#[test]
fn policies_keep_what_matters() {
    let config = yaml(CONFIG);
    let sampling = &config["processors"]["tail_sampling"];
    let policies = sampling["policies"].as_sequence().expect("policies");
    let mut kinds = BTreeSet::new();
    for policy in policies {
        let name = policy["name"].as_str().expect("a name");
        let kind = policy["type"].as_str().expect("a type");
        let settings = get(policy, kind).unwrap_or_else(|| panic!("{name} has no settings"));
        kinds.insert(kind);
        if let Some(key) = get(settings, "key").and_then(Yaml::as_str) {
            let known = ATTRIBUTES.iter().any(|attribute| attribute.key() == key);
            assert!(known, "{name}: no attribute {key}");
            for value in get(settings, "values").map(strings).unwrap_or_default() {
                let value = format!("`{value}`");
                let told = ATTRIBUTES.iter().map(|attribute| attribute.says());
                let mut told = told.chain(SPANS.iter().map(|span| span.says()));
                assert!(told.any(|says| says.contains(&value)), "{name}: {value}");
            }
        }
        for event in get(settings, "spanevent").map(strings).unwrap_or_default() {
            let known = EVENTS.iter().any(|known| event.contains(known.name()));
            assert!(known, "{name}: no event in {event}");
        }
    }
    for kind in [
        "status_code",
        "latency",
        "string_attribute",
        "probabilistic",
    ] {
        assert!(kinds.contains(kind), "no policy {kind}");
    }
    let of = |wanted: &str| {
        let found = policies
            .iter()
            .find(|policy| policy["type"].as_str() == Some(wanted));
        &found.expect("a policy")[wanted]
    };
    assert_eq!(strings(&of("status_code")["status_codes"]), ["ERROR"]);
    let bound = of("latency")["threshold_ms"].as_str();
    assert_eq!(bound, Some("${env:SLOW_TRACE_MS:-2000}"));
    let share = of("probabilistic")["sampling_percentage"].as_integer();
    assert_eq!(share, Some(10));
    // The slowest call has ended when its trace is judged: 5 minutes, `--call-deadline`.
    let wait = sampling["decision_wait"].as_str().expect("a time");
    let seconds: u64 = wait.trim_end_matches('s').parse().expect("seconds");
    assert!(seconds > 300, "{wait}");
}
