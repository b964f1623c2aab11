//! Named crash points and injected faults. [`Fault`] is a message that every actor takes; [`CrashPoint`]s are places
//! inside handlers where a test may let an actor die, and are compiled away without the feature `faults`.

use std::time::Duration;

/// Marks a panic as wished for: it restarts its actor at once and spends no budget.
pub(crate) const INJECTED: &str = "injected fault";

/// What an outside chaos suite may do to an actor by message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As a defect that was asked for: counted apart.
    Panic,
    /// As a defect of our own: spends the actor's budget.
    Defect,
    /// Handles nothing for so long.
    Stall(Duration),
}

impl Fault {
    /// Does it to the actor whose handler calls this.
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
        /// Where an actor may be let die. Each name says what has happened just before.
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
    /// Before any message of a session is looked at: arming its n-th pass dies between any two messages.
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

    /// Which crash points are armed, shared by all actors of a tree.
    #[derive(Debug, Clone, Default)]
    pub struct Faults(Arc<Mutex<Plan>>);

    #[derive(Debug, Default)]
    struct Plan {
        /// Passes that are let through before the one that dies.
        armed: HashMap<CrashPoint, Vec<u32>>,
        passed: HashMap<CrashPoint, u32>,
        struck: u32,
    }

    impl Faults {
        /// The `nth` pass from now (0: the next) through `point` panics.
        pub fn arm(&self, point: CrashPoint, nth: u32) {
            self.plan(|plan| plan.armed.entry(point).or_default().push(nth));
        }

        /// How often actors came by `point`.
        pub fn passed(&self, point: CrashPoint) -> u32 {
            self.plan(|plan| plan.passed.get(&point).copied().unwrap_or(0))
        }

        /// How many armed points have struck.
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

    /// Without the feature `faults` there is nothing here, and nothing happens.
    #[derive(Debug, Clone, Default)]
    pub struct Faults {}

    impl Faults {
        #[inline(always)]
        pub(crate) fn pass(&self, _point: CrashPoint) {}
    }
}

pub use armed::Faults;
