//! The tokens of a text with their bracket pairs, in which masks and pieces are searched.

use tree_sitter::Point;

use super::lines::Lines;
use super::tokens::{Bracket, TOKENS_PER_CHECK, Token, TokenKind, Tokens};
use crate::analysis::{Cancelled, Language};

/// No bracket.
const NONE: u32 = u32::MAX;
/// Most tokens of type arguments: bounds the search for the end of a `<`.
const ANGLES: usize = 256;
/// Tokens that a mask reads from one token on. A head, a list or a run of attributes is far shorter in real code.
/// Without a limit, a file with only such beginnings would be read once per token.
pub(super) const REACH: usize = 1024;

pub(super) struct Code<'t> {
    pub(super) text: &'t str,
    pub(super) language: Language,
    lines: Lines,
    /// Without comments.
    tokens: Vec<Token>,
    /// The other bracket of a pair.
    partners: Vec<u32>,
    /// The opening bracket around each token.
    around: Vec<u32>,
}

impl<'t> Code<'t> {
    pub(super) fn new(
        language: Language,
        text: &'t str,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let mut tokens = Vec::new();
        for (at, token) in Tokens::reading(language, text, 0..text.len()).enumerate() {
            if at.is_multiple_of(TOKENS_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            if token.kind != TokenKind::Comment {
                tokens.push(token);
            }
        }
        let mut code = Self {
            text,
            language,
            lines: Lines::of(text),
            partners: Vec::new(),
            around: Vec::new(),
            tokens,
        };
        if !code.pair(false, cancelled)? {
            code.pair(true, cancelled)?;
        }
        Ok(code)
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

    /// The text of a token; empty beyond the ends.
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

    /// Whether only white space and comments are before it on its line.
    pub(super) fn starts_line(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.first_on_line)
    }

    /// Whether the next token follows directly.
    pub(super) fn touches_next(&self, at: usize) -> bool {
        match (self.tokens.get(at), self.tokens.get(at + 1)) {
            (Some(token), Some(next)) => token.span.end == next.span.start,
            _ => false,
        }
    }

    /// The column of a token, in bytes.
    pub(super) fn column(&self, at: usize) -> usize {
        let start = self.tokens.get(at).map_or(0, |token| token.span.start);
        self.point(start).column
    }

    /// Row and column of a byte, both from 0.
    pub(super) fn point(&self, at: usize) -> Point {
        self.lines.point(at)
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

    /// The `>` for a `<`; `None` if it is a comparison.
    pub(super) fn angles(&self, open: usize) -> Option<usize> {
        let mut depth = 0_u32;
        let mut at = open;
        while at < self.tokens.len() && at - open < ANGLES {
            match self.written(at) {
                "<" => depth += 1,
                ">" if self.is_arrow(at) => {}
                ">" => {
                    depth = depth.checked_sub(1)?;
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

    /// The `<` for a `>`; `None` for the `>` of an arrow.
    pub(super) fn angles_back(&self, close: usize) -> Option<usize> {
        if self.is_arrow(close) {
            return None;
        }
        let mut depth = 0_u32;
        let mut at = close;
        while close - at < ANGLES {
            match self.written(at) {
                ">" if self.is_arrow(at) => {}
                ">" => depth += 1,
                "<" => {
                    depth = depth.checked_sub(1)?;
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

    /// The second half of `=>`.
    fn is_arrow(&self, at: usize) -> bool {
        self.before(at) == "=" && self.touches_next(at - 1)
    }

    /// Finds the pairs; false if some bracket has none. `resync`: a declaration at the start of a line closes all open
    /// brackets, because their closing ones are missing.
    fn pair(&mut self, resync: bool, cancelled: &dyn Fn() -> bool) -> Result<bool, Cancelled> {
        self.partners = vec![NONE; self.tokens.len()];
        self.around = vec![NONE; self.tokens.len()];
        let mut open: Vec<(usize, Bracket)> = Vec::new();
        // Open brackets of each kind: for a bracket that closes none of them there is no search.
        let mut counts = [0_usize; 3];
        let mut whole = true;
        for at in 0..self.tokens.len() {
            if at.is_multiple_of(TOKENS_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            if resync && !open.is_empty() && self.begins_anew(at) {
                open.clear();
                counts = [0; 3];
            }
            let innermost = open.last().map_or(NONE, |(at, _)| index(*at));
            self.around[at] = innermost;
            match self.tokens[at].kind {
                TokenKind::Open(bracket) => {
                    open.push((at, bracket));
                    counts[bracket as usize] += 1;
                }
                TokenKind::Close(bracket) if counts[bracket as usize] == 0 => whole = false,
                TokenKind::Close(bracket) => {
                    // Unclosed brackets inside have no partner.
                    while let Some((opened, kind)) = open.pop() {
                        counts[kind as usize] -= 1;
                        if kind == bracket {
                            self.partners[at] = index(opened);
                            self.partners[opened] = index(at);
                            self.around[at] = self.around[opened];
                            break;
                        }
                        whole = false;
                    }
                }
                TokenKind::Word
                | TokenKind::Mark
                | TokenKind::Literal
                | TokenKind::Comment
                | TokenKind::Directive => {}
            }
        }
        Ok(whole && open.is_empty())
    }

    /// A word that begins a declaration, at a column where no line of a body begins.
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

#[cfg(test)]
mod tests;
