//! Lists, reads and completes the stored results of a caller, for the protocol's resources and completions. Only the
//! caller's own sessions are read. Reading a session extends its expiry, like any other use.

use std::time::Duration;

use actors::ids::{ResultId, SessionId};
use actors::sessions::{HistoryView, SessionStatus, SessionView};
use futures_util::future::join_all;
use serde_json::Value;

use super::{Caller, Service, parse_session};
use crate::answer::Failure;
use crate::tools::get_session;

/// Sessions whose results are listed together: the connection's own and the newest. Each has to be loaded.
const SESSIONS_LOOKED_AT: usize = 10;
/// Longest wait for one session: it may be on another node, and that node may be down.
const SESSION_WITHIN: Duration = Duration::from_secs(2);
/// Sessions whose ids are searched for a prefix: as many as a store lists at once.
const IDS_LOOKED_AT: usize = 1000;

/// One stored result.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub session: SessionId,
    pub result: HistoryView,
}

/// A page of stored results, newest first.
#[derive(Debug, Default)]
pub struct StoredPage {
    pub rows: Vec<Stored>,
    pub has_more: bool,
    /// Sessions of the caller that were not read.
    pub sessions_left_out: u64,
}

/// Ids that begin with a prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub values: Vec<String>,
    /// `None` if not all were checked.
    pub total: Option<usize>,
}

impl Service {
    /// The newest stored results. `after`: time and id of the last result on the previous page.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn stored_results(
        &self,
        caller: &Caller,
        after: Option<(u64, ResultId)>,
        limit: usize,
    ) -> Result<StoredPage, Failure> {
        let (sessions, total) = self.looked_at(caller).await?;
        let views = join_all(sessions.iter().map(|id| self.view(caller, *id))).await;
        let seen = views.iter().flatten().count() as u64;
        let mut rows: Vec<Stored> = views.into_iter().flatten().flat_map(stored_in).collect();
        // Newest first; the id orders results of the same millisecond.
        let place = |row: &Stored| (row.result.at_ms, row.result.result_id);
        rows.retain(|row| after.is_none_or(|after| place(row) < after));
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(place(row)));
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok(StoredPage {
            rows,
            has_more,
            sessions_left_out: total.saturating_sub(seen),
        })
    }

    /// A whole session with its history, as `get_session` returns it.
    ///
    /// # Errors
    /// The text is no id, or the session is unknown, expired or another principal's.
    pub async fn read_session(&self, caller: &Caller, session_id: &str) -> Result<Value, Failure> {
        let id = parse_session(session_id)?;
        let view = self.sessions.get(&caller.principal, id).await?;
        Ok(get_session::whole(&view))
    }

    /// # Errors
    /// The store is unavailable.
    pub async fn session_ids(
        &self,
        caller: &Caller,
        begun: &str,
        limit: usize,
    ) -> Result<Ids, Failure> {
        let principal = &caller.principal;
        let (rows, total) = self.sessions.list(principal, None, IDS_LOOKED_AT).await?;
        let saw_all = rows.len() as u64 >= total;
        let open = rows
            .iter()
            .filter(|row| row.status != SessionStatus::Closed);
        Ok(Ids::of(
            open.map(|row| row.id.to_string()),
            begun,
            saw_all,
            limit,
        ))
    }

    /// Ids of the stored results of one session, or of the connection's own session. Empty if the session cannot be
    /// read.
    pub async fn result_ids(
        &self,
        caller: &Caller,
        session_id: Option<&str>,
        begun: &str,
        limit: usize,
    ) -> Ids {
        let session = match (session_id, &caller.default_session) {
            (Some(id), _) => parse_session(id).ok(),
            (None, Some(default)) => default.current().await,
            (None, None) => None,
        };
        let Some(session) = session else {
            return Ids::of(std::iter::empty(), begun, true, limit);
        };
        let Some(view) = self.view(caller, session).await else {
            return Ids::of(std::iter::empty(), begun, true, limit);
        };
        let ids = stored_in(view).map(|row| row.result.result_id.to_string());
        Ids::of(ids, begun, true, limit)
    }

    /// The connection's own session and the newest ones, and the total number of sessions.
    async fn looked_at(&self, caller: &Caller) -> Result<(Vec<SessionId>, u64), Failure> {
        let principal = &caller.principal;
        let (rows, total) = self
            .sessions
            .list(principal, None, SESSIONS_LOOKED_AT)
            .await?;
        let mut ids: Vec<SessionId> = rows.into_iter().map(|row| row.id).collect();
        let own = match &caller.default_session {
            Some(default) => default.current().await,
            None => None,
        };
        if let Some(own) = own.filter(|own| !ids.contains(own)) {
            ids.truncate(SESSIONS_LOOKED_AT - 1);
            ids.insert(0, own);
        }
        Ok((ids, total))
    }

    async fn view(&self, caller: &Caller, id: SessionId) -> Option<SessionView> {
        let view = self.sessions.get(&caller.principal, id);
        tokio::time::timeout(SESSION_WITHIN, view).await.ok()?.ok()
    }
}

fn stored_in(view: SessionView) -> impl Iterator<Item = Stored> {
    let session = view.id;
    let kept = view.history.into_iter().filter(|result| result.stored);
    kept.map(move |result| Stored { session, result })
}

impl Ids {
    fn of(all: impl Iterator<Item = String>, begun: &str, saw_all: bool, limit: usize) -> Self {
        let mut values: Vec<String> = all.filter(|id| id.starts_with(begun)).collect();
        let total = saw_all.then_some(values.len());
        values.truncate(limit);
        Self { values, total }
    }
}
