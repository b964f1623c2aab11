//! Implements [`Peers`] over the relay: asks the live nodes what they know of a session before it is repaired.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Answer, Question};
use super::neighbours::{Neighbours, Silence};
use crate::concurrent::all;
use crate::ids::{NodeId, SessionId};
use crate::store::{Claim, NODE_SEEN_FOR, Peers, PeersFuture, Said};
use crate::tool::ProgressSink;

/// Longest wait for one node. A live node answers within milliseconds, and the repair waits for the answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// A node that did not answer is skipped for this long, unless it sends a message. After a failover thousands of
/// sessions may need repair, and a node may be down as well.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// Nodes asked about one session; no larger fleet has been tested.
const ASKED_MAX: usize = 64;

/// Recently seen nodes. Kept apart from the store, because a store that was rolled back may not know them.
#[derive(Default)]
pub(crate) struct Roster(Mutex<HashMap<NodeId, Heard>>);

struct Heard {
    at: Instant,
    silent_since: Option<Instant>,
}

impl Roster {
    /// A message from the node arrived.
    pub(crate) fn heard(&self, node: NodeId) {
        let at = Instant::now();
        let silent_since = None;
        self.with(|nodes| nodes.insert(node, Heard { at, silent_since }));
    }

    /// The store lists the node as live.
    pub(crate) fn named(&self, node: NodeId) {
        let at = Instant::now();
        self.with(|nodes| {
            let silent_since = None;
            let heard = nodes.entry(node).or_insert(Heard { at, silent_since });
            heard.at = at;
        });
    }

    fn is_silent(&self, node: NodeId) {
        self.with(|nodes| {
            if let Some(heard) = nodes.get_mut(&node) {
                heard.silent_since = Some(Instant::now());
            }
        });
    }

    /// Nodes that can be expected to answer.
    fn to_ask(&self) -> Vec<NodeId> {
        self.with(|nodes| {
            nodes.retain(|_, heard| heard.at.elapsed() < NODE_SEEN_FOR);
            let silent = |heard: &Heard| {
                let since = heard.silent_since;
                since.is_some_and(|since| since.elapsed() < SILENT_FOR)
            };
            let asked = nodes.iter().filter(|(_, heard)| !silent(heard));
            asked.map(|(node, _)| *node).take(ASKED_MAX).collect()
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<NodeId, Heard>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See the module documentation.
pub(crate) struct OverRelay(pub(crate) Arc<Neighbours>);

impl Peers for OverRelay {
    fn ask(&self, also: Vec<NodeId>, id: SessionId, ours: Claim) -> PeersFuture<'_, Vec<Said>> {
        Box::pin(async move {
            let (node, roster) = (self.0.node(), self.0.roster());
            also.into_iter().for_each(|also| roster.named(also));
            let nodes = roster.to_ask().into_iter().filter(|asked| *asked != node);
            let ours = &ours;
            let asked = all(nodes.map(|asked| self.ask_one(asked, id, ours))).await;
            asked.into_iter().flatten().collect()
        })
    }
}

impl OverRelay {
    async fn ask_one(&self, node: NodeId, session: SessionId, ours: &Claim) -> Option<Said> {
        let question = Question::Repairing {
            session,
            claim: ours.into(),
        };
        let nobody = ProgressSink::default();
        let answer = self.0.ask(node, question, ANSWERS_WITHIN, &nobody);
        match tokio::time::timeout(ANSWERS_WITHIN, answer).await {
            Ok(Ok(Answer::Said(said))) => said.and_then(|said| said.try_into().ok()),
            // A node of another version that does not know the question.
            Ok(Ok(_)) => None,
            Ok(Err(Silence)) | Err(_) => {
                self.0.roster().is_silent(node);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_node_is_skipped_for_a_while_and_a_stopped_one_for_good() {
        let (roster, a, b) = (Roster::default(), NodeId::random(), NodeId::random());
        roster.named(a);
        roster.heard(b);
        roster.is_silent(a);
        // Being listed in the store does not prove that the node answers.
        roster.named(a);
        assert_eq!(roster.to_ask(), [b]);
        roster.heard(a);
        assert_eq!(roster.to_ask().len(), 2);
        roster.is_silent(a);
        tokio::time::advance(SILENT_FOR).await;
        assert_eq!(roster.to_ask().len(), 2);
        tokio::time::advance(NODE_SEEN_FOR).await;
        assert_eq!(roster.to_ask(), []);
    }
}
