//! Pure analysis: `(language, text)` in, [`FileAnalysis`] out. No path, no disk, no async, no clock.
//!
//! A file is parsed once (one that holds errors again, without what stands in the way and piece by piece) and traversed
//! once ([`syntax`]); each of [`metrics`], [`outline`] and [`imports`] watches that one traversal. Every tool is a view over the result; what depends
//! on where a file lies (which file an import means) is computed on top, in [`graph`].

use serde::{Deserialize, Serialize};
use std::ops::Range;

use thiserror::Error;

pub mod graph;
pub mod imports;
mod kinds;
pub mod language;
pub mod metrics;
pub mod outline;
pub mod profile;
pub mod syntax;

pub use language::Language;
pub use metrics::{DecisionCounts, DecisionKind, Halstead};
pub use profile::Profile;

/// Changes whenever the same text may give another [`FileAnalysis`]: part of every cache key.
pub const ENGINE_VERSION: u32 = 11;

/// Everything that one parse of one file yields. Keyed by content hash, language and [`ENGINE_VERSION`]; equal files
/// share one. Immutable once made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileAnalysis {
    pub language: Language,
    pub lines: Lines,
    /// Over the whole file.
    pub halstead: Halstead,
    /// In source order; a nested function follows the function around it.
    pub functions: Vec<Function>,
    /// Decisions outside every function (module level, class bodies, initialisers).
    pub outside: DecisionCounts,
    /// Cognitive complexity outside every function.
    pub outside_cognitive: u32,
    pub symbols: Vec<Symbol>,
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    /// What the file says it belongs to: a Java or Go `package`. `None` where the language has no such clause.
    pub package: Option<String>,
    pub syntax: SyntaxReport,
}

impl FileAnalysis {
    /// Of a file in which nothing was looked at.
    pub fn empty(language: Language) -> Self {
        Self {
            language,
            lines: Lines::default(),
            halstead: Halstead::default(),
            functions: vec![],
            outside: DecisionCounts::default(),
            outside_cognitive: 0,
            symbols: vec![],
            imports: vec![],
            exports: vec![],
            package: None,
            syntax: SyntaxReport::default(),
        }
    }
}

/// Line counts of a stretch of source, in lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Span: last line − first line + 1 (for a file: all lines).
    pub sloc: u32,
    /// Lines that hold a token that is no comment: what `cloc` calls code. A docstring of Python is a comment.
    pub ploc: u32,
    /// Lines that hold a comment or part of one.
    pub cloc: u32,
    /// Lines of blanks alone, also inside a comment or a string.
    pub blank: u32,
    /// Statements.
    pub lloc: u32,
}

/// The name of a function without one.
pub const ANONYMOUS: &str = "<anonymous>";

/// One function-like node: function, method, constructor, accessor, lambda, closure.
///
/// Everything here is `own`: nested functions are left out; only `lines` are those of the whole span. `total` is
/// `own + Σ total(nested)`: see [`metrics::totals`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// As written; [`ANONYMOUS`] where it has none.
    pub name: String,
    /// With what encloses it, joined the language's way: `Greeter::greet`, `Greeter.greet`, `outer.<anonymous@12>`.
    pub qualified_name: String,
    pub kind: FunctionKind,
    /// Lines and columns start at 1; `span` is in bytes.
    pub start_line: u32,
    pub end_line: u32,
    pub span: Range<usize>,
    /// Index of the function around it in [`FileAnalysis::functions`].
    pub parent: Option<u32>,
    pub decisions: DecisionCounts,
    pub cognitive: u32,
    /// 1 where the function calls itself by name, also from a closure in it: reported apart from `cognitive`. Types are
    /// not known, so this is a guess. A call on another object is not counted, though it may be of the same type. In Java
    /// neither is a call with another number of arguments, or with a cast or literal that the parameter cannot take:
    /// it means an overload.
    pub cognitive_recursion: u32,
    pub halstead: Halstead,
    pub lines: Lines,
    pub max_nesting: u32,
    pub parameters: u32,
    pub has_receiver: bool,
    /// It holds or stands in something that did not parse: where it begins and ends may be a guess.
    pub recovered: bool,
    /// Statements that leave it: return, throw/raise, Rust `?`.
    pub exits: u32,
    /// Digest of its tokens without comments, white space and its own name: equal bodies match after a move or a rename,
    /// in any run and on any machine.
    pub body_digest: u64,
    /// Sketch of the same tokens ([`metrics::sketch`]): it tells how near two bodies are that are not equal.
    pub body_sketch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FunctionKind {
    Function,
    Method,
    Constructor,
    Accessor,
    /// Lambda, closure, arrow function, anonymous function.
    Closure,
    /// Static or instance initialiser.
    Initializer,
}

/// One entry of an outline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Symbol {
    pub name: String,
    pub qualified_name: String,
    pub kind: SymbolKind,
    /// The declaration without its body, white space folded.
    pub signature: String,
    pub visibility: Visibility,
    pub start_line: u32,
    pub end_line: u32,
    /// The documentation written at it, without its comment marks.
    pub doc: Option<String>,
    /// Index of the symbol around it in [`FileAnalysis::symbols`].
    pub parent: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SymbolKind {
    Module,
    Namespace,
    Class,
    Struct,
    Enum,
    EnumMember,
    Union,
    Interface,
    Trait,
    Impl,
    TypeAlias,
    Function,
    Method,
    Constructor,
    Field,
    Property,
    Constant,
    Variable,
    Macro,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Visibility {
    Public,
    /// Visible in part: Rust `pub(…)`, Java package-private, `protected`.
    Restricted,
    Private,
}

/// One import as written. Where it leads is decided in [`graph`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    pub kind: ImportKind,
    /// What is asked for, in the language's own spelling: `crate::a::b`, `..pkg.mod`, `./x`, `fmt`, `stdio.h`.
    pub specifier: String,
    /// The names taken from it (`from m import a, b`); `*` for all.
    pub names: Vec<String>,
    pub line: u32,
    /// Erased when compiled: TypeScript `import type`, Python under `TYPE_CHECKING`.
    pub type_only: bool,
    /// Inside a function or behind a condition: may never run.
    pub conditional: bool,
    /// Rust: the inline modules around it, joined with `::`; empty at the top of the file and elsewhere.
    pub scope: String,
    /// Go: what the file takes from the package by `pkg.Name`. Java, with `*`: the capitalised names that the file
    /// says. Sorted; empty elsewhere.
    pub used: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ImportKind {
    /// The language's ordinary import: `use`, `import`, `from … import`, `require`.
    Import,
    /// Python `from x import y`, where `y` may be a module of package `x`.
    From,
    /// Rust `mod name;`: the file belongs to this module tree. `specifier` is the name, or the `#[path]`.
    Module,
    /// Rust `extern crate`.
    ExternCrate,
    /// TypeScript/JavaScript `export … from`, Rust `pub use`.
    Reexport,
    /// `import()` with a literal.
    Dynamic,
    Require,
    /// C `#include "…"`.
    IncludeLocal,
    /// C `#include <…>`.
    IncludeSystem,
    /// Java `import static`.
    Static,
}

/// One name that a file offers to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    pub name: String,
    pub line: u32,
    /// Set for `export … from 'x'`: the specifier.
    pub from: Option<String>,
}

/// What did not parse. Metrics around an error are still given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxReport {
    pub errors: u32,
    pub missing: u32,
    /// Lines of the first few, for a person to look at.
    pub first_lines: Vec<u32>,
    /// How many lines hold something that did not parse.
    pub lines: u32,
    /// The first such stretches: first and last line of each.
    pub stretches: Vec<(u32, u32)>,
    /// C++ under the ending of C: what was found in it means nothing.
    pub cplusplus: bool,
}

impl SyntaxReport {
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.missing == 0
    }
}

/// The caller asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("analysis was cancelled")]
pub struct Cancelled;

/// Parses and analyses one file. `cancelled` is asked often enough to stop within 100 ms of work.
pub fn analyze(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<FileAnalysis, Cancelled> {
    syntax::analyze(language, text, cancelled)
}

/// Parses one file and keeps what [`graph`] asks of it: imports, exports, package, and the names that it declares where
/// imports are resolved by them. The rest is empty. [`analyze`] gives all of this too, and the same.
pub fn imports_of(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<FileAnalysis, Cancelled> {
    syntax::imports(language, text, cancelled)
}

#[cfg(test)]
mod tests;
