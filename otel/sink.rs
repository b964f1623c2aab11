//! Records spans and metrics with the OpenTelemetry SDK.

use std::borrow::Cow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use opentelemetry::metrics::{AsyncInstrument, Histogram, Meter};
use opentelemetry::trace::{
    Link as OtelLink, Span as _, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt,
    TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, Value as OtelValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use telemetry::{
    Attribute, Event, Kind, Link, Metric, Recorder, Shape, Sink, SpanKind, SpanName, Trace, Value,
};

/// Values that are kept elsewhere are brought up to date at most once in this time, since each metric is read by itself.
const COLLECTED_FOR: Duration = Duration::from_millis(500);

pub(crate) struct Export {
    pub(crate) tracer: Option<SdkTracer>,
    /// Whether children of a trace that is not sampled are not sampled either.
    pub(crate) follows_parents: bool,
    /// In the order of the list; `None` for metrics that are not histograms.
    pub(crate) histograms: Vec<Option<Histogram<f64>>>,
}

impl Sink for Export {
    fn start(
        &self,
        span: &'static SpanName,
        name: Cow<'static, str>,
        parent: Option<Trace>,
        links: &[Link],
    ) -> Option<(Trace, Option<Box<dyn Recorder>>)> {
        let tracer = self.tracer.as_ref()?;
        if let Some(parent) = parent.filter(|parent| !parent.sampled && self.follows_parents) {
            return Some((parent, None));
        }
        let context = match parent {
            Some(parent) => Context::new().with_remote_span_context(context_of(parent)),
            None => Context::new(),
        };
        let mut builder = SpanBuilder::from_name(name).with_kind(kind_of(span.kind()));
        if !links.is_empty() {
            let links = links
                .iter()
                .map(|link| OtelLink::with_context(context_of(link.0)));
            builder = builder.with_links(links.collect());
        }
        let span = tracer.build_with_context(builder, &context);
        let trace = trace_of(span.span_context());
        let recorder = span
            .is_recording()
            .then(|| Box::new(Recorded(span)) as Box<dyn Recorder>);
        Some((trace, recorder))
    }

    fn measured(&self, metric: &'static Metric, labels: &[&'static str], value: f64) {
        let at = telemetry::list::METRICS
            .iter()
            .position(|listed| std::ptr::eq(*listed, metric));
        if let Some(Some(histogram)) = at.and_then(|at| self.histograms.get(at)) {
            histogram.record(value, &labelled(metric, labels));
        }
    }
}

/// A span of the SDK; it ends when it is dropped.
struct Recorded(Span);

impl Recorder for Recorded {
    fn set(&mut self, attribute: Attribute, value: Value) {
        self.0.set_attribute(key_value(attribute, value));
    }

    fn event(&mut self, event: Event, attributes: &[(Attribute, Value)]) {
        let attributes = attributes
            .iter()
            .map(|(attribute, value)| key_value(*attribute, value.clone()));
        self.0.add_event(event.name(), attributes.collect());
    }

    fn link(&mut self, link: Link) {
        self.0.add_link(context_of(link.0), Vec::new());
    }

    fn fail(&mut self, why: Cow<'static, str>) {
        self.0.set_status(Status::error(why));
    }
}

/// The instruments of all listed metrics. Counters and gauges are read when metrics are pushed.
pub(crate) fn instruments(meter: &Meter) -> Vec<Option<Histogram<f64>>> {
    let metrics = telemetry::list::METRICS.iter().copied();
    metrics.map(|metric| instrument(meter, metric)).collect()
}

fn instrument(meter: &Meter, metric: &'static Metric) -> Option<Histogram<f64>> {
    let (name, unit, says) = (metric.name(), metric.unit().code(), metric.says().trim());
    match metric.kind() {
        Kind::Histogram(bounds) => Some(
            meter
                .f64_histogram(name)
                .with_unit(unit)
                .with_description(says)
                .with_boundaries(bounds.to_vec())
                .build(),
        ),
        Kind::Counter => {
            let counter = meter.f64_observable_counter(name);
            let counter = counter.with_unit(unit).with_description(says);
            counter.with_callback(read(metric)).build();
            None
        }
        Kind::Gauge => {
            let gauge = meter.f64_observable_gauge(name);
            let gauge = gauge.with_unit(unit).with_description(says);
            gauge.with_callback(read(metric)).build();
            None
        }
    }
}

fn read(metric: &'static Metric) -> impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static {
    move |observer| {
        for (value, labels) in numbers(metric) {
            observer.observe(value, &labels);
        }
    }
}

fn numbers(metric: &'static Metric) -> Vec<(f64, Vec<KeyValue>)> {
    static COLLECTED: Mutex<Option<Instant>> = Mutex::new(None);
    if let Ok(mut collected) = COLLECTED.try_lock()
        && collected.is_none_or(|at| at.elapsed() > COLLECTED_FOR)
    {
        telemetry::collect();
        *collected = Some(Instant::now());
    }
    telemetry::series(metric)
        .into_iter()
        .filter_map(|series| match series.shape {
            Shape::Number(value) => Some((value, labelled(metric, &series.labels))),
            Shape::Histogram { .. } => None,
        })
        .collect()
}

fn labelled(metric: &'static Metric, labels: &[&'static str]) -> Vec<KeyValue> {
    metric
        .labels()
        .iter()
        .zip(labels)
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| KeyValue::new(label.key(), *value))
        .collect()
}

fn key_value(attribute: Attribute, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(Cow::Borrowed(text)) => OtelValue::String(text.into()),
        Value::Text(Cow::Owned(text)) => OtelValue::String(text.into()),
        Value::Whole(number) => OtelValue::I64(number),
        Value::Real(number) => OtelValue::F64(number),
        Value::Truth(truth) => OtelValue::Bool(truth),
    };
    KeyValue::new(attribute.key(), value)
}

const fn kind_of(kind: SpanKind) -> opentelemetry::trace::SpanKind {
    use opentelemetry::trace::SpanKind as Otel;
    match kind {
        SpanKind::Server => Otel::Server,
        SpanKind::Client => Otel::Client,
        SpanKind::Producer => Otel::Producer,
        SpanKind::Consumer => Otel::Consumer,
        SpanKind::Internal => Otel::Internal,
    }
}

pub(crate) fn context_of(trace: Trace) -> SpanContext {
    let flags = if trace.sampled {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    SpanContext::new(
        TraceId::from(trace.trace),
        SpanId::from(trace.span),
        flags,
        false,
        TraceState::NONE,
    )
}

fn trace_of(context: &SpanContext) -> Trace {
    Trace {
        trace: u128::from_be_bytes(context.trace_id().to_bytes()),
        span: u64::from_be_bytes(context.span_id().to_bytes()),
        sampled: context.is_sampled(),
    }
}
