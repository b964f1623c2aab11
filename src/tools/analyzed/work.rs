//! How much work one file may take: steps of its parser, whatever the clock says. A call has a deadline; without this bound
//! one file could take all of it, and the others would not be answered.

use std::cell::Cell;

/// The reason under which a file is counted whose analysis takes more steps than it may.
pub(crate) const WORK_LIMIT: &str = "work_limit";

/// Looks of the parser at whether to stop, one in a hundred steps, for each KiB of source. Ordinary code takes 4 to 22 of
/// them, the worst of a hundred hostile shapes in seven languages 82 (`a!a!a!` in TypeScript). C may be read twice.
const LOOKS_PER_KIB: u64 = 200;
/// For small files.
const LOOKS: u64 = 1000;

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

    fn looks(language: Language, text: &str) -> u64 {
        let work = Steps::of(text.len());
        let look = || {
            work.look();
            work.is_too_much()
        };
        // Broken off or not.
        let _ = analyze(language, text, &look);
        work.done.get()
    }

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

    /// Half of the bound is not reached by what takes the most, and twice as much text takes twice the work.
    #[test]
    fn the_bound_leaves_ordinary_and_dense_code_alone() {
        for (name, unit) in [
            ("x.ts", "a!"),
            ("x.py", "a,"),
            ("x.java", "["),
            ("x.c", "if(a)"),
        ] {
            let language = Language::of_path(name).expect("a language");
            let [small, large] = [5000, 10_000].map(|times| looks(language, &unit.repeat(times)));
            let bytes = (unit.len() * 10_000) as u64;
            assert!(
                large * 1024 / bytes < LOOKS_PER_KIB / 2,
                "{name}: {large} looks"
            );
            assert!(large < small * 5 / 2, "{name}: {small} and {large} looks");
        }
    }
}
