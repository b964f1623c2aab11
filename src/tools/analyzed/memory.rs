//! Limits the memory of all analyses together: one budget for all calls of the process, on any number of cores.
//!
//! A file is analysed once it has a share of the budget. The share begins with the memory of ordinary code, and grows
//! while the file is parsed, always ahead of the parser. If the budget has no room for that, the analysis is stopped
//! and started again with the largest share that the file may have.
//!
//! A thread waits for a share before it reads the file, and holds no other share meanwhile. So it waits only for
//! running analyses, and each of those ends: with its result, or at its limit. Results are held until their call ends.
//! They have a separate half of the budget, so that they never block files.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The skip reason of a file whose analysis exceeds its memory limit.
pub(crate) const MEMORY_LIMIT: &str = "memory_limit";

/// The default memory limit of all analyses together.
pub const DEFAULT_MEMORY: usize = 2 * 1024 * 1024 * 1024;

/// Memory limit per byte of source. Of 5,700 files of more than 20 kB in five languages, none took more than 250 bytes.
/// Text with one token per byte (`((((`, `[1,1,1`) takes 256. A parser that takes more follows several readings at
/// once, and can then allocate a gigabyte between two checks: 20 kB of `a<a<a<` in Java do so without a limit. With
/// this limit, the process that parses them stays below 18 MB.
const PER_BYTE: usize = 384;
/// Additional memory for every file: the parser's own.
const PER_FILE: usize = 2 * 1024 * 1024;
/// The parser checks for a stop at every hundredth step. The most that it allocated between two checks is 64 bytes per
/// byte of source, when its largest list doubles. A share always has room for that.
const MARGIN_PER_BYTE: usize = 64;
/// Until a file has taken that much, the margin is this part of its memory, plus [`MARGIN`]: a list that doubles is
/// already part of it. The largest allocation between two checks was 0.27 of the memory in a hundred hostile shapes of
/// seven languages, and 0.08 in ordinary code.
const MARGIN_OF_TAKEN: usize = 2;
/// The margin of a file that has taken almost no memory.
const MARGIN: usize = 1024 * 1024;
/// Memory per byte of ordinary source: the initial share.
const ORDINARY_PER_BYTE: usize = 40;
/// A share grows by this part of the memory taken, so that a file asks the budget about ten times.
const GROWTH: usize = 4;

/// The initial size of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The memory of ordinary code. The share may have to grow, and may find no room.
    Ordinary,
    /// The most that the file may take: the share never grows.
    Most,
}

/// Whether an analysis may take more memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Continue.
    Enough,
    /// The budget has no room now: start again with [`Start::Most`].
    NotNow,
    /// The analysis of this file has reached its limit.
    Never,
}

/// Shared by all calls of the process.
pub struct Memory {
    /// For running analyses; the other half is for their results.
    half: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    held: usize,
    /// Waiting threads, in order, so that small files do not overtake a large one for ever.
    waiting: VecDeque<u64>,
    tickets: u64,
}

/// Memory reserved for the analysis of one file. Returned when dropped.
pub(super) struct Share {
    memory: Arc<Memory>,
    bytes: Cell<usize>,
    /// The maximum of `bytes`.
    most: usize,
    /// The most that the parser may allocate until the next check.
    margin: usize,
    /// The memory limit of the analysis.
    pub(super) limit: usize,
}

/// Memory reserved for results. Returned when dropped.
#[derive(Default)]
pub(super) struct Held {
    memory: Option<Arc<Memory>>,
    bytes: usize,
}

impl Memory {
    /// How often a waiting thread checks whether its call should stop.
    const WAIT: Duration = Duration::from_millis(20);

    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            half: bytes / 2,
            state: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// Waits until the analysis of this many bytes of source has room. `None`: the call should stop.
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
        // A file that could take more than the budget may take all of it, minus its margin.
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

    /// Waits in line for this many bytes. False: the call should stop.
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

    /// Takes these bytes if they are free. Never waits, because the caller already holds a share.
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

/// The most that the parser may allocate until the next check, if it has taken this much.
fn margin_at(taken: usize, most: usize) -> usize {
    most.min(taken / MARGIN_OF_TAKEN + MARGIN)
}

impl Share {
    /// `taken`: bytes of the analysis so far. Grows the share so that it includes the margin.
    pub(super) fn covers(&self, taken: usize) -> Room {
        if taken > self.limit {
            return Room::Never;
        }
        let (has, needs) = (self.bytes.get(), taken + margin_at(taken, self.margin));
        if needs <= has {
            return Room::Enough;
        }
        // Never beyond `most`, which is the limit plus the margin.
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

    /// False if there is no room for this many bytes.
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
