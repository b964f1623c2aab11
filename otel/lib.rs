//! Sets up telemetry. `main` installs it once; all other code uses the `tracing` macros for logs, and the crate
//! `telemetry` for spans and metrics.
//!
//! Logs go to stderr, because stdout carries the protocol or the result. They go through [`stderr`], so that logging
//! never blocks. Panics are reported there too. Spans, metrics and, on request, logs go to an OTLP receiver if the standard
//! `OTEL_*` variables name one (`settings.rs`); they wait in bounded queues, and threads of their own send them.

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tracing_core::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{Directive, EnvFilter, ParseError};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

mod counted;
mod export;
mod http;
mod library;
mod lines;
mod panics;
mod records;
mod settings;
mod sink;
pub mod stderr;
pub mod visible;

/// The default filter. The client library logs every message at `info`, so it is limited to `warn`.
pub const DEFAULT_FILTER: &str = "info,rmcp=warn";

/// ractor opens one span for an actor's whole life. It never ends, and would keep every event of that actor.
const NEVER_ENDING_SPANS: &str = "ractor::actor=off";

pub use lines::LogFormat;

use export::Pipelines;
use lines::Line;
use records::Records;
use settings::Settings;

/// The running exporters, until [`end`].
static PIPELINES: Mutex<Option<Pipelines>> = Mutex::new(None);

/// Settings of the operator.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Filter directives of `tracing_subscriber` (`debug`, `info,actors=trace`); `None`: [`DEFAULT_FILTER`].
    pub filter: Option<String>,
    pub format: LogFormat,
}

/// Why telemetry could not be installed.
#[derive(Debug, Error)]
pub enum Error {
    /// The filter does not parse.
    #[error("invalid log filter {filter:?}: {cause}")]
    Filter {
        filter: String,
        #[source]
        cause: ParseError,
    },
    /// The exporters cannot be used as the `OTEL_*` variables describe them.
    #[error(transparent)]
    Export(#[from] export::Error),
    /// A subscriber is already installed.
    #[error("telemetry is already installed")]
    Installed(#[from] TryInitError),
}

/// Installs logging and the exporters for the whole process. Must not be called in a runtime.
///
/// # Errors
/// The filter does not parse, a variable for the exporters is wrong, or telemetry is already installed.
pub fn install(options: &Options) -> Result<(), Error> {
    let filter = filter(options.filter.as_deref())?;
    let settings = Settings::read(&|name| std::env::var(name).ok()).map_err(export::Error::from)?;
    let exporting = export::start(&settings)?;
    let records = exporting
        .as_ref()
        .and_then(|(pipelines, _)| pipelines.loggers.as_ref())
        .map(Records::new);
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(|| Message)
        .fmt_fields(format::debug_fn(field).delimited(" "))
        .with_ansi(io::stderr().is_terminal())
        // This layer must not write to stderr in any other way.
        .log_internal_errors(false)
        .event_format(Line(options.format));
    tracing_subscriber::registry()
        .with(filter)
        .with(library::NoErrors)
        .with(to_stderr)
        .with(records)
        .try_init()?;
    panics::tell();
    if let Some((pipelines, export)) = exporting {
        // The first one stays; there is no second one, because the subscriber above is the first too.
        let _ = telemetry::install(Box::new(export));
        *PIPELINES.lock().unwrap_or_else(PoisonError::into_inner) = Some(pipelines);
    }
    Ok(())
}

/// Sends what still waits, for at most `within`. Must not be called in a runtime.
pub fn end(within: Duration) {
    let pipelines = PIPELINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(pipelines) = pipelines {
        pipelines.end(within);
    }
}

/// Values may contain file names and other foreign text, so they are escaped and stay on the line of their event.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = visible::line(&value);
    match field.name() {
        "message" => writer.write_str(&value),
        name => write!(writer, "{name}={value}"),
    }
}

/// A formatted event, with its line break. The layer writes each event at once.
struct Message;

impl io::Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        stderr::event(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn filter(chosen: Option<&str>) -> Result<EnvFilter, Error> {
    let text = chosen.unwrap_or(DEFAULT_FILTER);
    let unreadable = |cause| Error::Filter {
        filter: text.to_owned(),
        cause,
    };
    let silence: Directive = NEVER_ENDING_SPANS.parse().map_err(unreadable)?;
    let chosen = EnvFilter::builder().parse(text).map_err(unreadable)?;
    Ok(chosen.add_directive(silence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_life_spans_are_off_with_any_filter() {
        for chosen in [None, Some("trace"), Some("warn,actors=debug")] {
            let filter = filter(chosen).expect("parses").to_string();
            assert!(filter.contains("ractor::actor=off"), "{filter}");
        }
    }

    #[test]
    fn an_unreadable_filter_is_named() {
        let error = filter(Some("actors=loud")).expect_err("not a level");
        assert!(error.to_string().contains("actors=loud"), "{error}");
    }
}
