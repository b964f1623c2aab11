//! The current state of the tree. Never fails and never waits long: an actor that does not answer is shown as such.

use std::time::Duration;

use super::{CacheMsg, RootMsg, Sessions, StoreSupervisorMsg, SupervisorMsg};
use crate::concurrent::all;
use crate::status::{ActorStatus, CacheStatus, Doing, SessionsStatus, Status, StoreStatus};

/// Longest wait for one actor's answer.
const WITHIN: Duration = Duration::from_millis(200);

impl Sessions {
    pub async fn status(&self) -> Status {
        let places = &self.0.places;
        let sessions = async {
            // Ask within this task: a task per actor would wake every thread of the runtime.
            let asks = places
                .supervisors
                .iter()
                .map(|place| place.ask(WITHIN, |reply| SupervisorMsg::Status { reply }));
            let answers = all(asks).await.into_iter();
            answers.map(Result::ok).collect::<Vec<_>>()
        };
        let (children, shards, cache, supervisors, nodes) = tokio::join!(
            places.root.ask(WITHIN, RootMsg::Status),
            places.store.ask(WITHIN, StoreSupervisorMsg::Status),
            places.cache.ask(WITHIN, |reply| CacheMsg::Status { reply }),
            sessions,
            tokio::time::timeout(WITHIN, self.store().nodes()),
        );
        let mut counts = SessionsStatus {
            calls_in_flight: self.calls_in_flight(),
            ..SessionsStatus::default()
        };
        let mut tree = root(children.as_ref().is_ok(), self.now_ms());
        for mut child in children.unwrap_or_default() {
            if child.name == "store" {
                child.children = shards.clone().unwrap_or_default();
            }
            let index = child
                .name
                .strip_prefix("sessions:")
                .and_then(|index| index.parse::<usize>().ok());
            if let Some(Some(own)) = index.and_then(|index| supervisors.get(index)) {
                counts.awake += own.awake;
                counts.quarantined += own.quarantined;
                child.children.clone_from(&own.sessions);
            }
            tree.children.push(child);
        }
        self.fill_doing(&mut tree);
        Status {
            tree,
            store: self.store_status(shards.is_ok()),
            cache: CacheStatus {
                shared: self
                    .0
                    .around
                    .cache
                    .second_level()
                    .map(|second| second.status()),
                ..cache.unwrap_or_default()
            },
            pool: self.0.around.pool.table.status(),
            sessions: counts,
            node: self.node(),
            nodes: nodes.ok().and_then(Result::ok).unwrap_or_default(),
            uptime: self.0.started.elapsed(),
            draining: self.0.draining.is_cancelled(),
        }
    }

    fn store_status(&self, available: bool) -> StoreStatus {
        let persistence = &self.0.around.persistence;
        StoreStatus {
            kind: persistence.store.kind(),
            level: persistence.store.level(),
            health: persistence.store.health(),
            available,
            detail: (!available).then(|| "the store's supervisor does not answer".to_owned()),
            pending_commits: persistence.pending(),
        }
    }

    pub(super) fn calls_in_flight(&self) -> u64 {
        let limit = self.0.around.options.calls_in_flight;
        limit.saturating_sub(self.0.in_flight.available_permits()) as u64
    }

    fn now_ms(&self) -> u64 {
        self.0.around.clock.now_ms()
    }
}

fn root(answers: bool, now_ms: u64) -> ActorStatus {
    ActorStatus {
        name: "root".to_owned(),
        kind: "root",
        status: if answers { "running" } else { "stopped" },
        restarts: 0,
        last_failure: None,
        since_ms: now_ms,
        doing: Doing::default(),
        children: Vec::new(),
    }
}
