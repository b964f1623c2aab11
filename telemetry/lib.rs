//! What the service measures and traces. [`list`] declares every name once; nothing else can be exported, because a span,
//! an attribute, an event and a metric exist only as constants of the list.
//!
//! This crate knows no exporter. `otel` installs a [`Sink`] if an OTLP endpoint is configured; without one, starting a span
//! costs a load of one pointer. Metrics are always counted, because the admin port shows them.
//!
//! ```text
//! src, actors ──► Span ──────► Sink (otel: OTLP)
//!       └───────► metrics ───► text (admin port: /metrics), Sink (otel: OTLP)
//! ```
//!
//! A trace's context is a value ([`Trace`]): it travels in the messages of actors, in jobs, in stored calls and between
//! nodes. Code deep below, such as the client of the store, takes the [`current`] one.

#[macro_use]
mod table;

mod context;
mod current;
mod define;
pub mod list;
pub mod process;
mod registry;
mod series;
mod span;
mod text;
mod value;

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;

pub use context::{MalformedParent, Trace};
pub use current::{Entered, Follower, Traced, current, enter, enter_with, followers, traced};
pub use define::{Attribute, Event, Kind, LogEvent, LogLevel, Metric, SpanKind, SpanName, Unit};
pub use registry::{collect, collect_with, series};
pub use series::{Exemplar, Series, Shape};
pub use span::{Link, Parent, Recorder, Sink, Span, install, is_on};
pub use text::{Format, render};
pub use value::Value;
