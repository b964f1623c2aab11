//! Ranks of cyclomatic complexity, as in radon.

use crate::cli::screen::Look;

/// The highest complexity of each rank except the last.
const RANKS: [(&str, u64); 5] = [("A", 5), ("B", 10), ("C", 20), ("D", 30), ("E", 40)];
const LAST: &str = "F";

/// Printed below every answer with ranks. Its no-break spaces keep a rank on one line.
pub(super) const LEGEND: &str = "Ranks of cyclomatic complexity are radon's: A\u{a0}1–5, B\u{a0}6–10, C\u{a0}11–20, D\u{a0}21–30, E\u{a0}31–40, F\u{a0}41\u{a0}and\u{a0}more.";

pub(super) fn of(cyclomatic: u64) -> &'static str {
    RANKS
        .iter()
        .find_map(|(rank, highest)| (cyclomatic <= *highest).then_some(*rank))
        .unwrap_or(LAST)
}

pub(super) fn look(rank: &str) -> Look {
    match rank {
        "A" | "B" => Look::Good,
        "C" | "D" => Look::Fair,
        _ => Look::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranks_match_the_legend() {
        let mut told = LEGEND.split_once(": ").expect("ranks").1;
        for (first, rank) in [
            (1, "A"),
            (6, "B"),
            (11, "C"),
            (21, "D"),
            (31, "E"),
            (41, "F"),
        ] {
            assert_eq!(of(first), rank);
            assert!(first == 1 || of(first - 1) != rank, "{rank}");
            let part = format!("{rank}\u{a0}{first}");
            told = &told[told.find(&part).expect("told")..];
        }
    }
}
