//! Documentation: the comments right before a declaration, or a Python docstring, without their marks.

use std::ops::Range;

use tree_sitter::Node;

use crate::analysis::Language;

/// Longest documentation kept, in characters: a summary and some detail, never a licence or a manual.
const DOC_LIMIT: usize = 1200;
/// Comments remembered before a declaration, such as one `///` per line; the oldest are dropped.
const RUN_LIMIT: usize = 256;

/// The run of comments (with attributes or decorators between them) that ends at the current node.
#[derive(Default)]
pub(super) struct Remarks {
    run: Vec<Remark>,
}

struct Remark {
    span: Range<usize>,
    is_comment: bool,
}

impl Remarks {
    pub(super) fn comment(&mut self, text: &str, node: &Node<'_>) {
        self.push(text, node, true);
    }

    /// Node kinds that may be between documentation and its declaration.
    pub(super) fn attribute(&mut self, text: &str, node: &Node<'_>) {
        self.push(text, node, false);
    }

    fn push(&mut self, text: &str, node: &Node<'_>, is_comment: bool) {
        let span = node.byte_range();
        let continues = self
            .run
            .last()
            .is_some_and(|last| is_gap(text, last.span.end, span.start));
        if !continues || self.run.len() == RUN_LIMIT {
            self.run.clear();
        }
        // A comment after code on its line belongs to that code.
        if is_comment && !starts_line(text, span.start) {
            self.run.clear();
            return;
        }
        self.run.push(Remark { span, is_comment });
    }

    /// Takes the documentation of `node`.
    pub(super) fn before(
        &mut self,
        text: &str,
        node: &Node<'_>,
        language: Language,
    ) -> Option<String> {
        let last = self.run.last()?;
        let start = node.start_byte();
        let end = last.span.end;
        let run = std::mem::take(&mut self.run);
        let between = text.get(end..start).filter(|gap| gap.len() <= GAP_LIMIT)?;
        if between.matches('\n').count() > 1 || between.contains(['{', '}', ';', ')']) {
            return None;
        }
        let comments = run.iter().filter(|remark| remark.is_comment);
        let texts = comments.filter_map(|remark| text.get(remark.span.clone()));
        clean(texts, language)
    }
}

/// `export default abstract`, `pub(crate)`: words that may be between a comment and the node it documents.
const GAP_LIMIT: usize = 120;

fn is_gap(text: &str, end: usize, start: usize) -> bool {
    text.get(end..start).is_some_and(|gap| {
        gap.bytes().all(|byte| byte.is_ascii_whitespace()) && gap.matches('\n').count() <= 1
    })
}

fn starts_line(text: &str, start: usize) -> bool {
    let before = text.as_bytes().get(..start).unwrap_or_default();
    before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .all(|byte| byte.is_ascii_whitespace())
}

/// The last block of documentation among consecutive comments.
fn clean<'a>(comments: impl Iterator<Item = &'a str>, language: Language) -> Option<String> {
    let mut lines: Vec<&str> = vec![];
    for comment in comments {
        let Some(style) = style(comment, language) else {
            lines.clear();
            continue;
        };
        match style {
            Style::Line(marks) => lines.push(comment.trim_end().get(marks..).unwrap_or_default()),
            Style::Block(marks) => {
                lines.clear();
                let inner = comment.get(marks..).unwrap_or_default();
                let inner = inner.strip_suffix("*/").unwrap_or(inner);
                lines.extend(inner.lines().map(|line| {
                    let line = line.trim_start();
                    line.strip_prefix('*').unwrap_or(line)
                }));
            }
        }
    }
    join(&lines)
}

enum Style {
    /// Length of the comment mark of each line.
    Line(usize),
    Block(usize),
}

fn style(comment: &str, language: Language) -> Option<Style> {
    match language {
        Language::Rust if comment.starts_with("////") || comment.starts_with("/***") => None,
        Language::Rust if comment.starts_with("///") => Some(Style::Line(3)),
        Language::Rust if comment.starts_with("/**") => Some(Style::Block(3)),
        Language::Rust | Language::Python => None,
        Language::Go if comment.starts_with("//go:") || comment.starts_with("//nolint") => None,
        Language::Go if comment.starts_with("//") => Some(Style::Line(2)),
        Language::Go => Some(Style::Block(2)),
        Language::C if comment.starts_with("/**<") || comment.starts_with("///<") => None,
        Language::C if comment.starts_with("///") => Some(Style::Line(3)),
        Language::C if comment.starts_with("//") => Some(Style::Line(2)),
        Language::C if comment.starts_with("/**") => Some(Style::Block(3)),
        Language::C => Some(Style::Block(2)),
        Language::Java | Language::JavaScript | Language::TypeScript | Language::Tsx => {
            comment.starts_with("/**").then_some(Style::Block(3))
        }
    }
}

/// Dedents the text and removes blank lines around it; `None` if nothing is left.
fn join(lines: &[&str]) -> Option<String> {
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let line = line.get(indent..).unwrap_or_else(|| line.trim_start());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let text = text.trim();
    (!text.is_empty()).then(|| bounded(text))
}

/// Cuts the text at [`DOC_LIMIT`].
pub(super) fn bounded(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(DOC_LIMIT) else {
        return text.to_owned();
    };
    format!("{}…", text.get(..end).unwrap_or_default().trim_end())
}

/// The content of a Python string literal, dedented as `inspect.cleandoc` does.
pub(super) fn docstring(literal: &str) -> Option<String> {
    let text = literal.trim_start_matches(['r', 'R', 'u', 'U', 'b', 'B', 'f', 'F']);
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| text.starts_with(quote))?;
    let text = text.strip_prefix(quote)?;
    let text = text.strip_suffix(quote).unwrap_or(text);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim();
    let rest: Vec<&str> = lines.collect();
    match (first.is_empty(), join(&rest)) {
        (_, None) => join(&[first]),
        (true, rest) => rest,
        (false, Some(rest)) => {
            let gap = if rest_starts_blank(text) {
                "\n\n"
            } else {
                "\n"
            };
            join(&format!("{first}{gap}{rest}").lines().collect::<Vec<_>>())
        }
    }
}

fn rest_starts_blank(text: &str) -> bool {
    text.lines()
        .nth(1)
        .is_some_and(|line| line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_indentation_are_removed() {
        let doc = |text: &str, language| clean(std::iter::once(text), language);
        assert_eq!(
            doc("/**\n * One.\n *\n *   two\n */", Language::Java).as_deref(),
            Some("One.\n\n  two")
        );
        assert_eq!(doc("/* One */", Language::C).as_deref(), Some("One"));
        assert_eq!(doc("/* One */", Language::Java), None);
        assert_eq!(doc("// One", Language::Rust), None);
        let lines = ["/// One.", "///  two", "/// three"];
        assert_eq!(
            clean(lines.into_iter(), Language::Rust).as_deref(),
            Some("One.\n two\nthree")
        );
    }

    #[test]
    fn a_docstring_is_dedented() {
        assert_eq!(
            docstring("\"\"\"One.\n\n    Two\n      three\n    \"\"\"").as_deref(),
            Some("One.\n\nTwo\n  three")
        );
        assert_eq!(docstring("r'x'").as_deref(), Some("x"));
        assert_eq!(docstring("\"\"\"\"\"\"").as_deref(), None);
    }

    #[test]
    fn long_documentation_is_cut() {
        let long = format!("/// {}", "word ".repeat(1000));
        let doc = clean(std::iter::once(long.as_str()), Language::Rust).unwrap_or_default();
        assert!(doc.chars().count() <= DOC_LIMIT + 1 && doc.ends_with('…'));
    }
}
