//! The node kinds that a watcher handles: one byte per kind id of a grammar, looked up at every node.

use super::Language;

/// Kind id to a row of the source list. Built once per grammar, then only read.
pub(super) struct Kinds {
    /// 0: not listed; else 1 + the row.
    rows: Vec<u8>,
}

impl Kinds {
    /// `list` has the names of node kinds and the meaning of each; at most 255 rows.
    pub(super) fn new<A>(language: Language, list: &[(&str, A)]) -> Self {
        let grammar = (language.facts().grammar)();
        let count = u16::try_from(grammar.node_kind_count()).unwrap_or(u16::MAX);
        let row = |id: u16| {
            if !grammar.node_kind_is_named(id) {
                return 0;
            }
            let name = grammar.node_kind_for_id(id).unwrap_or_default();
            let row = list.iter().position(|(kind, _)| *kind == name);
            row.and_then(|row| u8::try_from(row + 1).ok()).unwrap_or(0)
        };
        Self {
            rows: (0..count).map(row).collect(),
        }
    }

    /// The row of the list, or `None` for a kind that is not listed (the usual case).
    #[inline]
    pub(super) fn row(&self, kind: u16) -> Option<usize> {
        match self.rows.get(usize::from(kind)) {
            None | Some(0) => None,
            Some(row) => Some(usize::from(*row) - 1),
        }
    }
}
