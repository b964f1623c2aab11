//! The output of the result: its width, and whether it shows colours.

use std::env;
use std::io::IsTerminal;

use clap::ValueEnum;

/// Minimum width: narrower output is unreadable.
const NARROWEST: usize = 40;

/// When to colour the result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// In a terminal, unless NO_COLOR is set; otherwise only if CLICOLOR_FORCE is set
    #[default]
    Auto,
    Always,
    Never,
}

/// The limits of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Screen {
    /// In columns; `None`: no limit.
    pub(super) width: Option<usize>,
    pub(super) color: bool,
}

/// Styles of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Title,
    Good,
    Fair,
    Bad,
}

impl Screen {
    /// Standard output. `COLUMNS` overrides the width of the terminal.
    pub(super) fn stdout(color: Color) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let told = env::var("COLUMNS").ok();
        let told = told.and_then(|columns| columns.trim().parse::<usize>().ok());
        let terminal = || {
            let size = console::Term::stdout().size_checked();
            size.filter(|_| stdout).map(|(_, width)| usize::from(width))
        };
        // A terminal that does not know its width reports zero.
        let width = told.or_else(terminal).filter(|width| *width > 0);
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: width.map(|width| width.max(NARROWEST)),
            color: match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto if set("NO_COLOR").is_some() => false,
                Color::Auto => forced || (stdout && !dumb),
            },
        }
    }

    pub(super) fn paint(self, text: &str, look: Look) -> String {
        let code = match look {
            Look::Title => "1",
            Look::Good => "32",
            Look::Fair => "33",
            Look::Bad => "31",
        };
        match self.color {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}
