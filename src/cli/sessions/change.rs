//! `sessions close`, `release` and `import`: the commands that change sessions, one after the other.

use std::path::PathBuf;

use actors::ids::SessionId;
use actors::operator::{ExportedSession, Imported, Operator, OperatorError};
use clap::Args;

use super::super::{complain, print, printable};
use super::{Exit, Patience, Reach, input, parse_id, refused, validate, worst};

#[derive(Debug, Args)]
pub(super) struct Close {
    /// Ids of sessions
    #[arg(value_name = "SESSION", required = true, value_parser = parse_id)]
    pub(super) ids: Vec<SessionId>,
    #[command(flatten)]
    pub(super) patience: Patience,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Close {
    pub(super) async fn run(&self, operator: &Operator) -> Exit {
        let mut exits = Vec::new();
        for id in &self.ids {
            let closed = operator.close(*id, self.patience.time()).await;
            exits.push(told(closed, |()| format!("{id} closed")));
        }
        worst(exits)
    }
}

#[derive(Debug, Args)]
pub(super) struct Release {
    /// Ids of sessions
    #[arg(value_name = "SESSION", required = true, value_parser = parse_id)]
    pub(super) ids: Vec<SessionId>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Release {
    pub(super) async fn run(&self, operator: &Operator) -> Exit {
        let mut exits = Vec::new();
        for id in &self.ids {
            let released = operator.release(*id).await;
            exits.push(told(released, |reason| {
                format!(
                    "{id} may run again; it was quarantined for: {}",
                    printable(&reason)
                )
            }));
        }
        worst(exits)
    }
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A file from `sessions export`; `-` reads stdin
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Overwrite existing sessions, and restore closed ones
    #[arg(long)]
    pub(super) replace: bool,
    #[command(flatten)]
    pub(super) patience: Patience,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Import {
    /// Checks all sessions before it changes any.
    pub(super) async fn run(&self, operator: &Operator) -> Exit {
        let sessions = match self.read() {
            Ok(sessions) => sessions,
            Err(exit) => return exit,
        };
        let mut exits = Vec::new();
        for session in &sessions {
            let imported = operator
                .import(session, self.replace, self.patience.time())
                .await;
            exits.push(told(imported, |imported| match imported {
                Imported::New => format!("{} imported", session.id),
                Imported::Replaced => format!("{} replaced", session.id),
            }));
        }
        worst(exits)
    }

    fn read(&self) -> Result<Vec<ExportedSession>, Exit> {
        let name = self.file.display();
        let (mut sessions, mut wrong) = (Vec::new(), 0_u64);
        let read = input::each_line(&self.file, |line, text| match validate::check(text) {
            Ok(session) => sessions.push(session),
            Err(problems) => {
                wrong += 1;
                for problem in problems {
                    complain(&format!("{name}:{line}: {}", printable(&problem)));
                }
            }
        });
        if let Err(error) = read {
            complain(&format!("{name}: {error}"));
            return Err(Exit::NoInput);
        }
        if wrong > 0 {
            complain(&format!(
                "nothing was imported: {wrong} of the sessions are not valid"
            ));
            return Err(Exit::Finding);
        }
        Ok(sessions)
    }
}

fn told<T>(result: Result<T, OperatorError>, tell: impl FnOnce(T) -> String) -> Exit {
    match result {
        Ok(done) => print(&tell(done)),
        Err(error) => refused(&error),
    }
}
