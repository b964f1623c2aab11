//! One reading of the metrics, and what is true of every reading.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::node::{Answer, Client, Node};
use crate::support::redis::installed;

pub(super) struct Reading {
    pub(super) text: String,
    /// By name and labels.
    pub(super) samples: BTreeMap<String, f64>,
    /// The kinds of the families, by name.
    pub(super) kinds: BTreeMap<String, String>,
}

pub(super) fn scrape(node: &Node, accept: &str) -> Answer {
    let admin = node.admin.expect("an admin port");
    let client = Client::of(&format!("http://{admin}"));
    client.get_as("/metrics", accept)
}

impl Reading {
    pub(super) fn of(node: &Node) -> Self {
        let answer = scrape(node, "text/plain").of_status(200);
        let kind = answer.header("content-type").expect("a type");
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        let reading = Self::parse(answer.text());
        reading.is_listed();
        reading.is_consistent();
        reading
    }

    pub(super) fn parse(text: String) -> Self {
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
    pub(super) fn sum(&self, name: &str, label: &str) -> f64 {
        let samples = self.all(name).filter(|(labels, _)| labels.contains(label));
        samples.map(|(_, value)| value).sum()
    }

    /// The families that have a value other than 0.
    pub(super) fn counted(&self) -> BTreeSet<&str> {
        let counts = |(name, kind): &(&String, &String)| {
            let of = if *kind == "histogram" { "_count" } else { "" };
            self.all(&format!("{name}{of}"))
                .any(|(_, value)| value > 0.0)
        };
        let counted = self.kinds.iter().filter(counts);
        counted.map(|(name, _)| name.as_str()).collect()
    }

    /// Every family is in the documentation, with its kind.
    fn is_listed(&self) {
        let listed = listed();
        for (name, kind) in &self.kinds {
            assert_eq!(listed.get(name), Some(kind), "{name}");
            assert!(self.text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }

    /// Buckets grow up to the count, and values that cannot be negative are not.
    fn is_consistent(&self) {
        for (series, value) in &self.samples {
            assert!(value.is_finite() && *value >= 0.0, "{series} {value}");
        }
        let histograms = self.kinds.iter().filter(|(_, kind)| *kind == "histogram");
        for (name, _) in histograms {
            let counts = format!("{name}_count");
            for (labels, count) in self.all(&counts) {
                let labels = labels.trim_start_matches('{').trim_end_matches('}');
                let buckets = self.buckets(name, labels);
                let up = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
                assert!(up, "{name}{{{labels}}}: {buckets:?}");
                let last = buckets.last().expect("buckets");
                assert_eq!(*last, (f64::INFINITY, count), "{name}{{{labels}}}");
            }
        }
    }

    /// The bounds and counts of one series, by bound.
    fn buckets(&self, name: &str, labels: &str) -> Vec<(f64, f64)> {
        let begin = match labels.is_empty() {
            true => format!("{name}_bucket{{le=\""),
            false => format!("{name}_bucket{{{labels},le=\""),
        };
        let bucket = |(series, count): (&String, &f64)| {
            let bound = series.strip_prefix(&begin)?.strip_suffix("\"}")?;
            Some((bound.parse::<f64>().expect("a bound"), *count))
        };
        let mut buckets: Vec<_> = self.samples.iter().filter_map(bucket).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }

    /// No counter is lower than in an earlier reading of the same node, and none is gone.
    pub(super) fn is_after(&self, earlier: &Self) {
        for (name, kind) in &earlier.kinds {
            let parts: &[&str] = match kind.as_str() {
                "counter" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => continue,
            };
            for part in parts {
                let part = format!("{name}{part}");
                for (labels, before) in earlier.all(&part) {
                    let now = self.samples.get(&format!("{part}{labels}"));
                    assert!(
                        now.is_some_and(|now| *now >= before),
                        "{part}{labels}: {before}, then {now:?}"
                    );
                }
            }
        }
    }

    /// Prometheus' own check of names, types and texts.
    pub(super) fn is_as_prometheus_wants(&self) {
        if !installed("promtool") {
            return;
        }
        let mut child = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(self.text.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

/// The metrics of docs/telemetry.md as they appear in the text, with their kinds.
pub(super) fn listed() -> BTreeMap<String, String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/telemetry.md");
    let page = std::fs::read_to_string(page).expect("the documentation");
    let begin = page.find("## Metrics").expect("the metrics");
    let rows = page[begin..].lines().filter(|line| line.starts_with("| `"));
    let row = |row: &str| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
        let (name, kind) = (cells.nth(2)?, cells.next()?);
        let is_metric = ["counter", "gauge", "histogram"].contains(&kind);
        is_metric.then(|| (name.to_owned(), kind.to_owned()))
    };
    let listed: BTreeMap<_, _> = rows.filter_map(row).collect();
    assert!(listed.len() > 30, "{listed:?}");
    listed
}
