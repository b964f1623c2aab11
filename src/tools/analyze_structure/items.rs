//! Which symbols are listed, and in which order.

use std::collections::HashMap;

use super::super::analyzed::Analyzed;
use super::super::names;
use super::Filter;
use crate::analysis::{FileAnalysis, Symbol};

/// One row: a symbol of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) file: usize,
    pub(super) symbol: usize,
}

pub(super) struct Outline {
    pub(super) items: Vec<Item>,
    /// By row: the files whose imports and exports are listed with it. Without `query` and `kinds`, each file once.
    pub(super) listed_with: HashMap<usize, Vec<usize>>,
    /// Files that no row could list, since there is none.
    pub(super) unlisted: Vec<usize>,
    pub(super) files: u64,
    pub(super) symbols: u64,
    pub(super) imports: u64,
    pub(super) exports: u64,
}

impl Outline {
    pub(super) fn of(analyzed: &Analyzed, filter: &Filter) -> Self {
        let sum = |count: fn(&FileAnalysis) -> usize| -> u64 {
            let counts = analyzed
                .files
                .iter()
                .map(|file| count(&file.analysis) as u64);
            counts.sum()
        };
        let mut ranked: Vec<(u8, Item)> = Vec::new();
        for (file, analyzed) in analyzed.files.iter().enumerate() {
            let symbols = &analyzed.analysis.symbols;
            let depths = depths(symbols);
            for (symbol, facts) in symbols.iter().enumerate() {
                if depths[symbol] >= filter.depth {
                    continue;
                }
                if let Some(rank) = rank(facts, filter) {
                    ranked.push((rank, Item { file, symbol }));
                }
            }
        }
        // Stable: within a rank by path and line, as they came.
        ranked.sort_by_key(|(rank, _)| *rank);
        let mut outline = Self {
            items: ranked.into_iter().map(|(_, item)| item).collect(),
            listed_with: HashMap::new(),
            unlisted: Vec::new(),
            files: analyzed.files.len() as u64,
            symbols: sum(|analysis| analysis.symbols.len()),
            imports: sum(|analysis| analysis.imports.len()),
            exports: sum(|analysis| analysis.exports.len()),
        };
        if filter.takes_files() {
            outline.list_files(analyzed.files.len());
        }
        outline
    }

    /// Each file goes with its first row, one without rows with the next row, or else with the last.
    fn list_files(&mut self, files: usize) {
        let mut next = 0;
        for (at, item) in self.items.iter().enumerate() {
            if item.file >= next {
                self.listed_with
                    .entry(at)
                    .or_default()
                    .extend(next..=item.file);
                next = item.file + 1;
            }
        }
        match self.items.len().checked_sub(1) {
            Some(last) => self
                .listed_with
                .entry(last)
                .or_default()
                .extend(next..files),
            None => self.unlisted.extend(0..files),
        }
    }
}

/// How many symbols lie around each; what encloses comes first.
fn depths(symbols: &[Symbol]) -> Vec<u32> {
    let mut depths = vec![0; symbols.len()];
    for (at, symbol) in symbols.iter().enumerate() {
        if let Some(parent) = symbol.parent {
            depths[at] = depths.get(parent as usize).copied().unwrap_or(0) + 1;
        }
    }
    depths
}

/// How well a symbol matches, 0 the best; `None` where it does not.
fn rank(symbol: &Symbol, filter: &Filter) -> Option<u8> {
    let kind = names::symbol_kind(symbol.kind);
    if !filter.kinds.is_empty() && !filter.kinds.iter().any(|wanted| wanted == kind) {
        return None;
    }
    let Some(query) = &filter.query else {
        return Some(0);
    };
    let name = symbol.name.to_lowercase();
    let qualified = symbol.qualified_name.to_lowercase();
    if name == *query || qualified == *query {
        return Some(0);
    }
    if name.starts_with(query.as_str()) {
        return Some(1);
    }
    if name.contains(query.as_str()) {
        return Some(2);
    }
    qualified.contains(query.as_str()).then_some(3)
}
