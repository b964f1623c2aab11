//! Imports and exports as written. [`super::graph`] resolves them.
//!
//! One `Rules` per language, called only at the node kinds that it lists; every other node costs one look-up.

use tree_sitter::Node;

use super::kinds::Kinds;
use super::syntax::{Visit, Watch};
use super::{Export, Import, ImportKind, Language};

mod c;
mod go;
mod java;
mod javascript;
mod python;
mod rust;
mod rust_lexer;
mod rust_tokens;

/// Marks, in `names`, a C include whose file a macro names. The files that this file defines the macro as follow it,
/// if there are several.
pub(super) const MACRO: &str = "<macro>";
/// Marks a Java `import module` in `names`.
pub(super) const MODULE: &str = "<module>";
/// Marks a C `#include_next` in `names`.
pub(super) const NEXT: &str = "<next>";

pub(super) struct Found {
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<Export>,
    pub(super) package: Option<String>,
}

/// The rules of one language for the kinds it lists. `row` is the row of its list.
trait Rules {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize);
    fn leave(&mut self, _cx: &mut Context<'_>, _visit: &Visit<'_>, _row: usize) {}
    /// Called after the last node.
    fn finish(&mut self, _cx: &mut Context<'_>) {}
}

/// Lives as long as one traversal.
pub(super) struct Watcher<'s> {
    kinds: &'static Kinds,
    cx: Context<'s>,
    rules: Box<dyn Rules>,
}

/// The output of the rules of every language.
struct Context<'s> {
    text: &'s str,
    found: Found,
    /// Depth of the outermost function or condition around the current node.
    conditional_at: Option<u32>,
}

impl<'s> Watcher<'s> {
    pub(super) fn new(language: Language, text: &'s str) -> Self {
        let (kinds, rules): (_, Box<dyn Rules>) = match language {
            Language::C => (c::kinds(), Box::new(c::C::default())),
            Language::Go => (go::kinds(), Box::new(go::Go::default())),
            Language::Java => (java::kinds(), Box::new(java::Java::default())),
            Language::Python => (python::kinds(), Box::new(python::Python::default())),
            Language::Rust => (rust::kinds(), Box::new(rust::Rust::default())),
            Language::JavaScript | Language::TypeScript | Language::Tsx => (
                javascript::kinds(language),
                Box::new(javascript::JavaScript::default()),
            ),
        };
        Self {
            kinds,
            rules,
            cx: Context {
                text,
                found: Found {
                    imports: vec![],
                    exports: vec![],
                    package: None,
                },
                conditional_at: None,
            },
        }
    }

    pub(super) fn finish(mut self) -> Found {
        self.rules.finish(&mut self.cx);
        self.cx.found
    }
}

impl<'t> Watch<'t> for Watcher<'_> {
    #[inline]
    fn enter(&mut self, visit: &Visit<'t>) {
        if let Some(row) = self.kinds.row(visit.kind) {
            self.rules.enter(&mut self.cx, visit, row);
        }
    }

    #[inline]
    fn leave(&mut self, visit: &Visit<'t>) {
        if let Some(row) = self.kinds.row(visit.kind) {
            self.rules.leave(&mut self.cx, visit, row);
            if self.cx.conditional_at == Some(visit.depth) {
                self.cx.conditional_at = None;
            }
        }
    }
}

// === impl Context ===

impl<'s> Context<'s> {
    fn text(&self, node: &Node<'_>) -> &'s str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Marks that the code below this node may never run.
    fn conditional(&mut self, visit: &Visit<'_>) {
        self.conditional_at.get_or_insert(visit.depth);
    }

    fn import(&self, kind: ImportKind, specifier: impl Into<String>, line: u32) -> Import {
        Import {
            kind,
            specifier: specifier.into(),
            names: vec![],
            line,
            type_only: false,
            conditional: self.conditional_at.is_some(),
            scope: String::new(),
            used: vec![],
        }
    }

    fn add(&mut self, import: Import) {
        self.found.imports.push(import);
    }

    fn export(&mut self, name: impl Into<String>, line: u32, from: Option<&str>) {
        self.found.exports.push(Export {
            name: name.into(),
            line,
            from: from.map(str::to_owned),
        });
    }
}

/// The line of its first byte, from 1.
fn line(node: &Node<'_>) -> u32 {
    u32::try_from(node.start_position().row)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

/// The text without its quotes.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix(['"', '\'', '`', '<']).unwrap_or(text);
    inner.strip_suffix(['"', '\'', '`', '>']).unwrap_or(inner)
}

/// Named children in order, without an allocation for each.
fn children<'t>(node: &Node<'t>) -> impl Iterator<Item = Node<'t>> {
    let mut cursor = node.walk();
    let mut more = cursor.goto_first_child();
    std::iter::from_fn(move || {
        while more {
            let child = cursor.node();
            more = cursor.goto_next_sibling();
            if child.is_named() {
                return Some(child);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests;
