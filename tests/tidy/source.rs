//! Just enough Rust parsing to find the paths that a file names: skips comments and strings, and expands `use` trees.

/// The paths that a file names.
pub(super) struct Source {
    named: Vec<Named>,
}

struct Named {
    line: usize,
    /// Imported completely (`use std::*`, `use std`, `use std as s`): everything below it counts as named.
    parts: Vec<String>,
    imported: bool,
}

impl Named {
    fn imported(line: usize, parts: &[String]) -> Self {
        Self {
            line,
            parts: parts.to_vec(),
            imported: true,
        }
    }

    fn is_below(&self, wanted: &[&str]) -> bool {
        let glob = self.parts.last().is_some_and(|last| last == "*");
        let parts = &self.parts[..self.parts.len() - usize::from(glob)];
        let alike = wanted.iter().zip(parts).all(|(a, b)| a == b);
        let opens_all = self.imported && (glob || parts.len() == 1);
        alike && !parts.is_empty() && (parts.len() >= wanted.len() || opens_all)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// `::`
    Colons,
    Sign(char),
}

impl Source {
    /// Removes the tests at the end.
    pub(super) fn production(text: &str) -> String {
        let end = text
            .lines()
            .position(|line| line.trim() == "#[cfg(test)]")
            .unwrap_or(usize::MAX);
        let lines: Vec<_> = text.lines().take(end).collect();
        lines.join("\n")
    }

    pub(super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut named = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let (line, token) = &tokens[at];
            match token {
                Token::Word(word) if word == "use" => {
                    at = spread(&tokens, at + 1, *line, &mut named);
                }
                Token::Word(_) if !follows_dot(&tokens, at) => at = path(&tokens, at, &mut named),
                Token::Word(_) | Token::Colons | Token::Sign(_) => at += 1,
            }
        }
        Self { named }
    }

    /// Lines with a path that begins with `name`; `name*` matches the beginning of its first part. A crate needs a path
    /// of at least two parts or an import, because a variable may have the name of a crate.
    pub(super) fn naming<'s>(&'s self, name: &'s str) -> impl Iterator<Item = usize> + 's {
        let stem = name.trim_end_matches('*');
        let wanted: Vec<&str> = stem.split("::").collect();
        let keyword = ["async", "await", "unsafe"].contains(&stem);
        self.named.iter().filter_map(move |named| {
            let counts = keyword || named.imported || named.parts.len() > 1;
            let is_below = if name.ends_with('*') {
                named
                    .parts
                    .first()
                    .is_some_and(|first| first.starts_with(stem))
            } else {
                named.is_below(&wanted)
            };
            (counts && is_below).then_some(named.line)
        })
    }
}

fn follows_dot(tokens: &[(usize, Token)], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &tokens[before].1);
    // Only `.await` matters, not other methods and fields.
    before == Some(&Token::Sign('.')) && tokens[at].1 != Token::Word("await".to_owned())
}

/// Parses `a::b::c` from its first word; returns its end.
fn path(tokens: &[(usize, Token)], start: usize, into: &mut Vec<Named>) -> usize {
    let mut parts = Vec::new();
    let mut at = start;
    while let Some((_, Token::Word(word))) = tokens.get(at) {
        parts.push(word.clone());
        at += 1;
        let more = matches!(tokens.get(at + 1), Some((_, Token::Word(_))));
        if !more || tokens[at].1 != Token::Colons {
            break;
        }
        at += 1;
    }
    into.push(Named {
        line: tokens[start].0,
        parts,
        imported: false,
    });
    at
}

/// Parses the tree of a `use` into full paths; returns its end.
fn spread(tokens: &[(usize, Token)], start: usize, line: usize, into: &mut Vec<Named>) -> usize {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut current: Vec<String> = Vec::new();
    // A group has ended: its members have named the prefix.
    let mut closed = false;
    let mut renamed = false;
    let mut at = start;
    while let Some((_, token)) = tokens.get(at) {
        match token {
            Token::Sign(';') => break,
            Token::Sign('{') => groups.push(current.clone()),
            Token::Sign(sign @ (',' | '}')) => {
                if !closed {
                    into.push(Named::imported(line, &current));
                }
                renamed = false;
                closed = *sign == '}';
                current = if closed {
                    groups.pop()
                } else {
                    groups.last().cloned()
                }
                .unwrap_or_default();
            }
            Token::Word(word) if word == "as" => renamed = true,
            Token::Word(_) if renamed => {}
            Token::Word(word) if word == "self" && !current.is_empty() => {}
            Token::Word(word) => {
                (closed, current) = (false, [current, vec![word.clone()]].concat())
            }
            Token::Sign('*') => current.push("*".to_owned()),
            Token::Colons | Token::Sign(_) => {}
        }
        at += 1;
    }
    if !closed {
        into.push(Named::imported(line, &current));
    }
    at
}

/// Calls of macros with `(`: line, name without its path, and arguments as they are written.
pub(super) fn calls(text: &str) -> Vec<(usize, String, Vec<String>)> {
    let chars: Vec<char> = text.chars().collect();
    let mut calls = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = step(&chars, at);
        let opens = chars.get(end) == Some(&'!') && chars.get(end + 1) == Some(&'(');
        if opens && (chars[at].is_alphabetic() || chars[at] == '_') {
            let name = chars[at..end].iter().collect();
            calls.push((line, name, arguments(&chars, end + 2)));
        }
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    calls
}

/// The arguments after an opening parenthesis.
fn arguments(chars: &[char], mut at: usize) -> Vec<String> {
    let mut arguments = Vec::new();
    let (mut depth, mut from) = (0_usize, at);
    while at < chars.len() {
        let end = step(chars, at);
        match chars[at] {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                arguments.push(chars[from..at].iter().collect());
                from = end;
            }
            _ => {}
        }
        at = end;
    }
    arguments.push(chars[from..at.min(chars.len())].iter().collect());
    arguments
}

/// The end of the comment, literal, word or sign at this place.
fn step(chars: &[char], at: usize) -> usize {
    match chars[at] {
        '/' if chars.get(at + 1) == Some(&'/') => line_end(chars, at),
        '/' if chars.get(at + 1) == Some(&'*') => comment_end(chars, at),
        '"' => text_end(chars, at),
        '\'' => quote_end(chars, at),
        c if c.is_alphabetic() || c == '_' => {
            let end = word_end(chars, at);
            let word: String = chars[at..end].iter().collect();
            literal_end(chars, &word, end).unwrap_or(end)
        }
        _ => at + 1,
    }
}

/// Words and signs with their lines, without comments, strings, characters and lifetimes.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let mut end = step(&chars, at);
        match chars[at] {
            ':' if chars.get(at + 1) == Some(&':') => {
                tokens.push((line, Token::Colons));
                end = at + 2;
            }
            c if (c.is_alphabetic() || c == '_') && end == word_end(&chars, at) => {
                let word = chars[at..end].iter().collect();
                tokens.push((line, Token::Word(word)));
            }
            c if end == at + 1 && !c.is_whitespace() => tokens.push((line, Token::Sign(c))),
            _ => {}
        }
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

/// The end of a literal with this prefix: `r"…"`, `br#"…"#`, `b'…'`, `c"…"`. `None`: it is a plain word.
fn literal_end(chars: &[char], word: &str, end: usize) -> Option<usize> {
    let hashes = chars[end..].iter().take_while(|c| **c == '#').count();
    let opens = chars.get(end + hashes) == Some(&'"');
    match word {
        "r" | "br" | "cr" if opens => Some(raw_end(chars, end + hashes, hashes)),
        "b" | "c" if hashes == 0 && opens => Some(text_end(chars, end)),
        "b" if chars.get(end) == Some(&'\'') => Some(quote_end(chars, end)),
        _ => None,
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().position(|c| *c == '\n');
    length.map_or(chars.len(), |length| at + length)
}

fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn text_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_end(chars: &[char], quote: usize, hashes: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars.len() > at + hashes
            && chars[at + 1..=at + hashes].iter().all(|c| *c == '#');
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    chars.len()
}

/// A character ends at its quote. A lifetime is a quote and a name; both are skipped.
fn quote_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let close = chars[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(chars.len(), |close| at + 4 + close)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => word_end(chars, at + 1),
    }
}

fn word_end(chars: &[char], at: usize) -> usize {
    let length = chars[at..]
        .iter()
        .position(|c| !c.is_alphanumeric() && *c != '_');
    length.map_or(chars.len(), |length| at + length)
}
