//! The pipelines to an OTLP receiver: built once at the start, ended once at the end, each on threads of its own.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::counted::{Bounded, Count, Counted};
use crate::http::Client;
use crate::settings::{self, Protocol, Receiver, Settings, Tls};
use crate::sink::{Export, instruments};

/// Spans that wait for the exporter, if `OTEL_BSP_MAX_QUEUE_SIZE` names no number: a few seconds of a busy server.
const QUEUE: usize = 8192;
/// The name of the instrumentation: the program's.
const SCOPE: &str = "mcp-code-analysis";

/// Why nothing can be exported.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{0}")]
    Setting(#[from] settings::Error),
    #[error("the OTLP exporter cannot be used: {0}")]
    Exporter(String),
}

impl From<ExporterBuildError> for Error {
    fn from(error: ExporterBuildError) -> Self {
        Self::Exporter(error.to_string())
    }
}

/// The running pipelines.
pub(crate) struct Pipelines {
    tracers: Option<SdkTracerProvider>,
    meters: Option<SdkMeterProvider>,
    pub(crate) loggers: Option<SdkLoggerProvider>,
    /// Connections over gRPC live here.
    runtime: Option<Runtime>,
}

/// Builds what the settings ask for; `None`: nothing is exported. Must not be called in a runtime.
///
/// # Errors
/// A certificate or an endpoint cannot be used.
pub(crate) fn start(settings: &Settings) -> Result<Option<(Pipelines, Export)>, Error> {
    if *settings == Settings::default() {
        return Ok(None);
    }
    let runtime = settings.uses(Protocol::Grpc).then(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp")
            .enable_all()
            .build()
            .map_err(|error| Error::Exporter(error.to_string()))
    });
    let runtime = runtime.transpose()?;
    let entered = runtime.as_ref().map(Runtime::enter);
    let resource = resource();
    let tracers = settings
        .traces
        .as_ref()
        .map(|receiver| traces(receiver, &resource))
        .transpose()?;
    let meters = settings
        .metrics
        .as_ref()
        .map(|receiver| metrics(receiver, &resource))
        .transpose()?;
    let loggers = settings
        .logs
        .as_ref()
        .map(|receiver| logs(receiver, &resource))
        .transpose()?;
    let get = |name: &str| std::env::var(name).ok();
    let export = Export {
        tracer: tracers.as_ref().map(|tracers| tracers.tracer(SCOPE)),
        follows_parents: settings::follows_parents(&get),
        histograms: meters
            .as_ref()
            .map(|meters| instruments(&meters.meter(SCOPE)))
            .unwrap_or_default(),
    };
    drop(entered);
    let pipelines = Pipelines {
        tracers,
        meters,
        loggers,
        runtime,
    };
    Ok(Some((pipelines, export)))
}

impl Pipelines {
    /// Sends what waits, and ends. Takes at most `within`, and must not be called in a runtime.
    pub(crate) fn end(self, within: Duration) {
        let until = Instant::now() + within;
        let left = || until.saturating_duration_since(Instant::now());
        // What cannot be sent in time is lost; the outcome is counted by the exporters.
        if let Some(tracers) = self.tracers {
            let _ = tracers.shutdown_with_timeout(left());
        }
        if let Some(loggers) = self.loggers {
            let _ = loggers.shutdown_with_timeout(left());
        }
        if let Some(meters) = self.meters {
            let _ = meters.shutdown_with_timeout(left());
        }
        if let Some(runtime) = self.runtime {
            runtime.shutdown_background();
        }
    }
}

/// Who exports. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource() -> Resource {
    let told = |key: &str| {
        let attributes = std::env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let key = format!("{key}=");
        attributes
            .split(',')
            .any(|pair| pair.trim().starts_with(&key))
    };
    let mut builder = Resource::builder();
    let named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty());
    if !named && !told("service.name") {
        builder = builder.with_service_name(SCOPE);
    }
    for (key, value) in [
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance()),
    ] {
        if !told(key) {
            builder = builder.with_attribute(KeyValue::new(key, value));
        }
    }
    let pid = i64::from(std::process::id());
    builder
        .with_attribute(KeyValue::new("process.pid", pid))
        .build()
}

/// Different for each process.
fn instance() -> String {
    let mut bytes = [0; 16];
    // Without randomness the process's number has to do.
    if getrandom::fill(&mut bytes).is_err() {
        return std::process::id().to_string();
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn traces(receiver: &Receiver, resource: &Resource) -> Result<SdkTracerProvider, Error> {
    let exporter = match receiver.protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_tls_config(tonic_tls(&receiver.tls))
            .build()?,
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_http_client(client(receiver, "TRACES")?)
            .build()?,
    };
    let limit = number("OTEL_BSP_MAX_QUEUE_SIZE").unwrap_or(QUEUE).max(1);
    let (count, waiting) = (Count::new("traces"), Arc::new(AtomicUsize::new(0)));
    let counted = Counted {
        inner: exporter,
        count: count.clone(),
        waiting: Arc::clone(&waiting),
    };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(limit)
        .build();
    let inner = BatchSpanProcessor::new(counted, config);
    let bounded = Bounded {
        inner,
        count,
        waiting,
        limit,
    };
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(bounded)
        .build())
}

fn metrics(receiver: &Receiver, resource: &Resource) -> Result<SdkMeterProvider, Error> {
    let exporter = match receiver.protocol {
        Protocol::Grpc => MetricExporter::builder()
            .with_tonic()
            .with_tls_config(tonic_tls(&receiver.tls))
            .build()?,
        Protocol::HttpProtobuf => MetricExporter::builder()
            .with_http()
            .with_http_client(client(receiver, "METRICS")?)
            .build()?,
    };
    let counted = Counted {
        inner: exporter,
        count: Count::new("metrics"),
        waiting: Arc::default(),
    };
    Ok(SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_reader(PeriodicReader::builder(counted).build())
        .build())
}

fn logs(receiver: &Receiver, resource: &Resource) -> Result<SdkLoggerProvider, Error> {
    let exporter = match receiver.protocol {
        Protocol::Grpc => LogExporter::builder()
            .with_tonic()
            .with_tls_config(tonic_tls(&receiver.tls))
            .build()?,
        Protocol::HttpProtobuf => LogExporter::builder()
            .with_http()
            .with_http_client(client(receiver, "LOGS")?)
            .build()?,
    };
    let counted = Counted {
        inner: exporter,
        count: Count::new("logs"),
        waiting: Arc::default(),
    };
    Ok(SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(counted)
        .build())
}

fn client(receiver: &Receiver, part: &str) -> Result<Client, Error> {
    let timeout = number(&format!("OTEL_EXPORTER_OTLP_{part}_TIMEOUT"))
        .or_else(|| number("OTEL_EXPORTER_OTLP_TIMEOUT"))
        .map(|millis| Duration::from_millis(millis as u64));
    Client::new(&receiver.tls, timeout).map_err(Error::Exporter)
}

/// Used only if the endpoint begins with `https`.
fn tonic_tls(tls: &Tls) -> ClientTlsConfig {
    let config = ClientTlsConfig::new();
    let config = match &tls.authority {
        Some(authority) => config.ca_certificate(Certificate::from_pem(authority)),
        None => config.with_webpki_roots(),
    };
    match &tls.own {
        Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
        None => config,
    }
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.trim().parse().ok()
}
