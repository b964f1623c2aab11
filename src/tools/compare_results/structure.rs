//! Compares two results of analyze_structure: symbols that were added, removed or moved, or have another signature. A
//! removed public symbol breaks its users, so it comes first.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::rows::Symbols;
use super::Stop;
use super::change::{Change, Changes, Sides, UNPARSED, UnparsedFiles};

/// The symbols of both.
#[derive(Clone, Copy)]
pub(super) struct Both<'r> {
    pub(super) before: &'r Symbols,
    pub(super) after: &'r Symbols,
}

/// The key that pairs symbols. An empty text: not compared.
type Key<'r> = [&'r str; 5];

impl<'r> Both<'r> {
    /// `None`: the call should stop.
    pub(super) fn compare(self, errors: Sides<'_>, stop: Stop<'_>) -> Option<Changes> {
        let Self { before, after } = self;
        let mut gone = vec![true; before.len()];
        let mut of_after: Vec<Option<u32>> = vec![None; after.len()];
        // First equal symbols, then those with the same name, then those that differ only in the file.
        let passes: [fn(Key<'r>) -> Key<'r>; 3] = [
            |key| key,
            |[path, name, kind, _, _]| [path, name, kind, "", ""],
            |[_, name, kind, signature, _]| ["", name, kind, signature, ""],
        ];
        for pass in passes {
            if stop() {
                return None;
            }
            self.pair(&mut gone, &mut of_after, pass);
        }
        let mut changes = Vec::new();
        let mut unchanged = 0;
        let mut unparsed = UnparsedFiles::default();
        for (at, was) in (0..).zip(of_after) {
            let is = at as usize;
            let Some(was) = was else {
                let missed = unparsed.new_here(after.path.get(is), &errors);
                let (kind, rank) = if missed { (UNPARSED, 1) } else { ("added", 4) };
                changes.push(change(kind, rank, None, Some(at)));
                continue;
            };
            match self.changed(was as usize, is) {
                Some((kind, rank)) => changes.push(change(kind, rank, Some(was), Some(at))),
                None => unchanged += 1,
            }
        }
        for (at, _) in (0..).zip(gone).filter(|(_, gone)| *gone) {
            let was = at as usize;
            let (kind, rank) = if unparsed.missing(before.path.get(was), &errors) {
                (UNPARSED, 1)
            } else if is_public(before, was) {
                ("removed", 0)
            } else {
                ("removed", 5)
            };
            changes.push(change(kind, rank, Some(at), None));
        }
        Some(Changes::new(changes, unchanged, unparsed))
    }

    fn changed(self, was: usize, is: usize) -> Option<(&'static str, u8)> {
        let Self { before, after } = self;
        let signature = before.signature.get(was) != after.signature.get(is);
        if signature || before.visibility.get(was) != after.visibility.get(is) {
            let rank = if is_public(before, was) { 0 } else { 2 };
            return Some(("changed", rank));
        }
        let moved = before.path.get(was) != after.path.get(is);
        moved.then_some(("moved", 3))
    }

    /// Pairs symbols with equal keys, in order.
    fn pair(self, gone: &mut [bool], of_after: &mut [Option<u32>], pass: fn(Key<'r>) -> Key<'r>) {
        const END: u32 = u32::MAX;
        let mut first: HashMap<Key<'r>, u32> = HashMap::new();
        let mut next = vec![END; gone.len()];
        for was in (0..gone.len()).rev().filter(|was| gone[*was]) {
            let key = pass(key_of(self.before, was));
            next[was] = first.insert(key, was as u32).unwrap_or(END);
        }
        for (is, slot) in of_after.iter_mut().enumerate() {
            if slot.is_some() {
                continue;
            }
            let waiting = first.get_mut(&pass(key_of(self.after, is)));
            if let Some(waiting) = waiting.filter(|waiting| **waiting != END) {
                *slot = Some(*waiting);
                gone[*waiting as usize] = false;
                *waiting = next[*waiting as usize];
            }
        }
    }

    pub(super) fn line(self, change: &Change) -> String {
        let kind = change.kind;
        let (symbols, at) = match (change.is, change.was) {
            (Some(is), _) => (self.after, is as usize),
            (None, Some(was)) => (self.before, was as usize),
            (None, None) => return String::new(),
        };
        let mut line = format!(
            "{kind} {}:{} {} {} {}",
            symbols.path.get(at),
            symbols.start_line[at],
            symbols.visibility.get(at),
            symbols.kind.get(at),
            symbols.qualified_name.get(at),
        );
        if let (Some(was), Some(is)) = (change.was, change.is) {
            let (was, is) = (was as usize, is as usize);
            let Self { before, after } = self;
            line.push_str(&match kind {
                "moved" => format!(" (was in {})", before.path.get(was)),
                _ => {
                    let (was, is) = (before.signature.get(was), after.signature.get(is));
                    format!(": {was} -> {is}")
                }
            });
        } else if kind == UNPARSED {
            line.push_str(match change.is {
                None => " (its file does not parse now)",
                Some(_) => " (its file did not parse before)",
            });
        }
        super::super::text::one_line(&line)
    }

    pub(super) fn value(self, change: &Change) -> Value {
        let was = change.was.map(|was| was as usize);
        let is = change.is.map(|is| is as usize);
        let (symbols, at) = match is {
            Some(is) => (self.after, is),
            None => (self.before, was.unwrap_or_default()),
        };
        json!({
            "change": change.kind,
            "what": "symbol",
            "path": symbols.path.get(at),
            "qualified_name": symbols.qualified_name.get(at),
            "kind": symbols.kind.get(at),
            "before": was.map(|was| self.before.side(was)),
            "after": is.map(|is| self.after.side(is)),
        })
    }
}

fn key_of(symbols: &Symbols, at: usize) -> Key<'_> {
    [
        symbols.path.get(at),
        symbols.qualified_name.get(at),
        symbols.kind.get(at),
        symbols.signature.get(at),
        symbols.visibility.get(at),
    ]
}

fn is_public(symbols: &Symbols, at: usize) -> bool {
    symbols.visibility.get(at) == "public"
}

fn change(kind: &'static str, rank: u8, was: Option<u32>, is: Option<u32>) -> Change {
    Change {
        kind,
        rank,
        severity: u32::from(kind == "removed"),
        was,
        is,
    }
}
