//! Announces this node and its state to the store periodically, so that nodes sharing a store know of one another. A
//! task of [`Sessions`], which ends with it; the store forgets the announcement soon after.

use std::time::Duration;
use telemetry::list::span::HEARTBEAT;
use telemetry::{Parent, Span};

use crate::sessions::Sessions;
use crate::store::NodeRecord;

/// Two heartbeats may be missed before other nodes treat this one as down.
const EVERY: Duration = Duration::from_secs(10);
/// A store that does not answer in time gets the next heartbeat.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// A short wait, so that shutdown is not delayed.
const FAREWELL_WITHIN: Duration = Duration::from_millis(500);

/// The constant part of a node's announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub version: String,
    /// Where clients reach the node: an address, or `stdio`.
    pub address: String,
    pub features: Vec<String>,
}

/// Starts the heartbeat, if an announcement is configured. A failed beat has no other effect.
pub(crate) fn start(sessions: &Sessions) {
    let Some(announcement) = sessions.announcement().cloned() else {
        return;
    };
    let (sessions, stopped) = (sessions.downgrade(), sessions.stopped());
    tokio::spawn(async move {
        // The task also ends when all `Sessions` are dropped without being stopped.
        while let Some(sessions) = sessions.upgrade() {
            // A separate task: a panic in it must not end the heartbeat.
            let told = tokio::spawn(beat_in_a_trace(sessions, announcement.clone()));
            let next = async {
                let _ = told.await;
                tokio::time::sleep(EVERY).await;
            };
            tokio::select! {
                () = stopped.cancelled() => return,
                () = next => {}
            }
        }
    });
}

/// Tells the other nodes that this one is about to stop.
pub(crate) async fn farewell(sessions: &Sessions) {
    if let Some(announcement) = sessions.announcement().cloned() {
        beat(sessions.clone(), announcement, FAREWELL_WITHIN).await;
    }
}

async fn beat_in_a_trace(sessions: Sessions, announcement: Announcement) {
    let span = Span::start(&HEARTBEAT, Parent::None);
    telemetry::traced(span.context(), beat(sessions, announcement, TOLD_WITHIN)).await;
    span.end();
}

async fn beat(sessions: Sessions, announcement: Announcement, within: Duration) {
    let status = sessions.status().await;
    let Announcement {
        version,
        address,
        features,
    } = announcement;
    let record = NodeRecord {
        node: sessions.node(),
        version,
        address,
        started_ms: sessions.started_ms(),
        seen_ms: 0,
        sessions: status.sessions.awake,
        calls_in_flight: status.sessions.calls_in_flight,
        features,
        draining: status.draining,
        evicted_sessions: status
            .store
            .health
            .eviction
            .map_or(0, |eviction| eviction.sessions),
    };
    let told = tokio::time::timeout(within, sessions.store().announce(&record)).await;
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!("the heartbeat did not reach the store");
        return;
    }
    // A store that was rolled back no longer knows the nodes.
    let nodes = tokio::time::timeout(within, sessions.store().nodes()).await;
    for node in nodes.into_iter().flatten().flatten() {
        sessions.roster().named(node.node);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::Store;
    use crate::store::memory::{Limits, MemoryStore};
    use crate::tool::Catalogue;
    use crate::{Clock, Options};

    async fn sessions(store: &Arc<MemoryStore>, announcement: Option<Announcement>) -> Sessions {
        let options = Options {
            announcement,
            ..Options::default()
        };
        let store = Arc::clone(store) as Arc<dyn Store>;
        Sessions::start(options, store, Catalogue::default())
            .await
            .expect("starts")
    }

    fn store() -> Arc<MemoryStore> {
        Arc::new(MemoryStore::new(Clock::system(), Limits::default()))
    }

    async fn nodes_until(store: &MemoryStore, wanted: impl Fn(&[NodeRecord]) -> bool) {
        let waiting = async {
            loop {
                let nodes = store.nodes().await.expect("told");
                if wanted(&nodes) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(120), waiting).await;
        seen.expect("the node was not seen so");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_listed_while_it_runs_and_announces_its_shutdown() {
        let store = store();
        let announcement = Announcement {
            version: "1".to_owned(),
            address: "stdio".to_owned(),
            features: vec!["x".to_owned()],
        };
        let sessions = sessions(&store, Some(announcement)).await;
        let here = |nodes: &[NodeRecord]| {
            nodes.len() == 1 && nodes[0].address == "stdio" && !nodes[0].draining
        };
        nodes_until(&store, here).await;
        // Longer than a silent node stays listed.
        tokio::time::sleep(crate::store::NODE_SEEN_FOR * 3).await;
        nodes_until(&store, here).await;
        sessions.shutdown(Duration::ZERO).await;
        nodes_until(&store, |nodes| nodes.len() == 1 && nodes[0].draining).await;
        nodes_until(&store, <[NodeRecord]>::is_empty).await;
    }

    #[tokio::test]
    async fn a_node_without_an_announcement_is_not_listed() {
        let store = store();
        let sessions = sessions(&store, None).await;
        sessions.shutdown(Duration::ZERO).await;
        assert!(store.nodes().await.expect("told").is_empty());
    }
}
