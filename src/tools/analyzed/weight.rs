//! The size of an analysis in the cache, in bytes: structs and their strings.

use std::mem::size_of;

use crate::analysis::{Export, FileAnalysis, Function, Import, Symbol};

pub(crate) fn of(analysis: &FileAnalysis) -> usize {
    let functions: usize = analysis.functions.iter().map(function).sum();
    let symbols: usize = analysis.symbols.iter().map(symbol).sum();
    let imports: usize = analysis.imports.iter().map(import).sum();
    let exports: usize = analysis.exports.iter().map(export).sum();
    size_of::<FileAnalysis>()
        + functions
        + symbols
        + imports
        + exports
        + analysis.package.as_ref().map_or(0, String::capacity)
        + analysis.syntax.first_lines.capacity() * size_of::<u32>()
        + analysis.syntax.stretches.capacity() * size_of::<(u32, u32)>()
}

fn function(function: &Function) -> usize {
    size_of::<Function>() + function.name.capacity() + function.qualified_name.capacity()
}

fn symbol(symbol: &Symbol) -> usize {
    size_of::<Symbol>()
        + symbol.name.capacity()
        + symbol.qualified_name.capacity()
        + symbol.signature.capacity()
        + symbol.doc.as_ref().map_or(0, String::capacity)
}

fn import(import: &Import) -> usize {
    let names: usize = (import.names.iter())
        .map(|name| size_of::<String>() + name.capacity())
        .sum();
    size_of::<Import>() + import.specifier.capacity() + names
}

fn export(export: &Export) -> usize {
    size_of::<Export>() + export.name.capacity() + export.from.as_ref().map_or(0, String::capacity)
}
