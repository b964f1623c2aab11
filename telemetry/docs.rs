//! docs/telemetry.md, generated from the list. `UPDATE_DOCS=1` writes it.

use std::fmt::Write;
use std::path::Path;

use crate::define::{Attribute, Kind};
use crate::list::{ATTRIBUTES, EVENTS, LOGS, METRICS, SPANS, logs};

const HEAD: &str = "\
<!-- Generated from telemetry/list.rs by `UPDATE_DOCS=1 cargo test -p telemetry`. -->

# Traces, metrics, logs and their names

Every name that the service exports. [operations.md](operations.md) says how to turn the export on and how to read it.
Names follow OpenTelemetry's semantic conventions where these define one; all others begin with `mca.`. The conventions
for MCP do not know the revision 2026-07-28 yet: its requests are named by the same scheme.

";

const LOG_HEAD: &str = "
## Log events

An OTLP record of the log has the name as its `event_name`; a line of `--log-format json` has it in the field `event`. A text line
has the message. The message of an event is always the same: ids, paths and errors are in the fields. Events of the levels
debug and trace, and those of libraries, have no name and are not listed.

";

fn page() -> Result<String, std::fmt::Error> {
    let mut page = HEAD.to_owned();
    page.push_str("## Spans\n\n| name | kind | what it covers | attributes | events |\n|---|---|---|---|---|\n");
    for span in SPANS {
        let name = match span.name() {
            "" => "(see there)".to_owned(),
            name => format!("`{name}`"),
        };
        let events: Vec<_> = span
            .events()
            .iter()
            .map(|event| format!("`{}`", event.name()))
            .collect();
        writeln!(
            page,
            "| {name} | {} | {} | {} | {} |",
            span.kind().name(),
            span.says().trim(),
            keys(span.attributes()),
            events.join(", ")
        )?;
    }
    page.push_str("\n## Events on spans\n\n| name | when |\n|---|---|\n");
    for event in EVENTS {
        writeln!(page, "| `{}` | {} |", event.name(), event.says().trim())?;
    }
    page.push_str("\n## Metrics\n\nAt `/metrics` of the admin port, dots are underscores; the unit and, for counters, `_total` are appended.\n\n");
    page.push_str("| name | at `/metrics` | kind | unit | labels | what it counts |\n|---|---|---|---|---|---|\n");
    for metric in METRICS {
        let (kind, ending) = match metric.kind() {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram(_) => ("histogram", ""),
        };
        writeln!(
            page,
            "| `{}` | `{}{ending}` | {kind} | `{}` | {} | {} |",
            metric.name(),
            metric.text_name(),
            metric.unit().code(),
            keys(metric.labels()),
            metric.says().trim()
        )?;
    }
    page.push_str(LOG_HEAD);
    page.push_str(
        "| name | level | message | what happened, and what happens next |\n|---|---|---|---|\n",
    );
    for event in LOGS {
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            event.name(),
            event.level().name(),
            event.message(),
            event.says().trim()
        )?;
    }
    page.push_str("\n## Attributes and labels\n\n| name | what it is |\n|---|---|\n");
    for attribute in ATTRIBUTES {
        writeln!(
            page,
            "| `{}` | {} |",
            attribute.key(),
            attribute.says().trim()
        )?;
    }
    Ok(page)
}

fn keys(attributes: &[Attribute]) -> String {
    let keys: Vec<_> = attributes
        .iter()
        .map(|attribute| format!("`{}`", attribute.key()))
        .collect();
    keys.join(", ")
}

#[test]
fn the_page_is_that_of_the_list() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/telemetry.md");
    let page = page().expect("a string");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/telemetry.md is not that of telemetry/list.rs: UPDATE_DOCS=1 cargo test -p telemetry"
    );
}

#[test]
fn every_name_is_declared_once_and_used() {
    let mut names: Vec<&str> = Vec::new();
    names.extend(ATTRIBUTES.iter().map(|attribute| attribute.key()));
    names.extend(EVENTS.iter().map(|event| event.name()));
    names.extend(METRICS.iter().map(|metric| metric.name()));
    for span in SPANS {
        assert!(!span.says().is_empty(), "{}", span.name());
    }
    names.extend(
        SPANS
            .iter()
            .map(|span| span.name())
            .filter(|name| !name.is_empty()),
    );
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "a name is declared twice");
    for attribute in ATTRIBUTES {
        let used = SPANS
            .iter()
            .any(|span| span.attributes().contains(attribute))
            || METRICS
                .iter()
                .any(|metric| metric.labels().contains(attribute));
        assert!(used, "{} belongs to nothing", attribute.key());
    }
    for event in EVENTS {
        let used = SPANS.iter().any(|span| span.events().contains(event));
        assert!(used, "{} belongs to no span", event.name());
    }
}

#[test]
fn log_events_are_sorted_and_have_a_message_of_their_own() {
    assert!(LOGS.is_sorted_by(|one, next| one.name() < next.name()));
    let mut messages: Vec<_> = LOGS.iter().map(|event| event.message()).collect();
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len(), LOGS.len());
    for event in LOGS {
        let found = logs::named(event.level().name(), event.message());
        assert_eq!(found, Some(event.name()));
    }
    assert_eq!(logs::named("DEBUG", LOGS[0].message()), None);
    assert_eq!(logs::named("INFO", "said by a library"), None);
}

#[test]
fn names_in_the_text_formats_are_valid_and_unique() {
    let mut names: Vec<_> = METRICS.iter().map(|metric| metric.text_name()).collect();
    for name in &names {
        let valid = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(valid, "{name}");
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
