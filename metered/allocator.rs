//! The only unsafe code of this project: two allocators that count and delegate.
//!
//! Both call another allocator with the same arguments and return its result. They never access the memory itself, so
//! they only have to keep the contract of the underlying allocator.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its signature; each use says why it is sound"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::sync::Once;

use crate::{add, subtract};

/// The allocator `A`, with a count for each thread.
pub struct Metered<A>(pub A);

// SAFETY: every method passes its arguments to the same method of `A` and returns its result unchanged, so `A` keeps the
// contract. Counting neither allocates nor panics: `NET` is a constant-initialised thread-local without a destructor.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Metered<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            add(layout.size());
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            add(layout.size());
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the block came from a method of this allocator, so from `A`, with this layout.
        unsafe { self.0.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block came from `A` with this layout; the caller's promise about `size` is passed on.
        let moved = unsafe { self.0.realloc(block, layout, size) };
        if !moved.is_null() {
            subtract(layout.size());
            add(size);
        }
        moved
    }
}

/// Makes tree-sitter count its allocations. Must be called before any thread creates its first parser; further calls do
/// nothing.
pub fn meter_tree_sitter() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let counting = tree_sitter::Allocator {
            malloc: counted_malloc,
            calloc: counted_calloc,
            realloc: counted_realloc,
            free: counted_free,
        };
        // SAFETY: the four functions are one family, the C library's, which tree-sitter used before too: the new
        // functions may free an earlier block. They never return null for a size above zero, and align as malloc does.
        // `Once` lets one thread write the pointers. No caller of this function, and so no thread that makes a parser,
        // continues before that.
        unsafe { tree_sitter::set_allocator(Some(counting)) };
    });
}

unsafe extern "C" fn counted_malloc(size: usize) -> *mut c_void {
    // SAFETY: malloc accepts any size.
    let block = unsafe { libc::malloc(size) };
    had(block, size)
}

unsafe extern "C" fn counted_calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: calloc accepts any two sizes, and returns null if their product overflows.
    let block = unsafe { libc::calloc(count, size) };
    had(block, count.saturating_mul(size))
}

unsafe extern "C" fn counted_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let before = usable(block);
    // SAFETY: the block is null or came from one of these functions, so from the C library, and is live.
    let moved = unsafe { libc::realloc(block, size) };
    subtract(before);
    had(moved, size)
}

unsafe extern "C" fn counted_free(block: *mut c_void) {
    subtract(usable(block));
    // SAFETY: the block is null or came from one of these functions, so from the C library, and is live.
    unsafe { libc::free(block) }
}

/// Counts a block. Aborts the process if the allocation failed: tree-sitter does not check for null.
#[inline]
fn had(block: *mut c_void, asked: usize) -> *mut c_void {
    if block.is_null() && asked > 0 {
        std::process::abort();
    }
    add(usable(block));
    block
}

/// The size of a block as its allocator records it: the same when it is allocated and when it is freed.
#[inline]
fn usable(block: *mut c_void) -> usize {
    #[cfg(target_vendor = "apple")]
    // SAFETY: the block is null or live; malloc_size accepts both, and only reads the allocator's records.
    let size = unsafe { libc::malloc_size(block) };
    #[cfg(not(target_vendor = "apple"))]
    // SAFETY: the block is null or live; malloc_usable_size accepts both, and only reads the allocator's records.
    let size = unsafe { libc::malloc_usable_size(block) };
    size
}
