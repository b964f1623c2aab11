//! Marks a request that shutdown interrupts: it is answered `shutting_down`. The code that sends the answer reads the
//! mark, because such an answer has another status and is not stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::sessions::CallError;
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::answer::Failure;

/// The mark of one request. It travels with the request; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left(Arc<AtomicBool>);

impl Left {
    /// Marks the request of `context`, if it carries a mark.
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
