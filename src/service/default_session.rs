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
    known: Arc<Mutex<Option<Known>>>,
    /// By which every node finds the same one; `None`: the connection is this process's alone.
    key: Option<Arc<str>>,
}

#[derive(Clone, Copy)]
struct Known {
    id: SessionId,
    /// Made while the store was away: other nodes may have made another since.
    provisional: bool,
}

/// What a call runs in.
pub(super) struct Found {
    pub(super) id: SessionId,
    /// That it is another one than before.
    pub(super) notice: Option<String>,
}

impl DefaultSession {
    /// Of a connection that other nodes may serve, too.
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

    /// `None` where nobody has used it, on any node. Where other nodes may have, looking is the same as using.
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

    /// Calls that come together make one session: the lock is held while it is made. One that was made while the store
    /// was away is asked for again when that is back: then its key stands for one session on all nodes.
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
                "while the store was away the connection's session was {}, which is kept under that id; this is the one \
                 that other nodes know",
                before.id
            )
        });
        Ok(Found {
            id: view.id,
            notice,
        })
    }

    /// It is gone. Another call may have made a new one meanwhile: that stays.
    pub(super) async fn forget(&self, gone: SessionId) {
        let mut known = self.known.lock().await;
        if known.is_some_and(|known| known.id == gone) {
            *known = None;
        }
    }
}
