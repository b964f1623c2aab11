//! A store that is rolled back to a replica's state: the session's owner repairs it, or the loss is counted and
//! reported.

use super::away::{Away, away, results};
use super::*;
use crate::relay::message::HandOver;

impl Away {
    /// Another node acquires the session from the stored state, works, and releases it.
    async fn another_goes_on(&self, id: SessionId) -> ResultId {
        let backing = Backing::alone(Arc::clone(&self.world.store) as _);
        let other = node(|_| {}, Arc::clone(&self.world.store), backing, self.clock).await;
        let theirs = other.call(id, "echo", json!({"n": "theirs"})).await;
        other.sessions.hand_over(id).await;
        theirs.unwrap().result_id.unwrap()
    }

    /// Repeats until the session has been loaded again and reports its losses.
    async fn told(&self, id: SessionId) -> SessionView {
        let told = async {
            loop {
                let view = self.world.sessions.get(&Principal::local(), id).await;
                if let Ok(view) = view
                    && !view.notices.is_empty()
                {
                    return view;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), told).await;
        told.expect("the loss is told")
    }
}

/// Rolled back to before or after the owner acquired it; its lease may have ended there.
#[tokio::test(start_paused = true)]
async fn the_owner_repairs_a_session_that_no_other_node_owned() {
    for (acquired_before, lapsed) in [(false, false), (true, false), (true, true)] {
        let away = away().await;
        let id = away.world.session().await;
        let mut stored = away.world.store.as_stored(id);
        let mut known = vec![away.call(id, 0).await.result_id.unwrap()];
        if acquired_before {
            stored = away.world.store.as_stored(id);
        }
        known.push(away.call(id, 1).await.result_id.unwrap());
        if lapsed {
            tokio::time::sleep(memory::LEASE).await;
        }
        away.world.store.go_back(id, stored);
        let answer = away.call(id, 2).await;
        assert!(answer.durability.durable);
        known.push(answer.result_id.unwrap());
        let view = away.seen_by_another(id).await;
        assert_eq!(results(&view), known, "{acquired_before} {lapsed}");
        assert_eq!(away.fallback.health().sheltered.lost, 0);
    }
}

/// No actor runs it when another node asks for it: the hand-over detects the loss, which is reported all the same.
#[tokio::test(start_paused = true)]
async fn a_loss_found_at_the_hand_over_is_reported() {
    let away = away().await;
    let id = away.world.session().await;
    away.call(id, 0).await;
    let stored = away.world.store.as_stored(id);
    away.call(id, 1).await;
    while away.world.sessions.hand_over(id).await != HandOver::Released {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    away.world.store.go_back(id, stored);
    away.world.sessions.hand_over(id).await;
    let view = away.told(id).await;
    assert!(view.notices[0].contains("are lost"), "{:?}", view.notices);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_repaired_before_it_is_handed_over() {
    for before_the_owner in [false, true] {
        let away = away().await;
        let id = away.world.session().await;
        let mut stored = away.world.store.as_stored(id);
        let mut known = vec![away.call(id, 0).await.result_id.unwrap()];
        if !before_the_owner {
            stored = away.world.store.as_stored(id);
        }
        known.push(away.call(id, 1).await.result_id.unwrap());
        away.world.store.go_back(id, stored);
        assert_eq!(results(&away.seen_by_another(id).await), known);
    }
}

/// The session's actor dies as the store is rolled back: the node still knows more than the store.
#[tokio::test(start_paused = true)]
async fn a_session_whose_actor_died_is_repaired_from_its_nodes_memory() {
    let away = away().await;
    let id = away.world.session().await;
    let first = away.call(id, 0).await.result_id.unwrap();
    let stored = away.world.store.as_stored(id);
    let second = away.call(id, 1).await.result_id.unwrap();
    away.world.store.go_back(id, stored);
    let node = away.world.store.look(id).await.unwrap().node.unwrap();
    let acquired = away.fallback.acquire(id, node).await.unwrap();
    let kept = away.world.store.keep(&[(id, acquired.fence)]).await;
    assert_eq!(kept, [Ok(())], "it is ours as the store knows it");
    let view = away.world.sessions.get(&Principal::local(), id).await;
    assert_eq!(results(&view.unwrap()), [first, second]);
}

#[tokio::test(start_paused = true)]
async fn changes_that_another_node_did_not_find_are_reported_as_lost() {
    for acquired_before in [false, true] {
        let away = away().await;
        let id = away.world.session().await;
        let mut stored = away.world.store.as_stored(id);
        let mut kept = Vec::new();
        let first = away.call(id, 0).await.result_id.unwrap();
        if acquired_before {
            stored = away.world.store.as_stored(id);
            kept.push(first);
        }
        away.call(id, 1).await;
        tokio::time::sleep(memory::LEASE).await;
        away.world.store.go_back(id, stored);
        kept.push(away.another_goes_on(id).await);
        let view = away.told(id).await;
        let lost = away.fallback.health().sheltered.lost;
        assert!(lost > 0);
        let notice = &view.notices[0];
        assert!(
            notice.contains(&format!("{lost} acknowledged changes")),
            "{notice}"
        );
        assert_eq!(results(&view), kept, "{acquired_before}");
    }
}

/// The actor dies after it learns of the loss, and before it stores the notice about it.
#[tokio::test(start_paused = true)]
async fn a_loss_is_reported_once_even_if_the_actor_dies() {
    use CrashPoint::*;
    for point in [
        SessionLoaded,
        SessionRecovered,
        SessionCommitCast,
        SessionCommitAcknowledged,
    ] {
        let away = away().await;
        let id = away.world.session().await;
        let stored = away.world.store.as_stored(id);
        away.call(id, 0).await;
        tokio::time::sleep(memory::LEASE).await;
        away.world.store.go_back(id, stored);
        away.another_goes_on(id).await;
        away.world.faults.arm(point, 0);
        let view = away.told(id).await;
        assert_eq!(view.notices.len(), 1, "{point:?}: {:?}", view.notices);
        assert_eq!(away.world.faults.struck(), 1, "{point:?}");
        away.call(id, 1).await;
        assert!(away.world.strike(id, InjectedFault::Kill).await);
        let view = away.world.sessions.get(&Principal::local(), id).await;
        assert_eq!(view.unwrap().notices.len(), 1, "{point:?}");
    }
}

/// A session that moves to another node loses no changes, and no loss is reported.
#[tokio::test(start_paused = true)]
async fn no_loss_is_reported_if_another_node_found_everything() {
    let away = away().await;
    let id = away.world.session().await;
    let first = away.call(id, 0).await.result_id.unwrap();
    tokio::time::sleep(memory::LEASE).await;
    let theirs = away.another_goes_on(id).await;
    let ours = away.call(id, 1).await.result_id.unwrap();
    let view = away.world.sessions.get(&Principal::local(), id).await;
    let view = view.unwrap();
    assert_eq!(results(&view), [first, theirs, ours]);
    assert_eq!(view.notices, Vec::<String>::new());
    assert_eq!(away.fallback.health().sheltered.lost, 0);
}
