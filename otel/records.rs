//! Log events as OTLP log records, with the trace of the code that wrote them.

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use serde_json::Value;
use telemetry::list::logs;
use tracing_core::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::lines::Fields;

pub(crate) struct Records(SdkLogger);

impl Records {
    pub(crate) fn new(provider: &SdkLoggerProvider) -> Self {
        Self(provider.logger("mcp-code-analysis"))
    }
}

impl<S: Subscriber> Layer<S> for Records {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut record = self.0.create_log_record();
        record.set_severity_number(severity(metadata.level()));
        record.set_severity_text(metadata.level().as_str());
        record.set_target(metadata.target());
        if let Some(name) = logs::named(metadata.level().as_str(), &fields.message) {
            record.set_event_name(name);
        }
        record.set_body(AnyValue::from(fields.message));
        for (name, value) in fields.others {
            record.add_attribute(name, any(value));
        }
        if let Some(trace) = telemetry::current() {
            record.set_trace_context(
                TraceId::from(trace.trace),
                SpanId::from(trace.span),
                Some(if trace.sampled {
                    TraceFlags::SAMPLED
                } else {
                    TraceFlags::default()
                }),
            );
        }
        self.0.emit(record);
    }
}

fn any(value: Value) -> AnyValue {
    match value {
        Value::Bool(truth) => AnyValue::from(truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => AnyValue::from(whole),
            None => AnyValue::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => AnyValue::from(text),
        other @ (Value::Null | Value::Array(_) | Value::Object(_)) => {
            AnyValue::from(other.to_string())
        }
    }
}

fn severity(level: &Level) -> Severity {
    match *level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        Level::TRACE => Severity::Trace,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use opentelemetry::InstrumentationScope;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// The names of the records that were emitted.
    #[derive(Debug, Clone, Default)]
    struct Names(Arc<Mutex<Vec<Option<&'static str>>>>);

    impl LogProcessor for Names {
        fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.push(record.event_name());
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn a_record_has_the_name_of_its_event() {
        let names = Names::default();
        let provider = SdkLoggerProvider::builder()
            .with_log_processor(names.clone())
            .build();
        let subscriber = tracing_subscriber::registry().with(Records::new(&provider));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(
                calls_continue = false,
                "the store is down: connecting is retried"
            );
            tracing::debug!("the store is down: connecting is retried");
            tracing::info!("said by a library");
        });
        let names = names.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*names, [Some("store_away"), None, None]);
    }
}
