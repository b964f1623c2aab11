//! Counts what each thread has allocated, so that an analysis can be stopped before it takes more memory than it may.
//!
//! Two kinds of memory count: what Rust allocates, where the program's global allocator is [`Metered`], and what
//! tree-sitter allocates once [`meter_tree_sitter`] has run. A thread's count goes up where the thread allocates and
//! down where it frees, so it can be below zero: memory that one thread allocates and another frees counts for the one
//! and against the other. Only the difference between two readings on one thread means something.

use std::cell::Cell;

mod allocator;

pub use allocator::{Metered, meter_tree_sitter};

thread_local! {
    /// Bytes allocated by this thread, less what it freed. It has no destructor, so it can be used as long as the
    /// thread runs, and the allocator never allocates for it.
    static NET: Cell<isize> = const { Cell::new(0) };
}

/// Bytes that this thread has allocated, less what it has freed, since it began.
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
