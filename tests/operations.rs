//! What surrounds the service in operation: dashboards, alert rules, the configuration of collector and Prometheus, and the
//! entries of docs/operations.md. They name only what the service exports, and fit together.

mod collector;
mod dashboards;
mod live;
mod promql;
mod rules;
mod runbook;

use std::fs;

use saphyr::{LoadableYamlNode, Yaml};

use crate::tidy::root;

/// A file of the repository.
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn yaml(path: &str) -> Yaml<'static> {
    let text = Box::leak(text(path).into_boxed_str());
    let mut documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    documents.pop().unwrap_or_else(|| panic!("{path} is empty"))
}

/// A field of a mapping. The index operator panics without it.
pub(crate) fn get<'a>(mapping: &'a Yaml<'static>, name: &str) -> Option<&'a Yaml<'static>> {
    mapping.as_mapping_get(name)
}

/// The strings of a list.
pub(crate) fn strings(list: &Yaml<'_>) -> Vec<String> {
    let list = list.as_sequence().into_iter().flatten();
    list.map(|one| one.as_str().expect("a text").to_owned())
        .collect()
}

/// The keys of a mapping.
pub(crate) fn keys(mapping: &Yaml<'_>) -> Vec<String> {
    let mapping = mapping.as_mapping().into_iter().flatten();
    mapping
        .map(|(key, _)| key.as_str().expect("a text").to_owned())
        .collect()
}
