//! Finds the ends of comments, strings and other literals.

use super::{Dialect, Tokens};

impl Tokens<'_> {
    /// The end of the comment that starts here.
    pub(super) fn comment(&self, at: usize) -> Option<usize> {
        let first = self.bytes[at];
        match self.dialect {
            Dialect::Python => (first == b'#').then(|| self.line_end(at, false)),
            _ if first == b'/' && self.byte(at + 1) == b'*' => Some(self.comment_end(at)),
            _ if first == b'/' && self.byte(at + 1) == b'/' => Some(self.line_end(at, false)),
            Dialect::Script | Dialect::Rust if at == 0 && self.starts(0, b"#!") => {
                (self.byte(2) != b'[').then(|| self.line_end(at, false))
            }
            Dialect::C | Dialect::Go | Dialect::Java | Dialect::Script | Dialect::Rust => None,
        }
    }

    /// The end of the string, character, template or regular expression that starts here.
    pub(super) fn literal(&self, at: usize) -> Option<usize> {
        let first = self.bytes[at];
        let triple = |mark: &[u8]| self.starts(at, mark).then(|| self.triple_end(at, mark));
        match (self.dialect, first) {
            (Dialect::Python, b'"') => triple(b"\"\"\"").or_else(|| Some(self.literal_end(at))),
            (Dialect::Python, b'\'') => triple(b"'''").or_else(|| Some(self.literal_end(at))),
            (Dialect::Java, b'"') => triple(b"\"\"\"").or_else(|| Some(self.literal_end(at))),
            (Dialect::Rust, b'"') => Some(self.long_end(at)),
            (Dialect::Rust, b'\'') => self.character(at),
            (Dialect::Rust, b'r' | b'b' | b'c') => self.raw(at),
            (Dialect::Go, b'`') => Some(
                memchr::memchr(b'`', &self.bytes[at + 1..self.end])
                    .map_or(self.end, |length| at + length + 2),
            ),
            (Dialect::Script, b'`') => Some(self.template_end(at)),
            (Dialect::Script, b'/') if !self.value => self.regex(at),
            (_, b'"' | b'\'') => Some(self.literal_end(at)),
            (
                Dialect::C
                | Dialect::Go
                | Dialect::Java
                | Dialect::Script
                | Dialect::Python
                | Dialect::Rust,
                _,
            ) => None,
        }
    }

    /// Bytes of a line end after a backslash, 0 if there is none.
    fn continued(&self, at: usize) -> usize {
        match (self.byte(at), self.byte(at + 1), self.byte(at + 2)) {
            (b'\\', b'\n', _) => 2,
            (b'\\', b'\r', b'\n') => 3,
            _ => 0,
        }
    }

    /// The position of the line end; comments may hide line ends if `comments` is set.
    pub(super) fn line_end(&self, mut at: usize, comments: bool) -> usize {
        let continues = self.dialect == Dialect::C;
        while at < self.end && self.bytes[at] != b'\n' {
            at = match self.bytes[at] {
                b'/' if comments && self.starts(at, b"/*") => self.comment_end(at),
                b'/' if comments && self.starts(at, b"//") => return self.line_end(at, false),
                b'"' if comments => self.literal_end(at),
                b'\\' if continues => at + self.continued(at).max(1),
                _ => at + 1,
            };
        }
        at.min(self.end)
    }

    fn comment_end(&self, at: usize) -> usize {
        let body = (at + 2).min(self.end);
        if self.dialect == Dialect::Rust {
            return self.nested_comment_end(body);
        }
        memchr::memmem::find(&self.bytes[body..self.end], b"*/")
            .map_or(self.end, |found| body + found + 2)
    }

    fn nested_comment_end(&self, mut at: usize) -> usize {
        let mut depth = 1_usize;
        while at < self.end {
            let step = match (self.byte(at), self.byte(at + 1)) {
                (b'/', b'*') => {
                    depth += 1;
                    2
                }
                (b'*', b'/') => {
                    depth -= 1;
                    2
                }
                _ => 1,
            };
            at += step;
            if depth == 0 {
                return at;
            }
        }
        self.end
    }

    /// The position after the closing mark, or before the end of the line.
    fn literal_end(&self, start: usize) -> usize {
        let mut at = start + 1;
        while at < self.end {
            match self.bytes[at] {
                b'\n' => return at,
                b'\\' => at += self.continued(at).max(2),
                byte if byte == self.bytes[start] => return at + 1,
                _ => at += 1,
            }
        }
        self.end
    }

    /// A string that may span several lines.
    fn long_end(&self, start: usize) -> usize {
        let mut at = start + 1;
        while at < self.end {
            match self.bytes[at] {
                b'\\' => at += 2,
                byte if byte == self.bytes[start] => return at + 1,
                _ => at += 1,
            }
        }
        self.end
    }

    fn triple_end(&self, start: usize, mark: &[u8]) -> usize {
        let mut at = start + mark.len();
        while at < self.end {
            if self.bytes[at] == b'\\' {
                at += 2;
            } else if self.starts(at, mark) {
                return at + mark.len();
            } else {
                at += 1;
            }
        }
        self.end
    }

    /// Rust: a character, not the lifetime that starts with the same mark.
    fn character(&self, at: usize) -> Option<usize> {
        if self.byte(at + 1) == b'\\' {
            return Some(self.literal_end(at));
        }
        let rest = self.bytes.get(at + 1..self.end)?;
        let length = std::str::from_utf8(&rest[..rest.len().min(4)])
            .map_or_else(|error| error.valid_up_to(), str::len);
        let first = std::str::from_utf8(&rest[..length]).ok()?.chars().next()?;
        let close = at + 1 + first.len_utf8();
        (self.byte(close) == b'\'').then_some(close + 1)
    }

    /// Rust: `r"…"`, `br#"…"#`.
    fn raw(&self, at: usize) -> Option<usize> {
        let is_start = at == 0 || !super::is_word(self.bytes[at - 1]);
        let word = self.word_end(at);
        if !is_start || !matches!(&self.bytes[at..word], b"r" | b"br" | b"cr") {
            return None;
        }
        let marks = self.bytes[word..self.end]
            .iter()
            .take_while(|byte| **byte == b'#')
            .count();
        if self.byte(word + marks) != b'"' {
            return None;
        }
        let mut end = vec![b'"'];
        end.resize(marks + 1, b'#');
        let body = word + marks + 1;
        let found = memchr::memmem::find(&self.bytes[body..self.end], &end);
        Some(found.map_or(self.end, |length| body + length + end.len()))
    }

    /// A regular expression ends on its line; otherwise the slash is not one.
    fn regex(&self, at: usize) -> Option<usize> {
        let mut misses = self.misses.get();
        let again = at < misses.line_end;
        if again {
            let is_known = misses.knows(self.bytes, at + 1);
            self.misses.set(misses);
            if is_known {
                return None;
            }
        }
        let mut end = at + 1;
        let mut in_class = false;
        loop {
            match self.byte(end) {
                0 | b'\n' => break,
                // From here on it is read like the first one that failed.
                b'[' | b']' if again => break,
                b'\\' => end += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => return Some(self.word_end(end)),
                _ => {}
            }
            end += 1;
        }
        match again {
            true => misses.outside_until = end,
            false => misses = Misses::first(at + 1, end),
        }
        self.misses.set(misses);
        None
    }

    /// A template with the code in it, and nested templates.
    fn template_end(&self, start: usize) -> usize {
        let mut around = vec![Inside::Template];
        let mut at = start + 1;
        while at < self.end {
            let byte = self.bytes[at];
            match (around.last_mut(), byte) {
                (None, _) => return at,
                (Some(Inside::Template), b'\\') => at += 1,
                (Some(Inside::Template), b'`') => {
                    around.pop();
                }
                (Some(Inside::Template), b'$') if self.byte(at + 1) == b'{' => {
                    around.push(Inside::Code { braces: 0 });
                    at += 1;
                }
                (Some(Inside::Template), _) => {}
                (Some(Inside::Code { .. }), b'"' | b'\'') => {
                    at = self.literal_end(at);
                    continue;
                }
                (Some(Inside::Code { .. }), b'/') if self.comment(at).is_some() => {
                    at = self.comment(at).unwrap_or(self.end);
                    continue;
                }
                (Some(Inside::Code { .. }), b'`') => around.push(Inside::Template),
                (Some(Inside::Code { braces }), b'{') => *braces += 1,
                (Some(Inside::Code { braces: 0 }), b'}') => {
                    around.pop();
                }
                (Some(Inside::Code { braces }), b'}') => *braces -= 1,
                (Some(Inside::Code { .. }), _) => {}
            }
            at += 1;
        }
        self.end
    }
}

/// Memory of a line on which a slash began no regular expression, so that the next slashes do not read all of it again.
/// A reading that reaches a position in the same state as a failed one fails, too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Misses {
    /// End of the line that was read without success; 0 if none.
    line_end: usize,
    /// The position that the first failed reading reached, and whether it is in a class (`[…]`) there.
    followed: usize,
    in_class: bool,
    /// Before this position another reading failed outside of a class.
    outside_until: usize,
}

impl Misses {
    fn first(start: usize, line_end: usize) -> Self {
        Self {
            line_end,
            followed: start,
            in_class: false,
            outside_until: 0,
        }
    }

    /// Whether a reading that starts here, after a slash and outside of a class, is known to fail.
    fn knows(&mut self, bytes: &[u8], start: usize) -> bool {
        if start < self.outside_until {
            return true;
        }
        while self.followed < start {
            match bytes[self.followed] {
                b'\\' => self.followed += 1,
                b'[' => self.in_class = true,
                b']' => self.in_class = false,
                _ => {}
            }
            self.followed += 1;
        }
        !self.in_class
    }
}

/// The surroundings of a position in a template.
enum Inside {
    Template,
    Code { braces: u32 },
}
