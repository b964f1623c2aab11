//! A short-lived cache of the tree's status: collecting it wakes every actor, and several probes may ask at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::status::Status;
use tokio::sync::Mutex;

use crate::service::Service;

/// Too short for a person or a probe to notice.
const FRESH_FOR: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Looks(Mutex<Option<(Instant, Arc<Status>)>>);

impl Looks {
    /// The lock is held while the status is collected, so concurrent callers get the same one.
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

    /// Drops the cached status after a change to the tree, so that the caller does not get an outdated one.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
