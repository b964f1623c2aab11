//! Named crash points and injected faults. Every actor accepts a [`Fault`] as a message. A [`CrashPoint`] is a place
//! inside a handler where a test can make an actor panic; without the feature `faults` crash points are compiled away.

use std::time::Duration;

/// Marks a panic as injected: its actor restarts at once, and the restart does not count against the budget.
pub(crate) const INJECTED: &str = "injected fault";

/// A fault that a chaos suite injects by message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Panics as an injected fault; counted apart from real failures.
    Panic,
    /// Panics as a real defect would, and spends the actor's restart budget.
    Defect,
    /// Blocks the actor for this long.
    Stall(Duration),
}

impl Fault {
    /// Applies the fault to the actor whose handler calls this.
    pub(crate) async fn strike(self) {
        match self {
            #[expect(clippy::panic, reason = "this is what a fault is")]
            Self::Panic => panic!("{INJECTED}: panic"),
            #[expect(clippy::panic, reason = "this is what a fault is")]
            Self::Defect => panic!("defect by request"),
            Self::Stall(time) => tokio::time::sleep(time).await,
        }
    }
}

macro_rules! crash_points {
    ($($(#[$doc:meta])* $point:ident),* $(,)?) => {
        /// The places where a test can make an actor panic. Each is named after the step that was just completed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum CrashPoint {
            $($(#[$doc])* $point,)*
        }

        impl CrashPoint {
            pub const ALL: &'static [Self] = &[$(Self::$point,)*];
        }
    };
}

crash_points! {
    /// Before a session looks at any message. Arming the n-th pass kills the session between any two messages.
    SessionMessage,
    SessionStarted,
    SessionLoadAsked,
    SessionLoaded,
    SessionRecovered,
    SessionCallReceived,
    SessionCallDecided,
    SessionJobHandedOver,
    SessionCommitCast,
    SessionCommitAcknowledged,
    SessionApplied,
    SessionReplied,
    SessionOutcomeReceived,
    SessionOutcomeDecided,
    RegistryAsked,
    RegistryAnswered,
    SupervisorAsked,
    SupervisorSpawned,
    PersistenceReceived,
    PersistenceCommitted,
    PersistenceAnswered,
    PoolReceived,
    PoolStarted,
    CacheAsked,
    CacheFilled,
    InboxReceived,
    SessionHandOverAsked,
}

#[cfg(feature = "faults")]
mod armed {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::{CrashPoint, INJECTED};

    /// The armed crash points, shared by all actors of a tree.
    #[derive(Debug, Clone, Default)]
    pub struct Faults(Arc<Mutex<Plan>>);

    #[derive(Debug, Default)]
    struct Plan {
        /// Passes to let through before the one that panics.
        armed: HashMap<CrashPoint, Vec<u32>>,
        passed: HashMap<CrashPoint, u32>,
        struck: u32,
    }

    impl Faults {
        /// Arms `point`: its `nth` pass from now (0 is the next) panics.
        pub fn arm(&self, point: CrashPoint, nth: u32) {
            self.plan(|plan| plan.armed.entry(point).or_default().push(nth));
        }

        /// How often actors passed `point`.
        pub fn passed(&self, point: CrashPoint) -> u32 {
            self.plan(|plan| plan.passed.get(&point).copied().unwrap_or(0))
        }

        /// How many armed crash points have fired.
        pub fn struck(&self) -> u32 {
            self.plan(|plan| plan.struck)
        }

        pub(crate) fn pass(&self, point: CrashPoint) {
            let strike = self.plan(|plan| {
                *plan.passed.entry(point).or_default() += 1;
                let Some(waiting) = plan.armed.get_mut(&point) else {
                    return false;
                };
                let now = waiting.iter().position(|left| *left == 0);
                for left in waiting.iter_mut() {
                    *left = left.saturating_sub(1);
                }
                if let Some(at) = now {
                    waiting.remove(at);
                    plan.struck += 1;
                }
                now.is_some()
            });
            #[expect(clippy::panic, reason = "this is what an armed crash point is for")]
            if strike {
                panic!("{INJECTED}: {point:?}");
            }
        }

        fn plan<R>(&self, look: impl FnOnce(&mut Plan) -> R) -> R {
            look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }
}

#[cfg(not(feature = "faults"))]
mod armed {
    use super::CrashPoint;

    /// Without the feature `faults` this is empty and does nothing.
    #[derive(Debug, Clone, Default)]
    pub struct Faults {}

    impl Faults {
        #[inline(always)]
        pub(crate) fn pass(&self, _point: CrashPoint) {}
    }
}

pub use armed::Faults;
