//! C cut into tokens without a grammar: whatever a conditional cuts in two still has brackets and words.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word or a number.
    Word,
    /// `(`, `[`, `{`.
    Open(Bracket),
    Close(Bracket),
    /// `&&`, `||`, or one other character.
    Mark,
    /// A string or a character.
    Literal,
    Comment,
    /// From `#` to the end of the line, continued lines and comments included.
    Directive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    Round,
    Square,
    Curly,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
    /// Nothing but white space and comments stand before it on its line.
    pub(super) first_on_line: bool,
}

/// In source order, each byte looked at a bounded number of times.
pub(super) struct Tokens<'t> {
    bytes: &'t [u8],
    at: usize,
    end: usize,
    line_start: bool,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self::within(text, 0..text.len())
    }

    /// Of a stretch that starts at the start of a token or line.
    pub(super) fn within(text: &'t str, stretch: Range<usize>) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: stretch.start,
            end: stretch.end.min(text.len()),
            line_start: true,
        }
    }

    fn byte(&self, at: usize) -> u8 {
        match at < self.end {
            true => self.bytes[at],
            false => 0,
        }
    }

    fn starts(&self, at: usize, with: &[u8]) -> bool {
        self.bytes[at..self.end].starts_with(with)
    }

    fn skip_space(&mut self) {
        while self.at < self.end && self.bytes[self.at].is_ascii_whitespace() {
            self.line_start |= self.bytes[self.at] == b'\n';
            self.at += 1;
        }
    }

    /// How many bytes a line end behind a backslash takes, 0 where there is none.
    fn continued(&self, at: usize) -> usize {
        match (self.byte(at), self.byte(at + 1), self.byte(at + 2)) {
            (b'\\', b'\n', _) => 2,
            (b'\\', b'\r', b'\n') => 3,
            _ => 0,
        }
    }

    /// To before the line end; `comments` may hide line ends.
    fn line_end(&self, mut at: usize, comments: bool) -> usize {
        while at < self.end && self.bytes[at] != b'\n' {
            at = match self.bytes[at] {
                b'/' if comments && self.starts(at, b"/*") => self.comment_end(at),
                b'/' if comments && self.starts(at, b"//") => return self.line_end(at, false),
                b'"' if comments => self.literal_end(at),
                b'\\' => at + self.continued(at).max(1),
                _ => at + 1,
            };
        }
        at.min(self.end)
    }

    fn comment_end(&self, at: usize) -> usize {
        let body = (at + 2).min(self.end);
        memchr::memmem::find(&self.bytes[body..self.end], b"*/")
            .map_or(self.end, |found| body + found + 2)
    }

    /// Behind the closing mark, or before the end of the line.
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

    fn token(&self) -> (TokenKind, usize) {
        let at = self.at;
        let open = |bracket| (TokenKind::Open(bracket), at + 1);
        let close = |bracket| (TokenKind::Close(bracket), at + 1);
        match self.bytes[at] {
            b'#' if self.line_start => (TokenKind::Directive, self.line_end(at, true)),
            b'/' if self.starts(at, b"/*") => (TokenKind::Comment, self.comment_end(at)),
            b'/' if self.starts(at, b"//") => (TokenKind::Comment, self.line_end(at, false)),
            b'"' | b'\'' => (TokenKind::Literal, self.literal_end(at)),
            b'(' => open(Bracket::Round),
            b'[' => open(Bracket::Square),
            b'{' => open(Bracket::Curly),
            b')' => close(Bracket::Round),
            b']' => close(Bracket::Square),
            b'}' => close(Bracket::Curly),
            b'&' | b'|' if self.byte(at + 1) == self.bytes[at] => (TokenKind::Mark, at + 2),
            byte if is_word(byte) => {
                let rest = &self.bytes[at..self.end];
                let length = rest.iter().position(|byte| !is_word(*byte));
                (TokenKind::Word, at + length.unwrap_or(rest.len()))
            }
            _ => (TokenKind::Mark, at + 1),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_space();
        if self.at >= self.end {
            return None;
        }
        let (kind, end) = self.token();
        let token = Token {
            kind,
            span: self.at..end,
            first_on_line: self.line_start,
        };
        self.line_start &= kind == TokenKind::Comment;
        self.at = end;
        Some(token)
    }
}
