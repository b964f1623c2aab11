//! Progress, a few times a second: clients draw it, and each report costs a message.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::tool::ProgressSink;

const EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Throttle<'s> {
    sink: &'s ProgressSink,
    last: Mutex<Option<Instant>>,
}

impl<'s> Throttle<'s> {
    pub(crate) fn new(sink: &'s ProgressSink) -> Self {
        Self {
            sink,
            last: Mutex::new(None),
        }
    }

    /// The end is always reported; what comes between, not more often than [`EVERY`].
    pub(crate) fn report(&self, done: u64, total: Option<u64>, message: impl FnOnce() -> String) {
        if self.sink.is_silent() {
            return;
        }
        let is_end = total == Some(done);
        // A thread that finds the lock taken leaves reporting to the one that holds it.
        let Ok(mut last) = self.last.try_lock().or_else(|error| match error {
            std::sync::TryLockError::Poisoned(poisoned) => Ok(PoisonError::into_inner(poisoned)),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            return;
        };
        if is_end || last.is_none_or(|last| last.elapsed() >= EVERY) {
            *last = Some(Instant::now());
            self.sink.report(done, total, message());
        }
    }
}
