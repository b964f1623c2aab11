//! How much work one file may take: steps of its parser, whatever the clock says. A call has a deadline; without this bound
//! one file could take all of it, and the others would not be answered.

use std::cell::Cell;

/// The reason under which a file is counted whose analysis takes more steps than it may.
pub(crate) const WORK_LIMIT: &str = "work_limit";

/// Looks of the parser at whether to stop, one in a hundred steps and one for each 4 KiB that it reads, for each KiB of
/// source. Ordinary code takes 4 to 22 of
/// them, the worst of a hundred hostile shapes in seven languages 82 (`a!a!a!` in TypeScript). What does not parse is
/// read again, up to nine times in all.
const LOOKS_PER_KIB: u64 = 1000;
/// For small files, which may be read again more often: 64 KiB in all.
const LOOKS: u64 = 10_000;

/// Of one file.
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

    /// Counts one look.
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
    fn more_looks_than_a_file_may_take_are_too_much() {
        let work = Steps::of(3000);
        for _ in 0..LOOKS + 3 * LOOKS_PER_KIB {
            work.look();
            assert!(!work.is_too_much());
        }
        work.look();
        assert!(work.is_too_much());
    }

    /// What takes the most stays below it.
    #[test]
    fn the_bound_leaves_ordinary_and_dense_code_alone() {
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
