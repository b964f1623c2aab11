//! Repairs a session that other nodes may know more of: live nodes are asked first. A store that was rolled back past a
//! takeover does not know of it, but the node that took over does.

use super::*;
use crate::store::lineage::Standing;
use crate::store::{Claim, Peers, Repaired, Said, Shown, Turn};

/// A later state that its node no longer has.
pub(super) struct Forgotten {
    state: (NodeId, u64),
    changes: u64,
}

impl Inner {
    /// Stores the claimant's state, unless another node owned the session later. That node stores its own state when
    /// asked, and the store then refuses this one. The caller reports what is lost.
    pub(super) async fn lay_down(&self, repair: Repair) -> Result<Repaired, StoreError> {
        let (id, ours) = (repair.session.id, repair.claim());
        let run = self.store.run();
        let said = self.ask_peers(id, &ours).await;
        let forgotten = forgotten(&ours, &said)?;
        let repaired = match in_time(self.store.repair(repair)).await {
            Ok(repaired) => repaired,
            // The caller repeats the repair, and asks again.
            Err(error @ (StoreError::Unavailable(_) | StoreError::Lapsed)) => return Err(error),
            Err(error) => {
                let forgotten = self.count_once(id, forgotten);
                let none = Lost::default();
                self.with(|state| state.add(id, Lost { forgotten, ..none }));
                return Err(error);
            }
        };
        let forgotten = self.count_once(id, forgotten);
        self.with(|state| state.ledger.asked_in(id, run));
        // A live holder finds out when its next commit is refused.
        let hears = |holder| said.iter().any(|said| said.claim.node == holder);
        let dropped = match repaired.holder {
            Some(holder) if hears(holder) => 0,
            Some(_) | None => repaired.dropped,
        };
        if dropped > 0 {
            tracing::error!(session = %id, changes = dropped, "acknowledged changes are lost");
        }
        Ok(Repaired {
            dropped,
            forgotten,
            ..repaired
        })
    }

    /// How many changes were lost with that state, or 0 if that is counted already: until this node commits as a later
    /// owner, the other one reports the loss each time it is asked.
    pub(super) fn count_once(&self, id: SessionId, forgotten: Option<Forgotten>) -> u64 {
        let Some(Forgotten { state, changes }) = forgotten else {
            return 0;
        };
        let is_new = self.with(|all| {
            let known = all.ledger.get(id).and_then(|known| known.counted);
            all.ledger.counted(id, state);
            known != Some(state)
        });
        if !is_new {
            return 0;
        }
        tracing::error!(session = %id, changes, "acknowledged changes are lost");
        changes
    }

    pub(super) fn asks_peers(&self) -> bool {
        self.peers.get().is_some() && !self.options.single_node
    }

    pub(super) async fn ask_peers(&self, id: SessionId, ours: &Claim) -> Vec<Said> {
        let Some(peers) = self.peers.get().filter(|_| self.asks_peers()) else {
            return Vec::new();
        };
        // Nodes may have joined since the last heartbeat seen here.
        let nodes = in_time(self.store.nodes()).await.unwrap_or_default();
        let nodes = nodes.into_iter().map(|record| record.node).collect();
        peers.ask(nodes, id, ours.clone()).await
    }

    /// Answers another node that is about to store its state, `theirs`, or to commit to it.
    pub(super) async fn asked(&self, id: SessionId, theirs: Claim) -> Option<Said> {
        let now_ms = self.clock.now_ms();
        let node = self.options.node;
        let (claim, has) = self.with(|state| {
            if let Some(held) = state.held.get(&id).filter(|held| held.born.is_none()) {
                let has = !held.deleted && held.expires_ms > now_ms;
                return Some((held.claim(node), has));
            }
            let known = state.ledger.get(id)?;
            Some((known.claim(node), false))
        })?;
        let later = theirs.lineage.judge(theirs.version, &claim);
        if !matches!(later, Standing::Later { .. }) {
            let shown = Shown::Stored;
            return Some(Said { claim, shown });
        }
        let fence = Fence {
            epoch: theirs.epoch,
            node: theirs.node,
        };
        // Under a fence that the claim does not include, the session was only acquired to be repaired.
        let began = |turn: &Turn| (turn.epoch, turn.node) == (fence.epoch, fence.node);
        let aside = (!theirs.lineage.last().is_some_and(began)).then_some(fence);
        let shown = if has {
            self.show(id, aside).await
        } else {
            Shown::Gone
        };
        if shown == Shown::Gone {
            // The asking node counts the loss. Its answer may be lost, or its repair fail, and then it asks again.
            self.with(|state| state.ledger.told(id, theirs));
        }
        Some(Said { claim, shown })
    }

    /// Stores this node's state for another one that asked for it.
    async fn show(&self, id: SessionId, aside: Option<Fence>) -> Shown {
        let Err(error) = self.lay_down_unasked(id, aside).await else {
            return Shown::Stored;
        };
        tracing::debug!(session = %id, %error, "another node asked for a session, and it was not stored again");
        match error {
            // The store has this state or a later one, or nothing may be stored for the session.
            StoreError::Fenced
            | StoreError::Overtaken { .. }
            | StoreError::Deleted
            | StoreError::Expired(_)
            | StoreError::Quarantined { .. } => Shown::Stored,
            // It cannot be read here.
            StoreError::Corrupt(_) | StoreError::NewerSchema(_) => Shown::Gone,
            // The session was acquired or released here meanwhile, or the store may accept it later.
            StoreError::Missing
            | StoreError::Lapsed
            | StoreError::Held { .. }
            | StoreError::Regressed { .. }
            | StoreError::Unrecorded(_)
            | StoreError::Refused(_)
            | StoreError::KeyReused
            | StoreError::Limit(_)
            | StoreError::Unavailable(_) => Shown::CannotYet,
        }
    }

    async fn lay_down_unasked(
        &self,
        id: SessionId,
        aside: Option<Fence>,
    ) -> Result<(), StoreError> {
        let asked = Instant::now();
        let repair = self.with(|state| {
            let held = state.held.get(&id).ok_or(StoreError::Missing)?;
            Ok(Repair {
                aside,
                ..held.as_repair(id)?
            })
        })?;
        let repaired = in_time(self.store.repair(repair)).await?;
        tracing::warn!(session = %id, "the store had lost the owner of a session, which is now stored again");
        // The asking node does not count what others stored meanwhile.
        self.with(|state| state.add(id, repaired.lost()));
        self.settle(id, repaired.fence, None, asked).await
    }

    pub(super) fn meet(&self, peers: Arc<dyn Peers>) {
        // Set once at start; a second call is ignored.
        let _ = self.peers.set(peers);
    }
}

/// The largest loss among the later states that no node has any more. Fails if a node cannot store its later state yet.
pub(super) fn forgotten(ours: &Claim, said: &[Said]) -> Result<Option<Forgotten>, StoreError> {
    let later = said.iter().filter_map(|said| {
        let standing = ours.lineage.judge(ours.version, &said.claim);
        let Standing::Later { from } = standing else {
            return None;
        };
        Some((said, from))
    });
    // A node that continued from that state may have stored its own.
    let is_stored = |claim: &Claim| {
        let mut stored = said.iter().filter(|said| said.shown == Shown::Stored);
        stored.any(|Said { claim: other, .. }| {
            other.lineage.judge(other.version, claim) == Standing::Found
        })
    };
    let mut forgotten: Option<Forgotten> = None;
    for (Said { claim, shown }, from) in later {
        match shown {
            Shown::Stored => {}
            Shown::CannotYet => {
                let why = format!(
                    "{} owned the session later, and cannot store its state yet",
                    claim.node
                );
                return Err(StoreError::Unavailable(why));
            }
            Shown::Gone if is_stored(claim) => {}
            Shown::Gone => {
                let changes = claim.lost_after(from);
                if forgotten
                    .as_ref()
                    .is_none_or(|known| known.changes < changes)
                {
                    let state = (claim.node, claim.version);
                    forgotten = Some(Forgotten { state, changes });
                }
            }
        }
    }
    Ok(forgotten)
}
