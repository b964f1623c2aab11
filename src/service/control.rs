//! The control tools: sessions, discovery, status. They read no source code and do not run on the pool.

use std::time::Duration;

use actors::ids::SessionId;
use actors::sessions::{CreateRequest, SessionView};

use super::run::{ChosenSession, place, session_required};
use super::{Call, Service};
use crate::answer::{Answer, Context, Failure};
use crate::tools::read_access::to_actors;
use crate::tools::shared::{Paging, strings};
use crate::tools::{
    close_session, create_session, find_tools, get_server_status, get_session, list_sessions,
};

impl Service {
    pub(super) async fn control(&self, call: &Call) -> Result<Answer, Failure> {
        match call.entry.name {
            create_session::NAME => self.create_session(call).await,
            get_session::NAME => self.get_session(call).await,
            list_sessions::NAME => self.list_sessions(call).await,
            close_session::NAME => self.close_session(call).await,
            find_tools::NAME => {
                let finding = find_tools::finding(&call.arguments)?;
                Ok(call.called().found(finding, "", Context::default()))
            }
            get_server_status::NAME => Ok(self.server_status(call).await),
            other => Err(Failure::new(
                "internal",
                format!("no control tool is called {other}"),
            )),
        }
    }

    async fn create_session(&self, call: &Call) -> Result<Answer, Failure> {
        let roots = match call.arguments.get("roots") {
            None => self.roots_of(&call.caller.principal).to_vec(),
            Some(paths) => self.narrowed(call, strings(paths)).await?,
        };
        let request = CreateRequest {
            principal: call.caller.principal.clone(),
            label: call.arguments["label"].as_str().map(str::to_owned),
            roots,
            ttl: call.arguments["ttl_seconds"]
                .as_u64()
                .map(Duration::from_secs),
            idempotency_key: call.key(),
            provisional: false,
        };
        let view = self.sessions.create(request).await?;
        let view = self.within_limits(&call.caller.principal, view).await?;
        let finding = create_session::finding(&view);
        Ok(call.called().found(finding, "", context_of(&view)))
    }

    /// Reads the disk, so it must not run on the runtime's threads.
    async fn narrowed(
        &self,
        call: &Call,
        paths: Vec<String>,
    ) -> Result<Vec<actors::tool::Root>, Failure> {
        let workspace = self.reach.workspace(&call.caller.principal);
        let narrowed = tokio::task::spawn_blocking(move || workspace.narrow(&paths)).await;
        let roots = narrowed.map_err(|error| Failure::new("internal", error.to_string()))??;
        Ok(to_actors(&roots).to_vec())
    }

    async fn get_session(&self, call: &Call) -> Result<Answer, Failure> {
        let id = self.session_asked_for(call).await?;
        let view = self.sessions.get(&call.caller.principal, id).await?;
        let finding = get_session::finding(&view, &call.arguments)?;
        Ok(call.called().found(finding, "", context_of(&view)))
    }

    async fn session_asked_for(&self, call: &Call) -> Result<SessionId, Failure> {
        match place(call)? {
            ChosenSession::Given(id) => Ok(id),
            ChosenSession::Throwaway => Err(session_required()),
            // Asking for the default session creates it, so that the caller can see it.
            ChosenSession::Default(default) => {
                let found = default.get_or_create(self, &call.caller.principal).await?;
                Ok(found.id)
            }
        }
    }

    async fn list_sessions(&self, call: &Call) -> Result<Answer, Failure> {
        let paging = Paging::read(list_sessions::NAME, &call.arguments)?;
        let (after, rows) = list_sessions::wanted(&paging);
        let (rows, total) = self
            .sessions
            .list(&call.caller.principal, after, rows)
            .await?;
        let finding = list_sessions::finding(&rows, total, &paging);
        Ok(call.called().found(finding, "", Context::default()))
    }

    async fn close_session(&self, call: &Call) -> Result<Answer, Failure> {
        let id = call.session_id()?.ok_or_else(session_required)?;
        self.sessions.close(&call.caller.principal, id).await?;
        let context = Context {
            session_id: Some(id),
            ..Context::default()
        };
        Ok(call.called().found(close_session::finding(id), "", context))
    }

    async fn server_status(&self, call: &Call) -> Answer {
        let roots = self.roots_of(&call.caller.principal);
        let tell = |status: &_| get_server_status::finding(status, &roots, &self.features);
        let finding = self
            .status_cache
            .finding(&self.sessions, &roots, tell)
            .await;
        let finding = get_server_status::shown(finding, &call.arguments);
        call.called().found(finding, "", Context::default())
    }
}

fn context_of(view: &SessionView) -> Context {
    Context {
        session_id: Some(view.id),
        durability: Some(view.durability),
        replayed: view.replayed,
        notices: view.notices.clone(),
        ..Context::default()
    }
}
