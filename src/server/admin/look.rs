//! One look at the tree serves all who ask within a moment: each look wakes every actor, and probes come from many
//! sides at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::status::Status;
use tokio::sync::Mutex;

use crate::service::Service;

/// No person and no probe can tell.
const FRESH_FOR: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Looks(Mutex<Option<(Instant, Arc<Status>)>>);

impl Looks {
    /// The lock is held while the look is taken: whoever comes meanwhile gets the same one.
    pub(super) async fn recent(&self, service: &Service) -> Arc<Status> {
        let mut last = self.0.lock().await;
        if let Some((taken, status)) = &*last
            && taken.elapsed() < FRESH_FOR
        {
            return Arc::clone(status);
        }
        let status = Arc::new(service.sessions.status().await);
        *last = Some((Instant::now(), Arc::clone(&status)));
        status
    }

    /// Something was done to the tree: whoever did it must not be told of a state from before.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
