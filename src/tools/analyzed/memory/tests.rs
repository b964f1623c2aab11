//! The budget holds on any number of threads, and no thread waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

const MIB: usize = 1024 * 1024;

/// Simulates the memory of an analysis, check by check. It grows by at most the margin between two checks.
fn looks(share: &Share, in_all: usize, step: usize) -> Room {
    let mut taken = 0;
    while taken < in_all {
        taken = (taken + step.min(margin_at(taken, share.margin))).min(in_all);
        let room = share.covers(taken);
        if room != Room::Enough {
            return room;
        }
        assert!(
            taken + margin_at(taken, share.margin) <= share.bytes.get(),
            "the parser is ahead of its share"
        );
        std::thread::yield_now();
    }
    Room::Enough
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sixteen threads, each with its own files: ordinary ones, ones that reach their limit, and ones that exceed it.
    /// Each file ends after at most two attempts, and the memory never exceeds the half.
    #[test]
    fn every_file_ends_within_the_budget_on_sixteen_threads(
        files in prop::collection::vec(
            // Bytes of source; memory per byte; part of the margin taken between two checks.
            prop::collection::vec((1_usize..200_000, 1_usize..500, 1_usize..4), 1..12), 16
        ),
        mib in 2_usize..64,
    ) {
        let memory = Memory::new(mib * MIB);
        let (ended, again) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for files in &files {
                let (memory, ended, again, most) = (&memory, &ended, &again, &most);
                scope.spawn(move || {
                    for &(source, per_byte, part) in files {
                        for start in [Start::Ordinary, Start::Most] {
                            let share = memory.share(source, start, &|| false).expect("it is not stopped");
                            let room = looks(&share, source * per_byte, share.margin / part + 1);
                            most.fetch_max(memory.lock().running, Ordering::SeqCst);
                            assert!(start == Start::Ordinary || room != Room::NotNow, "it had its most");
                            if room != Room::NotNow {
                                assert_eq!(room == Room::Never, source * per_byte > share.limit);
                                break;
                            }
                            again.fetch_add(1, Ordering::SeqCst);
                        }
                        ended.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        prop_assert_eq!(ended.into_inner(), files.iter().map(Vec::len).sum::<usize>());
        prop_assert!(most.into_inner() <= mib * MIB / 2);
        let state = memory.lock();
        prop_assert_eq!((state.running, state.waiting.len()), (0, 0));
    }
}

/// The purpose of shares: one large file per core at the same time.
#[test]
fn many_large_files_of_ordinary_code_fit_at_once() {
    let memory = Memory::new(DEFAULT_MEMORY);
    let mut shares = Vec::new();
    while memory.lock().running < memory.half - 70 * MIB {
        shares.push(
            memory
                .share(MIB, Start::Ordinary, &|| false)
                .expect("it is not stopped"),
        );
    }
    for share in &shares {
        assert_eq!(looks(share, 40 * MIB, MIB), Room::Enough);
    }
    assert!(shares.len() >= 14, "{}", shares.len());
}

/// A file that cannot grow starts again with its maximum once the others have ended.
#[test]
fn a_file_without_room_to_grow_starts_again_alone() {
    let memory = Memory::new(64 * MIB);
    let first = memory
        .share(100_000, Start::Ordinary, &|| false)
        .expect("there is room");
    let blocker = memory.half - memory.lock().running;
    assert!(memory.take(blocker));
    assert_eq!(first.covers(first.limit), Room::NotNow);
    drop(first);
    memory.lock().running -= blocker;
    let most = memory
        .share(100_000, Start::Most, &|| false)
        .expect("it is all there");
    assert_eq!(most.covers(most.limit), Room::Enough);
    assert_eq!(most.covers(most.limit + 1), Room::Never);
}

#[test]
fn a_waiting_thread_stops_with_its_call_and_frees_its_place() {
    let memory = Memory::new(64 * MIB);
    let all = memory
        .share(10 * MIB, Start::Most, &|| false)
        .expect("it is all there");
    assert!(memory.share(1, Start::Ordinary, &|| true).is_none());
    drop(all);
    assert!(memory.share(1, Start::Ordinary, &|| false).is_some());
}

#[test]
fn held_memory_is_bounded_and_returned() {
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
