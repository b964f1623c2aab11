//! Limits the work for one file, in steps of its parser. A call has a deadline, and without this limit one file could
//! use all of it, so that the other files would have no answer.

use std::cell::Cell;

/// The skip reason of a file whose analysis exceeds its limit of steps.
pub(crate) const WORK_LIMIT: &str = "work_limit";

/// Checks of the parser (one per hundred steps, and one per 4 KiB that it reads) per KiB of source. Ordinary code takes
/// 4 to 22, the worst of a hundred hostile shapes in seven languages 82 (`a!a!a!` in TypeScript). Source that does not
/// parse is read again, up to nine times in all.
const LOOKS_PER_KIB: u64 = 1000;
/// The minimum, for small files, which may be read again more often: 64 KiB in all.
const LOOKS: u64 = 10_000;

/// The checks of one file.
pub(super) struct Steps {
    done: Cell<u64>,
    most: u64,
}

impl Steps {
    pub(super) fn of(bytes: usize) -> Self {
        let kib = bytes as u64 / 1024 + 1;
        Self {
            done: Cell::new(0),
            most: LOOKS + kib.saturating_mul(LOOKS_PER_KIB),
        }
    }

    /// Counts one check.
    pub(super) fn look(&self) {
        self.done.set(self.done.get() + 1);
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.done.get() > self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Language, analyze};

    #[test]
    fn too_many_checks_exceed_the_limit() {
        let work = Steps::of(3000);
        for _ in 0..LOOKS + 3 * LOOKS_PER_KIB {
            work.look();
            assert!(!work.is_too_much());
        }
        work.look();
        assert!(work.is_too_much());
    }

    /// The most expensive ordinary code stays below the limit.
    #[test]
    fn ordinary_and_dense_code_stay_below_the_limit() {
        for (name, unit) in [
            ("x.ts", "a!"),
            ("x.py", "a,"),
            ("x.java", "["),
            ("x.c", "if(a)"),
        ] {
            let language = Language::of_path(name).expect("a language");
            let text = unit.repeat(3000);
            let steps = Steps::of(text.len());
            let look = || {
                steps.look();
                steps.is_too_much()
            };
            assert!(analyze(language, &text, &look).is_ok(), "{name}");
        }
    }
    /// Each slash may begin a regular expression: the parser reads to the end of the line for each of them.
    #[test]
    fn a_line_that_is_read_again_for_each_token_is_too_much() {
        let text = "/[".repeat(30_000);
        let steps = Steps::of(text.len());
        let look = || {
            steps.look();
            steps.is_too_much()
        };
        assert!(analyze(Language::JavaScript, &text, &look).is_err());
    }
}
