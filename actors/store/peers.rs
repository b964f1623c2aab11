//! Asks the other nodes that share a store, before a session is repaired. Implemented over the relay.

use std::future::Future;
use std::pin::Pin;

use super::Claim;
use crate::ids::{NodeId, SessionId};

pub type PeersFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Peers: Send + Sync + 'static {
    /// Answers of the live nodes that reply in time. `also` names nodes that may not be known here yet.
    fn ask(&self, also: Vec<NodeId>, id: SessionId, ours: Claim) -> PeersFuture<'_, Vec<Said>>;
}

/// What another node knows of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub claim: Claim,
    pub shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The store has this state or a later one.
    Stored,
    /// The node has the state, but cannot store it now.
    CannotYet,
    /// The node owned the session later, but no longer has its state.
    Gone,
}
