//! Caching hints: how long clients may keep an answer, and who may share it (2026-07-28; earlier revisions have no such
//! fields).

use rmcp::RoleServer;
use rmcp::model::{CacheScope, ProtocolVersion};
use rmcp::service::RequestContext;

/// The catalogue is the same for every caller until the program is upgraded; an hour later every client has the new
/// one.
const CATALOGUE_MS: u64 = 3_600_000;
/// Any call may add a result.
const LIST_MS: u64 = 1_000;
/// A result never changes, but disappears when its session is closed.
const RESULT_MS: u64 = 60_000;

pub(super) const CATALOGUE: (u64, CacheScope) = (CATALOGUE_MS, CacheScope::Public);
pub(super) const LIST: (u64, CacheScope) = (LIST_MS, CacheScope::Private);
pub(super) const RESULT: (u64, CacheScope) = (RESULT_MS, CacheScope::Private);

/// `None` for a client whose revision has no hints.
pub(super) fn for_peer(
    hint: (u64, CacheScope),
    context: &RequestContext<RoleServer>,
) -> (Option<u64>, Option<CacheScope>) {
    let knows = context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    if !knows {
        return (None, None);
    }
    (Some(hint.0), Some(hint.1))
}
