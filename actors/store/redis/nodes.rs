//! The list of nodes that share the server.

use redis::pipe;

use super::RedisStore;
use super::index::{answered, read};
use crate::clock::millis;
use crate::ids::NodeId;
use crate::store::{NODE_SEEN_FOR, NodeRecord, StoreError};

/// Nodes shown; larger fleets have their own monitoring.
const SHOWN_MAX: usize = 256;

impl RedisStore {
    pub(super) async fn announce_node(&self, node: &NodeRecord) -> Result<(), StoreError> {
        let (now, seen_for) = (self.server_time().await?, millis(NODE_SEEN_FOR));
        let seen = NodeRecord {
            seen_ms: now,
            ..node.clone()
        };
        let record =
            serde_json::to_vec(&seen).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut say = pipe();
        say.cmd("ZADD")
            .arg(self.0.keys.nodes())
            .arg(now)
            .arg(node.node.to_string());
        say.cmd("ZREMRANGEBYSCORE")
            .arg(self.0.keys.nodes())
            .arg("-inf")
            .arg(now.saturating_sub(seen_for));
        say.cmd("ZREMRANGEBYSCORE")
            .arg(self.0.keys.nodes())
            .arg(now.saturating_add(seen_for))
            .arg("+inf");
        say.cmd("SET")
            .arg(self.0.keys.node(node.node))
            .arg(record)
            .arg("PX")
            .arg(seen_for);
        for answer in self.0.lanes[0].ask(say.ignore_errors()).await? {
            answer.map_err(|error| answered(&error))?;
        }
        // The server's configuration may have changed, and it decides what answers promise. If the query fails, the
        // node was still announced.
        let _ = self.ask_server().await;
        Ok(())
    }

    pub(super) async fn known_nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        let since = self
            .server_time()
            .await?
            .saturating_sub(millis(NODE_SEEN_FOR));
        let mut which = pipe();
        which
            .cmd("ZRANGEBYSCORE")
            .arg(self.0.keys.nodes())
            .arg(since)
            // Skip future timestamps, written before the clock was set back. Live nodes write a new one within a
            // period.
            .arg(since.saturating_add(2 * millis(NODE_SEEN_FOR)))
            .arg("LIMIT")
            .arg(0)
            .arg(SHOWN_MAX);
        let answers = self.0.lanes[0].ask(which.ignore_errors()).await?;
        let mut ids: Vec<NodeId> = read::<Vec<String>>(answers.into_iter().next())?
            .iter()
            .filter_map(|id| NodeId::parse(id).ok())
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        ids.sort();
        let mut how = pipe();
        for id in ids {
            how.cmd("GET").arg(self.0.keys.node(id));
        }
        let mut nodes = Vec::new();
        for answer in self.0.lanes[0].ask(how.ignore_errors()).await? {
            // A node that just stopped has no record, and one of another version may use another format.
            if let Ok(Some(record)) = read::<Option<Vec<u8>>>(Some(answer))
                && let Ok(node) = serde_json::from_slice(&record)
            {
                nodes.push(node);
            }
        }
        Ok(nodes)
    }

    /// Milliseconds since 1970, by the server's clock.
    async fn server_time(&self) -> Result<u64, StoreError> {
        let mut time = pipe();
        time.cmd("TIME");
        let answers = self.0.lanes[0].ask(time.ignore_errors()).await?;
        let (seconds, micros): (u64, u64) = read(answers.into_iter().next())?;
        Ok(seconds * 1000 + micros / 1000)
    }
}
