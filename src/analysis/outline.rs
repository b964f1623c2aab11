//! Symbols with kind, signature, lines, documentation and visibility.
//!
//! One `Rules` per language, called only at the node kinds that it lists; every other node costs one look-up. Symbols
//! around an error in the source are found, because each has its own node.

use std::ops::Range;

use tree_sitter::Node;

use super::kinds::Kinds;
use super::language::rules::last_code;
use super::syntax::{Visit, Watch};
use super::{Language, Symbol, SymbolKind, Visibility};

mod c;
mod doc;
mod go;
mod java;
mod javascript;
mod python;
mod rust;
mod signature;

/// Longest qualified name that is kept whole, in bytes; the middle of a longer one is left out. Bounds memory if
/// thousands of declarations nest.
const QUALIFIED_NAME_LIMIT: usize = 512;

pub(super) struct Found {
    pub(super) symbols: Vec<Symbol>,
    /// Which of them are functions, by where their nodes lie.
    pub(super) functions: Vec<(u32, Range<usize>)>,
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
    language: Language,
    symbols: Vec<Symbol>,
    /// Which of them are functions, by where their nodes lie.
    functions: Vec<(u32, Range<usize>)>,
    scopes: Vec<Scope>,
    remarks: doc::Remarks,
}

/// A declaration around the current node that contains others.
struct Scope {
    depth: u32,
    /// `None`: it is not listed.
    symbol: Option<u32>,
    kind: SymbolKind,
    visibility: Visibility,
    /// It is a function, or is inside one.
    is_local: bool,
    /// Its content is not visible to others: the body of a callback.
    is_hidden: bool,
    /// A block that is not a function body.
    is_block: bool,
    /// A class without a name.
    is_anonymous: bool,
    /// The joined prefix of the names inside it.
    prefix: String,
}

/// One declaration, as returned by the rules.
struct Declaration<'t> {
    node: Node<'t>,
    name: String,
    kind: SymbolKind,
    visibility: Visibility,
    /// Where its body starts: the end of the signature.
    body: Option<Node<'t>>,
}

impl<'s> Watcher<'s> {
    pub(super) fn new(language: Language, text: &'s str) -> Self {
        let (kinds, rules): (_, Box<dyn Rules>) = match language {
            Language::C => (c::kinds(), Box::new(c::C::default())),
            Language::Go => (go::kinds(), Box::new(go::Go::default())),
            Language::Java => (java::kinds(), Box::new(java::Java)),
            Language::Python => (python::kinds(), Box::new(python::Python::default())),
            Language::Rust => (rust::kinds(), Box::new(rust::Rust)),
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
                language,
                symbols: vec![],
                functions: vec![],
                scopes: vec![],
                remarks: doc::Remarks::default(),
            },
        }
    }

    pub(super) fn finish(mut self) -> Found {
        self.rules.finish(&mut self.cx);
        Found {
            symbols: self.cx.symbols,
            functions: self.cx.functions,
        }
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
            self.cx.close(visit.depth);
        }
    }
}

// === impl Context ===

impl<'s> Context<'s> {
    fn text(&self, node: &Node<'_>) -> &'s str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn field_text(&self, node: &Node<'_>, field: &str) -> Option<&'s str> {
        node.child_by_field_name(field)
            .map(|child| self.text(&child))
    }

    fn scope(&self) -> Option<&Scope> {
        self.scopes.last()
    }

    fn scope_kind(&self) -> Option<SymbolKind> {
        self.scope().map(|scope| scope.kind)
    }

    fn is_hidden(&self) -> bool {
        self.scope().is_some_and(|scope| scope.is_hidden)
    }

    /// Whether it is inside a function at any depth.
    fn is_local(&self) -> bool {
        self.scope().is_some_and(|scope| scope.is_local)
    }

    /// Adds a symbol below the innermost scope, with the documentation before it.
    fn declare(&mut self, declaration: &Declaration<'_>) -> u32 {
        let doc = self
            .remarks
            .before(self.text, &declaration.node, self.language);
        self.declare_with(declaration, doc)
    }

    fn declare_with(&mut self, declaration: &Declaration<'_>, doc: Option<String>) -> u32 {
        let start = declaration.node.start_byte();
        let end = declaration
            .body
            .map_or(declaration.node.end_byte(), |body| body.start_byte());
        let start = self.line_start(start);
        let signature = signature::fold(self.text.get(start..end).unwrap_or_default());
        let qualified_name = self.qualified(&declaration.name);
        self.symbols.push(Symbol {
            name: declaration.name.clone(),
            qualified_name,
            kind: declaration.kind,
            signature,
            visibility: declaration.visibility,
            start_line: start_line(&declaration.node),
            end_line: end_line(&last_code(self.language, declaration.node)),
            doc,
            parent: self.scope().and_then(|scope| scope.symbol),
        });
        let symbol = index(self.symbols.len() - 1);
        if is_callable(declaration.kind) {
            self.functions.push((symbol, declaration.node.byte_range()));
        }
        symbol
    }

    /// Adds a symbol that contains the declarations below its node.
    fn open(&mut self, declaration: &Declaration<'_>, depth: u32) -> u32 {
        let symbol = self.declare(declaration);
        let prefix = self.symbols[symbol as usize].qualified_name.clone();
        self.enter(depth, Some(symbol), declaration.kind, prefix);
        symbol
    }

    /// Opens a scope for a symbol that exists already, or for none. Then its content belongs to the surrounding symbol.
    fn enter(&mut self, depth: u32, symbol: Option<u32>, kind: SymbolKind, prefix: String) {
        let is_local = self.is_local() || is_callable(kind);
        let declared = symbol.and_then(|symbol| self.symbols.get(symbol as usize));
        self.scopes.push(Scope {
            depth,
            kind,
            visibility: declared.map_or(Visibility::Private, |symbol| symbol.visibility),
            symbol: symbol.or_else(|| self.scope()?.symbol),
            is_local,
            is_hidden: self.is_hidden(),
            is_block: false,
            is_anonymous: false,
            prefix,
        });
    }

    /// Opens a scope in which nothing is listed.
    fn hide(&mut self, depth: u32) {
        self.enter(depth, None, SymbolKind::Function, String::new());
        if let Some(scope) = self.scopes.last_mut() {
            scope.is_hidden = true;
        }
    }

    /// The qualified name of a declaration in the current scope.
    fn qualified(&self, name: &str) -> String {
        match self.scope() {
            Some(scope) => qualify(&scope.prefix, name, self.separator()),
            None => name.to_owned(),
        }
    }

    fn close(&mut self, depth: u32) {
        if self.scopes.last().is_some_and(|scope| scope.depth == depth) {
            self.scopes.pop();
        }
    }

    fn separator(&self) -> &'static str {
        if self.language == Language::Rust {
            "::"
        } else {
            "."
        }
    }

    /// The start at `export`, `type`, `const` and similar words before a node on its line; the node's own start if
    /// other text is before it.
    fn line_start(&self, start: usize) -> usize {
        let from = start.saturating_sub(PREFIX_LIMIT);
        let Some(before) = self.text.as_bytes().get(from..start) else {
            return start;
        };
        let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        if line == 0 && from > 0 {
            return start;
        }
        let prefix = &before[line..];
        let is_word = |byte: &u8| byte.is_ascii_alphabetic() || byte.is_ascii_whitespace();
        if !prefix.iter().all(is_word) {
            return start;
        }
        let space = prefix
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        from + line + space
    }
}

/// `export default abstract`, `pub const`: most bytes of such words before a declaration.
const PREFIX_LIMIT: usize = 80;

fn is_callable(kind: SymbolKind) -> bool {
    matches!(
        kind,
        SymbolKind::Function | SymbolKind::Method | SymbolKind::Constructor | SymbolKind::Property
    )
}

fn qualify(prefix: &str, name: &str, separator: &str) -> String {
    if prefix.is_empty() {
        return name.to_owned();
    }
    if prefix.len() + name.len() <= QUALIFIED_NAME_LIMIT {
        return format!("{prefix}{separator}{name}");
    }
    let mut keep = QUALIFIED_NAME_LIMIT / 2;
    while !prefix.is_char_boundary(keep.min(prefix.len())) {
        keep -= 1;
    }
    let kept = prefix.get(..keep).unwrap_or(prefix);
    let kept = kept.split_once('…').map_or(kept, |(kept, _)| kept);
    format!("{kept}…{separator}{name}")
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn start_line(node: &Node<'_>) -> u32 {
    index(node.start_position().row).saturating_add(1)
}

/// The last line of a node; a line break at its end does not count.
fn end_line(node: &Node<'_>) -> u32 {
    let end = node.end_position();
    let row = if end.column == 0 && end.row > node.start_position().row {
        end.row - 1
    } else {
        end.row
    };
    index(row).saturating_add(1)
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
