//! One symbol, import or export: as JSON and as a line.

use serde_json::{Value, json};

use super::super::analyzed::{Analyzed, AnalyzedFile};
use super::super::names;
use super::super::text::{counted, one_line};
use super::items::Outline;
use crate::analysis::{Export, Import};
use crate::answer::page::{Row, clip};

/// Bytes of documentation that a bounded answer gives of one symbol; the whole result has all of it.
const DOC_SHOWN: usize = 300;
/// Bytes of a signature in a bounded answer.
const SIGNATURE_SHOWN: usize = 300;
/// Imports and exports of one file in a bounded answer; `totals` counts all.
const LISTED: usize = 50;

pub(super) fn row(
    analyzed: &Analyzed,
    outline: &Outline,
    at: usize,
    starts_file: bool,
    bounded: bool,
) -> Row {
    let item = outline.items[at];
    let file = &analyzed.files[item.file];
    let mut row = Row::new(
        "symbols",
        symbol(file, item.symbol, bounded),
        &line(file, item.symbol),
    );
    let listed = outline.listed_with.get(&at);
    let listed = listed.map(Vec::as_slice).unwrap_or_default();
    for &file in listed {
        row.parts
            .extend(ins_and_outs(&analyzed.files[file], bounded));
    }
    // From the last on, since each goes above those that are there.
    for &file in listed.iter().rev() {
        let file = &analyzed.files[file];
        row = row.under(&format!("{}{}", file.path, counts(file)));
    }
    if listed.is_empty() && starts_file {
        row = row.under(&file.path);
    }
    row
}

/// The imports and exports of a file, as parts of `data`.
pub(super) fn ins_and_outs(
    file: &AnalyzedFile,
    bounded: bool,
) -> impl Iterator<Item = (&'static str, Value)> {
    let listed = if bounded { LISTED } else { usize::MAX };
    let imports = file.analysis.imports.iter().take(listed);
    let exports = file.analysis.exports.iter().take(listed);
    let imports = imports.map(|import| ("imports", self::import(&file.path, import)));
    imports.chain(exports.map(|export| ("exports", self::export(&file.path, export))))
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

fn line(file: &AnalyzedFile, at: usize) -> String {
    let symbols = &file.analysis.symbols;
    let facts = &symbols[at];
    let mut depth = 1;
    let mut parent = facts.parent;
    while let Some(outer) = parent.and_then(|parent| symbols.get(parent as usize)) {
        depth += 1;
        parent = outer.parent;
    }
    // Indenting further than this shows nothing more.
    let indent = "  ".repeat(depth.min(8));
    let mut signature = one_line(&facts.signature);
    clip(&mut signature, SIGNATURE_SHOWN);
    let mut line = format!(
        "{indent}{}-{} {} {} {signature}",
        facts.start_line,
        facts.end_line,
        names::visibility(facts.visibility),
        names::symbol_kind(facts.kind),
    );
    if signature.is_empty() {
        line.push_str(&facts.name);
    }
    let first = facts
        .doc
        .iter()
        .flat_map(|doc| doc.lines())
        .find(|line| !line.trim().is_empty());
    if let Some(doc) = first {
        let mut doc = one_line(doc);
        clip(&mut doc, 100);
        line.push_str(&format!("  // {doc}"));
    }
    line
}

fn counts(file: &AnalyzedFile) -> String {
    let mut imports: Vec<&str> = (file.analysis.imports.iter())
        .map(|import| import.specifier.as_str())
        .collect();
    imports.dedup();
    let shown = imports
        .iter()
        .take(8)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let exports = counted(file.analysis.exports.len() as u64, "export");
    let imports = match imports.len() {
        0 => "no imports".to_owned(),
        count @ 1..=8 => format!("{}: {shown}", counted(count as u64, "import")),
        count => format!("{count} imports: {shown}, …"),
    };
    format!(" ({}; {exports})", one_line(&imports))
}
