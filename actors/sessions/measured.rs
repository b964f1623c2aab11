//! The metrics whose values are kept elsewhere. Reading them asks no actor and waits for nothing.

use telemetry::list::metric::{
    Busy, CacheLookups, CacheSize, CommitsAmbiguous, CommitsPending, FenceRefusals, HandOvers,
    LeaseRenewals, Leases, Losses, Mailbox, Messages, PermitsLimit, PermitsUsed, Quarantines,
    Regressions, Restarts, Sessions as SessionsNow, Sheltered, StoreState, Stuck, StuckFound,
};

use super::Sessions;
use crate::store::Health;

/// Kinds that are watched but are no actors.
const THREADS: [&str; 2] = ["event_loop", "runtime"];
/// The states of a store.
const STORE_STATES: [&str; 3] = ["ready", "returning", "away"];

impl Sessions {
    /// Lets counters of rare events begin at 0, so that the first one is an increase.
    pub fn begin_measuring() {
        Quarantines {}.add(0);
        CommitsAmbiguous {}.add(0);
        FenceRefusals {}.add(0);
        Regressions {}.add(0);
        for direction in ["given", "taken"] {
            HandOvers { direction }.add(0);
        }
        for outcome in ["renewed", "lost", "away"] {
            LeaseRenewals { outcome }.add(0);
        }
        for level in ["memory", "shared", "none"] {
            CacheLookups { level }.add(0);
        }
    }

    /// Brings them up to date.
    pub fn measure(&self) {
        let around = &self.0.around;
        self.measure_actors();
        self.measure_permits();
        self.measure_store();
        CacheSize {}.set(around.cache.bytes() as f64);
        Leases {}.set(around.leases.count() as f64);
        CommitsPending {}.set(around.persistence.pending() as f64);
        let sessions = self.0.places.roll.sum();
        for (state, many) in [
            ("awake", sessions.actors),
            ("quarantined", sessions.quarantined),
        ] {
            SessionsNow { state }.set(many as f64);
        }
    }

    fn measure_actors(&self) {
        let kinds = self.activity();
        let stuck = self.stuck();
        let watched = kinds.iter().map(|sum| sum.kind).chain(THREADS);
        Stuck::replace(watched.map(|actor| {
            let many = stuck.now.iter().filter(|one| one.kind == actor).count();
            (Stuck { actor }, many as f64)
        }));
        for actor in kinds.iter().map(|sum| sum.kind).chain(THREADS) {
            let found = stuck.totals.iter().find(|(kind, _)| *kind == actor);
            StuckFound { actor }.reach(found.map_or(0, |(_, many)| *many) as f64);
        }
        for sum in kinds {
            let actor = sum.kind;
            Mailbox { actor }.set(sum.mailbox as f64);
            Messages { actor }.reach(sum.messages as f64);
            Busy { actor }.reach(sum.busy.as_secs_f64());
            Restarts { actor }.reach(sum.restarts as f64);
        }
    }

    fn measure_permits(&self) {
        let around = &self.0.around;
        let options = &around.options;
        let pool = around.pool.table.status();
        let loads = options.loads_at_once.max(1);
        let loading = loads.saturating_sub(around.loads.available_permits());
        let (connections, connections_limit) = self.0.connections.room();
        let awake = self.0.places.roll.sum().actors;
        for (permit, used, limit) in [
            ("calls", self.calls_in_flight(), options.calls_in_flight),
            ("jobs_running", pool.running as u64, pool.workers),
            ("jobs_waiting", pool.queued as u64, pool.queue_limit),
            ("sessions_awake", awake, options.sessions_awake),
            ("sessions_loading", loading as u64, loads),
            ("connections", connections as u64, connections_limit),
        ] {
            PermitsUsed { permit }.set(used as f64);
            PermitsLimit { permit }.set(limit as f64);
        }
    }

    fn measure_store(&self) {
        let kept = &self.0.around.persistence.store;
        let (store, health) = (kept.kind(), kept.health());
        let now = state_of(&health);
        for state in STORE_STATES {
            StoreState { store, state }.set(if state == now { 1.0 } else { 0.0 });
        }
        Sheltered {}.set(health.sheltered.sessions as f64);
        Losses {}.reach(health.sheltered.lost as f64);
    }
}

fn state_of(health: &Health) -> &'static str {
    match health.breaker {
        Some("returning") => "returning",
        Some(_) | None if health.away.is_some() => "away",
        Some(_) | None => "ready",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_the_store_is_one_of_three() {
        let health = |away: bool, breaker| Health {
            away: away.then(|| "no route".to_owned()),
            breaker,
            ..Health::default()
        };
        for (away, breaker, state) in [
            (false, None, "ready"),
            (false, Some("closed"), "ready"),
            (true, Some("open"), "away"),
            (true, None, "away"),
            (true, Some("returning"), "returning"),
            (false, Some("returning"), "returning"),
        ] {
            assert_eq!(state_of(&health(away, breaker)), state);
            assert!(STORE_STATES.contains(&state));
        }
    }
}
