//! Lines with code, comments, both or neither, as `cloc` counts them: a line with only white space is blank, even
//! inside a string or a comment.

use std::ops::Range;

use crate::analysis::Lines;

/// Lines of a text, from 0, and their contents.
pub(super) struct LineMap {
    /// Start of each line; a last line without text does not count.
    starts: Vec<usize>,
    /// Lines with only white space.
    empty: Vec<bool>,
    code: Vec<bool>,
    comment: Vec<bool>,
    /// In source order.
    comments: Vec<Range<usize>>,
    /// The line of the last token; tokens come in order.
    at: usize,
}

/// Sums from the start of the file, to query any range of lines.
pub(super) struct LineSums {
    map: LineMap,
    /// Lines before line *i*: with code, with a comment, with neither.
    code: Vec<u32>,
    comment: Vec<u32>,
    blank: Vec<u32>,
}

impl LineMap {
    pub(super) fn new(text: &str) -> Self {
        let mut starts = Vec::new();
        if !text.is_empty() {
            starts.push(0);
            starts.extend(
                memchr::memchr_iter(b'\n', text.as_bytes())
                    .map(|end| end + 1)
                    .filter(|start| *start < text.len()),
            );
        }
        let empty = text.split_inclusive('\n');
        let empty = empty.map(|line| line.trim().is_empty()).collect();
        Self {
            empty,
            code: vec![false; starts.len()],
            comment: vec![false; starts.len()],
            comments: Vec::new(),
            starts,
            at: 0,
        }
    }

    /// Adds the bytes of one token, without the line end.
    pub(super) fn code(&mut self, span: &Range<usize>) {
        let lines = self.lines_of(span);
        if let Some(marks) = self.code.get_mut(lines) {
            marks.fill(true);
        }
    }

    pub(super) fn comment(&mut self, span: Range<usize>) {
        let lines = self.lines_of(&span);
        if let Some(marks) = self.comment.get_mut(lines) {
            marks.fill(true);
        }
        self.comments.push(span);
    }

    /// Marks lines whose content is not in the given text as not blank.
    pub(super) fn unread(&mut self, span: &Range<usize>) {
        let lines = self.lines_of(span);
        if let Some(empty) = self.empty.get_mut(lines) {
            empty.fill(false);
        }
    }

    fn lines_of(&mut self, span: &Range<usize>) -> Range<usize> {
        self.at = self.forward(self.at, span.start);
        let last = self.forward(self.at, span.end.saturating_sub(1).max(span.start));
        self.at..last + 1
    }

    /// The line of a byte that is not before line `from`.
    fn forward(&self, from: usize, byte: usize) -> usize {
        let mut line = from;
        while self.starts.get(line + 1).is_some_and(|next| *next <= byte) {
            line += 1;
        }
        line
    }

    pub(super) fn sum(self) -> LineSums {
        let mut sums = LineSums {
            code: vec![0],
            comment: vec![0],
            blank: vec![0],
            map: self,
        };
        let (mut code, mut comment, mut blank) = (0, 0, 0);
        let marks = sums.map.code.iter().zip(&sums.map.comment);
        for ((has_code, has_comment), is_empty) in marks.zip(&sums.map.empty) {
            code += u32::from(*has_code && !is_empty);
            comment += u32::from(*has_comment && !is_empty);
            blank += u32::from(*is_empty || (!has_code && !has_comment));
            sums.code.push(code);
            sums.comment.push(comment);
            sums.blank.push(blank);
        }
        sums
    }
}

impl LineSums {
    pub(super) fn file(&self, statements: u32) -> Lines {
        let last = |sums: &[u32]| sums.last().copied().unwrap_or_default();
        Lines {
            sloc: u32::try_from(self.map.starts.len()).unwrap_or(u32::MAX),
            ploc: last(&self.code),
            cloc: last(&self.comment),
            blank: last(&self.blank),
            lloc: statements,
        }
    }

    /// Counts lines `first` to `last`, from 0. Only `span` is counted: a comment outside of it is not.
    pub(super) fn stretch(
        &self,
        first: usize,
        last: usize,
        span: &Range<usize>,
        statements: u32,
    ) -> Lines {
        let between = |sums: &[u32], from: usize, to: usize| {
            let at = |line: usize| sums.get(line).or(sums.last()).copied().unwrap_or_default();
            at(to).saturating_sub(at(from))
        };
        let mut cloc = between(&self.comment, first + 1, last.max(first + 1));
        cloc += u32::from(self.commented(first, span));
        if last > first {
            cloc += u32::from(self.commented(last, span));
        }
        Lines {
            sloc: u32::try_from(last.saturating_sub(first) + 1).unwrap_or(u32::MAX),
            ploc: between(&self.code, first, last + 1),
            cloc,
            blank: between(&self.blank, first, last + 1),
            lloc: statements,
        }
    }

    /// Whether a comment inside `span` is on the line.
    fn commented(&self, line: usize, span: &Range<usize>) -> bool {
        let starts = &self.map.starts;
        let from = starts
            .get(line)
            .copied()
            .unwrap_or_default()
            .max(span.start);
        let to = starts
            .get(line + 1)
            .copied()
            .unwrap_or(usize::MAX)
            .min(span.end);
        let next = self
            .map
            .comments
            .partition_point(|comment| comment.end <= from);
        self.map
            .comments
            .get(next)
            .is_some_and(|comment| comment.start < to)
    }
}
