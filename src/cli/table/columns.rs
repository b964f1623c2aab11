//! The columns of the tables: titles, sources of the values, and which columns are dropped first.

/// One column.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Column {
    pub(super) title: &'static str,
    pub(super) source: Source,
    pub(super) text: Text,
    /// If there is too little room, the column with the lowest value is dropped first; [`ALWAYS`] is never dropped.
    pub(super) keep: u8,
    pub(super) uniform: Uniform,
}

/// Where the value of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A JSON pointer.
    At(&'static str),
    /// A JSON pointer to a cyclomatic complexity, which is shown with its rank.
    Ranked(&'static str),
    /// Lines with only a comment.
    CommentLines,
    /// `path:line`.
    Place,
}

/// How a text is wrapped if there is too little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// Wrapped between its parts.
    Name,
    /// Wrapped between its parts, but other columns are dropped first: terminals and editors only open paths in one
    /// piece.
    Path,
    /// Never wrapped, because people copy it.
    Whole,
    /// Wrapped between words.
    Words,
}

/// Whether a column is shown that has the same value in all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uniform {
    Stays,
    /// Dropped if that value is zero.
    ZerosGo,
    Goes,
}

pub(super) const ALWAYS: u8 = u8::MAX;
/// Columns from this value on are dropped only if even the shortest names leave no room.
pub(super) const NEEDED: u8 = 90;
/// The default.
const MIDDLE: u8 = 50;

/// A fact: shown even if all rows have the same value.
pub(in crate::cli) const fn column(title: &'static str, pointer: &'static str) -> Column {
    of(title, Source::At(pointer), Uniform::Stays)
}

/// A figure: dropped if all rows have the same value.
const fn figure(title: &'static str, pointer: &'static str) -> Column {
    of(title, Source::At(pointer), Uniform::Goes)
}

const fn ranked(title: &'static str, pointer: &'static str) -> Column {
    of(title, Source::Ranked(pointer), Uniform::Goes)
}

const fn count(title: &'static str, pointer: &'static str) -> Column {
    of(title, Source::At(pointer), Uniform::ZerosGo)
}

const fn of(title: &'static str, source: Source, uniform: Uniform) -> Column {
    Column {
        title,
        source,
        text: Text::Name,
        keep: MIDDLE,
        uniform,
    }
}

impl Column {
    pub(in crate::cli) const fn keep(self, keep: u8) -> Self {
        Self { keep, ..self }
    }

    pub(in crate::cli) const fn always(self) -> Self {
        Self {
            keep: ALWAYS,
            uniform: Uniform::Stays,
            ..self
        }
    }

    /// For ids and times.
    pub(in crate::cli) const fn whole(self) -> Self {
        Self {
            text: Text::Whole,
            ..self
        }
    }

    pub(in crate::cli) const fn path(self) -> Self {
        Self {
            text: Text::Path,
            ..self
        }
    }

    pub(in crate::cli) const fn words(self) -> Self {
        Self {
            text: Text::Words,
            ..self
        }
    }
}

const PLACE: Column = of("location", Source::Place, Uniform::Stays)
    .path()
    .always();
const COMMENT: Column = of("comment", Source::CommentLines, Uniform::ZerosGo);

pub(in crate::cli) const FUNCTIONS: [Column; 8] = [
    ranked("cyclomatic", "/own/cyclomatic").always(),
    column("cognitive", "/own/cognitive").keep(NEEDED),
    figure("nesting", "/max_nesting").keep(40),
    figure("params", "/parameters").keep(30),
    figure("lines", "/sloc").keep(60),
    figure("MI", "/maintainability_index").keep(20),
    column("function", "/qualified_name").always(),
    PLACE,
];
pub(in crate::cli) const FILES: [Column; 9] = [
    column("lines", "/sloc").always(),
    count("code", "/ploc").keep(80),
    COMMENT.keep(30),
    count("blank", "/blank").keep(20),
    count("functions", "/functions").keep(50),
    ranked("worst", "/cyclomatic_max").keep(60),
    count("cognitive", "/cognitive").keep(70),
    figure("language", "/language").keep(10),
    column("path", "/path").path().always(),
];
pub(in crate::cli) const LANGUAGES: [Column; 8] = [
    column("language", "/language").always(),
    column("files", "/files").keep(80),
    column("code", "/ploc").always(),
    COMMENT.keep(60),
    count("blank", "/blank").keep(50),
    count("functions", "/functions").keep(70),
    count("cyclomatic", "/cyclomatic").keep(30),
    count("cognitive", "/cognitive").keep(40),
];
pub(super) const NODES: [Column; 5] = [
    column("fan-in", "/fan_in").always(),
    column("fan-out", "/fan_out").always(),
    figure("instability", "/instability").keep(40),
    figure("language", "/language").keep(30),
    column("node", "/id").path().always(),
];
pub(super) const EXTERNAL: [Column; 2] = [
    column("external", "/name").always(),
    column("importers", "/importers_total").always(),
];
pub(super) const UNRESOLVED: [Column; 3] = [
    column("unresolved", "/specifier").always(),
    column("reason", "/reason").words().always(),
    PLACE,
];
pub(super) const SYMBOLS: [Column; 5] = [
    column("kind", "/kind").keep(60),
    figure("visibility", "/visibility").keep(40),
    column("symbol", "/qualified_name").always(),
    figure("signature", "/signature").keep(30),
    PLACE,
];
pub(super) const IMPORTS: [Column; 2] = [column("import", "/specifier").always(), PLACE];

/// Sort keys that [`FUNCTIONS`] does not show.
pub(super) const SORTED_BY: [(&str, Column); 4] = [
    (
        "total_cyclomatic",
        column("total cyclomatic", "/total/cyclomatic").always(),
    ),
    (
        "total_cognitive",
        column("total cognitive", "/total/cognitive").always(),
    ),
    ("volume", column("volume", "/halstead/volume").always()),
    ("effort", column("effort", "/halstead/effort").always()),
];
