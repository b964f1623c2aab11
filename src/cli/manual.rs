//! `completions` and `man`: generated from the same definitions as the help.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, complain, print};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(mcp-code-analysis completions bash)
  mcp-code-analysis completions zsh >\"${fpath[1]}/_mcp-code-analysis\"
  mcp-code-analysis completions fish >~/.config/fish/completions/mcp-code-analysis.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub fn run(&self) -> Exit {
        let mut command = Cli::command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}

#[derive(Debug, Args)]
pub struct Man {
    /// A command, as in `sessions list` [default: the program]
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
}

impl Man {
    pub fn run(&self) -> Exit {
        let mut command = Cli::command();
        // Sets the full name of each command.
        command.build();
        let mut found = &command;
        for word in &self.command {
            match found.find_subcommand(word) {
                Some(inner) => found = inner,
                None => {
                    complain(&format!(
                        "there is no command {word:?}: `--help` lists all commands"
                    ));
                    return Exit::Usage;
                }
            }
        }
        let mut page = Vec::new();
        match clap_mangen::Man::new(found.clone()).render(&mut page) {
            Ok(()) => print(&String::from_utf8_lossy(&page)),
            Err(error) => {
                complain(&format!("cannot write the manual page: {error}"));
                Exit::Internal
            }
        }
    }
}
