//! Store outages, with a fallback in front of the store.

use std::sync::atomic::{AtomicU8, Ordering};

use super::flaky::{Flaky, How, Op};
use super::*;
use crate::ids::NodeId;
use crate::store::StoreError;
use crate::store::fallback::{Bounds, FallbackStore, ShelterOptions, WhenAway};

mod made_meanwhile;

const HERE: u8 = 0;
const AWAY: u8 = 1;
/// The store applies requests, but its answers are lost.
const MUTE: u8 = 2;

pub(super) struct Away {
    pub(super) world: World,
    pub(super) fallback: Arc<FallbackStore>,
    how: Arc<AtomicU8>,
    pub(super) clock: Clock,
}

async fn away_with(change: impl FnOnce(&mut ShelterOptions)) -> Away {
    let clock = Clock::starting_at(1_000_000);
    let store = Arc::new(MemoryStore::new(clock, memory::Limits::default()));
    let how = Arc::<AtomicU8>::default();
    let said = Arc::clone(&how);
    let flaky = Flaky::at(
        DurabilityLevel::Redis,
        Arc::clone(&store),
        move |op| match (said.load(Ordering::SeqCst), op) {
            (HERE, _) => How::Well,
            (MUTE, Op::Commit) => How::Unheard,
            _ => How::Fails,
        },
    );
    let node_id = NodeId::random();
    let mut options = ShelterOptions::new(node_id, memory::LEASE);
    change(&mut options);
    let fallback = FallbackStore::over(flaky, options, clock);
    let backing = Backing::alone(Arc::clone(&fallback) as _);
    let world = node(|options| options.node = node_id, store, backing, clock).await;
    Away {
        world,
        fallback,
        how,
        clock,
    }
}

pub(super) async fn away() -> Away {
    away_with(|_| {}).await
}

impl Away {
    fn is(&self, how: u8) {
        self.how.store(how, Ordering::SeqCst);
    }

    /// The store answers again, without data loss.
    async fn comes_back(&self) {
        self.is(HERE);
        let back = async {
            while self.fallback.health().away.is_some()
                || self.fallback.health().sheltered.sessions > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let back = tokio::time::timeout(Duration::from_secs(60), back).await;
        assert!(back.is_ok(), "{:?}", self.fallback.health());
    }

    pub(super) async fn call(&self, id: SessionId, n: u32) -> CallAnswer {
        self.world.call(id, "echo", json!({"n": n})).await.unwrap()
    }

    /// The session as another node sees it that shares only the store. The first node releases the session before.
    pub(super) async fn seen_by_another(&self, id: SessionId) -> SessionView {
        let given_up = async {
            while self.world.sessions.hand_over(id).await
                != crate::relay::message::HandOver::Released
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let given_up = tokio::time::timeout(Duration::from_secs(10), given_up).await;
        given_up.expect("it gives the session up");
        let backing = Backing::alone(Arc::clone(&self.world.store) as _);
        let other = node(|_| {}, Arc::clone(&self.world.store), backing, self.clock).await;
        other.sessions.get(&Principal::local(), id).await.unwrap()
    }
}

pub(super) fn results(view: &SessionView) -> Vec<ResultId> {
    view.history
        .iter()
        .rev()
        .map(|entry| entry.result_id)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_session_survives_an_outage_with_all_its_results() {
    let away = away().await;
    let id = away.world.session().await;
    let first = away.call(id, 0).await;
    assert_eq!(
        (first.durability.level, first.durability.durable),
        (DurabilityLevel::Redis, true)
    );
    assert!(first.notices.is_empty());
    let mut known = vec![first.result_id.unwrap()];
    away.is(AWAY);
    for n in 1..6 {
        let answer = away.call(id, n).await;
        assert_eq!(echoed(&answer)["n"], json!(n));
        assert_eq!(
            (answer.durability.level, answer.durability.durable),
            (DurabilityLevel::Memory, false)
        );
        assert!(
            answer.notices[0].contains("not durable"),
            "{:?}",
            answer.notices
        );
        known.push(answer.result_id.unwrap());
        if n == 3 {
            // Its actor dies while the store is down.
            assert!(away.world.strike(id, InjectedFault::Kill).await);
        }
    }
    let health = away.fallback.health();
    assert!(health.away.is_some());
    assert_eq!(health.sheltered.sessions, 1);
    assert!(health.sheltered.changes >= 5, "{health:?}");
    let view = away
        .world
        .sessions
        .get(&Principal::local(), id)
        .await
        .unwrap();
    assert_eq!(results(&view), known);
    let read = away
        .world
        .sessions
        .result(&Principal::local(), id, known[4])
        .await;
    assert!(read.is_ok(), "{read:?}");
    away.comes_back().await;
    let view = away.world.sessions.get(&Principal::local(), id).await;
    assert!(
        view.unwrap().durability.durable,
        "it is in the store by now"
    );
    let last = away.call(id, 6).await;
    assert!(last.durability.durable);
    assert!(last.notices.is_empty(), "{:?}", last.notices);
    known.push(last.result_id.unwrap());
    let read = away
        .world
        .sessions
        .result(&Principal::local(), id, known[4])
        .await;
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(results(&away.seen_by_another(id).await), known);
}

/// The last commit before the outage was applied, but its answer was lost.
#[tokio::test(start_paused = true)]
async fn a_commit_of_unknown_fate_is_applied_once() {
    for calls_after in [0, 3] {
        let away = away().await;
        let id = away.world.session().await;
        let mut known = vec![away.call(id, 0).await.result_id.unwrap()];
        away.is(MUTE);
        known.push(away.call(id, 1).await.result_id.unwrap());
        away.is(AWAY);
        for n in 0..calls_after {
            known.push(away.call(id, 2 + n).await.result_id.unwrap());
        }
        away.comes_back().await;
        assert_eq!(away.fallback.health().sheltered.lost, 0);
        known.push(away.call(id, 9).await.result_id.unwrap());
        assert_eq!(results(&away.seen_by_another(id).await), known);
    }
}

#[tokio::test(start_paused = true)]
async fn the_node_that_continued_wins_and_the_loss_is_reported() {
    let away = away().await;
    let id = away.world.session().await;
    let first = away.call(id, 0).await.result_id.unwrap();
    away.is(AWAY);
    away.call(id, 1).await;
    // Longer than the lease: another node takes the session over and works on it.
    tokio::time::sleep(memory::LEASE).await;
    let backing = Backing::alone(Arc::clone(&away.world.store) as _);
    let other = node(|_| {}, Arc::clone(&away.world.store), backing, away.clock).await;
    let theirs = other
        .call(id, "echo", json!({"n": "theirs"}))
        .await
        .unwrap();
    other.sessions.hand_over(id).await;
    away.comes_back().await;
    let lost = away.fallback.health().sheltered.lost;
    assert!(lost > 0);
    let view = async {
        loop {
            // Its actor still holds the lost state, until the store refuses it.
            let _ = away.world.call(id, "echo", json!({"n": 2})).await;
            let view = away.world.sessions.get(&Principal::local(), id).await;
            if let Ok(view) = view
                && !view.notices.is_empty()
            {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let view = tokio::time::timeout(Duration::from_secs(60), view)
        .await
        .unwrap();
    assert!(
        view.notices[0].contains(&format!("{lost} acknowledged changes")),
        "{:?}",
        view.notices
    );
    assert_eq!(results(&view)[..2], [first, theirs.result_id.unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn calls_over_the_limit_are_answered_without_a_record() {
    let away = away_with(|options| {
        options.bounds = Bounds {
            changes_per_session: 4,
            ..Bounds::default()
        };
    })
    .await;
    let id = away.world.session().await;
    away.call(id, 0).await;
    away.is(AWAY);
    let mut unrecorded = None;
    for n in 1..10 {
        let answer = away.call(id, n).await;
        assert_eq!(echoed(&answer)["n"], json!(n));
        if answer.result_id.is_none() {
            unrecorded = Some(answer);
            break;
        }
    }
    let unrecorded = unrecorded.expect("there is a bound");
    assert_eq!(unrecorded.session_id, Some(id));
    assert!(!unrecorded.durability.durable);
    assert!(
        unrecorded.notices[0].contains("not_recorded"),
        "{:?}",
        unrecorded.notices
    );
    let keyed = CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "echo", json!({}))
    };
    let refused = away.world.sessions.call(keyed).await.unwrap_err();
    assert!(
        matches!(refused, CallError::StoreUnavailable(_)),
        "{refused}"
    );
    away.comes_back().await;
    assert!(away.call(id, 20).await.durability.durable);
}

#[tokio::test(start_paused = true)]
async fn recording_ends_with_the_lease_unless_the_node_is_alone() {
    for single_node in [false, true] {
        let away = away_with(|options| options.single_node = single_node).await;
        let id = away.world.session().await;
        away.call(id, 0).await;
        away.is(AWAY);
        assert!(away.call(id, 1).await.result_id.is_some());
        tokio::time::sleep(memory::LEASE * 2 / 3).await;
        let late = away.call(id, 2).await;
        assert_eq!(late.result_id.is_some(), single_node);
        away.comes_back().await;
        assert_eq!(away.fallback.health().sheltered.lost, 0);
        let view = away
            .world
            .sessions
            .get(&Principal::local(), id)
            .await
            .unwrap();
        assert_eq!(view.history.len(), if single_node { 3 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_refused_during_an_outage_if_configured() {
    let away = away_with(|options| options.when_away = WhenAway::Refuse).await;
    let id = away.world.session().await;
    away.call(id, 0).await;
    away.is(AWAY);
    let started = Instant::now();
    for _ in 0..2 {
        let refused = away.world.call(id, "echo", json!({})).await.unwrap_err();
        assert!(
            matches!(refused, CallError::StoreUnavailable(_)),
            "{refused}"
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let refused = away.world.sessions.create(creation()).await.unwrap_err();
    assert!(
        matches!(refused, CallError::StoreUnavailable(_)),
        "{refused}"
    );
    away.comes_back().await;
    // An actor that refuses to run stays alive for a moment.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(away.call(id, 1).await.durability.durable);
}

/// The store lost acknowledged commits, and the owner is alive.
#[tokio::test(start_paused = true)]
async fn the_owner_repairs_a_store_that_was_rolled_back() {
    for meanwhile in [false, true] {
        let away = away().await;
        let id = away.world.session().await;
        let mut known = vec![
            away.call(id, 0).await.result_id.unwrap(),
            away.call(id, 1).await.result_id.unwrap(),
        ];
        if meanwhile {
            away.is(AWAY);
            known.push(away.call(id, 2).await.result_id.unwrap());
        }
        away.world.store.lose(id);
        if meanwhile {
            away.comes_back().await;
        }
        let answer = away.call(id, 3).await;
        assert!(answer.durability.durable);
        known.push(answer.result_id.unwrap());
        assert_eq!(results(&away.seen_by_another(id).await), known);
        away.world.store.lose(id);
    }
}

/// A read detects the loss as well as a call does.
#[tokio::test(start_paused = true)]
async fn a_read_repairs_too() {
    let away = away().await;
    let id = away.world.session().await;
    away.call(id, 0).await;
    away.world.store.lose(id);
    let view = away
        .world
        .sessions
        .get(&Principal::local(), id)
        .await
        .unwrap();
    assert_eq!(view.history.len(), 1);
    assert!(away.world.store.look(id).await.is_ok());
}
