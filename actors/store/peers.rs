//! The other nodes that share a store, as one asks them that is about to repair a session. Implemented over the relay.

use std::future::Future;
use std::pin::Pin;

use super::Claim;
use crate::ids::{NodeId, SessionId};

pub type PeersFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Peers: Send + Sync + 'static {
    /// What they say, of those that live and answer in time; `also` are nodes that may not be known here yet.
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
    /// The store has it, or something later.
    Stored,
    /// It has the state, and cannot lay it down just now.
    CannotYet,
    /// It had the session later, and has not got the state any more.
    Gone,
}
