//! Answers as tables: as wide as the terminal, or as wide as they need to be where the output is no terminal.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use super::arguments::Kind;
use super::printable;

/// Entries that are listed of what was skipped, or of languages, before the rest is left to `--format json`.
const LISTED: usize = 12;

/// One column: its title, and where its value stands in a row.
pub(super) struct Column {
    title: &'static str,
    pointer: &'static str,
}

pub(super) const fn column(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer }
}

pub(super) const FUNCTIONS: [Column; 10] = [
    column("cyclomatic", "/own/cyclomatic"),
    column("cognitive", "/own/cognitive"),
    column("nesting", "/max_nesting"),
    column("params", "/parameters"),
    column("sloc", "/sloc"),
    column("MI", "/maintainability_index"),
    column("function", "/qualified_name"),
    column("path", "/path"),
    column("line", "/start_line"),
    column("to", "/end_line"),
];
pub(super) const FILES: [Column; 7] = [
    column("sloc", "/sloc"),
    column("functions", "/functions"),
    column("cyclomatic", "/cyclomatic"),
    column("cognitive", "/cognitive"),
    column("MI", "/maintainability_index"),
    column("language", "/language"),
    column("path", "/path"),
];
pub(super) const LANGUAGES: [Column; 6] = [
    column("language", "/language"),
    column("files", "/files"),
    column("functions", "/functions"),
    column("sloc", "/sloc"),
    column("cyclomatic", "/cyclomatic"),
    column("cognitive", "/cognitive"),
];
const NODES: [Column; 6] = [
    column("fan-in", "/fan_in"),
    column("fan-out", "/fan_out"),
    column("instability", "/instability"),
    column("language", "/language"),
    column("external", "/external"),
    column("node", "/id"),
];
const EXTERNAL: [Column; 2] = [
    column("external", "/name"),
    column("importers", "/importers"),
];
const UNRESOLVED: [Column; 4] = [
    column("path", "/path"),
    column("line", "/line"),
    column("unresolved", "/specifier"),
    column("reason", "/reason"),
];
const SYMBOLS: [Column; 6] = [
    column("kind", "/kind"),
    column("visibility", "/visibility"),
    column("symbol", "/qualified_name"),
    column("signature", "/signature"),
    column("path", "/path"),
    column("line", "/start_line"),
];
const IMPORTS: [Column; 3] = [
    column("path", "/path"),
    column("line", "/line"),
    column("import", "/specifier"),
];

/// The answer of one analysis, for a person.
pub(super) fn of_answer(kind: Kind, envelope: &Value) -> String {
    let data = &envelope["data"];
    let mut text = String::new();
    match kind {
        Kind::Complexity => {
            section(&mut text, "Functions", &FUNCTIONS, &data["functions"]);
            section(&mut text, "Files", &FILES, &data["files"]);
            section(&mut text, "Languages", &LANGUAGES, &data["languages"]);
        }
        Kind::Dependencies => {
            section(&mut text, "Nodes", &NODES, &data["nodes"]);
            section(&mut text, "External", &EXTERNAL, &data["external"]);
            section(&mut text, "Unresolved", &UNRESOLVED, &data["unresolved"]);
            cycles(&mut text, data, usize::MAX);
        }
        Kind::Structure => {
            section(&mut text, "Symbols", &SYMBOLS, &data["symbols"]);
            section(&mut text, "Imports", &IMPORTS, &data["imports"]);
        }
    }
    footer(&mut text, envelope);
    text
}

/// A titled table; nothing where there are no rows. A column without one value is left out.
pub(super) fn section(text: &mut String, title: &str, columns: &[Column], rows: &Value) {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return;
    }
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| {
            rows.iter().any(|row| {
                row.pointer(column.pointer)
                    .is_some_and(|value| !value.is_null())
            })
        })
        .collect();
    let mut table = empty();
    table.set_header(columns.iter().map(|column| column.title));
    for row in rows {
        table.add_row(
            columns
                .iter()
                .map(|column| cell(row.pointer(column.pointer))),
        );
    }
    for (index, column) in columns.iter().enumerate() {
        let numbers = rows
            .iter()
            .any(|row| row.pointer(column.pointer).is_some_and(Value::is_number));
        if let (true, Some(column)) = (numbers, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    push(text, title, &table);
}

/// Cycles as chains, the largest first. What is listed of a long one may be its beginning: its size is told apart,
/// and no more than `named` of its members are.
pub(super) fn cycles(text: &mut String, graph: &Value, named: usize) {
    let cycles = graph["cycles"].as_array().map(Vec::as_slice);
    let cycles = cycles.unwrap_or_default();
    if cycles.is_empty() {
        return;
    }
    let mut table = empty();
    table.set_header(["size", "cycle"]);
    for (at, cycle) in cycles.iter().enumerate() {
        let names = cycle.as_array().into_iter().flatten();
        let mut names: Vec<_> = names.map(|name| cell(Some(name))).collect();
        let size = graph["cycle_sizes"][at].as_u64();
        let size = size.map_or(names.len(), |size| {
            usize::try_from(size).unwrap_or(usize::MAX)
        });
        names.truncate(named);
        if size > names.len() {
            names.push("…".to_owned());
        }
        table.add_row([size.to_string(), names.join(" → ")]);
    }
    push(text, "Cycles", &table);
}

/// What was looked at, what was left out, and whether there is more.
pub(super) fn footer(text: &mut String, envelope: &Value) {
    if let Some(message) = envelope["status"]["message"].as_str() {
        line(text, &printable(message));
    }
    let page = &envelope["page"];
    if page["truncated"] == true {
        line(
            text,
            &format!(
                "{} of {} rows shown; --limit 0 shows all.",
                page["returned"], page["total"]
            ),
        );
    }
    coverage(text, &envelope["coverage"]);
}

fn coverage(text: &mut String, coverage: &Value) {
    if coverage.is_null() {
        return;
    }
    let mut said = format!(
        "{} files seen, {} analysed",
        coverage["files_seen"], coverage["files_analyzed"]
    );
    for (title, key) in [("skipped", "skipped"), ("languages", "languages")] {
        let counts = counts(&coverage[key]);
        if !counts.is_empty() {
            said = format!("{said}; {title}: {counts}");
        }
    }
    let broken = coverage["parse_errors"].as_u64().unwrap_or(0);
    if broken > 0 {
        said = format!(
            "{said}; {broken} hold source that does not parse (their numbers leave it out)"
        );
    }
    line(text, &format!("{said}."));
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

fn cell(value: Option<&Value>) -> String {
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

fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let terminal = console::Term::stdout();
    if let (true, Some((_, width))) = (terminal.is_term(), terminal.size_checked()) {
        table.set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

fn push(text: &mut String, title: &str, table: &Table) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{title}\n{}\n", table.trim_fmt());
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_the_columns_that_hold_something_and_says_what_it_left_out() {
        let envelope = json!({
            "data": {"functions": [
                {"path": "src/a.rs", "qualified_name": "a::worst", "start_line": 3, "own": {"cyclomatic": 12, "cognitive": 20}, "maintainability_index": 45.678},
                {"path": "b\u{1b}.py", "qualified_name": "B.f", "start_line": 10, "own": {"cyclomatic": 1, "cognitive": 0}, "maintainability_index": null},
            ]},
            "status": {"message": null},
            "page": {"returned": 2, "total": 7, "truncated": true},
            "coverage": {"files_seen": 9, "files_analyzed": 2, "skipped": {"binary": 1, "unsupported": 6}, "parse_errors": 1, "languages": {"rust": 1, "python": 1}},
        });
        expect![[r#"
            Functions
             cyclomatic  cognitive     MI  function  path        line
                     12         20  45.68  a::worst  src/a.rs       3
                      1          0      –  B.f       b\u{1b}.py    10

            2 of 7 rows shown; --limit 0 shows all.
            9 files seen, 2 analysed; skipped: unsupported 6, binary 1; languages: python 1, rust 1; 1 hold source that does not parse (their numbers leave it out).
        "#]].assert_eq(&of_answer(Kind::Complexity, &envelope));
    }

    #[test]
    fn a_cycle_that_was_cut_keeps_its_size() {
        let graph = json!({"cycles": [["a", "b"], ["c", "d"]], "cycle_sizes": [7, 2]});
        let mut text = String::new();
        cycles(&mut text, &graph, 9);
        expect![[r#"
            Cycles
             size  cycle
             7     a → b → …
             2     c → d

        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn an_empty_answer_says_why() {
        let envelope = json!({
            "data": {"functions": []},
            "status": {"message": "no file matches the selection"},
            "page": {"returned": 0, "total": 0, "truncated": false},
            "coverage": null,
        });
        expect![[r#"
            no file matches the selection
        "#]]
        .assert_eq(&of_answer(Kind::Complexity, &envelope));
    }
}
