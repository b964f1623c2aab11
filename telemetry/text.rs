//! The metrics as text: Prometheus 0.0.4, or OpenMetrics 1.0, which has exemplars.

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use crate::define::{Kind, Metric, Unit};
use crate::registry;
use crate::series::{Exemplar, Series, Shape};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Prometheus,
    OpenMetrics,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics that have a value, brought up to date.
pub fn render(format: Format) -> String {
    registry::collect();
    let mut text = String::new();
    for metric in registry::all() {
        let series = registry::series(metric);
        if !series.is_empty() {
            // Writing to a string cannot fail.
            let _ = family(&mut text, format, metric, &series);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn family(
    text: &mut String,
    format: Format,
    metric: &Metric,
    series: &[Series],
) -> std::fmt::Result {
    let name = metric.text_name();
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let sample = match metric.kind {
        Kind::Counter => format!("{name}_total"),
        Kind::Gauge | Kind::Histogram(_) => name.clone(),
    };
    let named = match format {
        Format::Prometheus => &sample,
        Format::OpenMetrics => &name,
    };
    writeln!(text, "# HELP {named} {}", escaped(metric.says, false))?;
    writeln!(text, "# TYPE {named} {kind}")?;
    let unit = match metric.unit {
        Unit::Seconds => Some("seconds"),
        Unit::Bytes => Some("bytes"),
        Unit::Count(_) => None,
    };
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        writeln!(text, "# UNIT {named} {unit}")?;
    }
    for one in series {
        let labels = labels(metric, one);
        match (&one.shape, metric.kind) {
            (
                Shape::Histogram {
                    sum,
                    counts,
                    exemplars,
                },
                Kind::Histogram(bounds),
            ) => {
                let mut total = 0;
                for (at, count) in counts.iter().enumerate() {
                    total += count;
                    let bound = bounds.get(at).map_or("+Inf".to_owned(), f64::to_string);
                    let comma = if labels.is_empty() { "" } else { "," };
                    write!(
                        text,
                        "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}"
                    )?;
                    let exemplar = exemplars.get(at).copied().flatten();
                    if let (Format::OpenMetrics, Some(exemplar)) = (format, exemplar) {
                        write_exemplar(text, &exemplar)?;
                    }
                    text.push('\n');
                }
                let labels = braced(&labels);
                writeln!(text, "{name}_sum{labels} {sum}")?;
                writeln!(text, "{name}_count{labels} {total}")?;
            }
            (Shape::Number(value), _) => writeln!(text, "{sample}{} {value}", braced(&labels))?,
            (Shape::Histogram { .. }, _) => {}
        }
    }
    Ok(())
}

fn write_exemplar(text: &mut String, exemplar: &Exemplar) -> std::fmt::Result {
    let at = exemplar
        .at
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    write!(
        text,
        " # {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} {} {at:.3}",
        exemplar.trace.trace, exemplar.trace.span, exemplar.value
    )
}

fn labels(metric: &Metric, series: &Series) -> String {
    let pairs: Vec<_> = metric
        .labels
        .iter()
        .zip(&series.labels)
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| {
            let key = label.key().replace('.', "_");
            format!("{key}=\"{}\"", escaped(value, true))
        })
        .collect();
    pairs.join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        return String::new();
    }
    format!("{{{labels}}}")
}

fn escaped(text: &str, quotes: bool) -> String {
    let text = text.trim().replace('\\', "\\\\").replace('\n', "\\n");
    if quotes {
        return text.replace('"', "\\\"");
    }
    text
}
