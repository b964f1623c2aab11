//! Checks whether a statement or member was read correctly in the surrounding tree.

use std::ops::Range;

use tree_sitter::{Node, Tree, TreeCursor};

/// The node of the pieces of a group, and its children: queried once per piece.
pub(super) struct Level {
    /// From the bracket before the group to the one after it; `None`: the file.
    pub(super) within: Option<Range<usize>>,
    /// Span of each child, and whether it is without errors; empty if the group has no node.
    children: Vec<(Range<usize>, bool)>,
}

impl Level {
    pub(super) fn new(tree: &Tree, within: Option<Range<usize>>) -> Self {
        let mut children = Vec::new();
        let mut cursor = tree.walk();
        let mut found = within.is_none().then(|| cursor.node());
        while let Some(within) = &within {
            let node = cursor.node();
            if node.is_error() {
                found = None;
                break;
            }
            if is_block(&node, within) {
                found = Some(node);
            }
            let inner = cursor.goto_first_child_for_byte(within.start).is_some();
            if !inner || cursor.node().end_byte() < within.end {
                break;
            }
        }
        if let Some(node) = found.filter(|node| !node.is_error()) {
            let mut cursor = node.walk();
            let mut more = cursor.goto_first_child();
            while more {
                let child = cursor.node();
                children.push((child.byte_range(), is_sound(&child)));
                more = cursor.goto_next_sibling();
            }
        }
        Self { within, children }
    }

    /// Whether the nodes of a range are without errors, do not overlap the surrounding code, and are in the block in
    /// which they were written. `is_top`: the block is the file itself.
    pub(super) fn reads_well(&self, tree: &Tree, span: &Range<usize>, is_top: bool) -> bool {
        let first = self
            .children
            .partition_point(|(child, _)| child.end <= span.start);
        let overlapping = self.children[first..]
            .iter()
            .take_while(|(child, _)| child.start < span.end);
        let mut apart = true;
        let mut sound = true;
        let mut count = 0;
        for (child, is_sound) in overlapping {
            count += 1;
            apart &= child.start >= span.start && child.end <= span.end;
            sound &= is_sound;
        }
        match count {
            0 => search(tree, span, self.within.as_ref(), is_top),
            _ if apart => sound,
            _ => search(tree, span, self.within.as_ref(), is_top),
        }
    }
}

fn is_sound(node: &Node<'_>) -> bool {
    !node.has_error() && !node.is_missing()
}

/// Whether a node contains a block and has its start or its end.
fn is_block(node: &Node<'_>, within: &Range<usize>) -> bool {
    (node.start_byte() <= within.start && node.end_byte() == within.end)
        || (node.start_byte() == within.start && node.end_byte() >= within.end)
}

/// Nodes at the top of a file that contain other top-level nodes.
fn holds_declarations(kind: &str) -> bool {
    kind.starts_with("preproc_")
        || matches!(
            kind,
            "export_statement" | "linkage_specification" | "declaration_list"
        )
}

/// The same check from the root on, for pieces deeper than the children of the block.
fn search(tree: &Tree, span: &Range<usize>, within: Option<&Range<usize>>, is_top: bool) -> bool {
    let mut cursor = tree.walk();
    let mut is_inside = within.is_none();
    for depth in 0_u32.. {
        let node = cursor.node();
        if node.is_error() {
            return false;
        }
        is_inside |= within.is_some_and(|within| is_block(&node, within));
        if node.start_byte() >= span.start && node.end_byte() <= span.end {
            return is_inside && is_sound(&node);
        }
        if is_top && depth > 0 && !holds_declarations(node.kind()) {
            return false;
        }
        if cursor.goto_first_child_for_byte(span.start).is_none() {
            return false;
        }
        let child = cursor.node();
        if child.start_byte() > span.start || child.end_byte() < span.end {
            return is_inside && are_apart(&mut cursor, span);
        }
    }
    false
}

/// From the current node on: all nodes that overlap the range are in it and without errors.
fn are_apart(cursor: &mut TreeCursor<'_>, span: &Range<usize>) -> bool {
    loop {
        let node = cursor.node();
        if node.start_byte() >= span.end {
            return true;
        }
        let lies_in = node.start_byte() >= span.start && node.end_byte() <= span.end;
        if !lies_in || !is_sound(&node) {
            return false;
        }
        if !cursor.goto_next_sibling() {
            return true;
        }
    }
}
