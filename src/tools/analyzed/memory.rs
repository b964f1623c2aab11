//! How much memory analyses take together: one budget for all calls of the process, however many cores there are.
//!
//! A file is analysed once it has a share of the budget that covers the most it may take, and is stopped when it takes
//! more. Shares are taken before the file is read, by threads that hold none, so a thread that waits for a share waits
//! only for analyses that run. What an analysis leaves behind is held until its call ends, in a part of the budget of
//! its own, so that results never keep files waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The reason under which a file is counted whose analysis takes more memory than it may.
pub(crate) const MEMORY_LIMIT: &str = "memory_limit";

/// What analyses may take together where the operator says nothing.
pub const DEFAULT_MEMORY: usize = 2 * 1024 * 1024 * 1024;

/// What one byte of source may cost. Of 5,700 files of more than 20 kB in five languages none took more than 250, and
/// text that is a token for each byte (`((((`, `[1,1,1`) takes 256. Beyond this the parser follows several readings at
/// once, and then it may take a gigabyte between two looks at the count: 20 kB of `a<a<a<` in Java do.
const PER_BYTE: usize = 384;
/// What a small file may take beyond that: the parser's own memory.
const PER_FILE: usize = 2 * 1024 * 1024;
/// The parser is asked to stop at every hundredth step. The most that was seen between two looks is 40 bytes for each
/// byte of source; a share has room for it, and for what the allocator loses at the edges of its pages.
const MARGIN_PER_BYTE: usize = 64;

/// Shared by all calls of the process.
pub struct Memory {
    /// For analyses that run; the other half is for what they leave.
    half: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    held: usize,
    /// Who waits, in order: a large file is not overtaken by small ones for ever.
    waiting: VecDeque<u64>,
    tickets: u64,
}

/// Room for the analysis of one file. Gives it back when dropped.
pub(super) struct Share {
    memory: Arc<Memory>,
    bytes: usize,
    /// What the analysis may take.
    pub(super) limit: usize,
}

/// Room for what an analysis left. Gives it back when dropped.
#[derive(Default)]
pub(super) struct Held {
    memory: Option<Arc<Memory>>,
    bytes: usize,
}

impl Memory {
    /// How often a thread that waits looks whether its call should stop.
    const WAIT: Duration = Duration::from_millis(20);

    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            half: bytes / 2,
            state: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// Waits until the analysis of so many bytes of source has room. `None`: the call should stop.
    pub(super) fn share(
        self: &Arc<Self>,
        source: usize,
        should_stop: &dyn Fn() -> bool,
    ) -> Option<Share> {
        let most = source.saturating_mul(PER_BYTE).saturating_add(PER_FILE);
        let margin = source.saturating_mul(MARGIN_PER_BYTE);
        let bytes = most.saturating_add(margin).min(self.half);
        // A file that could take more than there is gets all of it, less the margin that it needs.
        let limit = bytes.saturating_sub(margin.min(bytes / 4));
        let mut state = self.lock();
        let ticket = state.tickets;
        state.tickets += 1;
        state.waiting.push_back(ticket);
        loop {
            let is_first = state.waiting.front() == Some(&ticket);
            let fits = state.running + bytes <= self.half;
            if (is_first && fits) || should_stop() {
                state.waiting.retain(|waiting| *waiting != ticket);
                self.freed.notify_all();
                if !(is_first && fits) {
                    return None;
                }
                state.running += bytes;
                let memory = Arc::clone(self);
                return Some(Share {
                    memory,
                    bytes,
                    limit,
                });
            }
            let waited = self.freed.wait_timeout(state, Self::WAIT);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.lock().running -= self.bytes;
        self.memory.freed.notify_all();
    }
}

impl Held {
    pub(super) fn of(memory: &Arc<Memory>) -> Self {
        Self {
            memory: Some(Arc::clone(memory)),
            bytes: 0,
        }
    }

    pub(super) fn add(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// False where there is no room for so much more.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let Some(memory) = &self.memory else {
            return true;
        };
        let mut state = memory.lock();
        if state.held + bytes > memory.half {
            return false;
        }
        state.held += bytes;
        self.bytes += bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.lock().held -= self.bytes;
        }
    }
}

#[cfg(test)]
mod tests;
