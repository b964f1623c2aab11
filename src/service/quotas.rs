//! Limits per principal, so that no principal uses up the resources of all. They are checked before any work is done
//! for a request. Counters are in memory only: after a restart they start at zero, and each node counts for itself.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::ids::Principal;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Failure;
use crate::config::principals::{BURST_SECONDS, Limits, Principals};

/// Principals with counters: as many as a token file may name. Idle ones are dropped to make room.
const REMEMBERED: usize = 4096;
/// Most calls take less than this, so a slot is likely to be free.
const CALLS_RETRY: Duration = Duration::from_millis(500);

/// Cheap to clone; all clones count together.
#[derive(Clone, Default)]
pub struct Quotas(Arc<Inner>);

#[derive(Default)]
struct Inner {
    principals: Principals,
    shares: Mutex<HashMap<Principal, Arc<Share>>>,
}

/// The remaining share of one principal.
struct Share {
    calls: Option<Arc<Semaphore>>,
    rate: Option<DefaultDirectRateLimiter>,
}

/// One running call; ends when dropped.
#[must_use]
pub struct Slot(#[expect(dead_code, reason = "held, never read")] Option<OwnedSemaphorePermit>);

impl Quotas {
    pub fn new(principals: Principals) -> Self {
        Self(Arc::new(Inner {
            principals,
            shares: Mutex::default(),
        }))
    }

    pub fn limits(&self, principal: &Principal) -> Limits {
        self.0.principals.limits(principal.as_str())
    }

    /// Counts one request of any kind.
    ///
    /// # Errors
    /// Too many requests in this period.
    pub fn request(&self, principal: &Principal) -> Result<(), Failure> {
        self.requests(principal, 1)
    }

    /// Counts a call as `count` requests: a batch counts each of its calls.
    ///
    /// # Errors
    /// Too many requests in this period, or too many running calls.
    pub fn call(&self, principal: &Principal, count: usize) -> Result<Slot, Failure> {
        self.requests(principal, count)?;
        let Some(calls) = &self.share(principal).calls else {
            return Ok(Slot(None));
        };
        let permit = Arc::clone(calls).try_acquire_owned();
        permit.map(|permit| Slot(Some(permit))).map_err(|_| {
            let limit = self.limits(principal).calls.unwrap_or_default();
            Failure::new(
                "too_many_calls",
                format!("{limit} of your calls are running, which is the limit"),
            )
            .after(CALLS_RETRY)
        })
    }

    fn requests(&self, principal: &Principal, count: usize) -> Result<(), Failure> {
        let share = self.share(principal);
        let Some(rate) = &share.rate else {
            return Ok(());
        };
        let per_second = self.limits(principal).rate.unwrap_or(1);
        // A batch larger than the burst counts as one full burst, or it could never run.
        let most = per_second.saturating_mul(BURST_SECONDS);
        let count = u32::try_from(count).unwrap_or(most).clamp(1, most);
        let Some(count) = NonZeroU32::new(count) else {
            return Ok(());
        };
        match rate.check_n(count) {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(early)) => {
                let wait = early.wait_time_from(DefaultClock::default().now());
                Err(Failure::new(
                    "rate_limited",
                    format!(
                        "you sent more than {per_second} requests per second, which is the limit"
                    ),
                )
                .after(wait.max(Duration::from_millis(1))))
            }
        }
    }

    /// Created at first use. Over the limit, idle principals are dropped; they lose only their used-up counters.
    fn share(&self, principal: &Principal) -> Arc<Share> {
        let mut shares = self.0.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(principal) {
            return Arc::clone(share);
        }
        if shares.len() >= REMEMBERED {
            shares.retain(|_, share| share.is_in_use());
        }
        let share = Arc::new(Share::new(self.limits(principal)));
        shares.insert(principal.clone(), Arc::clone(&share));
        share
    }
}

impl Share {
    fn new(limits: Limits) -> Self {
        let per_second = limits.rate.and_then(NonZeroU32::new);
        let rate = per_second.map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        });
        let permits = |calls| usize::try_from(calls).unwrap_or(usize::MAX);
        let calls = limits
            .calls
            .map(permits)
            .map(|calls| calls.min(Semaphore::MAX_PERMITS));
        Self {
            calls: calls.map(|calls| Arc::new(Semaphore::new(calls))),
            rate,
        }
    }

    /// A running call holds a reference to the semaphore.
    fn is_in_use(&self) -> bool {
        let calls = self.calls.as_ref();
        calls.is_some_and(|calls| Arc::strong_count(calls) > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layer};

    /// Parses the quotas as a configuration file.
    fn quotas(text: &str) -> Quotas {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("http = '127.0.0.1:0'\n{text}")).unwrap();
        let flags = Layer {
            config: Some(file.path().to_owned()),
            ..Layer::default()
        };
        let config = Config::resolve(flags, std::iter::empty()).unwrap();
        Quotas::new(config.principals)
    }

    fn reason(failure: Option<Failure>) -> String {
        let failure = failure.expect("refused");
        let after = failure.retry_after.expect("a delay");
        assert!(!after.is_zero() && after.subsec_nanos().is_multiple_of(1_000_000));
        assert_eq!(failure.row().code.name(), "RESOURCE_EXHAUSTED");
        failure.reason
    }

    #[test]
    fn local_has_no_limits() {
        let quotas = quotas("principal_rate = 1\nprincipal_calls = 1\nprincipal_sessions = 1\n");
        let local = Principal::local();
        let slots: Vec<_> = (0..1000).map(|_| quotas.call(&local, 50)).collect();
        assert!(slots.iter().all(Result::is_ok));
        assert_eq!(quotas.limits(&local), Limits::default());
    }

    #[test]
    fn a_finished_call_frees_its_slot_and_each_principal_has_its_own() {
        let quotas = quotas("principal_calls = 2\n[principals.ben]\ncalls = 1\n");
        let (ann, ben) = (Principal::named("ann"), Principal::named("ben"));
        let first = quotas.call(&ann, 1).unwrap();
        let _second = quotas.call(&ann, 1).unwrap();
        assert_eq!(reason(quotas.call(&ann, 1).err()), "too_many_calls");
        let _bens = quotas.call(&ben, 1).unwrap();
        assert_eq!(reason(quotas.call(&ben, 1).err()), "too_many_calls");
        drop(first);
        assert!(quotas.call(&ann, 1).is_ok());
        assert!(quotas.request(&ann).is_ok(), "a ping is no call");
    }

    #[test]
    fn a_batch_counts_each_call_up_to_one_burst() {
        // One request a second: used quota does not return before the test is over.
        let quotas = quotas("principal_rate = 1\n[principals.ben]\nrate = 10\n");
        let (ann, ben) = (Principal::named("ann"), Principal::named("ben"));
        assert!(quotas.request(&ann).is_ok() && quotas.request(&ann).is_ok());
        assert_eq!(reason(quotas.request(&ann).err()), "rate_limited");
        assert_eq!(reason(quotas.call(&ann, 1).err()), "rate_limited");
        assert!(quotas.call(&ben, 50).is_ok(), "else it could never be made");
        assert_eq!(reason(quotas.call(&ben, 20).err()), "rate_limited");
    }

    #[test]
    fn the_number_of_principals_is_bounded() {
        let quotas = quotas("principal_calls = 1\n");
        let busy = Principal::named("busy");
        let _slot = quotas.call(&busy, 1).unwrap();
        for n in 0..2 * REMEMBERED {
            drop(quotas.call(&Principal::named(format!("p{n}")), 1).unwrap());
        }
        let remembered = quotas.0.shares.lock().unwrap().len();
        assert!(remembered <= REMEMBERED, "{remembered}");
        assert_eq!(reason(quotas.call(&busy, 1).err()), "too_many_calls");
    }
}
