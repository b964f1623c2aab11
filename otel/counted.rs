//! Counts what leaves the process and what is dropped, and bounds what waits.
//!
//! The library's queue drops spans silently when it is full. [`Bounded`] counts the spans in it, so that the queue is never
//! full and each dropped span is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use telemetry::list::metric::{TelemetryDropped, TelemetryExported};

/// What happens to one signal.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    signal: &'static str,
    refused: Arc<AtomicBool>,
}

impl Count {
    pub(crate) fn new(signal: &'static str) -> Self {
        Self {
            signal,
            refused: Arc::default(),
        }
    }

    /// Counts the outcome of an export, and says once that it fails, and once that it works again.
    fn outcome(&self, items: usize, result: &OTelSdkResult) {
        let (signal, items) = (self.signal, items as u64);
        match result {
            Ok(()) => {
                TelemetryExported { signal }.add(items);
                if self.refused.swap(false, Ordering::Relaxed) {
                    tracing::info!(signal, "the OTLP receiver takes telemetry again");
                }
            }
            Err(error) => {
                TelemetryDropped {
                    signal,
                    why: "refused",
                }
                .add(items);
                if !self.refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(signal, %error, "the OTLP receiver does not take telemetry: it is dropped until the receiver does");
                }
            }
        }
    }

    fn full(&self, items: u64) {
        TelemetryDropped {
            signal: self.signal,
            why: "queue_full",
        }
        .add(items);
    }
}

/// An exporter that counts.
#[derive(Debug)]
pub(crate) struct Counted<E> {
    pub(crate) inner: E,
    pub(crate) count: Count,
    /// Items in the queue, if they are counted.
    pub(crate) waiting: Arc<AtomicUsize>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        self.waiting.fetch_sub(items, Ordering::Relaxed);
        let result = self.inner.export(batch).await;
        self.count.outcome(items, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        self.count.outcome(1, &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let items = batch.iter().count();
        let result = self.inner.export(batch).await;
        self.count.outcome(items, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Gives a span to the library's queue only if there is room.
#[derive(Debug)]
pub(crate) struct Bounded {
    pub(crate) inner: BatchSpanProcessor,
    pub(crate) count: Count,
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) limit: usize,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let room = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.limit).then_some(waiting + 1)
            });
        match room {
            Ok(_) => self.inner.on_end(span),
            Err(_) => self.count.full(1),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
