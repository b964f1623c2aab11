//! The functions of a result of analyze_complexity.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::text::rounded;
use super::texts::{Column, Filling, Texts};
use super::{number, text};

/// Steps per unit of a maintainability index: four decimals, as in answers.
const MI_SCALE: f64 = 10_000.0;

/// One function to add.
pub(in crate::tools) struct Function<'a> {
    pub(in crate::tools) path: &'a str,
    pub(in crate::tools) name: &'a str,
    pub(in crate::tools) qualified_name: &'a str,
    pub(in crate::tools) kind: &'a str,
    pub(in crate::tools) start_line: u32,
    pub(in crate::tools) end_line: u32,
    pub(in crate::tools) sloc: u32,
    pub(in crate::tools) cyclomatic: u32,
    pub(in crate::tools) cognitive: u32,
    pub(in crate::tools) max_nesting: u32,
    pub(in crate::tools) parameters: u32,
    pub(in crate::tools) maintainability_index: Option<f64>,
    /// `None` in results of versions without it.
    pub(in crate::tools) body_digest: Option<u64>,
    pub(in crate::tools) body_sketch: Option<u64>,
}

/// Its form is stored: a new field needs a new [`super::compact::FORM`].
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::tools) struct Functions {
    pub(in crate::tools) path: Column,
    pub(in crate::tools) kind: Column,
    pub(in crate::tools) qualified_name: Texts,
    /// Bytes of the name, with which the qualified name ends. 0 if it has none.
    name_bytes: Vec<u32>,
    pub(in crate::tools) start_line: Vec<u32>,
    pub(in crate::tools) end_line: Vec<u32>,
    pub(in crate::tools) sloc: Vec<u32>,
    pub(in crate::tools) cyclomatic: Vec<u32>,
    pub(in crate::tools) cognitive: Vec<u32>,
    pub(in crate::tools) max_nesting: Vec<u32>,
    pub(in crate::tools) parameters: Vec<u32>,
    /// In steps of 1 / [`MI_SCALE`].
    maintainability_index: Vec<Option<i32>>,
    body_digest: Vec<Word>,
    body_sketch: Vec<Word>,
}

/// Eight bytes unchanged; [`Word::NONE`] if there are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Word([u8; 8]);

/// Fills [`Functions`].
#[derive(Default)]
pub(in crate::tools) struct FunctionsOf {
    functions: Functions,
    path: Filling,
    kind: Filling,
}

impl Functions {
    pub(super) fn read(rows: &[Value]) -> Self {
        let mut functions = FunctionsOf::default();
        for row in rows {
            let own = &row["own"];
            let hex = |name: &str| u64::from_str_radix(text(row, name), 16).ok();
            functions.push(&Function {
                path: text(row, "path"),
                name: text(row, "name"),
                qualified_name: text(row, "qualified_name"),
                kind: text(row, "kind"),
                start_line: number(&row["start_line"]),
                end_line: number(&row["end_line"]),
                sloc: number(&row["sloc"]),
                cyclomatic: number(&own["cyclomatic"]),
                cognitive: number(&own["cognitive"]),
                max_nesting: number(&row["max_nesting"]),
                parameters: number(&row["parameters"]),
                maintainability_index: row["maintainability_index"].as_f64(),
                body_digest: hex("body_digest"),
                body_sketch: hex("body_sketch"),
            });
        }
        functions.finish()
    }

    pub(in crate::tools) fn len(&self) -> usize {
        self.start_line.len()
    }

    /// Every column has a value for each row.
    pub(super) fn is_sound(&self) -> bool {
        let rows = self.len();
        let numbers = [
            &self.name_bytes,
            &self.end_line,
            &self.sloc,
            &self.cyclomatic,
            &self.cognitive,
            &self.max_nesting,
            &self.parameters,
        ];
        self.path.is_sound(rows)
            && self.kind.is_sound(rows)
            && numbers.iter().all(|column| column.len() == rows)
            && self.qualified_name.len() == rows
            && self.maintainability_index.len() == rows
            && self.body_digest.len() == rows
            && self.body_sketch.len() == rows
    }

    /// Empty if it has none.
    pub(in crate::tools) fn name(&self, row: usize) -> &str {
        let qualified = self.qualified_name.get(row);
        let bytes = self.name_bytes.get(row).copied().unwrap_or(0) as usize;
        let start = qualified.len().saturating_sub(bytes);
        qualified.get(start..).unwrap_or_default()
    }

    pub(in crate::tools) fn body_digest(&self, row: usize) -> Option<u64> {
        self.body_digest.get(row).and_then(Word::get)
    }

    pub(in crate::tools) fn body_sketch(&self, row: usize) -> Option<u64> {
        self.body_sketch.get(row).and_then(Word::get)
    }

    pub(in crate::tools) fn maintainability_index(&self, row: usize) -> Option<f64> {
        let index = self.maintainability_index.get(row).copied().flatten();
        index.map(|index| f64::from(index) / MI_SCALE)
    }

    /// One side of a change.
    pub(in crate::tools) fn side(&self, row: usize) -> Value {
        json!({
            "path": self.path.get(row),
            "qualified_name": self.qualified_name.get(row),
            "start_line": self.start_line[row],
            "end_line": self.end_line[row],
            "cyclomatic": self.cyclomatic[row],
            "cognitive": self.cognitive[row],
            "sloc": self.sloc[row],
            "max_nesting": self.max_nesting[row],
            "parameters": self.parameters[row],
            "maintainability_index": rounded(self.maintainability_index(row)),
        })
    }
}

impl FunctionsOf {
    pub(in crate::tools) fn push(&mut self, function: &Function<'_>) {
        let all = &mut self.functions;
        self.path.push(function.path);
        self.kind.push(function.kind);
        all.qualified_name.push(function.qualified_name);
        let named = function.qualified_name.ends_with(function.name);
        let bytes = if named { function.name.len() } else { 0 };
        all.name_bytes.push(u32::try_from(bytes).unwrap_or(0));
        all.start_line.push(function.start_line);
        all.end_line.push(function.end_line);
        all.sloc.push(function.sloc);
        all.cyclomatic.push(function.cyclomatic);
        all.cognitive.push(function.cognitive);
        all.max_nesting.push(function.max_nesting);
        all.parameters.push(function.parameters);
        let index = function.maintainability_index;
        all.maintainability_index
            .push(index.map(|index| (index * MI_SCALE).round() as i32));
        all.body_digest.push(Word::of(function.body_digest));
        all.body_sketch.push(Word::of(function.body_sketch));
    }

    pub(in crate::tools) fn finish(self) -> Functions {
        Functions {
            path: self.path.finish(),
            kind: self.kind.finish(),
            ..self.functions
        }
    }
}

impl Word {
    const NONE: Self = Self([0; 8]);

    fn of(word: Option<u64>) -> Self {
        word.map_or(Self::NONE, |word| Self(word.to_le_bytes()))
    }

    fn get(&self) -> Option<u64> {
        (*self != Self::NONE).then_some(u64::from_le_bytes(self.0))
    }
}
