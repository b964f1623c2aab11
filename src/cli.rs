//! The command line: thin commands over the same sessions, tools and answers as the server.

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
  mcp-code-analysis serve                        the server for an MCP client, over stdin and stdout
  mcp-code-analysis serve --http 127.0.0.1:8642  for many clients, at http://127.0.0.1:8642/mcp
  mcp-code-analysis doctor                       a check of the setup, with advice

`mcp-code-analysis help COMMAND` describes one command.";

/// Understand code: its complexity, its dependencies and its structure.
///
/// For people and CI (analyze), and for AI agents over the Model Context Protocol (serve).
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
    /// List the tools for agents, or describe one
    Tools(tools::Tools),
    /// Manage the sessions in Redis, also while nodes are running
    Sessions(Box<sessions::Sessions>),
    /// Check configuration, roots, sessions and Redis, with advice
    Doctor(Box<doctor::Doctor>),
    /// Print a completion script for a shell
    Completions(manual::Completions),
    /// Print a manual page, as for `man -l -`
    #[command(hide = true)]
    Man(manual::Man),
}

/// Reads the command line.
///
/// # Errors
/// The exit code: [`Exit::Ok`] after requested help, otherwise [`Exit::Usage`]. The message has been printed.
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
            // If stdout is closed, there is nowhere to report it.
            let _ = error.print();
            Exit::Ok
        })
}

/// `analyze help` means `help analyze`, unless a file has that name.
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

/// Writes a result to stdout. A reader that closes the pipe early (`| head`) is not an error.
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
            complain(&format!("cannot write the result: {error}"));
            Exit::Internal
        }
    }
}

/// Prints one line to stderr, for the user.
pub fn complain(message: &str) {
    otel::stderr::say(&format!("mcp-code-analysis: {message}"));
}

/// As [`complain`], with more lines below, which must be safe for a terminal.
fn complain_at_length(message: &str, below: &str) {
    let message = otel::visible::line(message);
    let below = otel::visible::lines(below);
    otel::stderr::show(&format!("mcp-code-analysis: {message}\n{below}\n"));
}

/// Makes text from analysed code safe for a terminal: one line, with visible characters only.
fn printable(text: &str) -> String {
    otel::visible::line(text).into_owned()
}
