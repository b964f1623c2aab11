//! The budget holds on any number of threads, and nobody waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const MIB: usize = 1024 * 1024;

#[test]
fn sixteen_threads_together_never_have_more_than_half_of_the_budget() {
    let memory = Memory::new(64 * MIB);
    let (now, most, done) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (memory, now, most, done) = (&memory, &now, &most, &done);
            scope.spawn(move || {
                for round in 0..20 {
                    // Now and then one that could take more than there is.
                    let source = if (thread + round) % 7 == 0 {
                        10 * MIB
                    } else {
                        4096
                    };
                    let share = memory.share(source, &|| false).expect("it is not stopped");
                    let taken = now.fetch_add(share.bytes, Ordering::SeqCst) + share.bytes;
                    most.fetch_max(taken, Ordering::SeqCst);
                    assert!(share.limit <= share.bytes);
                    std::thread::yield_now();
                    now.fetch_sub(share.bytes, Ordering::SeqCst);
                    drop(share);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(done.load(Ordering::SeqCst), 16 * 20);
    assert!(most.load(Ordering::SeqCst) <= 32 * MIB);
    let state = memory.lock();
    assert_eq!((state.running, state.waiting.len()), (0, 0));
}

#[test]
fn a_thread_that_waits_stops_with_its_call_and_lets_the_next_one_through() {
    let memory = Memory::new(64 * MIB);
    let all = memory.share(10 * MIB, &|| false).expect("it is all there");
    assert!(memory.share(1, &|| true).is_none());
    drop(all);
    assert!(memory.share(1, &|| false).is_some());
}

#[test]
fn what_is_held_is_bounded_and_given_back() {
    let memory = Memory::new(8 * MIB);
    let mut held = Held::of(&memory);
    assert!(held.hold(3 * MIB));
    assert!(!held.hold(2 * MIB));
    assert!(held.hold(MIB));
    let mut other = Held::of(&memory);
    assert!(!other.hold(1));
    drop(held);
    assert!(other.hold(4 * MIB));
}
