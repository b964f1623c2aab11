//! Spans and metrics as their users see them. The registry and the sink are the process's own, so each test uses metrics of
//! its own.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::list::metric::{
    CacheSize, CommitGroup, LeaseRenewals, Losses, PoolWait, RedisDuration, Restarts, Stuck,
};
use crate::list::{attribute, event, span};
use crate::{
    Attribute, Event, Format, Link, Metric, Parent, Recorder, Shape, Sink, Span, SpanName, Trace,
    Value, collect_with, current, enter, render, series, traced,
};

/// What the test sink has heard, by the name of the span.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn hear(line: String) {
    HEARD
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
}

fn heard(of: Trace) -> Vec<String> {
    let id = format!("{:x} ", of.span);
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    heard
        .iter()
        .filter_map(|line| line.strip_prefix(&id).map(str::to_owned))
        .collect()
}

struct Heard;
struct Told(u64);

impl Sink for Heard {
    fn start(
        &self,
        _: &'static SpanName,
        name: Cow<'static, str>,
        parent: Option<Trace>,
        links: &[Link],
    ) -> Option<(Trace, Option<Box<dyn Recorder>>)> {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(100);
        let span = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let trace = Trace {
            trace: parent.map_or(u128::from(span), |parent| parent.trace),
            span,
            sampled: parent.is_none_or(|parent| parent.sampled),
        };
        let parent = parent.map(|parent| parent.span);
        hear(format!(
            "{span:x} start {name} parent {parent:?} links {}",
            links.len()
        ));
        let recorder = || Box::new(Told(span)) as Box<dyn Recorder>;
        Some((trace, trace.sampled.then(recorder)))
    }

    fn measured(&self, _: &'static Metric, _: &[&'static str], _: f64) {}
}

impl Recorder for Told {
    fn set(&mut self, attribute: Attribute, value: Value) {
        hear(format!("{:x} {} = {value:?}", self.0, attribute.key()));
    }

    fn event(&mut self, event: Event, _: &[(Attribute, Value)]) {
        hear(format!("{:x} event {}", self.0, event.name()));
    }

    fn link(&mut self, _: Link) {
        hear(format!("{:x} link", self.0));
    }

    fn fail(&mut self, why: Cow<'static, str>) {
        hear(format!("{:x} failed {why}", self.0));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        hear(format!("{:x} end", self.0));
    }
}

fn listen() {
    // Each test may be the first.
    let _ = crate::install(Box::new(Heard));
}

#[test]
fn a_span_that_is_ended_is_fine_and_one_that_is_dropped_was_abandoned() {
    listen();
    let fine = Span::start(&span::COMMIT, Parent::None);
    let context = fine.context().expect("on");
    fine.end();
    assert_eq!(heard(context), ["start commit parent None links 0", "end"]);
    let lost = Span::of(&span::CALL, "find_tools", Parent::Of(Some(context)), &[]);
    let context = lost.context().expect("on");
    drop(lost);
    let heard = heard(context);
    assert!(heard[0].starts_with("start tools/call find_tools parent Some("));
    assert_eq!(heard[2..], ["failed abandoned", "end"]);
}

#[test]
fn children_take_the_current_trace_across_futures() {
    listen();
    let root = Span::start(&span::SWEEP, Parent::None);
    let context = root.context();
    let mut future = Box::pin(traced(context, async {
        let child = Span::start(&span::WALK, Parent::Current);
        let trace = child.context().expect("on").trace;
        child.end();
        trace
    }));
    let mut polled = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(trace) = future.as_mut().poll(&mut polled) else {
        panic!("it waits for nothing");
    };
    assert_eq!(Some(trace), context.map(|context| context.trace));
    assert_eq!(current(), None);
    root.end();
}

#[test]
fn spans_that_wait_are_linked_to_the_work_that_serves_them() {
    listen();
    let waiting = Span::start(&span::COMMIT, Parent::None);
    let context = waiting.context().expect("on");
    let follower = Arc::new(Mutex::new(waiting));
    let work = Span::start(&span::REDIS, Parent::None);
    {
        let _in = crate::enter_with(work.context(), Some([Arc::clone(&follower)].into()));
        crate::followers(work.context().expect("on"));
    }
    crate::followers(work.context().expect("on"));
    work.end();
    assert_eq!(heard(context)[1..], ["link"], "only while it is current");
}

#[test]
#[should_panic(expected = "is not listed for the span")]
fn an_attribute_that_is_not_listed_for_a_span_is_a_mistake() {
    listen();
    let mut span = Span::start(&span::HEARTBEAT, Parent::None);
    span.set(attribute::FILES_WALKED, 3_u64);
}

#[test]
fn an_unsampled_span_has_a_context_and_records_nothing() {
    listen();
    let parent = Trace {
        trace: 7,
        span: 8,
        sampled: false,
    };
    let mut span = Span::start(&span::SESSION_CALL, Parent::Of(Some(parent)));
    span.event(event::ACCEPTED);
    assert!(!span.is_recorded());
    let context = span.context().expect("on");
    assert_eq!(context.trace, 7);
    span.end();
    assert_eq!(heard(context).len(), 1);
}

#[test]
fn a_counter_is_rendered_in_both_formats() {
    Losses {}.add(3);
    let prometheus = render(Format::Prometheus);
    assert!(
        prometheus.contains("# TYPE mca_store_losses_total counter\nmca_store_losses_total 3\n")
    );
    let open = render(Format::OpenMetrics);
    assert!(open.contains("# TYPE mca_store_losses counter\nmca_store_losses_total 3\n"));
    assert!(open.ends_with("# EOF\n") && !prometheus.contains("# EOF"));
}

#[test]
fn a_histogram_has_growing_buckets_and_an_exemplar_of_a_sampled_trace() {
    let labels = RedisDuration {
        system: "redis",
        operation: "GET",
        procedure: "",
        error: "",
    };
    labels.record(0.002);
    let trace = Trace {
        trace: 0xabc,
        span: 0xdef,
        sampled: true,
    };
    {
        let _in = enter(Some(trace));
        labels.record(0.003);
    }
    labels.record(100.0);
    let text = render(Format::OpenMetrics);
    let name = "db_client_operation_duration_seconds";
    let of = "db_system_name=\"redis\",db_operation_name=\"GET\"";
    for line in [
        format!("# UNIT {name} seconds"),
        format!("{name}_bucket{{{of},le=\"0.001\"}} 0"),
        format!("{name}_bucket{{{of},le=\"10\"}} 2"),
        format!("{name}_bucket{{{of},le=\"+Inf\"}} 3"),
        format!("{name}_count{{{of}}} 3"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let exemplar =
        "# {trace_id=\"00000000000000000000000000000abc\",span_id=\"0000000000000def\"} 0.003 ";
    assert!(text.contains(exemplar), "{text}");
    assert!(!render(Format::Prometheus).contains("trace_id"));
}

#[test]
fn a_value_on_a_bound_belongs_to_its_bucket() {
    CommitGroup {}.record(2.0);
    let Some(Shape::Histogram { counts, .. }) = series(CommitGroup::METRIC)
        .first()
        .map(|series| series.shape.clone())
    else {
        panic!("recorded");
    };
    assert_eq!(counts[..3], [0, 1, 0]);
}

#[test]
fn a_collector_runs_before_each_reading_until_it_is_dropped() {
    let bytes = Arc::new(Mutex::new(1.0));
    let read = Arc::clone(&bytes);
    let collector = collect_with(move || {
        let bytes = *read.lock().unwrap_or_else(PoisonError::into_inner);
        CacheSize {}.set(bytes);
    });
    assert!(render(Format::Prometheus).contains("\nmca_cache_size_bytes 1\n"));
    *bytes.lock().unwrap_or_else(PoisonError::into_inner) = 2.0;
    assert!(render(Format::Prometheus).contains("\nmca_cache_size_bytes 2\n"));
    let running = Arc::downgrade(&collector);
    drop(collector);
    // Another test may be reading at this moment.
    while running.strong_count() > 0 {
        std::thread::yield_now();
    }
    *bytes.lock().unwrap_or_else(PoisonError::into_inner) = 3.0;
    assert!(render(Format::Prometheus).contains("\nmca_cache_size_bytes 2\n"));
}

#[test]
fn replacing_the_series_of_a_gauge_forgets_the_others() {
    Stuck { actor: "pool" }.set(1.0);
    Stuck::replace([(Stuck { actor: "cache" }, 2.0)]);
    let [only] = &series(Stuck::METRIC)[..] else {
        panic!("one series");
    };
    assert_eq!(only.labels[..], ["cache"]);
    assert_eq!(only.shape, Shape::Number(2.0));
}

#[test]
fn a_total_that_is_counted_elsewhere_never_falls() {
    let restarts = || Restarts { actor: "pool" };
    restarts().reach(5.0);
    restarts().reach(4.0);
    assert_eq!(series(Restarts::METRIC)[0].shape, Shape::Number(5.0));
}

#[test]
fn the_number_of_series_is_bounded() {
    for at in 0..2000 {
        let outcome: &'static str = Box::leak(format!("outcome-{at}").into_boxed_str());
        LeaseRenewals { outcome }.add(1);
    }
    let all = series(LeaseRenewals::METRIC);
    assert_eq!(all.len(), 1001);
    let other = all.iter().find(|series| series.labels[..] == ["_OTHER"]);
    assert_eq!(
        other.map(|series| series.shape.clone()),
        Some(Shape::Number(1000.0))
    );
}

#[test]
fn a_label_without_a_value_is_left_out() {
    PoolWait {}.record(0.5);
    let text = render(Format::Prometheus);
    assert!(
        text.contains("mca_pool_wait_duration_seconds_bucket{le=\"0.5\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("mca_pool_wait_duration_seconds_sum 0.5\n"),
        "{text}"
    );
}
