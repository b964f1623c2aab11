//! Checks whether a node that was configured as the only one is alone. Another node on the same store may take its
//! sessions when their leases end, so while one exists no changes are kept past a lease.

use super::*;

/// What was seen of other nodes.
#[derive(Default)]
pub(super) struct Seen {
    /// The last announcements of the nodes listed at the first look. A dead node stays listed for a while; a live one
    /// announces itself again.
    first: Option<HashMap<NodeId, u64>>,
    /// The message for the operator about a live node.
    beside: Option<String>,
}

impl Seen {
    /// Updates the state from the list of nodes. Returns true if the message has changed.
    fn look(&mut self, own: NodeId, nodes: &[NodeRecord]) -> bool {
        let others = || {
            let others = nodes.iter().filter(|other| other.node != own);
            others.filter(|other| !other.draining)
        };
        let first = self
            .first
            .get_or_insert_with(|| others().map(|other| (other.node, other.seen_ms)).collect());
        let lives = |other: &&NodeRecord| first.get(&other.node) != Some(&other.seen_ms);
        let beside = others().find(lives).map(|other| {
            format!(
                "--single-node is set, and the node {} at {} uses the same Redis and prefix: remove --single-node, \
                 stop that node, or give one of them a --redis-prefix of its own; until then changes are recorded \
                 within the lease only while Redis is down",
                other.node, other.address
            )
        });
        let changed = beside.is_some() != self.beside.is_some();
        self.beside = beside;
        changed
    }
}

impl Inner {
    /// No other node can take a session while the store is down.
    pub(super) fn is_alone(&self) -> bool {
        self.options.single_node && self.with(|state| state.seen.beside.is_none())
    }

    /// Looks for other nodes if this node is configured as the only one. If the store does not answer, nothing changes.
    pub(super) async fn look_around(&self) {
        if !self.options.single_node {
            return;
        }
        let Ok(nodes) = in_time(self.store.nodes()).await else {
            return;
        };
        let own = self.options.node;
        let changed = self.with(|state| {
            let changed = state.seen.look(own, &nodes);
            changed.then(|| state.seen.beside.clone())
        });
        match changed {
            Some(Some(beside)) => tracing::error!(
                advice = beside,
                "another node uses the store of this node, which runs with --single-node"
            ),
            Some(None) => {
                tracing::info!("no other node uses the store any more: this node is alone again")
            }
            None => {}
        }
    }
}

impl State {
    pub(super) fn beside(&self) -> Option<String> {
        self.seen.beside.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(node: NodeId, seen_ms: u64, draining: bool) -> NodeRecord {
        NodeRecord {
            node,
            version: "1".to_owned(),
            address: "10.0.0.7:8642".to_owned(),
            started_ms: 0,
            seen_ms,
            sessions: 0,
            calls_in_flight: 0,
            features: Vec::new(),
            draining,
            evicted_sessions: 0,
        }
    }

    #[test]
    fn a_live_node_is_told_from_the_record_of_a_dead_one() {
        let [own, other] = [NodeId::random(), NodeId::random()];
        let mut seen = Seen::default();
        // At the start this may be the record of the previous process.
        assert!(!seen.look(own, &[record(own, 5, false), record(other, 1, false)]));
        assert!(!seen.look(own, &[record(own, 6, false), record(other, 1, false)]));
        assert!(seen.look(own, &[record(other, 2, false)]));
        let told = seen.beside.clone().expect("it lives");
        assert!(told.contains("10.0.0.7:8642") && told.contains("remove --single-node"));
        assert!(!seen.look(own, &[record(other, 3, false)]), "told once");
        assert!(
            seen.look(own, &[record(other, 4, true)]),
            "it is about to go"
        );
        assert_eq!(seen.beside, None);
        // A node that appears later is detected at once.
        let third = NodeId::random();
        assert!(seen.look(own, &[record(third, 9, false)]));
    }
}
