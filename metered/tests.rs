//! Allocations count and freed memory does not, on the thread that did it.

use std::alloc::System;
use std::hint::black_box;

use tree_sitter::Parser;

use super::*;

#[global_allocator]
static ALLOCATOR: Metered<System> = Metered(System);

fn grown(act: impl FnOnce()) -> isize {
    let before = net();
    act();
    net() - before
}

#[test]
fn live_memory_counts_and_freed_memory_does_not() {
    let mut kept = Vec::new();
    assert_eq!(grown(|| kept = black_box(vec![1_u8; 1000])), 1000);
    assert_eq!(grown(|| kept.reserve_exact(2000)), 2000);
    assert_eq!(grown(|| kept.shrink_to(1500)), -1500);
    assert_eq!(grown(|| drop(black_box(std::mem::take(&mut kept)))), -1500);
    assert_eq!(grown(|| drop(black_box(vec![0_u64; 50]))), 0);
}

#[test]
fn each_thread_has_its_own_count() {
    let grown_here = grown(|| {
        let there = std::thread::spawn(|| {
            let before = net();
            let kept = black_box(vec![1_u8; 1 << 20]);
            let grown = net() - before;
            drop(kept);
            grown
        });
        assert_eq!(there.join().unwrap(), 1 << 20);
    });
    assert!(grown_here.abs() < 64 * 1024, "{grown_here}");
}

#[test]
fn a_tree_counts_until_it_is_dropped() {
    meter_tree_sitter();
    meter_tree_sitter();
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_c::LANGUAGE.into())
        .unwrap();
    let text = "int f(int x) { return x + 1; }\n".repeat(1000);
    // A parser keeps some memory for the next text.
    drop(parser.parse(&text, None).unwrap());
    let mut tree = None;
    let taken = grown(|| tree = parser.parse(&text, None));
    assert!(taken > 1_000_000, "{taken}");
    let left = taken + grown(|| drop(tree));
    assert!(left < taken / 20, "{left} of {taken}");
}
