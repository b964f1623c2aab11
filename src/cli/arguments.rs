//! Flags of `analyze`, and the tool arguments that they stand for.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

/// Rows of a table on a screen; `--limit` changes it.
const DEFAULT_ROWS: usize = 50;

/// The largest answer that a tool gives: a terminal scrolls, and `--limit` already says how much is wanted.
const ANSWER_BYTES: u64 = 1_000_000;

/// Which analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Complexity,
    Dependencies,
    Structure,
}

impl Kind {
    pub(super) fn tool(self) -> &'static str {
        match self {
            Self::Complexity => "analyze_complexity",
            Self::Dependencies => "analyze_dependencies",
            Self::Structure => "analyze_structure",
        }
    }
}

/// How the result is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Table,
    /// The whole answer: data, metadata, status, page, coverage.
    Json,
    Mermaid,
    Dot,
}

/// What the tools are asked. A flag that the chosen analysis does not know is refused by its tool.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct Selection {
    /// Only files that match this glob; may be given more than once
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out files that match this glob; may be given more than once
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Only these languages (`tools analyze_complexity` names them)
    #[arg(long, value_name = "LANGUAGE", value_delimiter = ',')]
    languages: Vec<String>,
    /// Rows to show, the worst first; 0 shows all [default: 50]
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    /// Count as this tool does: strict, modified, radon, eslint, gocyclo, checkstyle, pmccabe, lizard
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// complexity: the metric that rows are ranked by
    #[arg(long, value_name = "METRIC")]
    sort_by: Option<String>,
    /// complexity: summary, files or functions
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// complexity: only functions of at least this cyclomatic complexity
    #[arg(long, value_name = "N")]
    min_cyclomatic: Option<u64>,
    /// complexity: only functions of at least this cognitive complexity
    #[arg(long, value_name = "N")]
    min_cognitive: Option<u64>,
    /// dependencies: file, directory or package
    #[arg(long, value_name = "UNIT")]
    granularity: Option<String>,
    /// dependencies: only what this file or folder is connected with
    #[arg(long, value_name = "PATH")]
    focus: Option<String>,
    /// dependencies: in, out or both, seen from the focus
    #[arg(long, value_name = "WAY")]
    direction: Option<String>,
    /// dependencies: steps from the focus; structure: levels of nesting
    #[arg(long, value_name = "N")]
    depth: Option<u64>,
    /// structure: only symbols whose name holds this
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
    /// structure: only these kinds of symbol
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
}

impl Selection {
    /// Rows that an overview shows of each list, where nobody said how many.
    pub(super) fn rows_or(&self, default: usize) -> usize {
        self.limit.unwrap_or(default)
    }

    /// Everything that was said: for one analysis alone. What its tool does not know is refused by name.
    pub(super) fn arguments(&self, path: &str) -> Map<String, Value> {
        let mut arguments = self.shared(path);
        arguments.extend(page(self.limit.unwrap_or(DEFAULT_ROWS)));
        for (name, value) in [
            ("sort_by", &self.sort_by),
            ("level", &self.level),
            ("granularity", &self.granularity),
            ("focus", &self.focus),
            ("direction", &self.direction),
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
        arguments
    }

    /// What every analysis understands: where to look, and how to count.
    pub(super) fn shared(&self, path: &str) -> Map<String, Value> {
        let mut arguments = Map::new();
        if !path.is_empty() {
            arguments.insert("path".to_owned(), json!(path));
        }
        for (name, values) in [
            ("include", &self.include),
            ("exclude", &self.exclude),
            ("languages", &self.languages),
        ] {
            if !values.is_empty() {
                arguments.insert(name.to_owned(), json!(values));
            }
        }
        if let Some(profile) = &self.profile {
            arguments.insert("profile".to_owned(), json!(profile));
        }
        arguments
    }

    /// The name of a flag that only one analysis knows, if there is one: an overview has no use for it.
    pub(super) fn single_flag(&self) -> Option<&'static str> {
        let given = [
            ("--sort-by", self.sort_by.is_some()),
            ("--level", self.level.is_some()),
            ("--min-cyclomatic", self.min_cyclomatic.is_some()),
            ("--min-cognitive", self.min_cognitive.is_some()),
            ("--granularity", self.granularity.is_some()),
            ("--focus", self.focus.is_some()),
            ("--direction", self.direction.is_some()),
            ("--depth", self.depth.is_some()),
            ("--query", self.query.is_some()),
            ("--kinds", !self.kinds.is_empty()),
        ];
        given
            .into_iter()
            .find_map(|(flag, is_given)| is_given.then_some(flag))
    }
}

/// The arguments for this many rows; zero: all.
pub(super) fn page(rows: usize) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("limit".to_owned(), json!(rows));
    if rows > 0 {
        arguments.insert("max_bytes".to_owned(), json!(ANSWER_BYTES));
    }
    arguments
}
