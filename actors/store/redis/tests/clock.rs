//! A server whose clock was set back: its stored times lie in the future.

use super::*;
use crate::clock::millis;
use crate::ids::ConnectionId;

const HOUR_MS: u64 = 3_600_000;
const OTHER: NodeId = NodeId::from_u128(2);

fn server_ms(meddler: &mut ::redis::Connection) -> u64 {
    let (seconds, micros): (u64, u64) = ::redis::cmd("TIME").query(meddler).unwrap();
    seconds * 1000 + micros / 1000
}

#[test]
fn the_scripts_know_the_longest_lease() {
    let known = format!("local LEASE_MAX_MS = {}\n", millis(LEASE));
    assert!(include_str!("../lua/prelude.lua").contains(&known));
}

/// A caller waits for as long as a lease lasts at most, and retries do not prolong it.
#[tokio::test]
async fn a_lease_beyond_the_longest_is_shortened_once() {
    let Some(server) = server::good() else { return };
    let (store, mut meddler) = (store(&server), server.connection());
    let (id, _) = held(&store).await;
    let key = store.0.keys.session(id).session;
    let ahead = (server_ms(&mut meddler) + HOUR_MS).to_string();
    run(&mut meddler, &["HSET", &key, "lease", &ahead]).unwrap();
    let mut left = millis(LEASE) + 1;
    for _ in 0..4 {
        let held = store.acquire(id, OTHER).await.unwrap_err();
        let StoreError::Held { node, left_ms } = held else {
            panic!("{held}")
        };
        assert!(node == NODE && left_ms < left, "{left_ms}, and {left}");
        left = left_ms;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(left < millis(LEASE) - 100, "{left}");
}

/// The server's clock is days behind this node's. It returns remaining times, so no session looks expired.
#[tokio::test]
async fn expiries_are_converted_to_the_nodes_clock() {
    let Some(server) = server::good() else { return };
    let clock = Clock::starting_at(40 * 365 * 24 * HOUR_MS + 1_000_000_000_000);
    let store = RedisStore::open(options(server.url()), clock).unwrap();
    let (id, fence) = held(&store).await;
    let committed = one(&store, &commit(id, fence, 1)).await.unwrap();
    let now = clock.now_ms();
    for ends in [
        committed.expires_ms,
        store.look(id).await.unwrap().expires_ms,
        store.acquire(id, NODE).await.unwrap().expires_ms,
    ] {
        assert!(ends > now && ends <= clock.now_ms() + 600_000, "{ends}");
    }
}

/// A session or connection lives no longer because its expiry lies too far in the future.
#[tokio::test]
async fn expiries_beyond_the_time_to_live_are_shortened() {
    let Some(server) = server::good() else { return };
    let (store, mut meddler) = (store(&server), server.connection());
    let (id, _) = held(&store).await;
    let key = store.0.keys.session(id).session;
    let ahead = (server_ms(&mut meddler) + 100 * HOUR_MS).to_string();
    run(&mut meddler, &["HSET", &key, "expires", &ahead]).unwrap();
    let ends = store.look(id).await.unwrap().expires_ms;
    assert!(ends <= store.0.clock.now_ms() + 600_000, "{ends}");
    let connection = crate::connections::Connection {
        id: ConnectionId::random(),
        principal: Principal::local(),
        opening: b"{}".as_slice().into(),
        node: None,
    };
    let connections = store.connections();
    let options = crate::connections::ConnectionOptions::default();
    connections.open(&connection, options).await.unwrap();
    let key = store.0.keys.connection(connection.id).connection;
    run(&mut meddler, &["HSET", &key, "ends", &ahead]).unwrap();
    connections.find(connection.id).await.unwrap();
    let ends: u64 = ::redis::cmd("HGET")
        .arg(&key)
        .arg("ends")
        .query(&mut meddler)
        .unwrap();
    let most = server_ms(&mut meddler) + millis(options.ttl);
    assert!(ends <= most, "{ends}");
}
