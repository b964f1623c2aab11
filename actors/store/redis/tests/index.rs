//! The index of sessions after a part of it was lost, damaged or overwritten, and its repair.

use super::super::doctor::Outcome;
use super::super::doctor::repair::repair_within;
use super::super::keys::{PARTITIONS, listed_at};
use super::*;

/// Longer ago than a session may still be about to be created.
const AGO_MS: u64 = 120_000;

/// As a node whose clock was that far behind when it created its sessions.
fn long_ago(server: &Server) -> RedisStore {
    let clock = Clock::starting_at(Clock::system().now_ms() - AGO_MS);
    RedisStore::open(options(server.url()), clock).unwrap()
}

fn number(connection: &mut ::redis::Connection, words: &[&str]) -> u64 {
    ::redis::from_redis_value(run(connection, words).unwrap()).unwrap()
}

/// Runs in a row, each too short for all keys.
#[tokio::test]
async fn runs_of_a_repair_reach_every_key() {
    const OTHERS: usize = 5000;
    const WRONG: usize = 50;
    let Some(server) = server::good() else { return };
    let mut connection = server.connection();
    let mut all = ::redis::pipe();
    for nth in 0..OTHERS {
        all.cmd("SET").arg(format!("mca:other:{nth}")).arg("text");
    }
    for nth in 0..WRONG {
        let key = format!("mca:node:{nth}");
        all.cmd("RPUSH").arg(key).arg("text");
    }
    all.exec(&mut connection).unwrap();
    let options = options(server.url());
    let (mut runs, mut first_moved) = (0, 0);
    let moved = |connection: &mut ::redis::Connection| {
        let keys = run(connection, &["KEYS", "mca:aside:*"]).unwrap();
        ::redis::from_redis_value::<Vec<String>>(keys)
            .unwrap()
            .len()
    };
    loop {
        let findings = repair_within(&options, "now", Duration::ZERO).await;
        runs += 1;
        assert!(runs < 30, "{findings:?}");
        if runs == 1 {
            first_moved = moved(&mut connection);
        }
        let good = |outcome: &Outcome| matches!(outcome, Outcome::Good(_));
        if findings.iter().all(|finding| good(&finding.outcome)) {
            break;
        }
        let told = format!("{findings:?}");
        assert!(told.contains("not all keys were checked"), "{told}");
    }
    assert!(runs > 2 && first_moved < WRONG, "{runs}: {first_moved}");
    assert_eq!(moved(&mut connection), WRONG);
}

/// The members by end are lost, so that no purge finds a session that has ended.
#[tokio::test]
async fn an_ended_session_is_unlisted_even_if_its_expiry_is_unknown() {
    let Some(server) = server::good() else { return };
    let (store, mut connection) = (long_ago(&server), server.connection());
    let kept = new();
    store.create(kept.clone()).await.unwrap();
    let ended = new();
    store.create(ended.clone()).await.unwrap();
    let keys = store.0.keys.index(listed_at(&Principal::local()).0);
    run(&mut connection, &["DEL", &keys.by_end]).unwrap();
    let session = store.0.keys.session(ended.id).session;
    run(&mut connection, &["DEL", &session]).unwrap();
    let listed = store.list_all(&[kept.id].into()).await.unwrap();
    assert_eq!(listed.there, 1);
    let gone = store.unlist_gone().await.unwrap();
    assert_eq!(gone, 0, "it may have ended in its time");
    for key in [&keys.ordered, &keys.by_end] {
        assert_eq!(number(&mut connection, &["ZCARD", key]), 1, "{key}");
    }
}

/// One part of the index cannot be read, and each sweep is dropped before it is done.
#[tokio::test]
async fn a_search_for_evicted_sessions_completes() {
    let Some(server) = server::good() else { return };
    let (store, mut connection) = (long_ago(&server), server.connection());
    let whose = |nth: u8| Principal::named(format!("p{nth}"));
    let mut partitions = (0..=u8::MAX).map(|nth| (listed_at(&whose(nth)).0, whose(nth)));
    let (damaged, owner) = (
        0,
        partitions.find(|(at, _)| *at > PARTITIONS / 2).unwrap().1,
    );
    let session = NewSession {
        principal: owner,
        ..new()
    };
    store.create(session.clone()).await.unwrap();
    let key = store.0.keys.session(session.id).session;
    run(&mut connection, &["DEL", &key]).unwrap();
    let key = store.0.keys.index(damaged).ordered;
    run(&mut connection, &["SET", &key, "text"]).unwrap();
    let counts = &store.0.shared.counts;
    counts.evicted_keys.store(1, Ordering::Relaxed);
    for nth in 0..2000 {
        // Longer in the end, for a busy machine.
        let within = Duration::from_millis(3 + nth / 200);
        let _ = tokio::time::timeout(within, store.count_evicted()).await;
        if counts.evicted_sessions.load(Ordering::Relaxed) > 0 {
            return;
        }
    }
    panic!("the last parts of the index are never searched");
}

#[tokio::test]
async fn a_session_that_could_not_be_listed_is_listed_with_its_next_change() {
    let Some(server) = server::good() else { return };
    let (store, mut connection) = (store(&server), server.connection());
    let keys = store.0.keys.index(listed_at(&Principal::local()).0);
    run(&mut connection, &["SET", &keys.ordered, "text"]).unwrap();
    let (id, fence) = held(&store).await;
    run(&mut connection, &["DEL", &keys.ordered]).unwrap();
    one(&store, &commit(id, fence, 1)).await.unwrap();
    let owner = Principal::local();
    until(|| async {
        let (rows, _) = store.list(&owner, None, 10).await?;
        let listed = rows.iter().any(|row| row.id == id);
        listed.then_some(()).ok_or(StoreError::Missing)
    })
    .await;
}
