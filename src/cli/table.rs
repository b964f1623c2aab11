//! Answers as tables: at most as wide as the terminal (or `COLUMNS`), and of any width if the output is not a terminal.

use serde_json::{Value, json};

use self::grid::Grid;
use super::arguments::Kind;
use super::printable;
use super::screen::Screen;

mod columns;
mod fit;
mod grid;
mod rank;

pub(super) use columns::{Column, FILES, FUNCTIONS, LANGUAGES, column};

/// Entries listed of skipped reasons, languages or files; `--format json` has all of them.
const LISTED: usize = 12;
/// Indentation of the further lines of a chain: below its first name.
const CHAIN_INDENT: usize = 8;

/// The text so far, and the screen that it is for.
pub(super) struct Page {
    text: String,
    screen: Screen,
    has_ranks: bool,
}

/// The answer of one analysis, for a person. `unparsed`: the files with source that does not parse.
pub(super) fn of_answer(
    kind: Kind,
    envelope: &Value,
    sorted_by: Option<&str>,
    unparsed: &[String],
    screen: Screen,
) -> String {
    let data = &envelope["data"];
    let mut page = Page::new(screen);
    match kind {
        Kind::Complexity => {
            let more = columns::SORTED_BY.iter();
            let more = more.filter(|(name, _)| sorted_by == Some(name));
            let functions = more.map(|(_, column)| *column).chain(FUNCTIONS);
            page.section("Functions", functions, &data["functions"]);
            page.section("Files", FILES, &data["files"]);
            page.languages(data);
        }
        Kind::Dependencies => {
            page.section("Nodes", columns::NODES, &data["nodes"]);
            page.section("External", columns::EXTERNAL, &data["external"]);
            page.section("Unresolved", columns::UNRESOLVED, &data["unresolved"]);
            page.cycles(data, usize::MAX);
        }
        Kind::Structure => {
            page.section("Symbols", columns::SYMBOLS, &data["symbols"]);
            page.section("Imports", columns::IMPORTS, &data["imports"]);
        }
    }
    page.footer(envelope, unparsed);
    page.end()
}

impl Page {
    pub(super) fn new(screen: Screen) -> Self {
        Self {
            text: String::new(),
            screen,
            has_ranks: false,
        }
    }

    pub(super) fn end(self) -> String {
        self.text
    }

    /// A table with a title; nothing if there are no rows.
    pub(super) fn section(
        &mut self,
        title: &str,
        columns: impl IntoIterator<Item = Column>,
        rows: &Value,
    ) {
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        self.rows(title, columns, rows);
    }

    fn rows(&mut self, title: &str, columns: impl IntoIterator<Item = Column>, rows: &[Value]) {
        if rows.is_empty() {
            return;
        }
        let grid = Grid::of(columns, rows);
        self.has_ranks |= grid.has_ranks();
        self.title(title);
        self.text.push_str(&grid.lines(self.screen));
        self.text.push('\n');
    }

    /// The languages, and their sum if there are several.
    pub(super) fn languages(&mut self, data: &Value) {
        let mut rows = data["languages"].as_array().cloned().unwrap_or_default();
        if let (2.., Some(totals)) = (rows.len(), data["totals"].as_object()) {
            let mut totals = totals.clone();
            totals.insert("language".to_owned(), json!("total"));
            rows.push(totals.into());
        }
        self.rows("Languages", LANGUAGES, &rows);
    }

    /// Cycles as chains, the largest first: each name imports the next, and the last is the first again. At most
    /// `named` names of a cycle are shown.
    pub(super) fn cycles(&mut self, graph: &Value, named: usize) {
        let cycles = graph["cycles"].as_array().map(Vec::as_slice);
        let cycles = cycles.unwrap_or_default();
        if cycles.is_empty() {
            return;
        }
        self.title("Cycles");
        self.text.push_str("  size  cycle\n");
        let room = self.screen.width.unwrap_or(usize::MAX) - CHAIN_INDENT;
        for cycle in cycles {
            let size = cycle["size"].as_u64().unwrap_or(0);
            let path = cycle["path"].as_array().into_iter().flatten();
            let mut names: Vec<_> = path.map(|name| grid::shown(Some(name))).collect();
            let last = names.pop().unwrap_or_default();
            if names.len() > named {
                names.truncate(named);
                names.push("…".to_owned());
            }
            names.push(last);
            let more = match cycle["more"].as_u64() {
                None | Some(0) => String::new(),
                Some(more) => format!(" and {more} more in this cycle"),
            };
            // A name may contain spaces, and is not broken.
            let names: Vec<_> = names
                .iter()
                .map(|name| name.replace(' ', "\u{a0}"))
                .collect();
            let chain = names.join(" →\u{a0}") + &more;
            for (at, line) in fit::wrapped(&chain, room).into_iter().enumerate() {
                let size = if at == 0 {
                    size.to_string()
                } else {
                    String::new()
                };
                let line = line.replace('\u{a0}', " ");
                self.line(&format!("{size:>6}  {line}"));
            }
        }
        self.text.push('\n');
    }

    /// The files analysed and left out, and whether there are more rows.
    pub(super) fn footer(&mut self, envelope: &Value, unparsed: &[String]) {
        if self.has_ranks {
            self.say(rank::LEGEND);
        }
        if let Some(message) = envelope["status"]["message"].as_str() {
            self.say(&printable(message));
        }
        let page = &envelope["page"];
        if page["truncated"] == true {
            self.say(&format!(
                "{} of {} rows shown; --limit 0 shows all.",
                page["returned"], page["total"]
            ));
        }
        self.coverage(&envelope["coverage"], unparsed);
    }

    fn coverage(&mut self, coverage: &Value, unparsed: &[String]) {
        if coverage.is_null() {
            return;
        }
        let seen = &coverage["files_seen"];
        let files = if *seen == 1 { "file" } else { "files" };
        let mut said = format!(
            "{seen} {files} seen, {} analysed",
            coverage["files_analyzed"]
        );
        for (title, key) in [("skipped", "skipped"), ("languages", "languages")] {
            let counts = counts(&coverage[key]);
            if !counts.is_empty() {
                said = format!("{said}; {title}: {counts}");
            }
        }
        self.say(&format!("{said}."));
        let broken = super::run::parse_errors(coverage);
        if broken == 0 {
            return;
        }
        let mut named: Vec<_> = unparsed
            .iter()
            .take(LISTED)
            .map(|name| printable(name))
            .collect();
        if unparsed.len() > named.len() {
            named.push(format!("and {} more", unparsed.len() - named.len()));
        }
        let named = match named.is_empty() {
            true => String::new(),
            false => format!(": {}", named.join(", ")),
        };
        let (files, their) = match broken {
            1 => ("1 file has source that does not parse", "its"),
            _ => (
                &*format!("{broken} files have source that does not parse"),
                "their",
            ),
        };
        self.say(&format!(
            "{files}, and {their} numbers leave it out{named}."
        ));
    }

    pub(super) fn title(&mut self, title: &str) {
        for line in fit::wrapped(title, self.screen.width.unwrap_or(usize::MAX)) {
            let line = grid::title(&line, self.screen);
            self.line(&line);
        }
    }

    /// A sentence, broken into lines.
    pub(super) fn say(&mut self, sentence: &str) {
        self.indented(0, sentence);
    }

    pub(super) fn indented(&mut self, indent: usize, sentence: &str) {
        let room = self.screen.width.unwrap_or(usize::MAX) - indent;
        for line in fit::wrapped(sentence, room) {
            let line = line.replace('\u{a0}', " ");
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// `name 3, other 1`, the largest first.
fn counts(object: &Value) -> String {
    let mut counts: Vec<_> = object
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, count)| Some((count.as_u64()?, name)))
        .filter(|(count, _)| *count > 0)
        .collect();
    counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let shown: Vec<_> = counts
        .iter()
        .take(LISTED)
        .map(|(count, name)| format!("{} {count}", printable(name)))
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests;
