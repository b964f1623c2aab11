//! How the service is, for those who ask again and again: a look at every actor wakes all of them, so one look serves
//! whoever asks within a moment. It is taken anew as soon as any other call began or ended since, so that nobody is
//! told of a state from before their own call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::sessions::Sessions;
use actors::status::Status;
use actors::tool::Root;

use crate::answer::Finding;

/// How long a look may be used: no person and no health check can tell.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// Shared by all clones of a service. A crash of any actor is seen with the next look.
#[derive(Default)]
pub(super) struct Glance {
    /// Calls that began, and calls that ended.
    turns: AtomicU64,
    last: Mutex<Option<Look>>,
}

struct Look {
    taken: Instant,
    turn: u64,
    /// Of whoever asked: others may not know of them.
    roots: Arc<[Root]>,
    finding: Arc<Finding>,
}

impl Glance {
    /// Something else than the status was asked for, or is answered.
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
