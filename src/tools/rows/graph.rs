//! The five lists of a result of analyze_dependencies. A row is only read to name it, and shown unchanged, so it is
//! kept as the JSON of the answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::list;
use super::texts::Texts;
use crate::answer::Failure;

/// A list of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tools) enum List {
    Cycles,
    Unresolved,
    External,
    Edges,
    Nodes,
}

impl List {
    pub(in crate::tools) const ALL: [Self; 5] = [
        Self::Cycles,
        Self::Unresolved,
        Self::External,
        Self::Edges,
        Self::Nodes,
    ];

    /// Its key in `data`.
    pub(in crate::tools) fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Unresolved => "unresolved",
            Self::External => "external",
            Self::Edges => "edges",
            Self::Nodes => "nodes",
        }
    }

    /// The key of a row, which does not depend on lines; also its words in the text. `None`: it is not JSON.
    fn identity(self, row: &str) -> Option<String> {
        let named = || serde_json::from_str::<Named<'_>>(row).ok();
        Some(match self {
            Self::Cycles => members(&serde_json::from_str(row).ok()?),
            Self::Unresolved => {
                let named = named()?;
                format!("{} {}", named.path, named.specifier)
            }
            Self::External => named()?.name.into_owned(),
            Self::Edges => {
                let Named { from, to, kind, .. } = named()?;
                format!("{from} -> {to} ({kind})")
            }
            Self::Nodes => named()?.id.into_owned(),
        })
    }
}

/// The fields that name rows of the lists. The rest of a row is skipped, which is much faster than reading it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<'r> {
    #[serde(borrow)]
    id: Cow<'r, str>,
    #[serde(borrow)]
    path: Cow<'r, str>,
    #[serde(borrow)]
    specifier: Cow<'r, str>,
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(borrow)]
    from: Cow<'r, str>,
    #[serde(borrow)]
    to: Cow<'r, str>,
    #[serde(borrow)]
    kind: Cow<'r, str>,
}

/// Its form is stored: a new field needs a new [`super::compact::FORM`].
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::tools) struct Graph {
    /// In the order of [`List::ALL`].
    lists: [Details; 5],
}

/// The rows of one list.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::tools) struct Details {
    /// Computed from the rows.
    #[serde(skip)]
    identities: Texts,
    rows: Texts,
}

impl Graph {
    pub(super) fn read(data: &Value) -> Result<Self, Failure> {
        let mut graph = Self::default();
        for kind in List::ALL {
            for row in list(data, kind.name())? {
                graph.push(kind, row);
            }
        }
        Ok(graph)
    }

    pub(in crate::tools) fn push(&mut self, list: List, row: &Value) {
        let details = &mut self.lists[list as usize];
        let row = row.to_string();
        details
            .identities
            .push(&list.identity(&row).unwrap_or_default());
        details.rows.push(&row);
    }

    /// Names the rows that were read. Returns false if one is not JSON.
    pub(super) fn name_rows(&mut self) -> bool {
        for list in List::ALL {
            let details = &mut self.lists[list as usize];
            for row in details.rows.iter() {
                match list.identity(row) {
                    Some(identity) => details.identities.push(&identity),
                    None => return false,
                }
            }
        }
        true
    }

    pub(in crate::tools) fn list(&self, list: List) -> &Details {
        &self.lists[list as usize]
    }
}

impl Details {
    pub(in crate::tools) fn identities(&self) -> impl Iterator<Item = &str> {
        self.identities.iter()
    }

    pub(in crate::tools) fn identity(&self, row: usize) -> &str {
        self.identities.get(row)
    }

    pub(in crate::tools) fn row(&self, row: usize) -> Value {
        serde_json::from_str(self.rows.get(row)).unwrap_or_default()
    }
}

/// The members of a cycle, sorted, because the walk may enter it anywhere.
fn members(row: &Value) -> String {
    let members = row.get("members").or_else(|| row.get("path"));
    // Results of versions without paths of cycles have lists of members.
    let members = members.unwrap_or(row).as_array();
    let mut members: Vec<&str> = (members.into_iter().flatten())
        .map(|member| member.as_str().unwrap_or_default())
        .collect();
    members.sort_unstable();
    members.dedup();
    members.join(", ")
}
