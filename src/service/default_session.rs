//! The default session of one connection, held by the transport. When the session crashes for good or expires, the next
//! call creates another one and says so.

use std::sync::Arc;

use actors::ids::{ConnectionId, Principal, SessionId};
use actors::sessions::CreateRequest;
use tokio::sync::Mutex;

use super::Service;
use crate::answer::Failure;

const LABEL: &str = "default session of a connection";

/// Created at first use, and again after it has expired or was closed.
#[derive(Clone, Default)]
pub struct DefaultSession {
    known: Arc<Mutex<Option<Known>>>,
    /// The key under which every node finds the same session; `None`: only this process serves the connection.
    key: Option<Arc<str>>,
}

#[derive(Clone, Copy)]
struct Known {
    id: SessionId,
    /// Created while the store was down: other nodes may have created another one.
    provisional: bool,
}

/// The session of a call.
pub(super) struct Found {
    pub(super) id: SessionId,
    /// Set if the session has changed since the last call.
    pub(super) notice: Option<String>,
}

impl DefaultSession {
    /// For a connection that other nodes may serve too.
    pub fn of_connection(id: ConnectionId) -> Self {
        Self {
            known: Arc::default(),
            key: Some(format!("connection:{id}").into()),
        }
    }

    /// `None` before the first use.
    pub async fn current(&self) -> Option<SessionId> {
        self.known.lock().await.map(|known| known.id)
    }

    /// `None` if it was never used. If other nodes may have used it, this creates it.
    pub(super) async fn find(
        &self,
        service: &Service,
        principal: &Principal,
    ) -> Result<Option<SessionId>, Failure> {
        match self.key {
            Some(_) => Ok(Some(self.get_or_create(service, principal).await?.id)),
            None => Ok(self.current().await),
        }
    }

    /// The lock is held during creation, so concurrent calls create one session. A session created while the store was
    /// down is requested again once it is back, so that the key names one session on all nodes.
    pub(super) async fn get_or_create(
        &self,
        service: &Service,
        principal: &Principal,
    ) -> Result<Found, Failure> {
        let mut known = self.known.lock().await;
        if let Some(Known { id, provisional }) = *known
            && (!provisional || service.sessions.store_is_away())
        {
            return Ok(Found { id, notice: None });
        }
        let view = service
            .sessions
            .create(CreateRequest {
                principal: principal.clone(),
                label: Some(LABEL.to_owned()),
                roots: service.roots_of(principal).to_vec(),
                ttl: None,
                idempotency_key: self.key.as_deref().map(str::to_owned),
                provisional: self.key.is_some(),
            })
            .await?;
        let view = service.within_limits(principal, view).await?;
        let provisional = self.key.is_some() && service.sessions.is_provisional(&view);
        let before = known.replace(Known {
            id: view.id,
            provisional,
        });
        let notice = before.filter(|before| before.id != view.id).map(|before| {
            format!(
                "while the store was down the connection's session was {}, which is kept under that id; this is the \
                 session that other nodes use",
                before.id
            )
        });
        Ok(Found {
            id: view.id,
            notice,
        })
    }

    /// The session no longer exists. If another call has already created a new one, that one stays.
    pub(super) async fn forget(&self, gone: SessionId) {
        let mut known = self.known.lock().await;
        if known.is_some_and(|known| known.id == gone) {
            *known = None;
        }
    }
}
