//! Selects and orders the listed symbols.

use std::collections::{HashMap, HashSet};

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
    /// By row: the files whose imports and exports are listed with it. Without `query` and `kinds`, every file once.
    pub(super) listed_with: HashMap<usize, Vec<usize>>,
    /// Files to list if there are no rows.
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
        // A stable sort: within a rank, rows stay ordered by path and line.
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
        if filter.lists_files() {
            if filter.takes_files() {
                outline.list_files(analyzed.files.len());
            } else {
                outline.list_files_with_first_rows();
            }
        }
        outline
    }

    /// Lists each file that has a row with its first row.
    fn list_files_with_first_rows(&mut self) {
        let mut seen = HashSet::new();
        for (at, item) in self.items.iter().enumerate() {
            if seen.insert(item.file) {
                self.listed_with.entry(at).or_default().push(item.file);
            }
        }
    }

    /// Lists each file with its first row. A file without rows goes to the next row, or else to the last.
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

/// The nesting of each symbol; an enclosing symbol comes before its content.
fn depths(symbols: &[Symbol]) -> Vec<u32> {
    let mut depths = vec![0; symbols.len()];
    for (at, symbol) in symbols.iter().enumerate() {
        if let Some(parent) = symbol.parent {
            depths[at] = depths.get(parent as usize).copied().unwrap_or(0) + 1;
        }
    }
    depths
}

/// How well a symbol matches, 0 is best; `None` if it does not match.
fn rank(symbol: &Symbol, filter: &Filter) -> Option<u8> {
    let kind = names::symbol_kind(symbol.kind);
    if !filter.kinds.is_empty() && !filter.kinds.iter().any(|wanted| wanted == kind) {
        return None;
    }
    let Some(query) = filter.query.as_deref() else {
        return Some(0);
    };
    rank_by(query, &symbol.name, &symbol.qualified_name)
}

/// Exact names, then exact last segments, then prefixes, then other parts; in each group, matches with equal case
/// first.
fn rank_by(query: &str, name: &str, qualified: &str) -> Option<u8> {
    let lower = query.to_lowercase();
    let (name_lower, qualified_lower) = (name.to_lowercase(), qualified.to_lowercase());
    let last = |text: &str| {
        let at = text
            .rfind(['.', ':', '/', '\\', '#'])
            .map_or(0, |at| at + 1);
        text[at..].to_owned()
    };
    let ranks = [
        qualified == query,
        qualified_lower == lower,
        name == query,
        name_lower == lower,
        last(&qualified_lower) == last(&lower) && qualified_lower.ends_with(&lower),
        name_lower.starts_with(&lower),
        name_lower.contains(&lower),
        qualified_lower.contains(&lower),
    ];
    let rank = ranks.iter().position(|fits| *fits)?;
    u8::try_from(rank).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_matches_come_first() {
        let order = |query: &str| {
            let names = [
                "shop.cart.unrelated_total",
                "shop.total_of",
                "shop.totals.add",
                "shop.Cart.total",
                "Total",
                "total",
                "shop.subtotal",
            ];
            let mut ranked: Vec<(u8, &str)> = (names.iter())
                .filter_map(|qualified| {
                    let name = qualified.rsplit('.').next().unwrap_or_default();
                    rank_by(query, name, qualified).map(|rank| (rank, *qualified))
                })
                .collect();
            ranked.sort_by_key(|(rank, _)| *rank);
            ranked.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        assert_eq!(
            order("total"),
            [
                "total",
                "Total",
                "shop.Cart.total",
                "shop.total_of",
                "shop.cart.unrelated_total",
                "shop.subtotal",
                "shop.totals.add",
            ]
        );
        assert_eq!(order("Cart.total"), ["shop.Cart.total"]);
        assert_eq!(order("TOTALS.add"), ["shop.totals.add"]);
    }
}
