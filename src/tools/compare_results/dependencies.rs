//! Two results of analyze_dependencies: which cycles, unresolved imports, packages and edges came or went.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::rows::{Graph, List};
use super::Stop;
use super::change::{Change, Changes, UnparsedFiles};

/// The graphs of both.
#[derive(Clone, Copy)]
pub(super) struct Both<'r> {
    pub(super) before: &'r Graph,
    pub(super) after: &'r Graph,
}

/// The worst to gain first. What went is good news, and comes after all that was gained.
const LOST: u8 = List::ALL.len() as u8;

impl Both<'_> {
    /// `None`: told to stop.
    pub(super) fn compare(self, stop: Stop<'_>) -> Option<Changes> {
        let mut changes = Vec::new();
        let mut unchanged = 0;
        for (rank, list) in (0_u8..).zip(List::ALL) {
            if stop() {
                return None;
            }
            let (was, is) = (self.before.list(list), self.after.list(list));
            let befores: HashSet<&str> = was.identities().collect();
            let afters: HashSet<&str> = is.identities().collect();
            for at in once_each(is.identities()) {
                match befores.contains(is.identity(at as usize)) {
                    true => unchanged += 1,
                    false => changes.push(change("added", rank, None, Some(at))),
                }
            }
            for at in once_each(was.identities()) {
                if !afters.contains(was.identity(at as usize)) {
                    changes.push(change("removed", rank + LOST, Some(at), None));
                }
            }
        }
        Some(Changes::new(changes, unchanged, UnparsedFiles::default()))
    }

    pub(super) fn line(self, change: &Change) -> String {
        let list = list_of(change);
        let identity = match (change.is, change.was) {
            (Some(is), _) => self.after.list(list).identity(is as usize),
            (None, Some(was)) => self.before.list(list).identity(was as usize),
            (None, None) => "",
        };
        format!("{} {} {identity}", change.kind, what(list))
    }

    pub(super) fn value(self, change: &Change) -> Value {
        let list = list_of(change);
        let detail = match (change.is, change.was) {
            (Some(is), _) => self.after.list(list).row(is as usize),
            (None, Some(was)) => self.before.list(list).row(was as usize),
            (None, None) => Value::Null,
        };
        json!({"change": change.kind, "what": what(list), "detail": detail})
    }
}

/// The rows in the order of what they are known by; of equal ones the last.
fn once_each<'t>(identities: impl Iterator<Item = &'t str>) -> Vec<u32> {
    let mut sorted: Vec<(&str, u32)> = identities.zip(0..).collect();
    sorted.sort_unstable_by_key(|(identity, at)| (*identity, std::cmp::Reverse(*at)));
    sorted.dedup_by_key(|(identity, _)| *identity);
    sorted.into_iter().map(|(_, at)| at).collect()
}

fn change(kind: &'static str, rank: u8, was: Option<u32>, is: Option<u32>) -> Change {
    Change {
        kind,
        rank,
        severity: 0,
        was,
        is,
    }
}

fn list_of(change: &Change) -> List {
    List::ALL[usize::from(change.rank % LOST)]
}

fn what(list: List) -> &'static str {
    match list {
        List::Cycles => "cycle",
        List::Unresolved => "unresolved",
        List::External => "external",
        List::Edges => "edge",
        List::Nodes => "node",
    }
}
