//! Lays out rows and columns of text: drops columns without information, and shortens text that does not fit. Pure.

use serde_json::Value;

use super::columns::{ALWAYS, Column, NEEDED, Source, Text, Uniform};
use super::fit::{broken, width, wrapped};
use super::rank;
use crate::cli::printable;
use crate::cli::screen::{Look, Screen};

/// Between two columns.
const GAP: usize = 2;
/// Before the first.
const MARGIN: usize = 1;
/// Other columns are dropped to give names this width.
const COMFORT: usize = 26;
/// Other columns are dropped before a path is wrapped that takes at most this share of a line: half of it.
const PATH_SHARE: usize = 2;
/// Minimum width of a name or a path after all other columns are dropped.
const LEAST: usize = 12;

/// A table before its layout.
pub(super) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Cell {
    text: String,
    rank: Option<&'static str>,
    is_number: bool,
}

impl Grid {
    pub(super) fn of(columns: impl IntoIterator<Item = Column>, rows: &[Value]) -> Self {
        let is_informative = |column: &Column| {
            let mut values = rows.iter().map(|row| value(row, column.source));
            let first = values.next().flatten();
            let is_empty = first.as_ref().is_none_or(Value::is_null);
            let is_zero = first
                .as_ref()
                .is_some_and(|value| value.as_f64() == Some(0.0));
            if !values.all(|value| value == first) {
                return true;
            }
            match column.uniform {
                Uniform::Stays => !is_empty,
                Uniform::ZerosGo => !is_empty && !is_zero,
                Uniform::Goes => !is_empty && !is_zero && rows.len() == 1,
            }
        };
        let columns: Vec<_> = columns.into_iter().filter(is_informative).collect();
        let cells = |row: &Value| columns.iter().map(|column| cell(row, column)).collect();
        let rows = rows.iter().map(cells).collect();
        Self { columns, rows }
    }

    pub(super) fn has_ranks(&self) -> bool {
        let mut cells = self.rows.iter().flatten();
        cells.any(|cell| cell.rank.is_some())
    }

    /// The lines, each with its line break.
    pub(super) fn lines(mut self, screen: Screen) -> String {
        let widths = self.fit(screen.width);
        let mut text = String::new();
        let titles: Vec<_> = self.columns.iter().map(|column| column.title).collect();
        let titles = titles.into_iter().map(|title| Cell {
            text: title.to_owned(),
            rank: None,
            is_number: false,
        });
        let titles: Vec<Cell> = titles.collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.row(row, &widths, screen, &mut text);
        }
        text
    }

    /// Drops columns until the rest fits, and returns the widths of the rest.
    fn fit(&mut self, room: Option<usize>) -> Vec<usize> {
        loop {
            let natural: Vec<_> = (0..self.columns.len()).map(|at| self.natural(at)).collect();
            let Some(room) = room else { return natural };
            let (comfortable, least) = (
                self.at_least(&natural, COMFORT, room / PATH_SHARE),
                self.at_least(&natural, LEAST, LEAST),
            );
            let first = (0..natural.len()).min_by_key(|at| self.columns[*at].keep);
            let too_wide = |keep: u8| match keep {
                ..NEEDED => whole(&comfortable) > room,
                NEEDED..ALWAYS => whole(&least) > room,
                ALWAYS => false,
            };
            match first {
                Some(at) if too_wide(self.columns[at].keep) => self.remove(at),
                Some(_) | None => return self.grown(least, &natural, room),
            }
        }
    }

    fn natural(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| width(&row[at].full()));
        cells.max().unwrap_or(0).max(width(self.columns[at].title))
    }

    /// The widths of all columns, if those that can be wrapped get `name` and `path`.
    fn at_least(&self, natural: &[usize], name: usize, path: usize) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(at, column)| {
                let least = match column.text {
                    Text::Whole => usize::MAX,
                    _ if self.is_numeric(at) => usize::MAX,
                    Text::Name | Text::Words => name,
                    Text::Path => path,
                };
                natural[at].min(least.max(width(column.title)))
            })
            .collect()
    }

    /// The room that is left goes to paths, so that they stay in one piece, then to the narrowest.
    fn grown(&self, mut widths: Vec<usize>, natural: &[usize], room: usize) -> Vec<usize> {
        let mut left = room.saturating_sub(whole(&widths));
        while left > 0 {
            let wanting = (0..widths.len()).filter(|at| widths[*at] < natural[*at]);
            let first = |at: &usize| (self.columns[*at].text != Text::Path, widths[*at]);
            let Some(at) = wanting.min_by_key(first) else {
                break;
            };
            widths[at] += 1;
            left -= 1;
        }
        widths
    }

    fn is_numeric(&self, at: usize) -> bool {
        self.rows.iter().any(|row| row[at].is_number)
    }

    fn remove(&mut self, at: usize) {
        self.columns.remove(at);
        for row in &mut self.rows {
            row.remove(at);
        }
    }

    fn row(&self, row: &[Cell], widths: &[usize], screen: Screen, text: &mut String) {
        let cells: Vec<Vec<String>> = (row.iter().zip(&self.columns).zip(widths))
            .map(|((cell, column), room)| match column.text {
                Text::Words => wrapped(&cell.full(), *room),
                Text::Name | Text::Path => broken(&cell.full(), *room),
                Text::Whole => vec![cell.full()],
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut written = String::new();
            for (at, room) in widths.iter().enumerate() {
                let gap = if at == 0 { MARGIN } else { GAP };
                written.push_str(&" ".repeat(gap));
                let part = cells[at].get(line).map_or("", String::as_str);
                let padding = " ".repeat(room.saturating_sub(width(part)));
                let part = painted(part, row[at].rank, screen);
                match self.is_numeric(at) {
                    true => written.extend([padding, part]),
                    false => written.extend([part, padding]),
                }
            }
            text.push_str(written.trim_end());
            text.push('\n');
        }
    }
}

fn painted(text: &str, rank: Option<&'static str>, screen: Screen) -> String {
    match rank {
        Some(rank) if !text.is_empty() => screen.paint(text, rank::look(rank)),
        Some(_) | None => text.to_owned(),
    }
}

/// The width of a complete line.
fn whole(widths: &[usize]) -> usize {
    let gaps = widths.len().saturating_sub(1) * GAP;
    MARGIN + gaps + widths.iter().sum::<usize>()
}

impl Cell {
    fn full(&self) -> String {
        match self.rank {
            Some(rank) => format!("{} {rank}", self.text),
            None => self.text.clone(),
        }
    }
}

fn cell(row: &Value, column: &Column) -> Cell {
    let value = value(row, column.source);
    let rank = match column.source {
        Source::Ranked(_) => value.as_ref().and_then(Value::as_u64).map(rank::of),
        Source::At(_) | Source::CommentLines | Source::Place => None,
    };
    Cell {
        text: shown(value.as_ref()),
        rank,
        is_number: value.as_ref().is_some_and(Value::is_number),
    }
}

fn value(row: &Value, source: Source) -> Option<Value> {
    match source {
        Source::At(pointer) | Source::Ranked(pointer) => row.pointer(pointer).cloned(),
        // Every line of a file has code, only a comment, or nothing.
        Source::CommentLines => {
            let lines = |name: &str| row[name].as_u64();
            let others = lines("ploc")? + lines("blank")?;
            Some(lines("sloc")?.saturating_sub(others).into())
        }
        Source::Place => {
            let path = row["path"].as_str()?;
            let line = row["start_line"].as_u64().or(row["line"].as_u64());
            Some(match line {
                Some(line) => format!("{path}:{line}").into(),
                None => path.into(),
            })
        }
    }
}

pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(float) if number.is_f64() => format!("{float:.2}"),
            Some(_) | None => number.to_string(),
        },
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) => items.len().to_string(),
        Some(Value::Object(object)) => object.len().to_string(),
    }
}

/// A title above a table or a list.
pub(super) fn title(text: &str, screen: Screen) -> String {
    screen.paint(text, Look::Title)
}
