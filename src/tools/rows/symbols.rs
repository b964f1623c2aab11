//! The symbols of a result of analyze_structure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::texts::{Column, Filling, Texts};
use super::{number, text};

/// One symbol to add.
pub(in crate::tools) struct Symbol<'a> {
    pub(in crate::tools) path: &'a str,
    pub(in crate::tools) qualified_name: &'a str,
    pub(in crate::tools) kind: &'a str,
    pub(in crate::tools) signature: &'a str,
    pub(in crate::tools) visibility: &'a str,
    pub(in crate::tools) start_line: u32,
    pub(in crate::tools) end_line: u32,
}

/// Its form is stored: a new field needs a new [`super::compact::FORM`].
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::tools) struct Symbols {
    pub(in crate::tools) path: Column,
    pub(in crate::tools) kind: Column,
    pub(in crate::tools) visibility: Column,
    pub(in crate::tools) qualified_name: Texts,
    pub(in crate::tools) signature: Texts,
    pub(in crate::tools) start_line: Vec<u32>,
    end_line: Vec<u32>,
}

/// Fills [`Symbols`].
#[derive(Default)]
pub(in crate::tools) struct SymbolsOf {
    symbols: Symbols,
    path: Filling,
    kind: Filling,
    visibility: Filling,
}

impl Symbols {
    pub(super) fn read(rows: &[Value]) -> Self {
        let mut symbols = SymbolsOf::default();
        for row in rows {
            symbols.push(&Symbol {
                path: text(row, "path"),
                qualified_name: text(row, "qualified_name"),
                kind: text(row, "kind"),
                signature: text(row, "signature"),
                visibility: text(row, "visibility"),
                start_line: number(&row["start_line"]),
                end_line: number(&row["end_line"]),
            });
        }
        symbols.finish()
    }

    pub(in crate::tools) fn len(&self) -> usize {
        self.start_line.len()
    }

    /// Every column has a value for each row.
    pub(super) fn is_sound(&self) -> bool {
        let rows = self.len();
        let columns = [&self.path, &self.kind, &self.visibility];
        columns.iter().all(|column| column.is_sound(rows))
            && self.qualified_name.len() == rows
            && self.signature.len() == rows
            && self.end_line.len() == rows
    }

    /// One side of a change.
    pub(in crate::tools) fn side(&self, row: usize) -> Value {
        json!({
            "path": self.path.get(row),
            "signature": self.signature.get(row),
            "visibility": self.visibility.get(row),
            "start_line": self.start_line[row],
            "end_line": self.end_line[row],
        })
    }
}

impl SymbolsOf {
    pub(in crate::tools) fn push(&mut self, symbol: &Symbol<'_>) {
        let all = &mut self.symbols;
        self.path.push(symbol.path);
        self.kind.push(symbol.kind);
        self.visibility.push(symbol.visibility);
        all.qualified_name.push(symbol.qualified_name);
        all.signature.push(symbol.signature);
        all.start_line.push(symbol.start_line);
        all.end_line.push(symbol.end_line);
    }

    pub(in crate::tools) fn finish(self) -> Symbols {
        Symbols {
            path: self.path.finish(),
            kind: self.kind.finish(),
            visibility: self.visibility.finish(),
            ..self.symbols
        }
    }
}
