//! `sessions export`: JSON lines, one per session.

use actors::ids::{Principal, SessionId};
use actors::operator::{Operator, OperatorError};
use clap::Args;

use super::super::{complain, print};
use super::{Exit, Reach, parse_id, refused, worst};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Ids of sessions; or use --all or --principal
    #[arg(value_name = "SESSION", value_parser = parse_id, required_unless_present_any = ["all", "principal"])]
    pub(super) ids: Vec<SessionId>,
    /// The sessions of all principals
    #[arg(long, conflicts_with_all = ["ids", "principal"])]
    pub(super) all: bool,
    /// The sessions of this principal
    #[arg(long, value_name = "NAME", conflicts_with = "ids")]
    pub(super) principal: Option<String>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Export {
    pub(super) async fn run(&self, operator: &Operator) -> Exit {
        let ids = match self.wanted(operator).await {
            Ok(ids) => ids,
            Err(error) => return refused(&error),
        };
        let mut exits = Vec::new();
        for id in ids {
            let session = match operator.export_what_is_whole(id).await {
                Ok((session, damaged)) => {
                    for damage in &damaged {
                        complain(&format!(
                            "session {id} is exported without its damaged parts: {damage}"
                        ));
                    }
                    if !damaged.is_empty() {
                        exits.push(Exit::NoInput);
                    }
                    session
                }
                // The session ended after it was listed.
                Err(OperatorError::Unknown(_)) if self.ids.is_empty() => continue,
                Err(error) => {
                    exits.push(refused(&error));
                    continue;
                }
            };
            match serde_json::to_string(&session) {
                Ok(line) => exits.push(print(&line)),
                Err(error) => {
                    complain(&format!("session {id}: {error}"));
                    exits.push(Exit::Internal);
                }
            }
        }
        worst(exits)
    }

    async fn wanted(&self, operator: &Operator) -> Result<Vec<SessionId>, OperatorError> {
        if !self.ids.is_empty() {
            return Ok(self.ids.clone());
        }
        let principal = self.principal.as_ref().map(Principal::named);
        let found = operator.ids(principal.as_ref()).await?;
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }
}
