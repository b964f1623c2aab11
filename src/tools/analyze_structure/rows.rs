//! Rows of symbols, imports and exports, as JSON and as lines of text.

use serde_json::{Value, json};

use super::super::analyzed::{Analyzed, AnalyzedFile};
use super::super::names;
use super::super::rows::{Rows as Kept, Symbol, SymbolsOf};
use super::super::text::one_line;
use super::super::whole::ROWS_PER_CHECK;
use super::Filter;
use super::items::Outline;
use crate::analysis::{Export, Import, Visibility};
use crate::answer::lean::Shape;
use crate::answer::page::{Row, clip};

/// Bytes of one symbol's documentation in a bounded answer; the stored result has all of it.
const DOC_SHOWN: usize = 300;
/// Bytes of a signature in a bounded answer.
const SIGNATURE_SHOWN: usize = 300;
/// Imports and exports named in the text.
const NAMED: usize = 8;
/// Bytes of a signature in a lean answer: enough for nearly all.
const LEAN_SIGNATURE: usize = 100;
/// Imports and exports of one file in a bounded answer; `totals` counts all.
const LISTED: usize = 50;

/// Builds the rows of one answer.
pub(super) struct Rows<'a> {
    pub(super) analyzed: &'a Analyzed,
    pub(super) outline: &'a Outline,
    pub(super) filter: &'a Filter,
    pub(super) shape: Shape,
    pub(super) bounded: bool,
}

impl Rows<'_> {
    pub(super) fn row(&self, at: usize, starts_file: bool) -> Row {
        let item = self.outline.items[at];
        let file = &self.analyzed.files[item.file];
        let mut value = symbol(file, item.symbol, self.bounded);
        if self.shape.is_lean() {
            shorten(&mut value, &file.analysis.symbols[item.symbol].name);
        }
        let line = line(file, item.symbol, &value, self.shape.is_lean());
        let mut row = Row::new("symbols", self.shape.part("symbols", value), &line);
        let listed = self.outline.listed_with.get(&at);
        let listed = listed.map(Vec::as_slice).unwrap_or_default();
        for &file in listed {
            for (key, value) in ins_and_outs(&self.analyzed.files[file], self.filter, self.bounded)
            {
                row.add(key, self.shape.part(key, value));
            }
        }
        // In reverse, because each line is added above the others.
        for &file in listed.iter().rev() {
            let file = &self.analyzed.files[file];
            row = row.under(&format!(
                "{}{}",
                file.path,
                ins_and_outs_line(file, self.filter)
            ));
        }
        if listed.is_empty() && starts_file {
            row = row.under(&file.path);
        }
        row
    }
}

/// The requested imports and exports of a file, as parts of `data`.
pub(super) fn ins_and_outs(
    file: &AnalyzedFile,
    filter: &Filter,
    bounded: bool,
) -> impl Iterator<Item = (&'static str, Value)> {
    let listed = |asked: bool| match (asked, bounded) {
        (false, _) => 0,
        (true, true) => LISTED,
        (true, false) => usize::MAX,
    };
    let imports = file.analysis.imports.iter().take(listed(filter.imports));
    let exports = file.analysis.exports.iter().take(listed(filter.exports));
    let imports = imports.map(|import| ("imports", self::import(&file.path, import)));
    imports.chain(exports.map(|export| ("exports", self::export(&file.path, export))))
}

/// Drops a signature that only repeats kind and name, and clips a long one.
fn shorten(symbol: &mut Value, name: &str) {
    let Value::String(signature) = &mut symbol["signature"] else {
        return;
    };
    if says_more(signature, name) {
        clip(signature, LEAN_SIGNATURE);
    } else {
        signature.clear();
    }
}

/// Whether a signature has more than its name, declaring keywords, and empty brackets.
fn says_more(signature: &str, name: &str) -> bool {
    const DECLARING: [&str; 24] = [
        "class",
        "const",
        "def",
        "enum",
        "export",
        "fn",
        "fun",
        "func",
        "function",
        "impl",
        "interface",
        "let",
        "mod",
        "module",
        "namespace",
        "package",
        "pub",
        "public",
        "static",
        "struct",
        "trait",
        "type",
        "union",
        "var",
    ];
    let rest = signature.replacen(name, "", 1);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = rest.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    words.any(|word| !DECLARING.contains(&word) && word != "self" && word != "this")
}

pub(super) fn symbol(file: &AnalyzedFile, at: usize, bounded: bool) -> Value {
    let symbols = &file.analysis.symbols;
    let facts = &symbols[at];
    let parent = facts.parent.and_then(|parent| symbols.get(parent as usize));
    let mut signature = facts.signature.clone();
    let mut doc = facts.doc.clone();
    if bounded {
        clip(&mut signature, SIGNATURE_SHOWN);
        if let Some(doc) = &mut doc {
            clip(doc, DOC_SHOWN);
        }
    }
    json!({
        "path": file.path,
        "name": facts.name,
        "qualified_name": facts.qualified_name,
        "kind": names::symbol_kind(facts.kind),
        "signature": signature,
        "visibility": names::visibility(facts.visibility),
        "start_line": facts.start_line,
        "end_line": facts.end_line,
        "doc": doc,
        "parent": parent.map(|parent| &parent.qualified_name),
    })
}

/// Every symbol in the compact form. `None`: told to stop.
pub(super) fn compact(analyzed: &Analyzed, stop: &dyn Fn() -> bool) -> Option<Kept> {
    let mut rows = SymbolsOf::default();
    let mut seen = 0_usize;
    for AnalyzedFile { path, analysis } in &analyzed.files {
        for symbol in &analysis.symbols {
            if seen.is_multiple_of(ROWS_PER_CHECK) && stop() {
                return None;
            }
            seen += 1;
            rows.push(&Symbol {
                path,
                qualified_name: &symbol.qualified_name,
                kind: names::symbol_kind(symbol.kind),
                signature: &symbol.signature,
                visibility: names::visibility(symbol.visibility),
                start_line: symbol.start_line,
                end_line: symbol.end_line,
            });
        }
    }
    Some(Kept::Symbols(rows.finish()))
}

pub(super) fn import(path: &str, import: &Import) -> Value {
    json!({
        "path": path,
        "line": import.line,
        "kind": names::import_kind(import.kind),
        "specifier": import.specifier,
        "names": import.names,
        "type_only": import.type_only,
        "conditional": import.conditional,
    })
}

pub(super) fn export(path: &str, export: &Export) -> Value {
    json!({
        "path": path,
        "line": export.line,
        "name": export.name,
        "from": export.from,
    })
}

/// `shown`: the row. The line has only fields of the row.
fn line(file: &AnalyzedFile, at: usize, shown: &Value, lean: bool) -> String {
    let symbols = &file.analysis.symbols;
    let facts = &symbols[at];
    let mut depth = 1;
    let mut parent = facts.parent;
    while let Some(outer) = parent.and_then(|parent| symbols.get(parent as usize)) {
        depth += 1;
        parent = outer.parent;
    }
    // Deeper indentation is unreadable.
    let indent = "  ".repeat(depth.min(8));
    let signature = one_line(shown["signature"].as_str().unwrap_or_default());
    let mut line = format!("{indent}{}-{} ", facts.start_line, facts.end_line);
    if !lean || facts.visibility != Visibility::Public {
        line.push_str(names::visibility(facts.visibility));
        line.push(' ');
    }
    line.push_str(names::symbol_kind(facts.kind));
    line.push(' ');
    line.push_str(&signature);
    if signature.is_empty() {
        line.push_str(&one_line(&facts.name));
    }
    let first = facts
        .doc
        .iter()
        .filter(|_| !lean)
        .flat_map(|doc| doc.lines())
        .find(|line| !line.trim().is_empty());
    if let Some(doc) = first {
        let mut doc = one_line(doc);
        clip(&mut doc, 100);
        line.push_str(&format!("  // {doc}"));
    }
    line
}

/// The names of imports and exports; their rows are in the structured part.
fn ins_and_outs_line(file: &AnalyzedFile, filter: &Filter) -> String {
    let imports = (file.analysis.imports.iter()).map(|import| import.specifier.as_str());
    let exports = file
        .analysis
        .exports
        .iter()
        .map(|export| export.name.as_str());
    let mut said = Vec::new();
    if filter.imports {
        said.push(format!("imports {}", some(imports)));
    }
    if filter.exports {
        said.push(format!("exports {}", some(exports)));
    }
    format!(" ({})", one_line(&said.join("; ")))
}

/// The first few names, without duplicates.
fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    match names.len() {
        0 => "nothing".to_owned(),
        1..=NAMED => names.join(", "),
        _ => format!("{}, …", names[..NAMED].join(", ")),
    }
}
