//! Another principal's session looks exactly like a missing one, in every state and for every request.

use super::forms::{laid_down, stored};
use super::*;
use crate::ids::NodeId;
use crate::store::Row;

const STATES: [&str; 9] = [
    "new",
    "used",
    "asleep",
    "closed",
    "expired",
    "quarantined",
    "unreadable",
    "newer",
    "elsewhere",
];

/// A long lease: no session changes its owner because a lease ended.
async fn world() -> World {
    let lease = Duration::from_secs(1_000_000);
    let clock = Clock::starting_at(1_000_000);
    let limits = memory::Limits {
        lease,
        ..memory::Limits::default()
    };
    let store = Arc::new(MemoryStore::new(clock, limits));
    let backing = Backing::alone(Arc::clone(&store) as _);
    node(|options| options.lease = lease, store, backing, clock).await
}

/// A session of `local` in that state; waits until it is in it.
async fn in_state(world: &World, state: &str) -> SessionId {
    let ttl = Some(Duration::from_secs(100_000));
    let made = world
        .sessions
        .create(CreateRequest { ttl, ..creation() })
        .await;
    let id = made.unwrap().id;
    match state {
        "used" => drop(world.call(id, "echo", json!({})).await.unwrap()),
        "asleep" => {
            world.call(id, "echo", json!({})).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1000)).await;
        }
        "closed" => world.sessions.close(&Principal::local(), id).await.unwrap(),
        "expired" => tokio::time::sleep(Duration::from_secs(100_001)).await,
        "quarantined" => {
            let reason = Some("it crashed too often".to_owned());
            world.store.quarantine(id, reason).await.unwrap();
        }
        "unreadable" => return laid_down(world, b"{".to_vec()).await,
        "newer" => {
            let newer = stored().replace("\"schema\":3", "\"schema\":4");
            return laid_down(world, newer.into_bytes()).await;
        }
        "elsewhere" => drop(world.store.acquire(id, NodeId::random()).await.unwrap()),
        _ => {}
    }
    id
}

/// Every possible request about a session.
async fn asked(world: &World, who: &Principal, id: SessionId) -> Vec<CallError> {
    let call = CallRequest {
        principal: who.clone(),
        ..request(Target::Session(id), "echo", json!({}))
    };
    let keyed = CallRequest {
        principal: who.clone(),
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "echo", json!({}))
    };
    vec![
        world.sessions.get(who, id).await.map(drop).unwrap_err(),
        world.sessions.call(call).await.map(drop).unwrap_err(),
        world.sessions.call(keyed).await.map(drop).unwrap_err(),
        (world.sessions.result(who, id, ResultId::random()).await)
            .map(drop)
            .unwrap_err(),
        world.sessions.close(who, id).await.unwrap_err(),
    ]
}

#[tokio::test(start_paused = true)]
async fn another_principal_can_neither_see_nor_change_a_session() {
    let stranger = Principal::named("stranger");
    for state in STATES {
        let world = world().await;
        let id = in_state(&world, state).await;
        let before = world.store.look(id).await;
        let unknown = vec![CallError::UnknownSession(id); 5];
        // Twice, because the first request may wake it.
        for _ in 0..2 {
            assert_eq!(asked(&world, &stranger, id).await, unknown, "{state}");
        }
        let (rows, total) = world.sessions.list(&stranger, None, 10).await.unwrap();
        assert_eq!((rows.len(), total), (0, 0), "{state}");
        let after = world.store.look(id).await;
        match (before, after) {
            (Ok(before), Ok(after)) => {
                let what = |row: &Row| (row.label.clone(), row.created_ms, row.closed);
                assert_eq!(what(&before), what(&after), "{state}");
            }
            (before, after) => assert_eq!(before.err(), after.err(), "{state}"),
        }
        world.sessions.shutdown(Duration::from_secs(1)).await;
    }
}

/// The owner gets the reason.
#[tokio::test(start_paused = true)]
async fn an_owner_gets_the_state_of_its_session() {
    for (state, heard) in [
        ("expired", "has expired"),
        ("quarantined", "is quarantined"),
        ("unreadable", "is quarantined"),
        ("newer", "newer version"),
        ("elsewhere", "held by another node"),
        ("closed", "no session"),
    ] {
        let world = world().await;
        let id = in_state(&world, state).await;
        let stranger = CallRequest {
            principal: Principal::named("stranger"),
            ..request(Target::Session(id), "echo", json!({}))
        };
        let _ = world.sessions.call(stranger).await;
        let error = world
            .call(id, "echo", json!({}))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(heard), "{state}: {error}");
        world.sessions.shutdown(Duration::from_secs(1)).await;
    }
}

/// The owner needs no operator, even if the stored data cannot be read.
#[tokio::test(start_paused = true)]
async fn an_owner_can_close_a_session_that_cannot_run() {
    for state in ["quarantined", "unreadable"] {
        let world = world().await;
        let id = in_state(&world, state).await;
        let owner = Principal::local();
        let error = world.call(id, "echo", json!({})).await.unwrap_err();
        assert!(error.to_string().contains("is quarantined"), "{error}");
        // Its actor reports the reason for a moment, and then the store does.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let view = world.sessions.get(&owner, id).await.unwrap();
        let told = view.notices.concat();
        assert!(told.contains("close_session"), "{state}: {told}");
        let before = world.store.usage(&owner).await.unwrap();
        world.sessions.close(&owner, id).await.unwrap();
        let gone = world.sessions.get(&owner, id).await.map(drop);
        assert_eq!(gone, Err(CallError::UnknownSession(id)), "{state}");
        let usage = world.store.usage(&owner).await.unwrap();
        assert_eq!(usage.sessions + 1, before.sessions, "{state}");
        world.sessions.shutdown(Duration::from_secs(1)).await;
    }
}

/// Quarantined a moment ago: the quarantine is stored before the session is closed.
#[tokio::test(start_paused = true)]
async fn an_owner_can_close_a_session_before_its_quarantine_is_stored() {
    let world = world().await;
    let id = in_state(&world, "unreadable").await;
    world.sessions.close(&Principal::local(), id).await.unwrap();
    assert_eq!(world.store.look(id).await, Err(StoreError::Deleted));
    world.sessions.shutdown(Duration::from_secs(1)).await;
}
