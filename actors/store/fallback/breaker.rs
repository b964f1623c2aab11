//! Decides when a store counts as down. Pure, so that tests can try every rule.

/// Consecutive failures that open the breaker. One may be a broken connection, two its replacement.
const FAILURES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// All requests go to the store.
    Closed { failures: u32 },
    /// The store is down: only probes go to it.
    Open,
    /// The store answers again, and kept changes are being written back. One failure opens the breaker again.
    Returning,
}

impl Breaker {
    /// Returns true if this failure opened the breaker.
    pub(super) fn failed(&mut self) -> bool {
        let opens = match self {
            Self::Closed { failures } => {
                *failures += 1;
                *failures >= FAILURES
            }
            Self::Returning => true,
            Self::Open => false,
        };
        if opens {
            *self = Self::Open;
        }
        opens
    }

    pub(super) fn answered(&mut self) {
        if let Self::Closed { failures } = self {
            *failures = 0;
        }
    }

    /// A probe succeeded.
    pub(super) fn returns(&mut self) {
        if *self == Self::Open {
            *self = Self::Returning;
        }
    }

    /// All kept changes are written back.
    pub(super) fn close(&mut self) {
        if *self == Self::Returning {
            *self = Self::Closed { failures: 0 };
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open => "open",
            Self::Returning => "returning",
        }
    }

    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Fails,
        Answers,
        Probe,
        Back,
    }

    proptest! {
        /// Compares the breaker with a count of failures since the last answer.
        #[test]
        fn it_opens_after_consecutive_failures_and_closes_after_a_probe(
            steps in proptest::collection::vec(
                prop_oneof![Just(Step::Fails), Just(Step::Answers), Just(Step::Probe), Just(Step::Back)],
                0..50,
            ),
        ) {
            let mut breaker = Breaker::Closed { failures: 0 };
            let mut in_a_row = 0;
            for step in steps {
                let before = breaker;
                match step {
                    Step::Fails => {
                        in_a_row += 1;
                        let opened = breaker.failed();
                        prop_assert_eq!(opened, !before.is_open() && breaker.is_open());
                        let due = in_a_row >= FAILURES || before == Breaker::Returning;
                        prop_assert_eq!(breaker.is_open(), due || before.is_open());
                    }
                    Step::Answers => {
                        breaker.answered();
                        if !before.is_open() {
                            in_a_row = 0;
                        }
                        prop_assert_eq!(before.is_open(), breaker.is_open());
                    }
                    Step::Probe => breaker.returns(),
                    Step::Back => breaker.close(),
                }
                if !breaker.is_open() && before.is_open() {
                    prop_assert!(matches!(step, Step::Probe), "only a probe ends it");
                    in_a_row = 0;
                }
                if matches!((before, breaker), (Breaker::Returning, Breaker::Closed { .. })) {
                    in_a_row = 0;
                }
            }
        }
    }
}
