//! Counts the bytes that each thread allocates, so that an analysis can be stopped before it exceeds its memory limit.
//!
//! Two kinds of memory count: Rust allocations, if the program's global allocator is [`Metered`], and tree-sitter
//! allocations, once [`meter_tree_sitter`] has run. A thread's count rises when the thread allocates and falls when it
//! frees. It may be negative: memory allocated by one thread and freed by another counts for the first and against the
//! second. Only the difference between two readings on the same thread is meaningful.

use std::cell::Cell;

mod allocator;

pub use allocator::{Metered, meter_tree_sitter};

thread_local! {
    /// Bytes allocated by this thread minus bytes freed. It has no destructor, so it is usable as long as the thread
    /// runs, and the allocator never allocates for it.
    static NET: Cell<isize> = const { Cell::new(0) };
}

/// Bytes allocated by this thread minus bytes freed, since the thread started.
#[inline]
pub fn net() -> isize {
    NET.get()
}

#[inline]
fn add(bytes: usize) {
    NET.set(NET.get().wrapping_add(bytes.cast_signed()));
}

#[inline]
fn subtract(bytes: usize) {
    NET.set(NET.get().wrapping_sub(bytes.cast_signed()));
}

#[cfg(test)]
mod tests;
