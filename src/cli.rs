//! The command line: thin fronts over the same sessions, tools and answers as the server.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{CommandFactory, Parser, Subcommand};

pub mod analyze;
pub mod doctor;
pub mod manual;
pub mod serve;
pub mod sessions;
pub mod tools;

mod arguments;
mod diagram;
mod exit;
mod fail_on;
mod overview;
mod program;
mod progress;
mod run;
mod screen;
mod signals;
mod table;
mod targets;
mod wording;

pub use exit::Exit;
pub use program::program;

const EXAMPLES: &str = "\
Examples:
  mcp-code-analysis analyze                      an overview of the code in this folder
  mcp-code-analysis analyze complexity src       the most complex functions below src
  mcp-code-analysis serve                        what an MCP client starts: it speaks over stdin and stdout
  mcp-code-analysis serve --http 127.0.0.1:8642  for many clients, at http://127.0.0.1:8642/mcp
  mcp-code-analysis doctor                       what is set up, and what to do if not

`mcp-code-analysis help COMMAND` tells more of each.";

/// Understand code: how complex it is, what depends on what, how it is built.
///
/// For people at a prompt and in CI (analyze), and for AI agents over the Model Context Protocol (serve).
#[derive(Debug, Parser)]
#[command(
    name = "mcp-code-analysis",
    version,
    about,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyse folders and files, for people and scripts
    Analyze(Box<analyze::Analyze>),
    /// Serve MCP: to one client over stdin and stdout, or to many over HTTP
    Serve(Box<serve::Serve>),
    /// List the tools that agents are offered, or explain one
    Tools(tools::Tools),
    /// Handle the sessions that are kept in Redis, beside running nodes
    Sessions(Box<sessions::Sessions>),
    /// Check configuration, roots, sessions and Redis, and say what to do
    Doctor(Box<doctor::Doctor>),
    /// Print what makes a shell complete commands and flags
    Completions(manual::Completions),
    /// Print a manual page, as for `man -l -`
    #[command(hide = true)]
    Man(manual::Man),
}

/// Reads the command line.
///
/// # Errors
/// What to do instead: help that was asked for ends with [`Exit::Ok`], anything else with [`Exit::Usage`]. It has been
/// printed then.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Exit> {
    let arguments = help_first(arguments.into_iter().collect());
    Cli::try_parse_from(arguments)
        .map(|cli| cli.command)
        .map_err(|error| {
            if error.use_stderr() {
                let text = error.render();
                otel::stderr::show(&if console::colors_enabled_stderr() {
                    text.ansi().to_string()
                } else {
                    text.to_string()
                });
                return Exit::Usage;
            }
            // There is nobody to tell where stdout cannot be written to.
            let _ = error.print();
            Exit::Ok
        })
}

/// `analyze help` means `help analyze`, unless a file is called so.
fn help_first(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_command = |word: &OsString| {
        let word = word.to_str().unwrap_or_default();
        Cli::command().find_subcommand(word).is_some()
    };
    if let [_, command, help] = arguments.as_slice()
        && help == "help"
        && is_command(command)
        && !Path::new("help").exists()
    {
        arguments.swap(1, 2);
    }
    arguments
}

/// Writes a result to stdout. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> Exit {
    let mut stdout = io::stdout().lock();
    let line_break = if text.ends_with('\n') { "" } else { "\n" };
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(line_break.as_bytes()))
        .and_then(|()| stdout.flush());
    match written {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            complain(&format!("the result cannot be written: {error}"));
            Exit::Internal
        }
    }
}

/// Says something to the person, on stderr, as one line.
pub fn complain(message: &str) {
    otel::stderr::say(&format!("mcp-code-analysis: {message}"));
}

/// The same, with lines below it that are our own.
fn complain_at_length(message: &str, below: &str) {
    let message = otel::visible::line(message);
    let below = otel::visible::lines(below);
    otel::stderr::show(&format!("mcp-code-analysis: {message}\n{below}\n"));
}

/// Makes text from analysed code safe for a terminal: it stays on its line, and shows all that it has.
fn printable(text: &str) -> String {
    otel::visible::line(text).into_owned()
}
