//! Decides when a dead child restarts. Pure, so that tests can try every rule with made-up times.

use std::collections::VecDeque;
use std::time::Duration;

/// Why an actor died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// A failure of its own: a panic, or an error returned by a handler.
    Failure,
    /// Killed from outside, or an injected fault: the actor restarts at once and spends no budget.
    Outside,
}

/// At most `restarts` within `window`; one more makes the supervisor fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intensity {
    pub(crate) restarts: usize,
    pub(crate) window: Duration,
}

/// Delay before the n-th restart within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backoff {
    None,
    /// The n-th entry; the last entry for all later restarts.
    Steps(&'static [Duration]),
    /// `base · 2ⁿ`, at most `cap`, times a random factor (full jitter), so that children do not restart all at once.
    Exponential {
        base: Duration,
        cap: Duration,
    },
}

/// What a supervisor does about a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Restart { after: Duration },
    GiveUp,
}

/// Restart rules for a kind of child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) intensity: Intensity,
    pub(crate) backoff: Backoff,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn per(restarts: usize, seconds: u64) -> Intensity {
    Intensity {
        restarts,
        window: Duration::from_secs(seconds),
    }
}

impl Policy {
    /// One session: a defect triggered by stored state recurs after every load, so the restarts must be bounded.
    pub(crate) const SESSION: Self = Self {
        intensity: per(3, 60),
        backoff: Backoff::Steps(&[ms(0), ms(50), ms(250), ms(1000)]),
    };
    pub(crate) const PERSISTENCE: Self = Self {
        intensity: per(5, 10),
        backoff: Backoff::Exponential {
            base: ms(100),
            cap: ms(5000),
        },
    };
    pub(crate) const STORE: Self = Self::PERSISTENCE;
    pub(crate) const LEASE_KEEPER: Self = Self::PERSISTENCE;
    pub(crate) const REGISTRY: Self = Self {
        intensity: per(20, 60),
        backoff: Backoff::None,
    };
    pub(crate) const CACHE: Self = Self::REGISTRY;
    pub(crate) const POOL: Self = Self::REGISTRY;
    pub(crate) const INBOX: Self = Self::REGISTRY;
    pub(crate) const SESSION_SUPERVISOR: Self = Self::REGISTRY;
    /// Escalations at the root. One more ends the process, and the service manager restarts it.
    pub(crate) const ROOT: Self = Self {
        intensity: per(10, 60),
        backoff: Backoff::Exponential {
            base: ms(100),
            cap: ms(5000),
        },
    };
}

/// The restart record of one child. It lives in the child's supervisor and dies with it.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    policy: Policy,
    /// Times of counted deaths, oldest first; at most one more than the intensity allows.
    deaths: VecDeque<u64>,
    restarts: u32,
}

impl Budget {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            deaths: VecDeque::new(),
            restarts: 0,
        }
    }

    /// Restarts so far, shown by the status.
    pub(crate) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Records the death of a child at `now_ms`. `jitter` is between 0 and 1.
    pub(crate) fn record(&mut self, death: Death, now_ms: u64, jitter: f64) -> Verdict {
        self.restarts = self.restarts.saturating_add(1);
        if death == Death::Outside {
            return Verdict::Restart {
                after: Duration::ZERO,
            };
        }
        let window = crate::clock::millis(self.policy.intensity.window);
        self.deaths.retain(|at| now_ms.saturating_sub(*at) < window);
        self.deaths.push_back(now_ms);
        if self.deaths.len() > self.policy.intensity.restarts {
            return Verdict::GiveUp;
        }
        Verdict::Restart {
            after: self.policy.backoff.wait(self.deaths.len() - 1, jitter),
        }
    }

    /// Forgets the counted deaths, after the parent supervisor decided to try again.
    pub(crate) fn clear(&mut self) {
        self.deaths.clear();
    }
}

impl Backoff {
    fn wait(self, nth: usize, jitter: f64) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Steps(steps) => steps.get(nth).or(steps.last()).copied().unwrap_or_default(),
            Self::Exponential { base, cap } => {
                let factor = 1_u32 << nth.min(16);
                base.saturating_mul(factor)
                    .min(cap)
                    .mul_f64(jitter.clamp(0.0, 1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_session_backs_off_and_the_fourth_panic_exceeds_the_budget() {
        let mut budget = Budget::new(Policy::SESSION);
        let verdicts: Vec<_> = (0..4)
            .map(|i| budget.record(Death::Failure, 1000 + i, 0.5))
            .collect();
        let restart = |after| Verdict::Restart { after: ms(after) };
        assert_eq!(
            verdicts,
            [restart(0), restart(50), restart(250), Verdict::GiveUp]
        );
    }

    #[test]
    fn failures_older_than_the_window_are_forgotten() {
        let mut budget = Budget::new(Policy::SESSION);
        for i in 0..100 {
            let verdict = budget.record(Death::Failure, i * 20_001, 0.5);
            assert_ne!(verdict, Verdict::GiveUp, "death {i}");
        }
    }

    #[test]
    fn kills_and_injected_faults_spend_nothing() {
        let mut budget = Budget::new(Policy::SESSION);
        for i in 0..1000 {
            assert_eq!(
                budget.record(Death::Outside, i, 0.5),
                Verdict::Restart {
                    after: Duration::ZERO
                }
            );
        }
        assert_eq!(
            budget.record(Death::Failure, 1000, 0.5),
            Verdict::Restart {
                after: Duration::ZERO
            }
        );
        assert_eq!(budget.restarts(), 1001);
    }

    proptest! {
        #[test]
        fn gives_up_exactly_when_the_window_holds_too_many(gaps in prop::collection::vec(0_u64..30_000, 1..60)) {
            let mut budget = Budget::new(Policy::SESSION);
            let mut now = 0;
            let mut times = Vec::new();
            for gap in gaps {
                now += gap;
                times.push(now);
                let within = times.iter().filter(|at| now - **at < 60_000).count();
                let verdict = budget.record(Death::Failure, now, 1.0);
                prop_assert_eq!(verdict == Verdict::GiveUp, within > 3);
            }
        }

        #[test]
        fn exponential_waits_stay_below_their_cap(nth in 0_usize..1000, jitter in -1.0_f64..2.0) {
            let wait = Policy::STORE.backoff.wait(nth, jitter);
            prop_assert!(wait <= ms(5000));
        }
    }
}
