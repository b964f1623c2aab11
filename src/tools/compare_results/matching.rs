//! Matches the functions of two results: by path and qualified name, then by body, then by similarity of bodies. Pure.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::rows::{Column, Functions};
use super::{Stop, nearness};

/// The properties that match functions. Texts are replaced by numbers, equal for equal texts in both results.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    pub(super) path: u32,
    /// The name, without the lines of anonymous parts.
    pub(super) qualified_name: u32,
    /// `None` if it has none.
    pub(super) name: Option<u32>,
    pub(super) kind: u32,
    pub(super) body: Option<u64>,
    /// The sketch of its tokens: see [`crate::analysis::metrics::sketch`].
    pub(super) sketch: Option<u64>,
    pub(super) start_line: u32,
    pub(super) lines: u32,
}

/// Bodies shorter than this are alike by chance: they match only if path or name is the same.
pub(super) const TELLING_LINES: u32 = 3;

/// The properties that must agree for a pair; `None`: not compared.
type Key = (Option<u32>, Option<u64>, Option<u32>, Option<u32>);

/// Reads both results as subjects.
pub(super) fn subjects(before: &Functions, after: &Functions) -> (Vec<Subject>, Vec<Subject>) {
    let mut ids = Ids::default();
    let befores = ids.subjects(before);
    (befores, ids.subjects(after))
}

/// For each index of `after`, its index in `before`. Each is used once. `None`: the call should stop.
pub(super) fn matched(
    before: &[Subject],
    after: &[Subject],
    stop: Stop<'_>,
) -> Option<Vec<Option<u32>>> {
    let mut pairs = Pairs {
        of_after: vec![None; after.len()],
        used: vec![false; before.len()],
    };
    let passes: [fn(&Subject) -> Option<Key>; 5] = [
        // Several functions may share a name (overloads, redefinitions): match equal bodies first, then in order.
        |s| Some((Some(s.path), Some(s.body?), Some(s.qualified_name), None)),
        |s| Some((Some(s.path), None, Some(s.qualified_name), None)),
        // Renamed in its file, then moved under its name, then both.
        |s| Some((Some(s.path), Some(s.body?), None, Some(s.kind))),
        |s| Some((None, Some(s.body?), Some(s.name?), Some(s.kind))),
        |s| {
            let telling = s.lines >= TELLING_LINES;
            telling.then_some((None, Some(s.body?), None, Some(s.kind)))
        },
    ];
    for key in passes {
        if stop() {
            return None;
        }
        pairs.by(before, after, key);
    }
    let left = nearness::Left {
        before: pairs.left(before),
        after: (after.iter().enumerate())
            .filter(|(at, _)| pairs.of_after[*at].is_none())
            .map(|(at, subject)| (at as u32, subject))
            .collect(),
    };
    for (was, is) in left.pairs(stop)? {
        pairs.of_after[is as usize] = Some(was);
    }
    Some(pairs.of_after)
}

/// An anonymous function is named by its line, which changes when code above it changes.
pub(super) fn plain_name(qualified_name: &str) -> Cow<'_, str> {
    if !qualified_name.contains('@') {
        return Cow::Borrowed(qualified_name);
    }
    let mut plain = String::with_capacity(qualified_name.len());
    let mut rest = qualified_name;
    while let Some((head, tail)) = rest.split_once('@') {
        plain.push_str(head);
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    Cow::Owned(plain + rest)
}

/// Numbers for texts.
#[derive(Default)]
struct Ids<'t>(HashMap<Cow<'t, str>, u32>);

impl<'t> Ids<'t> {
    fn subjects(&mut self, functions: &'t Functions) -> Vec<Subject> {
        let paths = self.of_table(&functions.path);
        let kinds = self.of_table(&functions.kind);
        let row = |at: usize| {
            let name = functions.name(at);
            let qualified_name = functions.qualified_name.get(at);
            Subject {
                path: paths[functions.path.rows[at] as usize],
                qualified_name: self.of(plain_name(qualified_name)),
                name: (!name.is_empty()).then(|| self.of(Cow::Borrowed(name))),
                kind: kinds[functions.kind.rows[at] as usize],
                body: functions.body_digest(at),
                sketch: functions.body_sketch(at),
                start_line: functions.start_line[at],
                lines: functions.sloc[at],
            }
        };
        (0..functions.len()).map(row).collect()
    }

    fn of(&mut self, text: Cow<'t, str>) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(text).or_insert(next)
    }

    fn of_table(&mut self, column: &'t Column) -> Vec<u32> {
        let texts = column.table.iter();
        texts.map(|text| self.of(Cow::Borrowed(text))).collect()
    }
}

struct Pairs {
    of_after: Vec<Option<u32>>,
    used: Vec<bool>,
}

/// The end of a chain.
const END: u32 = u32::MAX;

impl Pairs {
    /// Pairs the remaining ones with equal keys, in order.
    fn by(&mut self, before: &[Subject], after: &[Subject], key: fn(&Subject) -> Option<Key>) {
        // The first waiting row of each key, and the next row of each row.
        let mut first: HashMap<Key, u32> = HashMap::new();
        let mut next = vec![END; before.len()];
        for (was, subject) in before.iter().enumerate().rev() {
            if let Some(key) = key(subject).filter(|_| !self.used[was]) {
                next[was] = first.insert(key, was as u32).unwrap_or(END);
            }
        }
        for (is, subject) in after.iter().enumerate() {
            if self.of_after[is].is_some() {
                continue;
            }
            let waiting = key(subject).and_then(|key| first.get_mut(&key));
            if let Some(waiting) = waiting.filter(|waiting| **waiting != END) {
                let was = *waiting;
                *waiting = next[was as usize];
                self.of_after[is] = Some(was);
                self.used[was as usize] = true;
            }
        }
    }

    fn left<'s>(&self, before: &'s [Subject]) -> Vec<(u32, &'s Subject)> {
        (before.iter().enumerate())
            .filter(|(at, _)| !self.used[*at])
            .map(|(at, subject)| (at as u32, subject))
            .collect()
    }
}

#[cfg(test)]
mod tests;
