//! The state of the node in one line: what is wrong, since when, and what follows from it.

use actors::status::{ActorStatus, Status, Stuck};
use serde_json::{Value, json};

use crate::answer::rfc3339;
use crate::server::admin::health;
use crate::server::lifecycle::State;

/// Actors named in one cause.
const NAMED_MAX: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Well,
    /// Calls are answered, with weaker guarantees or later.
    Degraded,
    /// A load balancer should send no calls.
    NotReady,
}

pub(super) struct Verdict {
    level: Level,
    causes: Vec<Cause>,
    /// What an operator should know although nothing is wrong now.
    notes: Vec<String>,
}

struct Cause {
    reason: String,
    /// `what: what follows from it`.
    message: String,
    since: Option<String>,
}

impl Cause {
    fn new(reason: &str, message: String, since_ms: Option<u64>) -> Self {
        Self {
            reason: reason.to_owned(),
            message,
            since: since_ms.map(rfc3339),
        }
    }
}

impl Verdict {
    pub(super) fn of(
        stage: State,
        failed: bool,
        status: &Status,
        stuck: &[Stuck],
        needs_store: bool,
    ) -> Self {
        let away_since = status.store.health.sheltered.since_ms;
        let of_health = |cause: &health::Cause| {
            let since = (cause.reason == "store_away").then_some(away_since);
            Cause::new(cause.reason, cause.message.to_string(), since.flatten())
        };
        let not_ready = health::reasons(stage, failed, status, needs_store);
        let degraded = health::degraded(status, needs_store);
        let mut causes: Vec<_> = not_ready.iter().chain(&degraded).map(of_health).collect();
        // Redis that is down takes the shared cache with it, which needs no line of its own.
        if status.store.health.away.is_none() {
            causes.extend(shared_cache(status));
        }
        causes.extend(stuck.iter().take(NAMED_MAX).map(held));
        causes.extend(restarting(&status.tree));
        let level = match (not_ready.is_empty(), causes.is_empty()) {
            (false, _) => Level::NotReady,
            (true, false) => Level::Degraded,
            (true, true) => Level::Well,
        };
        let told = |note: &&String| causes.iter().any(|cause| cause.message.contains(*note));
        let warnings = status.store.health.warnings.iter();
        let notes = warnings.filter(|note| !told(note)).cloned().collect();
        Self {
            level,
            causes,
            notes,
        }
    }

    pub(super) fn value(&self) -> Value {
        let level = match self.level {
            Level::Well => "well",
            Level::Degraded => "degraded",
            Level::NotReady => "not_ready",
        };
        let causes = self.causes.iter().map(|cause| {
            let (what, then) = cause
                .message
                .split_once(": ")
                .map_or((cause.message.as_str(), None), |(what, then)| {
                    (what, Some(then))
                });
            json!({"reason": cause.reason, "what": what, "then": then, "since": cause.since})
        });
        json!({"level": level, "causes": causes.collect::<Vec<_>>(), "notes": self.notes})
    }
}

fn shared_cache(status: &Status) -> Option<Cause> {
    let shared = status.cache.shared.as_ref()?;
    let message = match (&shared.away, &shared.short) {
        (Some(_), _) => {
            "the shared cache is down: this node analyses files itself until it answers again"
                .to_owned()
        }
        (None, Some(short)) => format!("the shared cache is smaller than allowed: {short}"),
        (None, None) => return None,
    };
    Some(Cause::new("shared_cache", message, None))
}

fn held(stuck: &Stuck) -> Cause {
    // No numbers that change with each look: a screen reader would read the line again and again.
    let doing = match stuck.kind {
        "event_loop" | "runtime" | "lease_keeper" => stuck.doing.to_owned(),
        _ => format!("the message {}", stuck.doing),
    };
    let message = format!("{} is stuck on {doing}: its callers wait", stuck.name);
    Cause::new("stuck", message, Some(stuck.since_ms))
}

/// Actors that do not run. Sessions are left out: one that restarts concerns its own caller only.
fn restarting(tree: &ActorStatus) -> Option<Cause> {
    let mut names = Vec::new();
    let mut left = vec![tree];
    while let Some(actor) = left.pop() {
        if actor.status != "running" && actor.kind != "session" {
            names.push(actor.name.as_str());
        }
        left.extend(actor.children.iter().rev());
    }
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let message = format!(
        "not running now: {}{more}; calls wait until it is back",
        names.join(", ")
    );
    (!names.is_empty()).then(|| Cause::new("restarting", message, None))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use actors::sessions::Sessions;
    use actors::status::SharedCacheStatus;
    use actors::store::memory::{Limits, MemoryStore};
    use actors::tool::Catalogue;
    use actors::{Clock, Options};

    use super::*;

    async fn well() -> Status {
        let store = Arc::new(MemoryStore::new(Clock::system(), Limits::default()));
        let started = Sessions::start(Options::default(), store, Catalogue::default()).await;
        started.expect("starts").status().await
    }

    fn told(status: &Status, stuck: &[Stuck], needs_store: bool) -> Value {
        Verdict::of(State::Ready, false, status, stuck, needs_store).value()
    }

    #[tokio::test]
    async fn a_node_without_trouble_is_well() {
        let status = well().await;
        assert_eq!(
            told(&status, &[], false),
            json!({"level": "well", "causes": [], "notes": []})
        );
        let starting = Verdict::of(State::Starting, false, &status, &[], false).value();
        assert_eq!(starting["level"], "not_ready");
    }

    #[tokio::test]
    async fn a_store_that_is_down_is_told_with_its_time_and_without_its_cache() {
        let mut status = well().await;
        status.store.health.away = Some("connection refused".to_owned());
        status.store.health.sheltered.since_ms = Some(1_000);
        status.cache.shared = Some(SharedCacheStatus {
            away: Some("connection refused".to_owned()),
            ..SharedCacheStatus::default()
        });
        let verdict = told(&status, &[], false);
        assert_eq!(verdict["level"], "degraded");
        let causes = verdict["causes"].as_array().expect("a list");
        assert_eq!(causes.len(), 1, "{verdict}");
        assert_eq!(causes[0]["what"], "the store is down");
        assert_eq!(causes[0]["since"], "1970-01-01T00:00:01Z");
        assert_eq!(told(&status, &[], true)["level"], "not_ready");
        status.store.health.away = None;
        assert_eq!(
            told(&status, &[], true)["causes"][0]["reason"],
            "shared_cache"
        );
    }

    #[tokio::test]
    async fn stuck_and_restarting_actors_are_named() {
        let mut status = well().await;
        for child in &mut status.tree.children {
            child.status = "restarting";
        }
        let stuck = Stuck {
            name: "pool".to_owned(),
            kind: "pool",
            doing: "look",
            since_ms: 1_000,
            lasted: Duration::from_secs(3),
            over: false,
            mailbox: 7,
        };
        let verdict = told(&status, &[stuck], false);
        let causes = verdict["causes"].to_string();
        assert!(causes.contains("pool is stuck"), "{causes}");
        assert!(
            causes.contains("store, sessions:0, sessions:1 and "),
            "{causes}"
        );
    }
}
