//! Repairs a session that other nodes may know more of: live nodes are asked first. A store that was rolled back past a
//! takeover does not know of it, but the node that took over does.

use super::ledger::Known;
use super::*;
use crate::store::lineage::Standing;
use crate::store::{Claim, Peers, Repaired, Said, Shown};

impl Inner {
    /// Stores the claimant's state, unless another node owned the session later. That node stores its own state when
    /// asked, and the store then refuses this one. The caller reports what is lost.
    pub(super) async fn lay_down(&self, repair: Repair) -> Result<Repaired, StoreError> {
        let (id, ours) = (repair.session.id, repair.claim());
        let said = self.ask_peers(id, &ours).await;
        let mut forgotten = 0;
        for Said { claim, shown } in &said {
            let Standing::Later { from } = ours.lineage.judge(ours.version, claim) else {
                continue;
            };
            match shown {
                Shown::Stored => {}
                Shown::CannotYet => {
                    let why = format!(
                        "{} owned the session later, and cannot store its state yet",
                        claim.node
                    );
                    return Err(StoreError::Unavailable(why));
                }
                Shown::Gone => {
                    let known = Known {
                        lineage: claim.lineage.clone(),
                        version: claim.version,
                        epoch: 0,
                    };
                    forgotten = forgotten.max(known.lost_after(from));
                }
            }
        }
        let repaired = in_time(self.store.repair(repair)).await?;
        // A live holder finds out when its next commit is refused.
        let hears = |holder| said.iter().any(|said| said.claim.node == holder);
        let dropped = match repaired.holder {
            Some(holder) if hears(holder) => 0,
            Some(_) | None => repaired.dropped,
        };
        if forgotten > 0 || dropped > 0 {
            tracing::error!(session = %id, forgotten, dropped, "acknowledged changes are lost");
        }
        Ok(Repaired {
            dropped,
            forgotten,
            ..repaired
        })
    }

    async fn ask_peers(&self, id: SessionId, ours: &Claim) -> Vec<Said> {
        let Some(peers) = self.peers.get().filter(|_| !self.options.single_node) else {
            return Vec::new();
        };
        // Nodes may have joined since the last heartbeat seen here.
        let nodes = in_time(self.store.nodes()).await.unwrap_or_default();
        let nodes = nodes.into_iter().map(|record| record.node).collect();
        peers.ask(nodes, id, ours.clone()).await
    }

    /// Answers another node that is about to store its state, `theirs`.
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
        let aside = Some(Fence {
            epoch: theirs.epoch,
            node: theirs.node,
        });
        if !has {
            // The asking node reports the loss.
            self.with(|state| state.ledger.forget(id));
            let shown = Shown::Gone;
            return Some(Said { claim, shown });
        }
        let shown = match self.lay_down_unasked(id, aside).await {
            Ok(()) => Shown::Stored,
            Err(StoreError::Unavailable(_)) => Shown::CannotYet,
            Err(error) => {
                tracing::debug!(session = %id, %error, "another node asked for a session, and it was not stored again");
                Shown::Stored
            }
        };
        Some(Said { claim, shown })
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
        self.settle(id, repaired.fence, None, asked).await
    }

    pub(super) fn meet(&self, peers: Arc<dyn Peers>) {
        // Set once at start; a second call is ignored.
        let _ = self.peers.set(peers);
    }
}
