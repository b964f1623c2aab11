//! Brings the metrics up to date whose values are kept elsewhere, before each reading: by the admin port or by the
//! exporter.

use std::sync::Arc;
use std::time::Instant;

use actors::sessions::Sessions;
use telemetry::list::metric::{Build, Files, LogLinesDropped};

use crate::service::Measured;

/// Measures until the returned value is dropped.
pub(super) fn start(sessions: &Sessions) -> Measured {
    let (sessions, started) = (sessions.clone(), Instant::now());
    let version = env!("CARGO_PKG_VERSION");
    Build { version }.set(1.0);
    Sessions::begin_measuring();
    for handled in ["parsed", "cached", "skipped"] {
        Files { handled }.add(0);
    }
    let collector = telemetry::collect_with(move || {
        sessions.measure();
        telemetry::process::measure(started);
        LogLinesDropped {}.reach(otel::stderr::dropped() as f64);
    });
    Arc::new(collector)
}
