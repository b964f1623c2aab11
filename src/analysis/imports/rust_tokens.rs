//! The small token reader for Rust imports: use trees, and the items inside a macro call, whose tokens no grammar
//! parses. Never recursive; deep nesting ends at a limit.

use super::rust_lexer::{LineCounter, Token, Tokens};

/// One path of a use tree, flattened: `a::{b as c, d::*}` has two.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// `crate::a::b`, with a leading `::` if written, but without the `*` of a glob and the `self` of a group.
    pub(super) path: String,
    /// Its name here: the alias, else the last segment; `*` for a glob.
    pub(super) name: String,
    /// Lines below the start of the text.
    pub(super) line: u32,
}

/// The imports inside a macro call.
#[derive(Debug, PartialEq)]
pub(super) struct Item {
    pub(super) what: What,
    pub(super) is_public: bool,
    /// Inline modules around it inside the call.
    pub(super) scope: Vec<String>,
    pub(super) paths: Vec<ModulePath>,
    pub(super) line: u32,
}

#[derive(Debug, PartialEq)]
pub(super) enum What {
    Mod(String),
    Use(Leaf),
}

/// Nested groups, and segments of a path: far more than people write.
const DEPTH_LIMIT: usize = 128;

/// Removes the `r#` of a raw identifier.
pub(super) fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Whether the text has only white space and comments.
pub(super) fn is_blank(text: &str) -> bool {
    Tokens::new(text).next().is_none()
}

/// A file that an attribute names for a module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModulePath {
    pub(super) path: String,
    /// Set by `cfg_attr`: other builds use the module's name, or the path of another attribute.
    pub(super) is_conditional: bool,
}

/// The paths of `#[path = "x"]` and `#[cfg_attr(…, path = "x")]`.
pub(super) fn path_attribute(text: &str) -> Option<ModulePath> {
    let is_conditional = text.contains("cfg_attr");
    let mut tokens = Tokens::new(text).map(|(_, token)| token);
    let mut before = None;
    while let Some(token) = tokens.next() {
        let starts_value = matches!(before, Some(Token::Mark('[' | ',' | '(')));
        if starts_value && token == Token::Word("path") && tokens.next() == Some(Token::Mark('=')) {
            return match tokens.next() {
                Some(Token::Literal(value)) => Some(ModulePath {
                    path: value.trim_matches('"').to_owned(),
                    is_conditional,
                }),
                _ => None,
            };
        }
        before = Some(token);
    }
    None
}

/// Every leaf of the use tree that `text` starts with, up to `;` or the end.
pub(super) fn leaves(text: &str, found: &mut Vec<Leaf>) {
    let mut segments: Vec<&str> = vec![];
    let mut groups: Vec<usize> = vec![];
    let mut base = 0;
    let mut leading = "";
    let mut alias = None;
    let mut is_alias_next = false;
    let mut star = false;
    let mut is_done = false;
    let mut lines = LineCounter::new(text);
    let mut last_at = 0;
    let mut flush = |segments: &[&str],
                     base: usize,
                     leading: &str,
                     alias: Option<&str>,
                     star: bool,
                     at: usize| {
        let mut path = segments;
        if path.len() == base && !star {
            return;
        }
        if path.len() > 1 && path.last() == Some(&"self") {
            path = &path[..path.len() - 1];
        }
        let Some(last) = path.last().copied().or(star.then_some("*")) else {
            return;
        };
        let name = if star { "*" } else { alias.unwrap_or(last) };
        found.push(Leaf {
            path: format!("{leading}{}", path.join("::")),
            name: name.to_owned(),
            line: lines.at(at),
        });
    };
    for (at, token) in Tokens::new(text) {
        match token {
            Token::Word("as") => is_alias_next = true,
            Token::Word(word) if is_alias_next => {
                alias = Some(plain(word));
                is_alias_next = false;
            }
            Token::Word(word) => {
                if segments.len() < DEPTH_LIMIT {
                    segments.push(plain(word));
                }
                last_at = at;
                is_done = false;
            }
            Token::PathSeparator if segments.is_empty() => leading = "::",
            Token::PathSeparator => {}
            Token::Mark('*') => {
                star = true;
                last_at = at;
            }
            Token::Mark('{') => {
                if groups.len() == DEPTH_LIMIT {
                    return;
                }
                groups.push(base);
                base = segments.len();
            }
            Token::Mark(mark @ (',' | '}' | ';')) => {
                if !is_done {
                    flush(&segments, base, leading, alias.take(), star, last_at);
                }
                star = false;
                is_done = false;
                segments.truncate(base);
                if mark == ';' {
                    return;
                }
                if mark == '}' {
                    let Some(outer) = groups.pop() else { return };
                    base = outer;
                    segments.truncate(base);
                    is_done = true;
                }
            }
            // `$crate` and similar: not a path that can be followed.
            Token::Mark(_) | Token::Literal(_) => return,
        }
    }
    if !is_done {
        flush(&segments, base, leading, alias, star, last_at);
    }
}

/// `mod x;` and `use …;` among the tokens of a macro call.
pub(super) fn items(text: &str) -> Vec<Item> {
    let mut found = vec![];
    let mut lines = LineCounter::new(text);
    let mut scope: Vec<(usize, String)> = vec![];
    let mut depth = 0_usize;
    let mut is_public = false;
    let mut paths: Vec<ModulePath> = vec![];
    let mut tokens = Tokens::new(text).peekable();
    while let Some((at, token)) = tokens.next() {
        match token {
            Token::Word("pub") => is_public = true,
            Token::Word("mod") => {
                let Some((_, Token::Word(name))) = tokens.peek().copied() else {
                    continue;
                };
                tokens.next();
                match tokens.peek() {
                    Some((_, Token::Mark(';'))) => found.push(Item {
                        what: What::Mod(plain(name).to_owned()),
                        is_public,
                        scope: scope.iter().map(|(_, name)| name.clone()).collect(),
                        paths: std::mem::take(&mut paths),
                        line: lines.at(at),
                    }),
                    Some((_, Token::Mark('{'))) if scope.len() < DEPTH_LIMIT => {
                        scope.push((depth, plain(name).to_owned()));
                    }
                    _ => {}
                }
                is_public = false;
            }
            Token::Word("use") => {
                let rest = text.get(at + 3..).unwrap_or_default();
                let mut leaves_found = vec![];
                // Only a tree that ends in `;` is a declaration; `use<'a>` and prose are not.
                let end = rest.find(';').unwrap_or(0);
                leaves(rest.get(..end).unwrap_or_default(), &mut leaves_found);
                let first = lines.at(at);
                for leaf in leaves_found {
                    found.push(Item {
                        line: first + leaf.line,
                        what: What::Use(leaf),
                        is_public,
                        scope: scope.iter().map(|(_, name)| name.clone()).collect(),
                        paths: vec![],
                    });
                }
                is_public = false;
                while tokens.next_if(|(next, _)| *next < at + 3 + end).is_some() {}
            }
            Token::Mark('#') => {
                let rest = text.get(at..).unwrap_or_default();
                let end = rest.find(']').map_or(0, |end| end + 1);
                paths.extend(path_attribute(rest.get(..end).unwrap_or_default()));
            }
            Token::Mark('{') => depth += 1,
            Token::Mark(';') => paths.clear(),
            Token::Mark('}') => {
                depth = depth.saturating_sub(1);
                if scope.last().is_some_and(|(open, _)| *open == depth) {
                    scope.pop();
                }
            }
            // `pub(crate)` stays public until its item.
            Token::Word("crate" | "super" | "in") | Token::Mark('(' | ')') => {}
            Token::Word(_) | Token::Literal(_) | Token::PathSeparator | Token::Mark(_) => {
                is_public = false;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<(String, String)> {
        let mut found = vec![];
        leaves(text, &mut found);
        found
            .into_iter()
            .map(|leaf| (leaf.path, leaf.name))
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, name)| ((*path).to_owned(), (*name).to_owned()))
            .collect();
        assert_eq!(paths(text), expected, "{text}");
    }

    #[test]
    fn a_use_tree_gives_one_leaf_for_each_path() {
        check("a", &[("a", "a")]);
        check("crate::a::B as C", &[("crate::a::B", "C")]);
        check("a::*", &[("a", "*")]);
        check("a::{self, b}", &[("a", "a"), ("a::b", "b")]);
        check(
            "a::{self as x, b::{c, d::*,},}",
            &[("a", "x"), ("a::b::c", "c"), ("a::b::d", "*")],
        );
        check("::std::fmt", &[("::std::fmt", "fmt")]);
        check("{a, b::c}", &[("a", "a"), ("b::c", "c")]);
        check(
            "a::{/* x, */ b, // c,\n d}",
            &[("a::b", "b"), ("a::d", "d")],
        );
        check("r#type::r#fn", &[("type::fn", "fn")]);
        check("super::super::x as _", &[("super::super::x", "_")]);
        check("$crate::a", &[]);
        check("self", &[("self", "self")]);
    }

    #[test]
    fn a_macro_call_shows_its_modules_and_uses() {
        let found = items(
            "{ if #[cfg(unix)] { mod unix; pub use self::unix::X; } mod a { #[path = \"q.rs\"] mod b; } fn f() { let s = \"mod z;\"; } mod c; }",
        );
        let modules: Vec<_> = found
            .iter()
            .map(|item| (&item.what, item.scope.join("::"), item.paths.clone()))
            .collect();
        let path = |path: &str| ModulePath {
            path: path.to_owned(),
            is_conditional: false,
        };
        let leaf = Leaf {
            path: "self::unix::X".to_owned(),
            name: "X".to_owned(),
            line: 0,
        };
        assert_eq!(
            modules,
            [
                (&What::Mod("unix".to_owned()), String::new(), vec![]),
                (&What::Use(leaf), String::new(), vec![]),
                (
                    &What::Mod("b".to_owned()),
                    "a".to_owned(),
                    vec![path("q.rs")]
                ),
                (&What::Mod("c".to_owned()), String::new(), vec![]),
            ]
        );
        assert!(found[1].is_public);
    }

    #[test]
    fn deep_groups_end_at_the_limit() {
        let text = "a::{".repeat(100_000);
        assert!(paths(&text).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[a-z{}:;,*'\"/ \n#r\\\\é]{0,60}") {
            let _ = items(&text);
            let _ = paths(&text);
            let _ = path_attribute(&text);
        }
    }
}
