//! Splits source into tokens without a grammar: code that no grammar can read still has brackets, words, strings and
//! comments.

use std::cell::Cell;
use std::ops::Range;

use crate::analysis::Language;

mod literals;
use literals::Misses;

/// Tokens between two checks of whether to stop: some milliseconds of work at most.
pub(super) const TOKENS_PER_CHECK: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word or a number.
    Word,
    /// `(`, `[`, `{`.
    Open(Bracket),
    Close(Bracket),
    /// `&&`, `||`, or one other character.
    Mark,
    /// A string, a character, a template with its content, a regular expression.
    Literal,
    Comment,
    /// C: from `#` to the end of the line, including continued lines and comments.
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
    /// Whether only white space and comments are before it on its line.
    pub(super) first_on_line: bool,
}

/// The differences between languages in comments and strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    C,
    Go,
    Java,
    /// JavaScript and TypeScript.
    Script,
    Python,
    Rust,
}

impl Dialect {
    fn of(language: Language) -> Self {
        match language {
            Language::C => Self::C,
            Language::Go => Self::Go,
            Language::Java => Self::Java,
            Language::JavaScript | Language::TypeScript | Language::Tsx => Self::Script,
            Language::Python => Self::Python,
            Language::Rust => Self::Rust,
        }
    }
}

/// The tokens in source order; each byte is read a bounded number of times.
pub(super) struct Tokens<'t> {
    dialect: Dialect,
    bytes: &'t [u8],
    at: usize,
    end: usize,
    line_start: bool,
    /// The last token ends a value: a slash after it is a division.
    value: bool,
    misses: Cell<Misses>,
}

impl<'t> Tokens<'t> {
    /// C.
    pub(super) fn of(text: &'t str) -> Self {
        Self::within(text, 0..text.len())
    }

    /// C, for a range that starts at the start of a token or line.
    pub(super) fn within(text: &'t str, stretch: Range<usize>) -> Self {
        Self::reading(Language::C, text, stretch)
    }

    /// For a range that starts at the start of a token or line.
    pub(super) fn reading(language: Language, text: &'t str, stretch: Range<usize>) -> Self {
        Self {
            dialect: Dialect::of(language),
            bytes: text.as_bytes(),
            at: stretch.start,
            end: stretch.end.min(text.len()),
            line_start: true,
            value: false,
            misses: Cell::default(),
        }
    }

    fn byte(&self, at: usize) -> u8 {
        match at < self.end {
            true => self.bytes[at],
            false => 0,
        }
    }

    fn starts(&self, at: usize, with: &[u8]) -> bool {
        at < self.end && self.bytes[at..self.end].starts_with(with)
    }

    fn skip_space(&mut self) {
        while self.at < self.end && self.bytes[self.at].is_ascii_whitespace() {
            self.line_start |= self.bytes[self.at] == b'\n';
            self.at += 1;
        }
    }

    fn token(&self) -> (TokenKind, usize) {
        let at = self.at;
        let open = |bracket| (TokenKind::Open(bracket), at + 1);
        let close = |bracket| (TokenKind::Close(bracket), at + 1);
        if let Some(end) = self.comment(at) {
            return (TokenKind::Comment, end);
        }
        match self.bytes[at] {
            b'#' if self.line_start && self.dialect == Dialect::C => {
                (TokenKind::Directive, self.line_end(at, true))
            }
            b'(' => open(Bracket::Round),
            b'[' => open(Bracket::Square),
            b'{' => open(Bracket::Curly),
            b')' => close(Bracket::Round),
            b']' => close(Bracket::Square),
            b'}' => close(Bracket::Curly),
            b'&' | b'|' if self.byte(at + 1) == self.bytes[at] => (TokenKind::Mark, at + 2),
            _ => match self.literal(at) {
                Some(end) => (TokenKind::Literal, end),
                None if is_word(self.bytes[at]) => (TokenKind::Word, self.word_end(at)),
                None => (TokenKind::Mark, at + 1),
            },
        }
    }

    fn word_end(&self, at: usize) -> usize {
        let is_number = self.bytes[at].is_ascii_digit();
        let mut end = at + 1;
        // C23 separates digits with quotation marks.
        while is_word(self.byte(end))
            || (is_number
                && self.dialect == Dialect::C
                && self.byte(end) == b'\''
                && self.byte(end + 1).is_ascii_alphanumeric())
        {
            end += 1;
        }
        end
    }

    fn ends_value(&self, kind: TokenKind) -> bool {
        match kind {
            TokenKind::Word => {
                let word = &self.bytes[self.at..self.word_end(self.at)];
                !BEFORE_A_VALUE.contains(&word)
            }
            TokenKind::Close(_) | TokenKind::Literal => true,
            TokenKind::Comment => self.value,
            TokenKind::Open(_) | TokenKind::Directive => false,
            // A slash after `<` closes a tag.
            TokenKind::Mark => self.bytes[self.at] == b'<',
        }
    }
}

/// Words after which a slash begins a regular expression.
const BEFORE_A_VALUE: &[&[u8]] = &[
    b"await",
    b"case",
    b"delete",
    b"do",
    b"else",
    b"in",
    b"instanceof",
    b"new",
    b"of",
    b"return",
    b"throw",
    b"typeof",
    b"void",
    b"yield",
];

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
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
        self.value = self.ends_value(kind);
        self.line_start &= kind == TokenKind::Comment;
        self.at = end;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads each slash without the memory of earlier failures.
    fn without_memory(text: &str) -> Vec<Token> {
        let mut tokens = Tokens::reading(Language::JavaScript, text, 0..text.len());
        let mut found = Vec::new();
        while let Some(token) = tokens.next() {
            found.push(token);
            tokens.misses.set(Misses::default());
        }
        found
    }

    fn scripted(text: &str) -> Vec<Token> {
        Tokens::reading(Language::JavaScript, text, 0..text.len()).collect()
    }

    proptest::proptest! {
        #[test]
        fn a_remembered_failure_skips_only_slashes_that_also_fail(text in "[/\\[\\]\\\\a+\"`\n]{0,24}") {
            proptest::prop_assert_eq!(scripted(&text), without_memory(&text));
        }
    }

    /// Without a memory of earlier failures, each of a million slashes would be read to the end of the line.
    #[test]
    fn slashes_that_start_no_literal_are_read_once() {
        for unit in ["/[", "/[]+", "+/\\", "/[/\\"] {
            let text = format!("/[{}", unit.repeat(500_000));
            assert!(scripted(&text).len() > 500_000, "{unit}");
        }
    }
}
