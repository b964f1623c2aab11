//! After a restart of the store's server, it may have been rolled back past a takeover, and accept the commits of a node
//! that no longer owns the session. So before its first commit to each session in another run of the server, a node asks
//! the live nodes. One that owned the session later stores its own state, and the store then refuses the commit.

use super::peers::forgotten;
use super::*;
use crate::store::lineage::Standing;

/// How long commits wait for a node that owned the session later and cannot store its state yet. After that they are
/// applied. The later owner still replaces them when it returns, and counts them as lost.
const CANNOT_YET_WITHIN: Duration = Duration::from_secs(10);

impl Inner {
    /// Returns once the commit may be applied in `run`. An error is the answer to the commit.
    pub(super) async fn may_commit(&self, run: u64, commit: &Commit) -> Result<(), StoreError> {
        let (id, node) = (commit.session, self.options.node);
        let claim = self.with(|state| {
            if state.ledger.is_asked_in(id, run) {
                return None;
            }
            let held = state.held.get(&id);
            match held.filter(|held| held.real == commit.fence) {
                Some(held) => Some(held.claim(node)),
                None => state.ledger.get(id).map(|known| known.claim(node)),
            }
        });
        let Some(claim) = claim.filter(|_| self.asks_peers()) else {
            return Ok(());
        };
        let said = self.ask_peers(id, &claim).await;
        let forgotten = match forgotten(&claim, &said) {
            Ok(forgotten) => forgotten,
            Err(error) => {
                let since = self.with(|state| state.ledger.asking_in(id, run));
                if since.elapsed() < CANNOT_YET_WITHIN {
                    return Err(error);
                }
                None
            }
        };
        let forgotten = self.count_once(id, forgotten);
        self.with(|state| {
            state.ledger.asked_in(id, run);
            let none = Lost::default();
            state.add(id, Lost { forgotten, ..none });
        });
        if forgotten > 0 {
            // The actor acquires the session again, learns of the loss, and repeats the commit.
            return Err(StoreError::Lapsed);
        }
        Ok(())
    }

    /// The same for changes that were kept here while the store was down, under the fence that was acquired since.
    /// Returns true if another node owned the session later.
    pub(super) async fn is_later_elsewhere(&self, run: u64, id: SessionId, fence: Fence) -> bool {
        let claim = self.with(|state| {
            let held = state.held.get(&id)?;
            let claim = held.claim(self.options.node);
            (!state.ledger.is_asked_in(id, run)).then_some(Claim {
                epoch: fence.epoch,
                ..claim
            })
        });
        let Some(claim) = claim.filter(|_| self.asks_peers()) else {
            return false;
        };
        let said = self.ask_peers(id, &claim).await;
        let mut later = said.iter().map(|said| {
            let standing = claim.lineage.judge(claim.version, &said.claim);
            matches!(standing, Standing::Later { .. })
        });
        let later = later.any(|later| later);
        if !later {
            self.with(|state| state.ledger.asked_in(id, run));
        }
        later
    }
}
