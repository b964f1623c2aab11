//! The session of one connection. Who holds it: the transport, one for each connection. When a crash or an expiry takes
//! the session, the next call makes another and says so.

use std::sync::Arc;

use actors::ids::{ConnectionId, Principal, SessionId};
use actors::sessions::CreateRequest;
use tokio::sync::Mutex;

use super::Service;
use crate::answer::Failure;

const LABEL: &str = "default session of a connection";

/// The session of one connection: made at first use, made again when it has expired or was closed.
#[derive(Clone, Default)]
pub struct DefaultSession {
    id: Arc<Mutex<Option<SessionId>>>,
    /// By which every node finds the same one; `None`: the connection is this process's alone.
    key: Option<Arc<str>>,
}

impl DefaultSession {
    /// Of a connection that other nodes may serve, too.
    pub fn of_connection(id: ConnectionId) -> Self {
        Self {
            id: Arc::default(),
            key: Some(format!("connection:{id}").into()),
        }
    }

    /// `None` before the first use.
    pub async fn current(&self) -> Option<SessionId> {
        *self.id.lock().await
    }

    /// `None` where nobody has used it, on any node. Where other nodes may have, looking is the same as using.
    pub(super) async fn find(
        &self,
        service: &Service,
        principal: &Principal,
    ) -> Result<Option<SessionId>, Failure> {
        match self.key {
            Some(_) => self.get_or_create(service, principal).await.map(Some),
            None => Ok(self.current().await),
        }
    }

    /// Calls that come together make one session: the lock is held while it is made.
    pub(super) async fn get_or_create(
        &self,
        service: &Service,
        principal: &Principal,
    ) -> Result<SessionId, Failure> {
        let mut id = self.id.lock().await;
        if let Some(id) = *id {
            return Ok(id);
        }
        let view = service
            .sessions
            .create(CreateRequest {
                principal: principal.clone(),
                label: Some(LABEL.to_owned()),
                roots: service.roots_of(principal).to_vec(),
                ttl: None,
                idempotency_key: self.key.as_deref().map(str::to_owned),
            })
            .await?;
        let view = service.within_limits(principal, view).await?;
        *id = Some(view.id);
        Ok(view.id)
    }

    /// It is gone. Another call may have made a new one meanwhile: that stays.
    pub(super) async fn forget(&self, gone: SessionId) {
        let mut id = self.id.lock().await;
        if *id == Some(gone) {
            *id = None;
        }
    }
}
