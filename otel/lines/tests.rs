//! Lines as their readers see them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use telemetry::Trace;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;
use tracing_subscriber::layer::SubscriberExt;

use super::{Line, LogFormat};
use crate::field;

/// The lines that `write` logs.
fn lines(format: LogFormat, write: impl FnOnce()) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer({
            let kept = kept.clone();
            move || kept.clone()
        })
        .fmt_fields(format::debug_fn(field).delimited(" "))
        .with_ansi(false)
        .event_format(Line(format));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, write);
    let bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8(bytes.clone()).expect("text");
    text.lines().map(str::to_owned).collect()
}

const TRACE: Trace = Trace {
    trace: 0xabc,
    span: 0xdef,
    sampled: true,
};
/// Text of a caller that tries to write a line of its own.
const FORGED: &str = "x\n2026-11-27T00:00:00Z ERROR actors: forged\u{1b}[2K\",\"level\":\"ERROR";

#[test]
fn a_line_names_the_trace_of_its_code() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let written = lines(format, || {
            tracing::warn!(session = "s", "outside");
            let _in = telemetry::enter(Some(TRACE));
            tracing::warn!(session = "s", "inside");
        });
        assert!(!written[0].contains("trace_id"), "{}", written[0]);
        let (trace, span) = (format!("{:032x}", 0xabc), format!("{:016x}", 0xdef));
        assert!(
            written[1].contains(&trace) && written[1].contains(&span),
            "{}",
            written[1]
        );
    }
}

#[test]
fn json_lines_are_objects_whose_own_names_no_field_takes_over() {
    let written = lines(LogFormat::Json, || {
        tracing::info!(target: "here", files = 3_u64, ok = true, level = "mine", "read");
    });
    let line: serde_json::Value = serde_json::from_str(&written[0]).expect("JSON");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["field.level"], "mine");
    assert_eq!(line["message"], "read");
    assert_eq!(line["target"], "here");
    assert_eq!((&line["files"], &line["ok"]), (&3.into(), &true.into()));
    assert!(
        line["timestamp"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
}

#[test]
fn json_lines_name_the_event_and_text_lines_do_not() {
    let write = || {
        tracing::error!(event = "mine", "the store is down: connecting is retried");
        tracing::warn!("the store is down: connecting is retried");
        tracing::info!("said by a library");
    };
    let written = lines(LogFormat::Json, write);
    let line: Vec<serde_json::Value> = written
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(line[0]["event"], "store_away");
    assert_eq!(line[0]["field.event"], "mine");
    assert_eq!(line[1].get("event"), None, "another level");
    assert_eq!(line[2].get("event"), None);
    for line in lines(LogFormat::Text, write) {
        assert!(!line.contains("store_away"), "{line}");
    }
}

#[test]
fn no_text_of_a_caller_forges_a_line() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let written = lines(format, || {
            tracing::info!(path = FORGED, debug = ?FORGED, "{FORGED}");
        });
        assert_eq!(written.len(), 1, "{written:#?}");
        assert!(!written[0].contains('\u{1b}'), "{}", written[0]);
        if format == LogFormat::Json {
            let line: serde_json::Value = serde_json::from_str(&written[0]).expect("JSON");
            assert_eq!(line["level"], "INFO");
            assert_eq!(line["path"], FORGED);
        }
    }
}
