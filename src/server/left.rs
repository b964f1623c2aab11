//! A request that the time to stop leaves without its answer: it is answered `shutting_down`, and this is known to
//! those who send the answer, because its status differs and nothing of it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::sessions::CallError;
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::answer::Failure;

/// Of one request. Travels with it; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left(Arc<AtomicBool>);

impl Left {
    /// Notes it of the request of `context`, where somebody wants to know.
    pub(super) fn note(context: &RequestContext<RoleServer>) {
        let of_http = || context.extensions.get::<Parts>()?.extensions.get::<Self>();
        if let Some(left) = context.extensions.get::<Self>().or_else(of_http) {
            left.0.store(true, Ordering::Release);
        }
    }

    pub(crate) fn is_noted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

pub(super) fn failure() -> Failure {
    CallError::ShuttingDown.into()
}
