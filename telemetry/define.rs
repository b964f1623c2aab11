//! What a declaration of the [`list`](crate::list) says.

use crate::series::Family;

/// The name of an attribute of spans, or of a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    pub(crate) key: &'static str,
    pub(crate) says: &'static str,
}

/// The name of an event on a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
}

/// An event of the log. Its message is a constant: what differs from one event to the next is in the fields.
#[derive(Debug, PartialEq, Eq)]
pub struct LogEvent {
    pub(crate) name: &'static str,
    pub(crate) level: LogLevel,
    pub(crate) message: &'static str,
    pub(crate) says: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
}

/// A kind of span. A span's own name may add a target to it, which is a name of the catalogue too (`tools/call
/// analyze_complexity`).
#[derive(Debug, PartialEq, Eq)]
pub struct SpanName {
    pub(crate) name: &'static str,
    pub(crate) kind: SpanKind,
    pub(crate) attributes: &'static [Attribute],
    pub(crate) events: &'static [Event],
    pub(crate) says: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    Server,
    Client,
    Producer,
    Consumer,
    Internal,
}

/// A metric. Its labels have values that the program's text contains (`&'static str`), so no id can be one.
#[derive(Debug)]
pub struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) labels: &'static [Attribute],
    pub(crate) says: &'static str,
    pub(crate) family: &'static Family,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Grows, and starts at 0 with the process.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// Values, counted by upper bounds.
    Histogram(&'static [f64]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Bytes,
    /// A number of what the annotation names (`{call}`).
    Count(&'static str),
}

impl Attribute {
    pub const fn key(self) -> &'static str {
        self.key
    }

    /// What it means, for the documentation.
    pub const fn says(self) -> &'static str {
        self.says
    }
}

impl Event {
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What it means, for the documentation.
    pub const fn says(self) -> &'static str {
        self.says
    }
}

impl LogEvent {
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn level(&self) -> LogLevel {
        self.level
    }

    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// What it means, for the documentation.
    pub const fn says(&self) -> &'static str {
        self.says
    }
}

impl LogLevel {
    /// As lines and records of the log have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
        }
    }
}

impl SpanName {
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn kind(&self) -> SpanKind {
        self.kind
    }

    pub const fn attributes(&self) -> &'static [Attribute] {
        self.attributes
    }

    pub const fn events(&self) -> &'static [Event] {
        self.events
    }

    /// What it means, for the documentation.
    pub const fn says(&self) -> &'static str {
        self.says
    }
}

impl Metric {
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub const fn unit(&self) -> Unit {
        self.unit
    }

    pub const fn labels(&self) -> &'static [Attribute] {
        self.labels
    }

    /// What it means, for the documentation.
    pub const fn says(&self) -> &'static str {
        self.says
    }

    /// The name in the text formats: `mcp_server_operation_duration_seconds`. Samples of a counter add `_total`. The ending
    /// `_count` is reserved for histograms there.
    pub fn text_name(&self) -> String {
        let name = self.name.strip_suffix(".count").unwrap_or(self.name);
        let name = name.replace('.', "_");
        match self.unit {
            Unit::Seconds => name + "_seconds",
            Unit::Bytes => name + "_bytes",
            Unit::Count(_) => name,
        }
    }
}

impl Unit {
    /// In UCUM, as OTLP has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "By",
            Self::Count(what) => what,
        }
    }
}

impl SpanKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
            Self::Internal => "INTERNAL",
        }
    }
}
