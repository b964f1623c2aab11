//! Stored data of another version, or data that is no session.

use super::*;
use crate::session::snapshot;
use crate::store::StoreError;

pub(super) async fn laid_down(world: &World, bytes: Vec<u8>) -> SessionId {
    let new = NewSession {
        id: SessionId::random(),
        principal: Principal::local(),
        label: None,
        snapshot: bytes.into(),
        ttl_ms: 1_000_000,
        key: None,
    };
    let id = new.id;
    world.store.create(new).await.unwrap();
    id
}

pub(super) fn stored() -> String {
    let machine = Machine::new(Principal::local(), None, roots().into(), 1, 1_000_000);
    String::from_utf8(snapshot::encode(&machine).to_vec()).unwrap()
}

/// Upgraded when loaded, and stored in the current schema before any call.
#[tokio::test(start_paused = true)]
async fn an_older_form_is_upgraded_and_committed() {
    let world = world().await;
    let old = stored().replace("\"schema\":3", "\"schema\":1");
    let id = laid_down(&world, old.into_bytes()).await;
    world.sessions.get(&Principal::local(), id).await.unwrap();
    let upgraded = async {
        loop {
            let node = world.sessions.node();
            // This only reads: its own acquisition changes nothing that was committed.
            let acquired = world.store.acquire(id, node).await.unwrap();
            if acquired.version == 2 {
                return acquired.snapshot;
            }
            let _ = world.sessions.get(&Principal::local(), id).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let bytes = tokio::time::timeout(Duration::from_secs(30), upgraded).await;
    assert_eq!(bytes.unwrap().as_ref(), stored().as_bytes());
    assert!(world.call(id, "echo", json!({})).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_newer_form_is_released_unchanged() {
    let world = world().await;
    let new = stored().replace("\"schema\":3", "\"schema\":4");
    let id = laid_down(&world, new.clone().into_bytes()).await;
    let refused = world.call(id, "echo", json!({})).await.unwrap_err();
    assert_eq!(refused, CallError::NewerSchema { id, schema: 4 });
    let free = async {
        while world.store.look(id).await.unwrap().node.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let free = tokio::time::timeout(Duration::from_secs(10), free).await;
    free.expect("it is given back");
    let other = crate::ids::NodeId::random();
    let acquired = world.store.acquire(id, other).await.unwrap();
    assert_eq!((acquired.version, acquired.deltas.len()), (1, 0));
    assert_eq!(acquired.snapshot.as_ref(), new.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn only_an_unreadable_session_is_quarantined() {
    let world = world().await;
    let well = world.session().await;
    for bytes in [&b"{"[..], b"\0\0\0", b"{\"schema\": 3}", b"[[[[[[[["] {
        let id = laid_down(&world, bytes.to_vec()).await;
        let refused = world.call(id, "echo", json!({})).await.unwrap_err();
        assert!(
            matches!(refused, CallError::Quarantined { .. }),
            "{refused}"
        );
        let quarantined = async {
            while world.store.look(id).await.unwrap().quarantine.is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let quarantined = tokio::time::timeout(Duration::from_secs(10), quarantined).await;
        quarantined.expect("it is taken out of service");
        let again = world.store.acquire(id, world.sessions.node()).await;
        assert!(matches!(again, Err(StoreError::Quarantined { .. })));
    }
    assert!(world.call(well, "echo", json!({})).await.is_ok());
}
