//! The one clock: wall time in milliseconds that follows tokio's, so that it never runs backwards and a test with
//! paused time moves it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Cheap to clone; every clone tells the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_ms: u64,
}

impl Clock {
    /// Starts at the system's time.
    pub fn system() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::starting_at(millis(since_1970))
    }

    /// Starts at a time of the caller's choosing: for tests that compare what is stored.
    pub fn starting_at(started_ms: u64) -> Self {
        Self {
            started: Instant::now(),
            started_ms,
        }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.started_ms
            .saturating_add(millis(self.started.elapsed()))
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A part of a pause, between 0 and 1, so that those who wait do not come back in step.
pub(crate) fn jitter() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness the whole wait is taken: later, not wrong.
    if getrandom::fill(&mut bytes).is_err() {
        return 1.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
