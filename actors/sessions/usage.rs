//! The storage used by a principal, cached briefly so that every request can check it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Sessions;
use crate::ids::Principal;
use crate::store::Usage;

/// Age of a cached value. A limit may be exceeded by writes within this time, and a deletion takes effect after it.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// Longest wait for the store, because a request waits for the answer.
const WITHIN: Duration = Duration::from_millis(500);
/// Principals cached. When the cache is full, entries older than `FRESH_FOR` are dropped.
const REMEMBERED: usize = 4096;

#[derive(Default)]
pub(super) struct Usages(Mutex<HashMap<Principal, (Instant, Usage)>>);

impl Sessions {
    /// Storage used by a principal on all nodes, about a second old; approximate, and too high rather than too low.
    /// While the store is down, the last known value, or zero if none is known.
    pub async fn usage(&self, principal: &Principal) -> Usage {
        if let Some(known) = self.0.usages.fresh(principal) {
            return known;
        }
        let asked = timeout(WITHIN, self.store().usage(principal)).await;
        if let Ok(Ok(usage)) = asked {
            self.0.usages.learn(principal, usage);
        }
        self.0.usages.known(principal)
    }
}

impl Usages {
    /// `None`: the caller must ask the store. Only one caller asks at a time; the others get the previous value.
    fn fresh(&self, principal: &Principal) -> Option<Usage> {
        self.with(|known| {
            let now = Instant::now();
            if let Some((until, usage)) = known.get_mut(principal) {
                if now < *until {
                    return Some(*usage);
                }
                *until = now + FRESH_FOR;
                return None;
            }
            if known.len() >= REMEMBERED {
                known.retain(|_, (until, _)| now < *until);
            }
            if known.len() < REMEMBERED {
                let nothing = (now + FRESH_FOR, Usage::default());
                known.insert(principal.clone(), nothing);
            }
            None
        })
    }

    fn learn(&self, principal: &Principal, usage: Usage) {
        self.with(|known| {
            if let Some((_, known)) = known.get_mut(principal) {
                *known = usage;
            }
        });
    }

    fn known(&self, principal: &Principal) -> Usage {
        self.with(|known| known.get(principal).map(|(_, usage)| *usage))
            .unwrap_or_default()
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<Principal, (Instant, Usage)>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::clock::Clock;
    use crate::ids::Principal;
    use crate::options::Options;
    use crate::sessions::{Backing, CreateRequest, Sessions};
    use crate::store::memory::{Limits, MemoryStore};
    use crate::tool::Catalogue;

    async fn sessions() -> Sessions {
        let clock = Clock::starting_at(1_000_000);
        let store = Arc::new(MemoryStore::new(clock, Limits::default()));
        let backing = Backing::alone(store);
        Sessions::start_at(Options::default(), backing, Catalogue::default(), clock)
            .await
            .unwrap()
    }

    fn creation(principal: &Principal) -> CreateRequest {
        CreateRequest {
            principal: principal.clone(),
            label: None,
            roots: Vec::new(),
            ttl: None,
            idempotency_key: None,
            provisional: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn usage_is_up_to_date_after_a_moment() {
        let (sessions, one) = (sessions().await, Principal::named("one"));
        assert_eq!(sessions.usage(&one).await, super::Usage::default());
        let id = sessions.create(creation(&one)).await.unwrap().id;
        assert_eq!(sessions.usage(&one).await.sessions, 0, "as it was");
        tokio::time::sleep(super::FRESH_FOR).await;
        let usage = sessions.usage(&one).await;
        assert!(usage.sessions == 1 && usage.bytes > 0, "{usage:?}");
        let other = sessions.usage(&Principal::named("other")).await;
        assert_eq!(other, super::Usage::default());
        sessions.close(&one, id).await.unwrap();
        tokio::time::sleep(super::FRESH_FOR).await;
        assert_eq!(sessions.usage(&one).await, super::Usage::default());
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_cached_principals_is_bounded() {
        let sessions = sessions().await;
        for n in 0..super::REMEMBERED + 10 {
            sessions.usage(&Principal::named(format!("p{n}"))).await;
        }
        let remembered = || sessions.0.usages.with(|known| known.len());
        assert_eq!(remembered(), super::REMEMBERED);
        tokio::time::sleep(super::FRESH_FOR + Duration::from_millis(1)).await;
        sessions.usage(&Principal::named("late")).await;
        assert_eq!(remembered(), 1);
    }
}
