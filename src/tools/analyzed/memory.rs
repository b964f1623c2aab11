//! How much memory analyses take together: one budget for all calls of the process, however many cores there are.
//!
//! A file is analysed once it has a share of the budget. The share begins with what ordinary code takes and grows while
//! the file is parsed, always ahead of the parser. Where the budget has no room to grow into, the analysis is given up
//! and begun again with a share of the most that the file may take. Shares are waited for before the file is read, by
//! threads that hold none, so a thread that waits for a share waits only for analyses that run, and each of those ends:
//! with its result, or because it may take no more. What an analysis leaves behind is held until its call ends, in a part
//! of the budget of its own, so that results never keep files waiting.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The reason under which a file is counted whose analysis takes more memory than it may.
pub(crate) const MEMORY_LIMIT: &str = "memory_limit";

/// What analyses may take together where the operator says nothing.
pub const DEFAULT_MEMORY: usize = 2 * 1024 * 1024 * 1024;

/// What one byte of source may cost. Of 5,700 files of more than 20 kB in five languages none took more than 250, and
/// text that is a token for each byte (`((((`, `[1,1,1`) takes 256. Beyond this the parser follows several readings at
/// once, and then it may take a gigabyte between two looks at the count: 20 kB of `a<a<a<` in Java do, where nothing
/// stops them. Stopped here, the process that parses them stays below 18 MB.
const PER_BYTE: usize = 384;
/// What a small file may take beyond that: the parser's own memory.
const PER_FILE: usize = 2 * 1024 * 1024;
/// The parser is asked to stop at every hundredth step. The most that was seen between two looks is 64 bytes for each
/// byte of source: its largest list doubles. A share always has room for that.
const MARGIN_PER_BYTE: usize = 64;
/// Before that much was taken, what may come at once is this part of it, and [`MARGIN`]: a list that doubles is there
/// already. It was 0.27 of it at most in a hundred hostile shapes of seven languages, 0.08 in ordinary code.
const MARGIN_OF_TAKEN: usize = 2;
/// What may come at once where next to nothing was taken.
const MARGIN: usize = 1024 * 1024;
/// What one byte of ordinary source takes: a share begins with it.
const ORDINARY_PER_BYTE: usize = 40;
/// A share grows by this part of what has been taken, so that a file asks the budget some ten times.
const GROWTH: usize = 4;

/// How much a share begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// What ordinary code takes. It may find no room to grow.
    Ordinary,
    /// The most that the file may take: it needs to grow no more.
    Most,
}

/// What an analysis hears when it says how much it has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Go on.
    Enough,
    /// The budget has no more just now: begin again with [`Start::Most`].
    NotNow,
    /// No analysis of this file may take so much.
    Never,
}

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
    bytes: Cell<usize>,
    /// It never has more than that.
    most: usize,
    /// The most that the parser may take until it is asked again.
    margin: usize,
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
        start: Start,
        should_stop: &dyn Fn() -> bool,
    ) -> Option<Share> {
        let of = |per_byte: usize| source.saturating_mul(per_byte);
        let margin = of(MARGIN_PER_BYTE);
        let most = of(PER_BYTE + MARGIN_PER_BYTE).saturating_add(PER_FILE);
        let most = most.min(self.half);
        // A file that could take more than there is may take all of it, less the margin that it needs.
        let margin = margin.min(most / 4);
        let ordinary = of(ORDINARY_PER_BYTE).saturating_add(PER_FILE);
        let bytes = match start {
            Start::Ordinary => (ordinary + margin_at(ordinary, margin)).min(most),
            Start::Most => most,
        };
        self.wait_for(bytes, should_stop).then(|| Share {
            memory: Arc::clone(self),
            bytes: Cell::new(bytes),
            most,
            margin,
            limit: most - margin,
        })
    }

    /// Takes so many bytes in turn. False: the call should stop.
    fn wait_for(&self, bytes: usize, should_stop: &dyn Fn() -> bool) -> bool {
        let mut state = self.lock();
        let ticket = state.tickets;
        state.tickets += 1;
        state.waiting.push_back(ticket);
        loop {
            let is_first = state.waiting.front() == Some(&ticket);
            let has_room = is_first && state.running + bytes <= self.half;
            if has_room || should_stop() {
                state.waiting.retain(|waiting| *waiting != ticket);
                self.freed.notify_all();
                if has_room {
                    state.running += bytes;
                }
                return has_room;
            }
            let waited = self.freed.wait_timeout(state, Self::WAIT);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes these bytes if they are free. It never waits, because the caller already holds a share.
    fn take(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        let has_room = state.running + bytes <= self.half;
        if has_room {
            state.running += bytes;
        }
        has_room
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the parser may take until it is asked again, where it has taken so much already.
fn margin_at(taken: usize, most: usize) -> usize {
    most.min(taken / MARGIN_OF_TAKEN + MARGIN)
}

impl Share {
    /// `taken`: by the analysis so far. Sees to it that the share has room for the margin beyond it.
    pub(super) fn covers(&self, taken: usize) -> Room {
        if taken > self.limit {
            return Room::Never;
        }
        let (has, needs) = (self.bytes.get(), taken + margin_at(taken, self.margin));
        if needs <= has {
            return Room::Enough;
        }
        // Never beyond `most`, which is the limit and the margin.
        for wanted in [needs + taken / GROWTH, needs] {
            let wanted = wanted.min(self.most);
            if self.memory.take(wanted - has) {
                self.bytes.set(wanted);
                return Room::Enough;
            }
        }
        Room::NotNow
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.lock().running -= self.bytes.get();
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
