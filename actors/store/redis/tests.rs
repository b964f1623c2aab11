//! Tests against real Redis servers of everything beyond the common contract (see `store/contract.rs`).

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ids::{Principal, ResultId};
use crate::store::contract::commit;
use crate::store::{
    Change, Commit, Committed, Created, Fence, NewSession, Part, ResultBlob, Store, StoreError,
};

mod cached;
mod clock;
mod damage;
mod fates;
mod garbled;
mod index;
mod levels;
pub(crate) mod proxy;
mod random;
mod restarted;
pub(crate) mod server;
mod slots;

use server::Server;

const NODE: NodeId = NodeId::from_u128(1);

fn options(url: String) -> RedisOptions {
    RedisOptions::new(url, NODE)
}

fn store_at(url: String) -> RedisStore {
    RedisStore::open(options(url), Clock::system()).unwrap()
}

fn store(server: &Server) -> RedisStore {
    store_at(server.url())
}

fn new() -> NewSession {
    NewSession {
        id: SessionId::random(),
        principal: Principal::local(),
        label: None,
        snapshot: b"one".as_slice().into(),
        ttl_ms: 600_000,
        key: None,
    }
}

/// Made and acquired.
async fn held(store: &RedisStore) -> (SessionId, Fence) {
    let new = new();
    let id = new.id;
    store.create(new).await.unwrap();
    let fence = store.acquire(id, NODE).await.unwrap().fence;
    (id, fence)
}

async fn one(store: &RedisStore, commit: &Commit) -> Result<Committed, StoreError> {
    store.commit(std::slice::from_ref(commit)).await.remove(0)
}

fn run(
    connection: &mut ::redis::Connection,
    words: &[&str],
) -> ::redis::RedisResult<::redis::Value> {
    let (name, arguments) = words.split_first().unwrap();
    ::redis::cmd(name).arg(arguments).query(connection)
}

/// Until it answers `Ok`, within patience.
async fn until<T, F: Future<Output = Result<T, StoreError>>>(mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(30), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
