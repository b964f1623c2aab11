//! Hides sessions from other principals. A running session checks the caller itself; errors of a session that cannot
//! run are checked here before they reach the caller.

use super::*;
use crate::store::Row;

impl Sessions {
    /// Only the owner may see the state of a session: to any other principal it does not exist.
    pub(super) async fn unless_anothers(
        &self,
        principal: &Principal,
        id: SessionId,
        error: CallError,
    ) -> CallError {
        if !tells_of_a_session(&error) {
            return error;
        }
        match in_time(self.store().look(id)).await {
            Ok(Row {
                principal: owner, ..
            })
            | Err(
                StoreError::Expired(owner)
                | StoreError::Quarantined {
                    principal: owner, ..
                },
            ) if owner == *principal => error,
            Err(away @ StoreError::Unavailable(_)) => self.heard(principal, id, &away),
            Ok(_) | Err(_) => CallError::UnknownSession(id),
        }
    }
}

/// Whether the error reveals that the session exists. A full mailbox reveals it too, but is not checked: that would add
/// store requests under load.
fn tells_of_a_session(error: &CallError) -> bool {
    match error {
        CallError::SessionExpired(_)
        | CallError::Quarantined { .. }
        | CallError::NewerSchema { .. }
        | CallError::Fenced(_)
        | CallError::Elsewhere { .. } => true,
        CallError::UnknownSession(_)
        | CallError::UnknownResult(_)
        | CallError::ResultNotStored(_)
        | CallError::ResultDamaged { .. }
        | CallError::SessionRequired
        | CallError::KeyReused
        | CallError::Busy { .. }
        | CallError::LimitReached { .. }
        | CallError::ArgumentsTooLarge { .. }
        | CallError::UnknownTool(_)
        | CallError::Rejected(_)
        | CallError::Cancelled
        | CallError::DeadlineExceeded(_)
        | CallError::Interrupted { .. }
        | CallError::StoreUnavailable(_)
        | CallError::Unrecorded { .. }
        | CallError::ShuttingDown => false,
    }
}
