//! The tokens of a text with what brackets make of them: what masks and pieces are found by.

use super::tokens::{Bracket, Token, TokenKind, Tokens};
use crate::analysis::Language;

/// No bracket.
const NONE: u32 = u32::MAX;
/// Type arguments are no longer than this, in tokens: bounds the search for what closes a `<`.
const ANGLES: usize = 256;

pub(super) struct Code<'t> {
    pub(super) text: &'t str,
    pub(super) language: Language,
    /// Without comments.
    tokens: Vec<Token>,
    /// For a bracket: the other one of its pair.
    partners: Vec<u32>,
    /// The opening bracket around each token.
    around: Vec<u32>,
}

impl<'t> Code<'t> {
    pub(super) fn new(language: Language, text: &'t str) -> Self {
        let tokens: Vec<Token> = Tokens::reading(language, text, 0..text.len())
            .filter(|token| token.kind != TokenKind::Comment)
            .collect();
        let mut code = Self {
            text,
            language,
            partners: Vec::new(),
            around: Vec::new(),
            tokens,
        };
        if !code.pair(false) {
            code.pair(true);
        }
        code
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn token(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at)
    }

    pub(super) fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// As written; empty beyond the ends.
    pub(super) fn written(&self, at: usize) -> &'t str {
        self.tokens
            .get(at)
            .and_then(|token| self.text.get(token.span.clone()))
            .unwrap_or_default()
    }

    pub(super) fn before(&self, at: usize) -> &'t str {
        at.checked_sub(1).map_or("", |at| self.written(at))
    }

    pub(super) fn is_word(&self, at: usize) -> bool {
        self.kind(at) == Some(TokenKind::Word)
    }

    /// A name or a number, not a reserved word that stands before an expression.
    pub(super) fn starts_line(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.first_on_line)
    }

    /// Nothing stands between this token and the next.
    pub(super) fn touches_next(&self, at: usize) -> bool {
        match (self.tokens.get(at), self.tokens.get(at + 1)) {
            (Some(token), Some(next)) => token.span.end == next.span.start,
            _ => false,
        }
    }

    /// How far into its line a token begins, in bytes.
    pub(super) fn column(&self, at: usize) -> usize {
        let start = self.tokens.get(at).map_or(0, |token| token.span.start);
        let line = memchr::memrchr(b'\n', &self.text.as_bytes()[..start]);
        start - line.map_or(0, |end| end + 1)
    }

    /// The other bracket of a pair.
    pub(super) fn partner(&self, at: usize) -> Option<usize> {
        self.partners
            .get(at)
            .filter(|partner| **partner != NONE)
            .map(|partner| *partner as usize)
    }

    /// The opening bracket around a token.
    pub(super) fn around(&self, at: usize) -> Option<usize> {
        self.around
            .get(at)
            .filter(|around| **around != NONE)
            .map(|around| *around as usize)
    }

    pub(super) fn is_in_braces(&self, at: usize) -> bool {
        self.around(at)
            .is_some_and(|open| self.kind(open) == Some(TokenKind::Open(Bracket::Curly)))
    }

    /// The `>` for a `<`; `None` where it compares.
    pub(super) fn angles(&self, open: usize) -> Option<usize> {
        let mut depth = 0_u32;
        let mut at = open;
        while at < self.tokens.len() && at - open < ANGLES {
            match self.written(at) {
                "<" => depth += 1,
                ">" if self.before(at) == "=" && self.touches_next(at - 1) => {}
                ">" => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                "(" | "[" | "{" => at = self.partner(at)?,
                ")" | "]" | "}" | ";" | "&&" | "||" => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// The `<` for a `>`.
    pub(super) fn angles_back(&self, close: usize) -> Option<usize> {
        let mut depth = 0_u32;
        let mut at = close;
        while close - at < ANGLES {
            match self.written(at) {
                ">" if self.before(at) == "=" && self.touches_next(at - 1) => {}
                ">" => depth += 1,
                "<" => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                ")" | "]" | "}" => at = self.partner(at)?,
                "(" | "[" | "{" | ";" | "&&" | "||" => return None,
                _ => {}
            }
            at = at.checked_sub(1)?;
        }
        None
    }

    /// Finds the pairs; false where some bracket has none. `resync`: a declaration at the start of a line ends
    /// everything that is open, for what was to close it is not there.
    fn pair(&mut self, resync: bool) -> bool {
        self.partners = vec![NONE; self.tokens.len()];
        self.around = vec![NONE; self.tokens.len()];
        let mut open: Vec<(usize, Bracket)> = Vec::new();
        let mut whole = true;
        for at in 0..self.tokens.len() {
            if resync && !open.is_empty() && self.begins_anew(at) {
                open.clear();
            }
            let innermost = open.last().map_or(NONE, |(at, _)| index(*at));
            self.around[at] = innermost;
            match self.tokens[at].kind {
                TokenKind::Open(bracket) => open.push((at, bracket)),
                TokenKind::Close(bracket) => {
                    let found = open.iter().rposition(|(_, opened)| *opened == bracket);
                    let Some(found) = found else {
                        whole = false;
                        continue;
                    };
                    whole &= found + 1 == open.len();
                    let (opened, _) = open[found];
                    open.truncate(found);
                    self.partners[at] = index(opened);
                    self.partners[opened] = index(at);
                    self.around[at] = self.around[opened];
                }
                TokenKind::Word
                | TokenKind::Mark
                | TokenKind::Literal
                | TokenKind::Comment
                | TokenKind::Directive => {}
            }
        }
        whole && open.is_empty()
    }

    /// A word that begins a declaration, where no line of a body begins.
    pub(super) fn begins_anew(&self, at: usize) -> bool {
        let words: &[&str] = match self.language {
            Language::JavaScript | Language::TypeScript | Language::Tsx => &[
                "abstract",
                "class",
                "const",
                "enum",
                "export",
                "function",
                "import",
                "interface",
                "namespace",
            ],
            Language::Go => &["func", "type"],
            Language::Rust => &[
                "const", "enum", "fn", "impl", "mod", "pub", "static", "struct", "trait", "use",
            ],
            Language::Python => &["async", "class", "def"],
            Language::Java => &["class", "enum", "interface", "public"],
            Language::C => &["extern", "static", "typedef"],
        };
        self.starts_line(at) && words.contains(&self.written(at)) && self.column(at) == 0
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
