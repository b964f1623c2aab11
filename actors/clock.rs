//! The only clock: wall time in milliseconds. It follows tokio's clock, so it never runs backwards, and a test with
//! paused time can move it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Cheap to clone; all clones tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_ms: u64,
}

impl Clock {
    /// Starts at the system time.
    pub fn system() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::starting_at(millis(since_1970))
    }

    /// Starts at the given time, for tests that compare stored timestamps.
    pub fn starting_at(started_ms: u64) -> Self {
        Self {
            started: Instant::now(),
            started_ms,
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> u64 {
        self.started_ms
            .saturating_add(millis(self.started.elapsed()))
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A random factor between 0 and 1 for a pause, so that waiting callers do not all retry at once.
pub(crate) fn jitter() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness the caller waits for the whole pause: later, but correct.
    if getrandom::fill(&mut bytes).is_err() {
        return 1.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
