//! Who may hear of a session. A session checks whose it is by itself; one that cannot run cannot, so what callers are
//! told of it is looked at here, on its way out.

use super::*;
use crate::store::Row;

impl Sessions {
    /// What is wrong with a session is for its owner to know: for everybody else there is none.
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

/// Whether it says that there is such a session. A full mailbox says so, too, and is not asked about: it is answered
/// when there is most to do.
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
