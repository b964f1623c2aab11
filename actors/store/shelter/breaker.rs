//! When a store is taken for away: pure, so that every rule can be tried.

/// So many failures in a row: one may be a connection that broke, two the one that was made in its place.
const FAILURES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// Everything goes to the store.
    Closed { failures: u32 },
    /// Nothing does, but a probe now and then.
    Open,
    /// It answers again, and what was kept for it is brought back. One failure opens it.
    Returning,
}

impl Breaker {
    /// True where this opened it.
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

    /// Everything is back.
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
        /// Against a count of failures since the last answer.
        #[test]
        fn it_opens_after_failures_in_a_row_and_closes_by_way_of_a_probe(
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
