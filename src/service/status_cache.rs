//! A short-lived cache of the status, for clients that poll it: collecting it wakes every actor, so callers within a
//! moment share one result. It is collected again once any other call has started or ended, so that a caller never sees
//! a state from before its own last call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::sessions::Sessions;
use actors::status::Status;
use actors::tool::Root;

use crate::answer::Finding;

/// Age of a shared status: too short for a person or a health check to notice.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// Shared by all clones of a service. A crash of an actor shows in the next status.
#[derive(Default)]
pub(super) struct StatusCache {
    /// Calls started plus calls ended.
    turns: AtomicU64,
    last: Mutex<Option<Look>>,
}

struct Look {
    taken: Instant,
    turn: u64,
    /// The caller's roots: other callers may not see them.
    roots: Arc<[Root]>,
    finding: Arc<Finding>,
}

impl StatusCache {
    /// A call other than the status started or ended.
    pub(super) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) async fn finding(
        &self,
        sessions: &Sessions,
        roots: &Arc<[Root]>,
        tell: impl FnOnce(&Status) -> Finding,
    ) -> Finding {
        let turn = self.turns.load(Ordering::Acquire);
        if let Some(finding) = self.recent(turn, roots) {
            return Arc::unwrap_or_clone(finding);
        }
        let taken = Instant::now();
        let finding = Arc::new(tell(&sessions.status().await));
        let look = Look {
            taken,
            turn,
            roots: Arc::clone(roots),
            finding: Arc::clone(&finding),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        Arc::unwrap_or_clone(finding)
    }

    fn recent(&self, turn: u64, roots: &[Root]) -> Option<Arc<Finding>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let look = last.as_ref()?;
        let fresh = look.turn == turn && *look.roots == *roots && look.taken.elapsed() < FRESH_FOR;
        fresh.then(|| Arc::clone(&look.finding))
    }
}
