//! Splits Rust into words, literals and punctuation without comments, and finds their lines.

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'s> {
    Word(&'s str),
    Literal(&'s str),
    PathSeparator,
    Mark(char),
}

/// Counts line breaks before a position; the positions must not decrease.
pub(super) struct LineCounter<'s> {
    text: &'s str,
    at: usize,
    line: u32,
}

impl<'s> LineCounter<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self {
            text,
            at: 0,
            line: 0,
        }
    }

    pub(super) fn at(&mut self, at: usize) -> u32 {
        if let Some(passed) = self.text.as_bytes().get(self.at..at) {
            let breaks = memchr::memchr_iter(b'\n', passed).count();
            self.line = self
                .line
                .saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
            self.at = at;
        }
        self.line
    }
}

pub(super) struct Tokens<'s> {
    text: &'s str,
    at: usize,
}

impl<'s> Tokens<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the position after a block comment, which may nest.
    fn skip_block(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while self.at < bytes.len() {
            let rest = &bytes[self.at..];
            if rest.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    /// Returns the position after the closing quote.
    fn skip_string(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => return,
                _ => {}
            }
        }
        self.at = bytes.len();
    }

    /// `'a` or `'x'`.
    fn skip_quote(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        if bytes.get(self.at) == Some(&b'\\') {
            self.at += 2;
            while bytes.get(self.at).is_some_and(|byte| *byte != b'\'') {
                self.at += 1;
            }
            self.at += 1;
            return;
        }
        let mut rest = self.text.get(self.at..).unwrap_or_default().chars();
        let width = rest.next().map_or(0, char::len_utf8);
        self.at += width;
        if rest.next() == Some('\'') {
            self.at += 1;
        }
    }
}

impl<'s> Iterator for Tokens<'s> {
    /// Its start and its kind.
    type Item = (usize, Token<'s>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..)?;
            let first = rest.chars().next()?;
            let start = self.at;
            if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if rest.starts_with("//") {
                let end = memchr::memchr(b'\n', rest.as_bytes());
                self.at = end.map_or(self.text.len(), |end| start + end + 1);
            } else if rest.starts_with("/*") {
                self.skip_block();
            } else if first == '"' {
                self.skip_string();
                return Some((start, Token::Literal(self.text.get(start..self.at)?)));
            } else if first == '\'' {
                self.skip_quote();
                return Some((start, Token::Literal("")));
            } else if rest.starts_with("::") {
                self.at += 2;
                return Some((start, Token::PathSeparator));
            } else if first.is_alphanumeric() || first == '_' {
                let is_raw = rest.starts_with("r#");
                let skipped = if is_raw { 2 } else { 0 };
                let word = rest.get(skipped..).unwrap_or_default();
                let end = word
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(word.len());
                self.at += (skipped + end).max(1);
                return Some((start, Token::Word(self.text.get(start..self.at)?)));
            } else {
                self.at += first.len_utf8();
                return Some((start, Token::Mark(first)));
            }
        }
    }
}
