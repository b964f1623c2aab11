//! One event, one line: as text for people, or as JSON for programs. A line names the trace of the code that wrote it.
//!
//! Text of callers and file names stays within its field: control characters are escaped, and in JSON everything is.

use std::fmt::{self, Debug, Write as _};

use serde_json::{Map, Value, json};
use telemetry::list::logs;
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, `event` (its name, if it is listed), its fields, `trace_id`, `span_id`.
    Json,
}

/// Names that a field of an event may not take over.
const OWN: [&str; 7] = [
    "timestamp",
    "level",
    "target",
    "message",
    "event",
    "trace_id",
    "span_id",
];

pub(super) struct Line(pub(super) LogFormat);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.0 {
            LogFormat::Json => writeln!(writer, "{}", object(event)),
            LogFormat::Text => {
                let mut line = String::new();
                let format = format::Format::default().with_ansi(writer.has_ansi_escapes());
                format.format_event(context, Writer::new(&mut line), event)?;
                writer.write_str(line.trim_end_matches('\n'))?;
                if let Some(trace) = telemetry::current() {
                    write!(
                        writer,
                        " trace_id={:032x} span_id={:016x}",
                        trace.trace, trace.span
                    )?;
                }
                writer.write_char('\n')
            }
        }
    }
}

fn object(event: &Event<'_>) -> Value {
    let mut now = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    let metadata = event.metadata();
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), json!(now));
    line.insert("level".to_owned(), json!(metadata.level().as_str()));
    line.insert("target".to_owned(), json!(metadata.target()));
    if let Some(name) = logs::named(metadata.level().as_str(), &fields.message) {
        line.insert("event".to_owned(), json!(name));
    }
    line.insert("message".to_owned(), json!(fields.message));
    for (name, value) in fields.others {
        let name = if OWN.contains(&name) {
            format!("field.{name}")
        } else {
            name.to_owned()
        };
        line.insert(name, value);
    }
    if let Some(trace) = telemetry::current() {
        line.insert(
            "trace_id".to_owned(),
            json!(format!("{:032x}", trace.trace)),
        );
        line.insert("span_id".to_owned(), json!(format!("{:016x}", trace.span)));
    }
    Value::Object(line)
}

/// The message and the other fields of an event.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) others: Vec<(&'static str, Value)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.others
                .push((field.name(), json!(format!("{value:?}"))));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.others.push((field.name(), json!(value)));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), json!(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), json!(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.others.push((field.name(), json!(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), json!(value)));
    }
}

#[cfg(test)]
mod tests;
