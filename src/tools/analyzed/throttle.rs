//! Reports the progress of a call, from 0 to 100, a few times a second, because each report costs a message.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::tool::{ProgressSink, WHOLE};

const EVERY: Duration = Duration::from_millis(100);

/// After this many files the walk counts as half done: their total is unknown before the walk ends.
const HALF_WALKED: u64 = 2000;

/// The phases of a call, in order. Each has a share of the progress like its share of the time of a call over an
/// uncached tree: most of that is reading and parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Walk,
    Analyse,
    /// Resolving imports. Tools without this phase jump from 85 to 95.
    Resolve,
    Answer,
}

impl Phase {
    /// The start and the end of the phase.
    fn range(self) -> (u64, u64) {
        match self {
            Self::Walk => (0, 10),
            Self::Analyse => (10, 85),
            Self::Resolve => (85, 95),
            Self::Answer => (95, WHOLE),
        }
    }

    /// The progress of a call within this phase. Without a total it never reaches the end.
    fn place(self, done: u64, total: Option<u64>) -> u64 {
        let (from, to) = self.range();
        let (done, total) = match total {
            Some(0) => (1, 1),
            Some(total) => (done.min(total), total),
            None => (done, done.saturating_add(HALF_WALKED)),
        };
        let part = u128::from(to - from) * u128::from(done) / u128::from(total);
        from + u64::try_from(part).unwrap_or(to - from)
    }

    /// Reports the beginning of the phase.
    pub(crate) fn begins(self, sink: &ProgressSink, message: &str) {
        if !sink.is_silent() {
            sink.report(self.range().0, Some(WHOLE), message);
        }
    }
}

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

    /// Always reports the end of a phase, and other progress at most once per [`EVERY`].
    pub(crate) fn report(
        &self,
        phase: Phase,
        done: u64,
        total: Option<u64>,
        message: impl FnOnce() -> String,
    ) {
        if self.sink.is_silent() {
            return;
        }
        let is_end = total == Some(done);
        // If another thread holds the lock, that thread reports.
        let Ok(mut last) = self.last.try_lock().or_else(|error| match error {
            std::sync::TryLockError::Poisoned(poisoned) => Ok(PoisonError::into_inner(poisoned)),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            return;
        };
        if is_end || last.is_none_or(|last| last.elapsed() >= EVERY) {
            *last = Some(Instant::now());
            let place = phase.place(done, total);
            self.sink.report(place, Some(WHOLE), message());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PHASES: [Phase; 4] = [Phase::Walk, Phase::Analyse, Phase::Resolve, Phase::Answer];

    #[test]
    fn phases_are_contiguous_from_0_to_100() {
        let mut at = 0;
        for phase in PHASES {
            let (from, to) = phase.range();
            assert_eq!((from, to > from), (at, true), "{phase:?}");
            assert_eq!(phase.place(0, Some(7)), from);
            assert_eq!(phase.place(7, Some(7)), to);
            assert_eq!(phase.place(0, Some(0)), to, "nothing to do is done");
            at = to;
        }
        assert_eq!(at, 100);
    }

    proptest! {
        #[test]
        fn progress_never_decreases_and_stays_in_its_phase(done: u64, more: u64, total in prop::option::of(any::<u64>())) {
            for phase in PHASES {
                let (from, to) = phase.range();
                let place = phase.place(done, total);
                prop_assert!((from..=to).contains(&place));
                prop_assert!(phase.place(done.saturating_add(more), total) >= place);
            }
        }
    }
}
