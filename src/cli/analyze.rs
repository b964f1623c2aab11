//! `analyze`: one analysis, or an overview of a folder.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::arguments::{Format, Kind, Selection};
use super::fail_on::Condition;
use super::run::Run;
use super::{Exit, complain, diagram, fail_on, overview, print, table};
use crate::config::units::{Bytes, Count, Period};
use crate::config::{Config, Layer};

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-code-analysis analyze [complexity|dependencies|structure] [PATH] [OPTIONS]"
)]
pub struct Analyze {
    /// An analysis (without one: an overview), and a folder or a file (without one: the current folder)
    #[arg(value_name = "ANALYSIS] [PATH", num_args = 0..=2)]
    what: Vec<OsString>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with 1 where this holds, as in `cyclomatic>20` or `cycles>0`; may be given more than once
    #[arg(long, value_name = "CONDITION")]
    fail_on: Vec<Condition>,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    limits: RunLimits,
}

/// The settings that mean something for one run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct RunLimits {
    /// Read settings from this TOML file [env: MCA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long one analysis may run [default: 1h]
    #[arg(long, value_name = "TIME")]
    call_deadline: Option<Period>,
    /// Memory for analyses within this run [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    cache_bytes: Option<Bytes>,
    /// Memory that analyses may take together [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Bytes>,
    /// Larger files are skipped, and counted [default: 10MiB]
    #[arg(long, value_name = "SIZE")]
    max_file_bytes: Option<Bytes>,
    /// How many tools run at once [default: one for each core]
    #[arg(long, value_name = "N")]
    workers: Option<Count>,
    /// What is logged to stderr [default: warn]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
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
            ..Layer::default()
        }
    }

    /// Runs to its end, and prints.
    pub async fn run(&self, config: Config) -> Exit {
        let (kind, path) = match self.target() {
            Ok(target) => target,
            Err(exit) => return exit,
        };
        let run = match Run::start(config, &path).await {
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
        fail_on::judge(run, &self.selection, &self.fail_on).await
    }

    async fn single(&self, run: &Run, kind: Kind) -> Result<String, Exit> {
        let mut arguments = self.selection.arguments(&run.path);
        let own_diagram = kind == Kind::Dependencies;
        match self.format {
            Format::Mermaid if own_diagram => {
                drop(arguments.insert("format".into(), json!("mermaid")))
            }
            Format::Dot if own_diagram => drop(arguments.insert("format".into(), json!("dot"))),
            Format::Mermaid | Format::Dot | Format::Table | Format::Json => {}
        }
        let answer = run.call(kind.tool(), arguments).await?;
        Ok(match self.format {
            Format::Json => pretty(&answer.structured),
            Format::Table => table::of_answer(kind, &answer.structured),
            Format::Mermaid | Format::Dot if own_diagram => diagram::given(&answer.structured),
            Format::Mermaid => diagram::mermaid(&diagram::tree(kind, &answer.structured)),
            Format::Dot => diagram::dot(&diagram::tree(kind, &answer.structured)),
        })
    }

    async fn overview(&self, run: &Run) -> Result<String, Exit> {
        if let Some(flag) = self.selection.single_flag() {
            complain(&format!(
                "{flag} belongs to one analysis: name it, as in `analyze complexity PATH {flag} …`"
            ));
            return Err(Exit::Usage);
        }
        match self.format {
            Format::Json => Ok(pretty(
                &overview::Overview::collect(run, &self.selection)
                    .await?
                    .into_json(),
            )),
            Format::Table => Ok(overview::Overview::collect(run, &self.selection)
                .await?
                .to_text(&run.target)),
            Format::Mermaid | Format::Dot => {
                complain(
                    "an overview has no diagram: name an analysis, as in `analyze dependencies PATH --format mermaid`",
                );
                Err(Exit::Usage)
            }
        }
    }

    /// A single word that names an analysis is one; a folder of that name is written `./complexity`.
    fn target(&self) -> Result<(Option<Kind>, PathBuf), Exit> {
        let kind_of = |word: &OsString| {
            word.to_str()
                .and_then(|word| Kind::from_str(word, false).ok())
        };
        match self.what.as_slice() {
            [] => Ok((None, PathBuf::from("."))),
            [word] => Ok(match kind_of(word) {
                Some(kind) => (Some(kind), PathBuf::from(".")),
                None => (None, PathBuf::from(word)),
            }),
            [first, path, ..] => match kind_of(first) {
                Some(kind) => Ok((Some(kind), PathBuf::from(path))),
                None => {
                    complain(&format!(
                        "no analysis is called {first:?}: there are complexity, dependencies and structure"
                    ));
                    Err(Exit::Usage)
                }
            },
        }
    }
}

fn pretty(value: &Value) -> String {
    // Values that were parsed or built here have text keys: this cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
