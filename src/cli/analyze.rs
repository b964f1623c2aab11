//! `analyze`: one analysis, or an overview of a folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use serde_json::{Value, json};

use super::arguments::{Format, Kind, Selection};
use super::fail_on::Condition;
use super::run::Run;
use super::screen::{Color, Screen};
use super::targets::Targets;
use super::{Exit, complain, diagram, fail_on, overview, print, table};
use crate::config::telemetry::LogFormat;
use crate::config::units::{Bytes, Count, Period};
use crate::config::{Config, Layer};

const EXAMPLES: &str = "\
Examples:
  mcp-code-analysis analyze                                      an overview of this folder
  mcp-code-analysis analyze complexity src --sort-by cognitive   the functions that are hardest to understand
  mcp-code-analysis analyze dependencies src --format mermaid    a diagram
  mcp-code-analysis analyze structure src/main.rs                the symbols of a file
  mcp-code-analysis analyze a.py lib/b.py --fail-on 'cyclomatic>20'
  mcp-code-analysis analyze complexity . --format json --limit 0

Write ./complexity for a folder with the name of an analysis. Exit codes: 0 success; 1 findings of --fail-on; 64 wrong
usage; 66 input not found, or nothing analysed; 70 internal error; 78 wrong configuration; 130 Ctrl-C.";

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-code-analysis analyze [complexity|dependencies|structure] [PATH]... [OPTIONS]",
    after_help = EXAMPLES
)]
pub struct Analyze {
    /// An analysis (without one: an overview), then folders and files (without any: the current folder)
    #[arg(value_name = "ANALYSIS] [PATH", num_args = 0.., value_hint = ValueHint::AnyPath)]
    what: Vec<OsString>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// When to colour tables
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    /// Exit with 1 if this is true, as in `cyclomatic>20` or `cycles>0`; repeat it for several
    #[arg(long, value_name = "CONDITION")]
    fail_on: Vec<Condition>,
    /// Let --fail-on pass if nothing was analysed, instead of exit code 66
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    limits: RunLimits,
}

/// The settings of one run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct RunLimits {
    /// Read settings from this TOML file [env: MCA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Time limit of one analysis [default: 1h]
    #[arg(long, value_name = "TIME")]
    call_deadline: Option<Period>,
    /// Size of the in-memory cache of analyses [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    cache_bytes: Option<Bytes>,
    /// Memory limit of all analyses together [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Bytes>,
    /// Files larger than this are skipped, and counted [default: 10MiB]
    #[arg(long, value_name = "SIZE")]
    max_file_bytes: Option<Bytes>,
    /// Number of tools that run at the same time [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<Count>,
    /// Log filter for stderr [default: warn]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl Analyze {
    /// The settings given as flags.
    pub fn layer(&self) -> Layer {
        Layer {
            config: self.limits.config.clone(),
            call_deadline: self.limits.call_deadline,
            cache_bytes: self.limits.cache_bytes,
            memory: self.limits.memory,
            max_file_bytes: self.limits.max_file_bytes,
            workers: self.limits.workers,
            log: self.limits.log.clone(),
            log_format: self.limits.log_format,
            ..Layer::default()
        }
    }

    /// Runs the analysis and prints the result.
    pub async fn run(&self, config: Config) -> Exit {
        let targets = self
            .targets()
            .and_then(|(kind, paths)| Ok((kind, Targets::of(&paths)?)));
        let (kind, targets) = match targets {
            Ok(targets) => targets,
            Err(exit) => return exit,
        };
        // Refused before anything is read.
        if let Err(exit) = self.selection.arguments(&targets) {
            return exit;
        }
        let run = match Run::start(config, targets).await {
            Ok(run) => run,
            Err(exit) => return exit,
        };
        let exit = self.within(&run, kind).await.unwrap_or_else(|exit| exit);
        run.end().await;
        exit
    }

    async fn within(&self, run: &Run, kind: Option<Kind>) -> Result<Exit, Exit> {
        let text = match kind {
            Some(kind) => self.single(run, kind).await?,
            None => self.overview(run).await?,
        };
        let printed = print(&text);
        if printed != Exit::Ok || self.fail_on.is_empty() {
            return Ok(printed);
        }
        fail_on::judge(run, &self.selection, &self.fail_on, self.allow_empty).await
    }

    async fn single(&self, run: &Run, kind: Kind) -> Result<String, Exit> {
        let mut arguments = self.selection.arguments(&run.targets)?;
        let own_diagram = kind == Kind::Dependencies;
        match self.format {
            Format::Mermaid if own_diagram => {
                drop(arguments.insert("format".into(), json!("mermaid")))
            }
            Format::Dot if own_diagram => drop(arguments.insert("format".into(), json!("dot"))),
            Format::Mermaid | Format::Dot | Format::Table | Format::Json => {}
        }
        let answer = run.call(kind.tool(), arguments).await?.structured;
        Ok(match self.format {
            Format::Json => pretty(&answer),
            Format::Table => {
                let unparsed = run.unparsed(&self.selection, &answer["coverage"]).await?;
                let sorted_by = self.selection.sorted_by();
                let screen = Screen::stdout(self.color);
                table::of_answer(kind, &answer, sorted_by, &unparsed, screen)
            }
            Format::Mermaid | Format::Dot if own_diagram => diagram::given(&answer),
            Format::Mermaid => diagram::mermaid(&diagram::tree(kind, &answer)),
            Format::Dot => diagram::dot(&diagram::tree(kind, &answer)),
        })
    }

    async fn overview(&self, run: &Run) -> Result<String, Exit> {
        let overview = overview::Overview::collect(run, &self.selection).await?;
        Ok(match self.format {
            Format::Json => pretty(&overview.into_json()),
            Format::Table | Format::Mermaid | Format::Dot => {
                overview.to_text(&run.targets.title, Screen::stdout(self.color))
            }
        })
    }

    /// The analysis and its paths. If the first word names an analysis, it is one; write `./complexity` for a folder
    /// with that name.
    fn targets(&self) -> Result<(Option<Kind>, Vec<OsString>), Exit> {
        let kind = self.what.first().and_then(|word| word.to_str());
        let kind = kind.and_then(|word| Kind::from_str(word, false).ok());
        let mut paths = self.what[usize::from(kind.is_some())..].to_vec();
        if let (None, [first, _, ..]) = (kind, paths.as_slice())
            && is_bare_word(Path::new(first))
        {
            return Err(refused(&format!(
                "{first:?} is neither an analysis nor a file: the analyses are complexity, dependencies and structure"
            )));
        }
        if let Some((flag, known)) = self.selection.misplaced(kind) {
            let known = known
                .iter()
                .map(|kind| format!("`analyze {}`", kind.name()));
            let known: Vec<_> = known.collect();
            return Err(refused(&format!(
                "{flag} is a flag of {}: name the analysis, as in {} PATH {flag} …",
                known.join(" and "),
                known.first().map_or("", |known| known.trim_matches('`')),
            )));
        }
        if kind.is_none() && matches!(self.format, Format::Mermaid | Format::Dot) {
            return Err(refused(
                "an overview has no diagram: name an analysis, as in `analyze dependencies PATH --format mermaid`",
            ));
        }
        if paths.is_empty() {
            paths.push(".".into());
        }
        Ok((kind, paths))
    }
}

fn refused(why: &str) -> Exit {
    complain(why);
    Exit::Usage
}

/// Whether a word was probably meant as the name of an analysis.
fn is_bare_word(path: &Path) -> bool {
    let letters = |word: &str| word.chars().all(char::is_alphabetic);
    path.to_str().is_some_and(letters) && !path.exists()
}

fn pretty(value: &Value) -> String {
    // All keys are strings, so this cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
