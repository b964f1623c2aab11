use super::super::text::{Encoding, Verdict};
use super::*;

const NOW: i64 = 1_700_000_000_000_000_000;

fn stat(inode: u64, changed: i64) -> Stat {
    Stat {
        kind: rustix::fs::FileType::RegularFile,
        device: 1,
        inode,
        size: 10,
        modified: changed,
        changed,
    }
}

fn known(byte: u8) -> Known {
    Known {
        hash: ContentHash([byte; 32]),
        verdict: Verdict {
            encoding: Some(Encoding::Utf8),
            generated: false,
        },
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(NOW.unsigned_abs())
}

const OLD: i64 = NOW - 3_000_000_000;

#[test]
fn any_difference_in_the_state_is_a_miss() {
    let cache = StatCache::default();
    let path = Path::new("/a");
    let seen = stat(7, OLD);
    cache.put(path, &seen, now(), known(1));
    assert_eq!(cache.get(path, &seen), Some(known(1)));
    for other in [
        Stat { inode: 8, ..seen },
        Stat { device: 2, ..seen },
        Stat { size: 11, ..seen },
        Stat {
            modified: OLD + 1,
            ..seen
        },
        Stat {
            modified: OLD - 1,
            ..seen
        },
        Stat {
            changed: OLD + 1,
            ..seen
        },
    ] {
        assert_eq!(cache.get(path, &other), None, "{other:?}");
    }
    assert_eq!(cache.get(Path::new("/b"), &seen), None);
}

#[test]
fn what_was_touched_within_two_seconds_is_not_remembered() {
    let cache = StatCache::default();
    let path = Path::new("/a");
    for (age, expected) in [
        (0, false),
        (1_999_999_999, false),
        (2_000_000_000, true),
        (-5, false),
    ] {
        let seen = stat(7, NOW - age);
        cache.put(path, &seen, now(), known(1));
        assert_eq!(cache.get(path, &seen).is_some(), expected, "{age} ns ago");
        let set_back = Stat {
            modified: 0,
            ..seen
        };
        cache.put(path, &set_back, now(), known(1));
        assert_eq!(
            cache.get(path, &set_back).is_some(),
            expected,
            "changed {age} ns ago"
        );
    }
    let settled = stat(7, OLD);
    cache.put(path, &settled, now(), known(1));
    cache.put(path, &stat(7, NOW), now(), known(2));
    assert_eq!(
        cache.get(path, &settled),
        None,
        "an unsettled reading forgets what was known"
    );
}

#[test]
fn it_is_bounded_and_keeps_what_is_used() {
    let cache = StatCache::with_capacity(1_000);
    let path = |n: u64| std::path::PathBuf::from(format!("/{n}"));
    cache.put(&path(0), &stat(0, OLD), now(), known(0));
    for n in 1..50_000 {
        cache.put(&path(n), &stat(n, OLD), now(), known(1));
        assert_eq!(
            cache.get(&path(0), &stat(0, OLD)),
            Some(known(0)),
            "used all the time"
        );
    }
    assert!(cache.len() <= 1_000, "{}", cache.len());
    assert_eq!(cache.get(&path(1), &stat(1, OLD)), None);
}
