//! The starts of the lines of a text: built once per text, queried for each token and each piece.

use tree_sitter::Point;

pub(super) struct Lines {
    /// First byte of each line except the first.
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self {
            starts: memchr::memchr_iter(b'\n', text.as_bytes())
                .map(|end| end + 1)
                .collect(),
        }
    }

    pub(super) fn point(&self, at: usize) -> Point {
        let row = self.starts.partition_point(|start| *start <= at);
        let line = row.checked_sub(1).map_or(0, |row| self.starts[row]);
        Point {
            row,
            column: at - line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_found_by_row_and_column() {
        let lines = Lines::of("ab\n\ncd");
        let at = |at| (lines.point(at).row, lines.point(at).column);
        assert_eq!(
            [at(0), at(2), at(3), at(4), at(6)],
            [(0, 0), (0, 2), (1, 0), (2, 0), (2, 2)]
        );
        assert_eq!(Lines::of("").point(0), Point::new(0, 0));
    }
}
