//! Spans as values. The holder of a span adds attributes and events, and ends it. A span that is dropped without
//! [`Span::end`] is recorded as `abandoned`.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::define::{Attribute, Event, Metric, SpanName};
use crate::list::attribute::ERROR_TYPE;
use crate::{Trace, Value, current};

/// Exports what is recorded here.
pub trait Sink: Send + Sync {
    /// Starts a span; returns its context, and a recorder if the trace is sampled. `None`: traces are not exported.
    fn start(
        &self,
        span: &'static SpanName,
        name: Cow<'static, str>,
        parent: Option<Trace>,
        links: &[Link],
    ) -> Option<(Trace, Option<Box<dyn Recorder>>)>;

    /// A histogram has measured a value. Counters and gauges are read from their [`series`](crate::series).
    fn measured(&self, metric: &'static Metric, labels: &[&'static str], value: f64);
}

/// Records one sampled span, until it is dropped.
pub trait Recorder: Send + Sync {
    fn set(&mut self, attribute: Attribute, value: Value);
    fn event(&mut self, event: Event, attributes: &[(Attribute, Value)]);
    fn link(&mut self, link: Link);
    /// Marks the span as failed.
    fn fail(&mut self, why: Cow<'static, str>);
}

/// Another span that has to do with this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link(pub Trace);

/// Where a span belongs.
#[derive(Debug, Clone, Copy)]
pub enum Parent {
    /// A new trace.
    None,
    /// The current trace, if there is one.
    Current,
    Of(Option<Trace>),
}

static SINK: OnceLock<Box<dyn Sink>> = OnceLock::new();

/// The value of `error.type` of a span whose owner is gone without having ended it: an actor that crashed, a future that
/// was dropped.
const ABANDONED: &str = "abandoned";

/// Installs the exporter. The first one stays.
///
/// # Errors
/// One is installed already; it is returned.
pub fn install(sink: Box<dyn Sink>) -> Result<(), Box<dyn Sink>> {
    SINK.set(sink)
}

/// Whether spans are recorded. If not, [`Span`]s are empty.
pub fn is_on() -> bool {
    SINK.get().is_some()
}

pub(crate) fn measured(metric: &'static Metric, labels: &[&'static str], value: f64) {
    if let Some(sink) = SINK.get() {
        sink.measured(metric, labels, value);
    }
}

/// A span; empty without an exporter.
#[derive(Default)]
#[must_use = "a span ends when it is dropped"]
pub struct Span(Option<Active>);

struct Active {
    kind: &'static SpanName,
    context: Trace,
    recorder: Option<Box<dyn Recorder>>,
}

impl Span {
    pub const NONE: Self = Self(None);

    pub fn start(kind: &'static SpanName, parent: Parent) -> Self {
        Self::linked(kind, parent, &[])
    }

    /// Starts a span with links, which a sampler may look at.
    pub fn linked(kind: &'static SpanName, parent: Parent, links: &[Link]) -> Self {
        Self::begin(kind, Cow::Borrowed(kind.name()), parent, links)
    }

    /// Starts a span whose name ends with a target: `tools/call analyze_complexity`.
    pub fn of(
        kind: &'static SpanName,
        target: &'static str,
        parent: Parent,
        links: &[Link],
    ) -> Self {
        if !is_on() {
            return Self::NONE;
        }
        let name = match kind.name() {
            "" => Cow::Borrowed(target),
            name => Cow::Owned(format!("{name} {target}")),
        };
        Self::begin(kind, name, parent, links)
    }

    fn begin(
        kind: &'static SpanName,
        name: Cow<'static, str>,
        parent: Parent,
        links: &[Link],
    ) -> Self {
        let Some(sink) = SINK.get() else {
            return Self::NONE;
        };
        let parent = match parent {
            Parent::None => None,
            Parent::Current => current(),
            Parent::Of(trace) => trace,
        };
        let started = sink.start(kind, name, parent, links);
        Self(started.map(|(context, recorder)| Active {
            kind,
            context,
            recorder,
        }))
    }

    /// The context that children and messages take along; `None` without an exporter.
    pub fn context(&self) -> Option<Trace> {
        self.0.as_ref().map(|active| active.context)
    }

    /// Whether somebody will see what is added: check it before something costly is formatted.
    pub fn is_recorded(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|active| active.recorder.is_some())
    }

    pub fn set(&mut self, attribute: Attribute, value: impl Into<Value>) {
        if let Some((kind, recorder)) = self.recorder() {
            debug_assert!(
                kind.attributes().contains(&attribute),
                "{} is not listed for the span {:?}",
                attribute.key(),
                kind.name()
            );
            recorder.set(attribute, value.into());
        }
    }

    pub fn event(&mut self, event: Event) {
        self.event_with(event, &[]);
    }

    pub fn event_with(&mut self, event: Event, attributes: &[(Attribute, Value)]) {
        if let Some((kind, recorder)) = self.recorder() {
            debug_assert!(
                kind.events().contains(&event),
                "{} is not listed for the span {:?}",
                event.name(),
                kind.name()
            );
            recorder.event(event, attributes);
        }
    }

    pub fn link(&mut self, to: Trace) {
        if let Some((_, recorder)) = self.recorder() {
            recorder.link(Link(to));
        }
    }

    /// Marks the span as failed, with its `error.type`.
    pub fn fail(&mut self, why: impl Into<Cow<'static, str>>) {
        if let Some((_, recorder)) = self.recorder() {
            let why = why.into();
            recorder.set(ERROR_TYPE, Value::Text(why.clone()));
            recorder.fail(why);
        }
    }

    /// Ends the span.
    pub fn end(mut self) {
        self.0 = None;
    }

    fn recorder(&mut self) -> Option<(&'static SpanName, &mut dyn Recorder)> {
        let active = self.0.as_mut()?;
        let recorder = active.recorder.as_deref_mut()?;
        Some((active.kind, recorder))
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.fail(ABANDONED);
        }
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            None => out.write_str("Span(off)"),
            Some(active) => write!(out, "Span({:?}, {})", active.kind.name(), active.context),
        }
    }
}
