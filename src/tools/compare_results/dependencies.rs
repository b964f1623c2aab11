//! Compares two results of analyze_dependencies: added and removed cycles, unresolved imports, packages and edges.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::rows::{Details, Graph, List};
use super::Stop;
use super::change::{Change, Changes, UnparsedFiles};

/// The graphs of both.
#[derive(Clone, Copy)]
pub(super) struct Both<'r> {
    pub(super) before: &'r Graph,
    pub(super) after: &'r Graph,
}

/// The worst additions first. Removals are improvements, and come after all additions.
const LOST: u8 = List::ALL.len() as u8;

impl Both<'_> {
    /// `None`: the call should stop.
    pub(super) fn compare(self, stop: Stop<'_>) -> Option<Changes> {
        let mut changes = Vec::new();
        let mut unchanged = 0;
        for (rank, list) in (0_u8..).zip(List::ALL) {
            if stop() {
                return None;
            }
            let (was, is) = (self.before.list(list), self.after.list(list));
            let (befores, afters) = (by_identity(was), by_identity(is));
            let added = missing_from(&befores, &afters);
            unchanged += (afters.len() - added.len()) as u64;
            changes.extend((added.into_iter()).map(|at| change("added", rank, None, Some(at))));
            if stop() {
                return None;
            }
            let removed = missing_from(&afters, &befores).into_iter();
            changes.extend(removed.map(|at| change("removed", rank + LOST, Some(at), None)));
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

/// The rows by key; the last of equal ones.
fn by_identity(details: &Details) -> HashMap<&str, u32> {
    details.identities().zip(0..).collect()
}

/// Rows of `these` that `others` lacks, in the order of their keys.
fn missing_from(others: &HashMap<&str, u32>, these: &HashMap<&str, u32>) -> Vec<u32> {
    let lacks = |(identity, _): &(&&str, &u32)| !others.contains_key(**identity);
    let mut missing: Vec<_> = these.iter().filter(lacks).collect();
    missing.sort_unstable();
    missing.into_iter().map(|(_, at)| *at).collect()
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
