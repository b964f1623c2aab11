//! Rows of functions, files and languages, as JSON and as lines of text.

use serde_json::{Map, Value, json};

use super::super::analyzed::AnalyzedFile;
use super::super::names;
use super::super::rows::{Function as KeptFunction, FunctionsOf, Rows};
use super::super::text::{counted, figure, one_line, rounded};
use super::super::whole::ROWS_PER_CHECK;
use super::View;
use super::scores::Tally;
use crate::analysis::metrics::{self, Scores};
use crate::analysis::{FileAnalysis, Function, Halstead, Lines};
use crate::answer::page::Row;

/// The figures of a line of text: heading, and place in a row. The first few are in a lean row.
const OF_FUNCTION: [(&str, &str); 5] = [
    ("cyclomatic", "own.cyclomatic"),
    ("cognitive", "own.cognitive"),
    ("nesting", "max_nesting"),
    ("sloc", "sloc"),
    ("mi", "maintainability_index"),
];
const LEAN_OF_FUNCTION: usize = 2;
const OF_FILE: [(&str, &str); 7] = [
    ("cyclomatic (sum)", "cyclomatic"),
    ("max", "cyclomatic_max"),
    ("cognitive (sum)", "cognitive"),
    ("max", "cognitive_max"),
    ("sloc", "sloc"),
    ("functions", "functions"),
    ("mi", "maintainability_index"),
];
const LEAN_OF_FILE: usize = 6;

/// The reason of a null figure.
const NO_TOKENS: &str = "no operators or operands to measure";

/// The column headings of a function's line.
pub(super) fn function_columns(view: &View<'_>) -> String {
    format!("{}  where  function", headings(&of_function(view)))
}

pub(super) fn file_columns(view: &View<'_>) -> String {
    format!("{}  file", headings(&of_file(view)))
}

fn headings(columns: &[(&str, &str)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(" ")
}

fn of_function(view: &View<'_>) -> Vec<(&'static str, &'static str)> {
    let sorted = view.sort_by.of_functions();
    columns(view, &OF_FUNCTION, LEAN_OF_FUNCTION, sorted)
}

fn of_file(view: &View<'_>) -> Vec<(&'static str, &'static str)> {
    columns(view, &OF_FILE, LEAN_OF_FILE, view.sort_by.of_files())
}

/// The figures that the row has, and the sort key.
fn columns(
    view: &View<'_>,
    all: &[(&'static str, &'static str)],
    lean: usize,
    sorted: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let shown = if view.shape.is_lean() {
        lean
    } else {
        all.len()
    };
    let mut columns = all[..shown].to_vec();
    if columns.iter().all(|(_, at)| *at != sorted) {
        columns.push((view.sort_by.name(), sorted));
    }
    columns
}

/// The figures of a row, as in the structured part.
fn figures(row: &Value, columns: &[(&str, &str)]) -> String {
    let of = |at: &str| at.split('.').fold(row, |value, name| &value[name]);
    let figures: Vec<String> = columns.iter().map(|(_, at)| figure(of(at))).collect();
    figures.join(" ")
}

pub(super) fn function(view: &View<'_>, file: usize, function: usize) -> Row {
    let path = &view.analyzed.files[file].path;
    let facts = &view.analyzed.files[file].analysis.functions[function];
    let own = &view.scores[file].own[function];
    let total = &view.scores[file].total[function];
    let value = Value::Object(function_value(view, file, function));
    let mut line = format!(
        "{}  {path}:{}-{}  {}",
        figures(&value, &of_function(view)),
        facts.start_line,
        facts.end_line,
        one_line(&facts.qualified_name),
    );
    let nested = total.cyclomatic != own.cyclomatic || total.cognitive != own.cognitive;
    if nested && !view.shape.is_lean() {
        line.push_str(&format!(
            " (with nested functions: {} {})",
            total.cyclomatic, total.cognitive
        ));
    }
    Row::new("functions", view.shape.part("functions", value), &line)
}

/// The row in the stored result, with the fields that a comparison matches by.
pub(super) fn kept_function(view: &View<'_>, file: usize, function: usize) -> Value {
    let facts = &view.analyzed.files[file].analysis.functions[function];
    let mut value = function_value(view, file, function);
    let hex = |word: u64| json!(format!("{word:016x}"));
    value.insert("body_digest".into(), hex(facts.body_digest));
    value.insert("body_sketch".into(), hex(facts.body_sketch));
    Value::Object(value)
}

/// All of them in the compact form. `None`: told to stop.
pub(super) fn compact(view: &View<'_>, stop: &dyn Fn() -> bool) -> Option<Rows> {
    let mut rows = FunctionsOf::default();
    for (at, (file, function)) in view.all_functions().enumerate() {
        if at % ROWS_PER_CHECK == 0 && stop() {
            return None;
        }
        let own = &view.scores[file].own[function];
        let AnalyzedFile { path, analysis } = &view.analyzed.files[file];
        let facts = &analysis.functions[function];
        rows.push(&KeptFunction {
            path,
            name: &facts.name,
            qualified_name: &facts.qualified_name,
            kind: names::function_kind(facts.kind),
            start_line: facts.start_line,
            end_line: facts.end_line,
            sloc: facts.lines.sloc,
            cyclomatic: own.cyclomatic,
            cognitive: own.cognitive,
            max_nesting: facts.max_nesting,
            parameters: facts.parameters,
            maintainability_index: function_index(view, file, function),
            body_digest: Some(facts.body_digest),
            body_sketch: Some(facts.body_sketch),
        });
    }
    Some(Rows::Functions(rows.finish()))
}

pub(super) fn file(view: &View<'_>, file: usize) -> Value {
    let scores = &view.scores[file];
    let path = &view.analyzed.files[file].path;
    let analysis = &view.analyzed.files[file].analysis;
    let index = file_index(view, file);
    let mut row = Map::new();
    row.insert("path".into(), json!(path));
    row.insert("language".into(), json!(analysis.language.name()));
    row.insert("functions".into(), json!(scores.listed().count()));
    row.insert("cyclomatic".into(), json!(scores.cyclomatic_sum()));
    row.insert("cyclomatic_max".into(), json!(scores.cyclomatic_max()));
    row.insert("cognitive".into(), json!(scores.cognitive_sum(analysis)));
    row.insert("cognitive_max".into(), json!(scores.cognitive_max()));
    row.insert("max_nesting".into(), json!(max_nesting(analysis)));
    row.insert("max_parameters".into(), json!(max_parameters(analysis)));
    lines_into(&mut row, &analysis.lines);
    row.insert("halstead".into(), halstead(&analysis.halstead));
    row.insert("maintainability_index".into(), rounded(index));
    row.insert("mi_sei".into(), rounded(file_index_sei(view, file)));
    row.insert(
        "parse_errors".into(),
        json!(analysis.syntax.errors + analysis.syntax.missing),
    );
    say_nulls(&mut row);
    Value::Object(row)
}

pub(super) fn file_row(view: &View<'_>, file: usize) -> Row {
    let value = self::file(view, file);
    let line = format!(
        "{}  {}",
        figures(&value, &of_file(view)),
        view.analyzed.files[file].path,
    );
    Row::new("files", view.shape.part("files", value), &line)
}

pub(super) fn language_line(language: &str, tally: &Tally) -> String {
    format!(
        "  {language}: {}, {}, {} lines of code, cyclomatic mean {} max {}\n",
        counted(tally.files, "file"),
        counted(tally.functions, "function"),
        tally.lines.ploc,
        figure(&rounded(tally.cyclomatic_mean())),
        tally.cyclomatic_max,
    )
}

pub(super) fn max_nesting(analysis: &FileAnalysis) -> u32 {
    let nestings = analysis.functions.iter().map(|f| f.max_nesting);
    nestings.max().unwrap_or(0)
}

pub(super) fn max_parameters(analysis: &FileAnalysis) -> u32 {
    let parameters = analysis.functions.iter().map(|f| f.parameters);
    parameters.max().unwrap_or(0)
}

/// The maintainability index from the figures of the row.
pub(super) fn function_index(view: &View<'_>, file: usize, function: usize) -> Option<f64> {
    let facts = &view.analyzed.files[file].analysis.functions[function];
    let cyclomatic = view.scores[file].own[function].cyclomatic;
    metrics::maintainability_index(&facts.halstead, cyclomatic, facts.lines.sloc)
}

/// The index of a whole file: from its Halstead volume, the sum of its functions' complexity, and its lines.
pub(super) fn file_index(view: &View<'_>, file: usize) -> Option<f64> {
    let analysis = &view.analyzed.files[file].analysis;
    let cyclomatic = file_cyclomatic(view, file);
    metrics::maintainability_index(&analysis.halstead, cyclomatic, analysis.lines.sloc)
}

fn file_index_sei(view: &View<'_>, file: usize) -> Option<f64> {
    let analysis = &view.analyzed.files[file].analysis;
    metrics::maintainability_index_sei(
        &analysis.halstead,
        file_cyclomatic(view, file),
        analysis.lines.sloc,
        analysis.lines.cloc,
    )
}

/// A file without functions still has one path through it.
fn file_cyclomatic(view: &View<'_>, file: usize) -> u32 {
    let sum = view.scores[file].cyclomatic_sum();
    u32::try_from(sum).unwrap_or(u32::MAX).max(1)
}

fn function_value(view: &View<'_>, file: usize, function: usize) -> Map<String, Value> {
    let scores = &view.scores[file];
    let path = &view.analyzed.files[file].path;
    let facts: &Function = &view.analyzed.files[file].analysis.functions[function];
    let own = &scores.own[function];
    let sei = metrics::maintainability_index_sei(
        &facts.halstead,
        own.cyclomatic,
        facts.lines.sloc,
        facts.lines.cloc,
    );
    let mut row = Map::new();
    row.insert("path".into(), json!(path));
    row.insert("name".into(), json!(facts.name));
    row.insert("qualified_name".into(), json!(facts.qualified_name));
    row.insert("kind".into(), json!(names::function_kind(facts.kind)));
    row.insert("start_line".into(), json!(facts.start_line));
    row.insert("end_line".into(), json!(facts.end_line));
    row.insert("own".into(), scored(own, facts.cognitive_recursion));
    row.insert(
        "total".into(),
        scored(&scores.total[function], scores.total_recursion[function]),
    );
    row.insert("halstead".into(), halstead(&facts.halstead));
    row.insert(
        "maintainability_index".into(),
        rounded(function_index(view, file, function)),
    );
    row.insert("mi_sei".into(), rounded(sei));
    lines_into(&mut row, &facts.lines);
    row.insert("max_nesting".into(), json!(facts.max_nesting));
    row.insert("parameters".into(), json!(facts.parameters));
    row.insert("has_receiver".into(), json!(facts.has_receiver));
    row.insert("exits".into(), json!(facts.exits));
    if facts.recovered {
        row.insert("recovered".into(), json!(true));
    }
    say_nulls(&mut row);
    row
}

fn scored(scores: &Scores, recursion: u32) -> Value {
    json!({
        "cyclomatic": scores.cyclomatic,
        "cyclomatic_modified": scores.cyclomatic_modified,
        "cognitive": scores.cognitive,
        "cognitive_recursion": recursion,
    })
}

fn lines_into(row: &mut Map<String, Value>, lines: &Lines) {
    row.insert("sloc".into(), json!(lines.sloc));
    row.insert("ploc".into(), json!(lines.ploc));
    row.insert("cloc".into(), json!(lines.cloc));
    row.insert("blank".into(), json!(lines.blank));
    row.insert("lloc".into(), json!(lines.lloc));
}

fn halstead(halstead: &Halstead) -> Value {
    json!({
        "n1": halstead.n1,
        "n2": halstead.n2,
        "N1": halstead.big_n1,
        "N2": halstead.big_n2,
        "volume": rounded(halstead.volume()),
        "difficulty": rounded(halstead.difficulty()),
        "effort": rounded(halstead.effort()),
        "time": rounded(halstead.time()),
        "bugs": rounded(halstead.bugs()),
    })
}

/// Adds the reasons of null figures.
fn say_nulls(row: &mut Map<String, Value>) {
    let mut missing = Map::new();
    for (name, value) in row.iter() {
        if value.is_null() {
            missing.insert(name.clone(), json!(NO_TOKENS));
        }
        for (inner, value) in value.as_object().into_iter().flatten() {
            if value.is_null() {
                missing.insert(format!("{name}.{inner}"), json!(NO_TOKENS));
            }
        }
    }
    if !missing.is_empty() {
        row.insert("not_computed".into(), Value::Object(missing));
    }
}
