//! Reports panics as the standard library does, but through the queue, so that reporting never blocks.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;
use std::time::Duration;

use super::{stderr, visible};

/// Time to write the queue before an abort, which would lose it.
const BEFORE_AN_ABORT: Duration = Duration::from_millis(100);

/// Replaces the standard library's hook, which writes to stderr directly.
pub(super) fn tell() {
    panic::set_hook(Box::new(|info| {
        stderr::show(&told(info, &Backtrace::capture()));
        stderr::flush_unless_stalled(BEFORE_AN_ABORT);
    }));
}

fn told(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value of another type");
    let thread = thread::current();
    let thread = thread.name().unwrap_or("<unnamed>");
    let place = info.location().map(ToString::to_string);
    let mut text = format!(
        "thread {thread:?} panicked at {}: {}\n",
        place.unwrap_or_default(),
        visible::line(message)
    );
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("{backtrace}"));
        text.push('\n');
    }
    text
}
