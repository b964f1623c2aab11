//! Flags of `analyze`, and the tool arguments that they set.

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::Exit;
use super::targets::Targets;
use crate::tools;
use crate::workspace::Lift;

/// Rows of a table by default; `--limit` changes it.
const DEFAULT_ROWS: usize = 50;

/// More than a message may have: a terminal scrolls, and `--limit` already limits the output.
const ANSWER_BYTES: u64 = 1_000_000;

/// Which analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Complexity,
    Dependencies,
    Structure,
}

impl Kind {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Complexity => "complexity",
            Self::Dependencies => "dependencies",
            Self::Structure => "structure",
        }
    }

    pub(super) fn tool(self) -> &'static str {
        match self {
            Self::Complexity => "analyze_complexity",
            Self::Dependencies => "analyze_dependencies",
            Self::Structure => "analyze_structure",
        }
    }
}

/// The output format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Table,
    /// The complete answer: data, metadata, status, page, coverage.
    Json,
    Mermaid,
    Dot,
}

/// The flags that become tool arguments. A flag that the chosen analysis does not have is refused.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Selection {
    /// Only files that match this glob (`*.py`, `src/**`); repeat it for several
    #[arg(long, value_name = "GLOB", help_heading = SELECTION)]
    include: Vec<String>,
    /// Leave out files that match this glob; repeat it for several
    #[arg(long, value_name = "GLOB", help_heading = SELECTION)]
    exclude: Vec<String>,
    /// Also analyse these files, which are left out by default; separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', help_heading = SELECTION,
          value_parser = PossibleValuesParser::new(Lift::ALL.map(Lift::name)))]
    include_skipped: Vec<String>,
    /// Only these languages, separated by commas; `typescript` includes `tsx`
    #[arg(long, value_name = "LANGUAGE", value_delimiter = ',', help_heading = SELECTION,
          value_parser = choices(Kind::Complexity, "languages"))]
    languages: Vec<String>,
    /// Rows to show, the worst first; 0 shows all [default: 50; in an overview 10 per list]
    #[arg(long, value_name = "ROWS", help_heading = SELECTION)]
    limit: Option<usize>,
    /// Count cyclomatic complexity as the linter with this name does [default: strict]
    #[arg(long, value_name = "NAME", help_heading = SELECTION,
          value_parser = choices(Kind::Complexity, "profile"))]
    profile: Option<String>,
    /// The metric that rows are ranked by [default: cyclomatic]
    #[arg(long, value_name = "METRIC", help_heading = OF_COMPLEXITY,
          value_parser = choices(Kind::Complexity, "sort_by"))]
    sort_by: Option<String>,
    /// What a row describes
    #[arg(long, value_name = "LEVEL", help_heading = OF_COMPLEXITY,
          value_parser = choices(Kind::Complexity, "level"))]
    level: Option<String>,
    /// Only functions of at least this cyclomatic complexity
    #[arg(long, value_name = "N", help_heading = OF_COMPLEXITY)]
    min_cyclomatic: Option<u64>,
    /// Only functions of at least this cognitive complexity
    #[arg(long, value_name = "N", help_heading = OF_COMPLEXITY)]
    min_cognitive: Option<u64>,
    /// What a node of the graph stands for [default: file]
    #[arg(long, value_name = "UNIT", help_heading = OF_DEPENDENCIES,
          value_parser = choices(Kind::Dependencies, "granularity"))]
    granularity: Option<String>,
    /// Only files connected with this file or folder
    #[arg(long, value_name = "PATH", help_heading = OF_DEPENDENCIES)]
    focus: Option<String>,
    /// Dependencies of the focus (out), its dependents (in), or both [default: both]
    #[arg(long, value_name = "WAY", help_heading = OF_DEPENDENCIES,
          value_parser = choices(Kind::Dependencies, "direction"))]
    direction: Option<String>,
    /// Imports that make cycles: those that exist at run time, or all [default: runtime]
    #[arg(long, value_name = "IMPORTS", help_heading = OF_DEPENDENCIES,
          value_parser = choices(Kind::Dependencies, "cycles"))]
    cycles: Option<String>,
    /// Steps from the focus; for `analyze structure`, levels of nesting
    #[arg(long, value_name = "N", help_heading = OF_DEPENDENCIES)]
    depth: Option<u64>,
    /// Only symbols whose name contains this
    #[arg(long, value_name = "TEXT", help_heading = OF_STRUCTURE)]
    query: Option<String>,
    /// Only these kinds of symbol, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', help_heading = OF_STRUCTURE,
          value_parser = choices(Kind::Structure, "kinds"))]
    kinds: Vec<String>,
}

const SELECTION: &str = "Selection";
const OF_COMPLEXITY: &str = "For `analyze complexity`";
const OF_DEPENDENCIES: &str = "For `analyze dependencies`";
const OF_STRUCTURE: &str = "For `analyze structure`";

/// The values that the tool accepts for an argument.
fn choices(kind: Kind, argument: &str) -> PossibleValuesParser {
    let schema = tools::entry(kind.tool()).map(|entry| &entry.input_schema["properties"][argument]);
    let values = schema.and_then(|schema| {
        schema["enum"]
            .as_array()
            .or(schema["items"]["enum"].as_array())
    });
    let values = values.into_iter().flatten().filter_map(Value::as_str);
    PossibleValuesParser::new(values)
}

impl Selection {
    /// The rows from `--limit`, or this default.
    pub(super) fn rows_or(&self, default: usize) -> usize {
        self.limit.unwrap_or(default)
    }

    pub(super) fn sorted_by(&self) -> Option<&str> {
        self.sort_by.as_deref()
    }

    /// All arguments of one analysis.
    ///
    /// # Errors
    /// A glob or a path is outside of the root; the error has been printed.
    pub(super) fn arguments(&self, targets: &Targets) -> Result<Map<String, Value>, Exit> {
        let mut arguments = self.shared(targets)?;
        arguments.extend(page(self.limit.unwrap_or(DEFAULT_ROWS)));
        let is_package = self.granularity.as_deref() == Some("package");
        let focus = match &self.focus {
            Some(focus) if !is_package => match targets.seen_from_root(focus)? {
                root if root.is_empty() => Some(".".to_owned()),
                inside => Some(inside),
            },
            other => other.clone(),
        };
        for (name, value) in [
            ("sort_by", &self.sort_by),
            ("level", &self.level),
            ("granularity", &self.granularity),
            ("focus", &focus),
            ("direction", &self.direction),
            ("cycles", &self.cycles),
            ("query", &self.query),
        ] {
            if let Some(value) = value {
                arguments.insert(name.to_owned(), json!(value));
            }
        }
        for (name, value) in [
            ("min_cyclomatic", self.min_cyclomatic),
            ("min_cognitive", self.min_cognitive),
            ("depth", self.depth),
        ] {
            if let Some(value) = value {
                arguments.insert(name.to_owned(), json!(value));
            }
        }
        if !self.kinds.is_empty() {
            arguments.insert("kinds".to_owned(), json!(self.kinds));
        }
        Ok(arguments)
    }

    /// The arguments of every analysis: the files, and the way of counting.
    ///
    /// # Errors
    /// A glob is outside of the root; the error has been printed.
    pub(super) fn shared(&self, targets: &Targets) -> Result<Map<String, Value>, Exit> {
        let mut arguments = Map::new();
        match targets.paths.as_slice() {
            [path] if path.is_empty() => {}
            [path] => drop(arguments.insert("path".to_owned(), json!(path))),
            several => drop(arguments.insert(tools::PATHS.to_owned(), json!(several))),
        }
        let globs = |globs: &[String]| -> Result<Vec<String>, Exit> {
            globs.iter().map(|glob| targets.glob(glob)).collect()
        };
        for (name, values) in [
            ("include", globs(&self.include)?),
            ("exclude", globs(&self.exclude)?),
            ("include_skipped", self.include_skipped.clone()),
            ("languages", self.languages.clone()),
        ] {
            if !values.is_empty() {
                arguments.insert(name.to_owned(), json!(values));
            }
        }
        if let Some(profile) = &self.profile {
            arguments.insert("profile".to_owned(), json!(profile));
        }
        Ok(arguments)
    }

    /// The first flag that `kind` does not have, and the analyses that have it. `None` is an overview, which has none
    /// of them.
    pub(super) fn misplaced(&self, kind: Option<Kind>) -> Option<(&'static str, &'static [Kind])> {
        use Kind::{Complexity, Dependencies, Structure};
        let given: [(&'static str, bool, &'static [Kind]); 11] = [
            ("--sort-by", self.sort_by.is_some(), &[Complexity]),
            ("--level", self.level.is_some(), &[Complexity]),
            (
                "--min-cyclomatic",
                self.min_cyclomatic.is_some(),
                &[Complexity],
            ),
            (
                "--min-cognitive",
                self.min_cognitive.is_some(),
                &[Complexity],
            ),
            ("--granularity", self.granularity.is_some(), &[Dependencies]),
            ("--focus", self.focus.is_some(), &[Dependencies]),
            ("--direction", self.direction.is_some(), &[Dependencies]),
            ("--cycles", self.cycles.is_some(), &[Dependencies]),
            ("--depth", self.depth.is_some(), &[Dependencies, Structure]),
            ("--query", self.query.is_some(), &[Structure]),
            ("--kinds", !self.kinds.is_empty(), &[Structure]),
        ];
        given.into_iter().find_map(|(flag, is_given, known)| {
            let fits = kind.is_some_and(|kind| known.contains(&kind));
            (is_given && !fits).then_some((flag, known))
        })
    }
}

/// The arguments for this number of rows; zero: all.
pub(super) fn page(rows: usize) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("limit".to_owned(), json!(rows));
    if rows > 0 {
        arguments.insert("max_bytes".to_owned(), json!(ANSWER_BYTES));
    }
    arguments
}
