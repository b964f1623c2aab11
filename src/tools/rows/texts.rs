//! Many texts in one allocation, and a table of texts that repeat.

use std::collections::HashMap;

use serde::{Deserialize, Serialize, Serializer};

/// Texts in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "Stored")]
pub(in crate::tools) struct Texts {
    all: String,
    /// The end of each in `all`.
    ends: Vec<u32>,
}

impl Texts {
    /// A text beyond 4 GiB in total is stored as empty; the limits of results are far below.
    pub(in crate::tools) fn push(&mut self, text: &str) {
        let end = u32::try_from(self.all.len() + text.len());
        if end.is_ok() {
            self.all.push_str(text);
        }
        let end = end.unwrap_or_else(|_| self.ends.last().copied().unwrap_or(0));
        self.ends.push(end);
    }

    pub(in crate::tools) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Empty if there is none.
    pub(in crate::tools) fn get(&self, at: usize) -> &str {
        let start = match at.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.all
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    pub(in crate::tools) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.get(at))
    }
}

/// The stored form of texts: lengths are small numbers.
#[derive(Deserialize)]
struct Stored {
    all: String,
    lengths: Vec<u32>,
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let lengths = self.ends.iter().map(|end| {
            let length = end - last;
            last = *end;
            length
        });
        (&self.all, lengths.collect::<Vec<u32>>()).serialize(serializer)
    }
}

impl TryFrom<Stored> for Texts {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { all, lengths } = stored;
        let mut end = 0_u32;
        let mut ends = lengths;
        for slot in &mut ends {
            end = end.checked_add(*slot).ok_or("texts are too long")?;
            if !all.is_char_boundary(end as usize) {
                return Err("a text ends within a character, or beyond all");
            }
            *slot = end;
        }
        if end as usize != all.len() {
            return Err("the texts do not make up all");
        }
        Ok(Self { all, ends })
    }
}

/// A column of repeated texts: each distinct text once, and its number for each row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::tools) struct Column {
    pub(in crate::tools) table: Texts,
    pub(in crate::tools) rows: Vec<u32>,
}

impl Column {
    pub(in crate::tools) fn get(&self, row: usize) -> &str {
        let at = self.rows.get(row).copied().unwrap_or(u32::MAX);
        self.table.get(at as usize)
    }

    /// Whether it has that many rows, and each is in the table.
    pub(super) fn is_sound(&self, rows: usize) -> bool {
        let known = self.table.len();
        self.rows.len() == rows && self.rows.iter().all(|at| (*at as usize) < known)
    }
}

/// Fills a [`Column`].
#[derive(Default)]
pub(in crate::tools) struct Filling {
    column: Column,
    known: HashMap<Box<str>, u32>,
}

impl Filling {
    pub(in crate::tools) fn push(&mut self, text: &str) {
        let last = self.column.rows.last().copied();
        let at = match last.filter(|last| self.column.table.get(*last as usize) == text) {
            Some(last) => last,
            None => self.place(text),
        };
        self.column.rows.push(at);
    }

    fn place(&mut self, text: &str) -> u32 {
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = u32::try_from(self.column.table.len()).unwrap_or(u32::MAX);
        self.column.table.push(text);
        self.known.insert(text.into(), at);
        at
    }

    pub(in crate::tools) fn finish(self) -> Column {
        self.column
    }
}
