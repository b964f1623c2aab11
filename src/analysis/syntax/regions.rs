//! Reads a partly broken text piece by piece: the code outside the smallest broken statement is read as if there were
//! no error.
//!
//! A range with errors is split into its statements ([`pieces`]). Each statement that was not read correctly in the
//! whole is parsed alone and, if it is broken, split again. Then the range is parsed again with spaces in place of its
//! broken pieces, and their trees fill the holes.

use std::ops::Range;

use tree_sitter::Tree;

use super::code::Code;
use super::conditionals::blank_into;
use super::lines::Lines;
use super::parse_within;
use super::pieces::{Context, Group, TOP, groups, pieces};
use super::sound::Level;
use super::tokens::TokenKind;
use crate::analysis::{Cancelled, Language};

/// Most bytes to parse for pieces and remains, as a multiple of the text's length: a broken statement in nested blocks
/// is parsed up to three times for each block.
pub(super) const READ_BUDGET: usize = 16;
/// The least budget, for short texts.
const LEAST_BUDGET: usize = 64 * 1024;
/// Nested blocks that are split.
const DEPTH: u32 = 16;
/// Room after the text for the end of a context.
const ROOM: usize = 32;

/// One tree over a range of the text, and the trees of its holes.
pub(super) struct Region {
    pub(super) tree: Tree,
    pub(super) span: Range<usize>,
    /// The tree has only the range; else it also has the context around it.
    pub(super) is_whole: bool,
    /// In source order.
    pub(super) holes: Vec<Region>,
    /// Bytes of the smallest broken statements.
    broken: usize,
}

impl Region {
    pub(super) fn whole(tree: Tree, length: usize) -> Self {
        Self {
            tree,
            span: 0..length,
            is_whole: true,
            holes: Vec::new(),
            broken: 0,
        }
    }

    pub(super) fn add(&mut self, apart: Vec<Self>) {
        self.holes.extend(apart);
        self.holes.sort_by_key(|hole| hole.span.start);
    }
}

/// `None`: no piece of it is read better alone.
pub(super) fn read(
    code: &Code<'_>,
    tree: &Tree,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Region>, Cancelled> {
    let length = code.text.len();
    let mut buffer = code.text.as_bytes().to_vec();
    buffer.resize(length + ROOM, b' ');
    let mut reader = Reader {
        code,
        buffer,
        length,
        left: length.saturating_mul(READ_BUDGET).max(LEAST_BUDGET),
        cancelled,
    };
    let mut group = Group {
        tokens: 0..code.len(),
        context: TOP,
    };
    let mut whole = vec![group.clone()];
    let mut depth = 0;
    // If the file is one statement, that statement is split.
    while pieces(code, &group).len() == 1 && depth < DEPTH {
        whole = groups(code, &group.tokens);
        depth += 1;
        match whole.as_slice() {
            [inner] => group = inner.clone(),
            _ => break,
        }
    }
    let region = reader.mend(
        Region {
            broken: length,
            ..Region::whole(tree.clone(), length)
        },
        TOP,
        &whole,
        depth,
    )?;
    Ok((!region.holes.is_empty()).then_some(region))
}

/// Parses each of these ranges alone.
pub(super) fn apart(
    language: Language,
    text: &str,
    stretches: &[Range<usize>],
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Region>, Cancelled> {
    let mut found = Vec::new();
    let lines = Lines::of(text);
    for stretch in stretches {
        let start = lines.point(stretch.start);
        let tree = parse_within(language, text.as_bytes(), stretch, start, cancelled)?;
        found.push(Region {
            span: stretch.clone(),
            is_whole: false,
            ..Region::whole(tree, 0)
        });
    }
    Ok(found)
}

struct Reader<'a, 't> {
    code: &'a Code<'t>,
    /// The text, with some room. While a piece is parsed, the buffer has its context, and spaces for the parts left
    /// out.
    buffer: Vec<u8>,
    length: usize,
    /// Remaining bytes of the budget.
    left: usize,
    cancelled: &'a dyn Fn() -> bool,
}

impl Reader<'_, '_> {
    /// Parses a piece alone.
    fn region(
        &mut self,
        tokens: &Range<usize>,
        context: Context,
        depth: u32,
    ) -> Result<Region, Cancelled> {
        let span = self.span(tokens);
        let tree = self.parse(&span, context)?;
        let has_error = tree.root_node().has_error();
        let region = Region {
            tree,
            broken: if has_error { span.len() } else { 0 },
            span,
            is_whole: false,
            holes: Vec::new(),
        };
        if !has_error || depth >= DEPTH {
            return Ok(region);
        }
        let groups = groups(self.code, tokens);
        self.mend(region, context, &groups, depth)
    }

    /// Splits the contents of `groups`, and leaves the pieces that are not read correctly out of the tree.
    fn mend(
        &mut self,
        region: Region,
        context: Context,
        groups: &[Group],
        depth: u32,
    ) -> Result<Region, Cancelled> {
        let mut broken = Vec::new();
        let mut sound = Vec::new();
        let mut lost = 0;
        for group in groups {
            let level = Level::new(&region.tree, self.within(group));
            for piece in pieces(self.code, group) {
                if (self.cancelled)() {
                    return Err(Cancelled);
                }
                let span = self.span(&piece);
                if self.is_trivial(&piece) || self.reads_well(&region.tree, &level, &piece) {
                    continue;
                }
                if span.len() > self.left {
                    return Ok(region);
                }
                lost += span.len();
                let piece = self.region(&piece, group.context, depth + 1)?;
                match piece.broken {
                    0 => sound.push(piece),
                    _ => broken.push(piece),
                }
            }
        }
        let is_as_small_as_can_be =
            sound.is_empty() && broken.iter().all(|piece| piece.broken == piece.span.len());
        if is_as_small_as_can_be {
            let broken = match broken.is_empty() {
                true => region.broken,
                false => lost,
            };
            return Ok(Region { broken, ..region });
        }
        if !broken.is_empty() {
            let Some(tree) = self.shell(&region.span, context, &broken)? else {
                return Ok(region);
            };
            if !tree.root_node().has_error() {
                return Ok(filled(region, tree, broken, 0));
            }
        }
        broken.append(&mut sound);
        broken.sort_by_key(|piece| piece.span.start);
        let pieces: usize = broken.iter().map(|piece| piece.span.len()).sum();
        let left_broken: usize = broken.iter().map(|piece| piece.broken).sum();
        let around = region.span.len().saturating_sub(pieces);
        let before = lost.max(region.broken.min(lost + around));
        let Some(tree) = self.shell(&region.span, context, &broken)? else {
            return Ok(region);
        };
        let shell = match tree.root_node().has_error() {
            true => around,
            false => 0,
        };
        if left_broken + shell < before {
            return Ok(filled(region, tree, broken, shell));
        }
        Ok(region)
    }

    /// The tree of a range without these pieces; `None` if the budget does not allow it.
    fn shell(
        &mut self,
        span: &Range<usize>,
        context: Context,
        holes: &[Region],
    ) -> Result<Option<Tree>, Cancelled> {
        if span.len() > self.left {
            return Ok(None);
        }
        for hole in holes {
            blank_into(&mut self.buffer, &hole.span);
            // A Python block has at least one statement.
            if self.code.language == Language::Python && hole.span.len() >= 4 {
                self.buffer[hole.span.start..hole.span.start + 4].copy_from_slice(b"pass");
            }
        }
        let tree = self.parse(span, context);
        for hole in holes {
            let span = hole.span.clone();
            let text = &self.code.text.as_bytes()[span.clone()];
            self.buffer[span].copy_from_slice(text);
        }
        tree.map(Some)
    }

    /// Parses a range of the buffer as if it were in this context.
    fn parse(&mut self, span: &Range<usize>, context: Context) -> Result<Tree, Cancelled> {
        self.left = self.left.saturating_sub(span.len());
        let (before, after) = (context.before.as_bytes(), context.after.as_bytes());
        if span.len() == self.length || span.start < before.len() {
            let start = self.code.point(span.start);
            return parse_within(
                self.code.language,
                &self.buffer,
                span,
                start,
                self.cancelled,
            );
        }
        let mut start = self.code.point(span.start);
        start.column = start.column.saturating_sub(before.len());
        let around = span.start - before.len()..span.end + after.len();
        let kept = self.buffer[around.clone()].to_vec();
        self.buffer[around.start..span.start].copy_from_slice(before);
        self.buffer[span.end..around.end].copy_from_slice(after);
        let tree = parse_within(
            self.code.language,
            &self.buffer,
            &around,
            start,
            self.cancelled,
        );
        self.buffer[around.start..span.start].copy_from_slice(&kept[..before.len()]);
        self.buffer[span.end..around.end].copy_from_slice(&kept[kept.len() - after.len()..]);
        tree
    }

    fn span(&self, tokens: &Range<usize>) -> Range<usize> {
        let at = |at: usize| self.code.token(at).map(|token| token.span.clone());
        match (at(tokens.start), at(tokens.end.saturating_sub(1))) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }

    /// From the bracket before a group to the one after it; for Python the group itself. `None`: the whole file.
    fn within(&self, group: &Group) -> Option<Range<usize>> {
        if group.tokens.len() == self.code.len() {
            return None;
        }
        if self.code.language == Language::Python {
            return Some(self.span(&group.tokens));
        }
        Some(self.span(&(group.tokens.start.saturating_sub(1)..group.tokens.end + 1)))
    }

    fn reads_well(&self, tree: &Tree, level: &Level, piece: &Range<usize>) -> bool {
        let is_top = level.within.is_none() && self.code.begins_anew(piece.start);
        level.reads_well(tree, &self.span(piece), is_top)
    }

    /// A bracket, a semicolon, a directive: not worth parsing alone.
    fn is_trivial(&self, piece: &Range<usize>) -> bool {
        piece.len() <= 1 && self.code.kind(piece.start) != Some(TokenKind::Word)
    }
}

fn filled(region: Region, tree: Tree, holes: Vec<Region>, shell: usize) -> Region {
    let broken = holes.iter().map(|hole| hole.broken).sum::<usize>() + shell;
    Region {
        tree,
        holes,
        // If the pieces and the rest have no errors, neither has the whole.
        broken,
        ..region
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest of a range without its pieces counts against the budget like the pieces.
    #[test]
    fn the_budget_is_for_every_parse() {
        let text = "function f() { a b; c d }\n";
        let code = Code::new(Language::JavaScript, text, &|| false).expect("nobody cancels");
        let mut buffer = text.as_bytes().to_vec();
        buffer.resize(text.len() + ROOM, b' ');
        let mut reader = Reader {
            code: &code,
            buffer,
            length: text.len(),
            left: text.len(),
            cancelled: &|| false,
        };
        let mut shell = |span: Range<usize>| {
            let tree = reader.shell(&span, TOP, &[]).expect("nobody cancels");
            (tree.is_some(), reader.left)
        };
        assert_eq!(shell(0..text.len()), (true, 0));
        assert_eq!(shell(0..text.len()), (false, 0));
        assert_eq!(shell(15..19), (false, 0));
    }
}
