//! A node is asked for a session while it still treats its store as down.

use std::sync::atomic::{AtomicBool, Ordering};

use super::flaky::{Flaky, How};
use super::*;
use crate::ids::NodeId;
use crate::relay::memory::MemoryRelay;
use crate::store::fallback::{FallbackStore, ShelterOptions, WhenAway};

/// Its probes are seconds apart by then.
const CUT_FOR: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_asked_too_early_hands_the_session_over_soon() {
    for when_away in [WhenAway::Refuse, WhenAway::Degrade] {
        let clock = Clock::starting_at(1_000_000);
        let limits = memory::Limits {
            lease: Duration::from_secs(3600),
            ..memory::Limits::default()
        };
        let store = Arc::new(MemoryStore::new(clock, limits));
        let relay = Arc::<MemoryRelay>::default();
        let cut = Arc::<AtomicBool>::default();
        let is_cut = Arc::clone(&cut);
        let link = Flaky::at(DurabilityLevel::Redis, Arc::clone(&store), move |_| {
            if is_cut.load(Ordering::SeqCst) {
                return How::Fails;
            }
            How::Well
        });
        let owner = NodeId::random();
        let options = ShelterOptions {
            when_away,
            ..ShelterOptions::new(owner, memory::LEASE)
        };
        let fallback = FallbackStore::over(link, options, clock);
        let backing = |store: Arc<dyn Store>| Backing {
            relay: Some(Arc::clone(&relay) as _),
            ..Backing::alone(store)
        };
        let there = backing(Arc::clone(&fallback) as _);
        let a = node(
            |options| options.node = owner,
            Arc::clone(&store),
            there,
            clock,
        )
        .await;
        let here = backing(Arc::clone(&store) as _);
        let b = node(|_| {}, Arc::clone(&store), here, clock).await;
        let id = a.session().await;
        a.call(id, "echo", json!({"n": 1})).await.unwrap();
        cut.store(true, Ordering::SeqCst);
        while fallback.health().away.is_none() {
            let _ = a.sessions.list(&Principal::local(), None, 1).await;
        }
        tokio::time::sleep(CUT_FOR).await;
        cut.store(false, Ordering::SeqCst);
        let asked = Instant::now();
        let answer = b.call(id, "echo", json!({"n": 2})).await.unwrap();
        assert_eq!(echoed(&answer)["n"], json!(2));
        assert!(
            asked.elapsed() < SOON,
            "{when_away:?}: {:?}",
            asked.elapsed()
        );
        assert!(fallback.health().away.is_none(), "the question was proof");
    }
}
