//! Two trees over one store: a session goes from one to the other and back.

use super::calls::futures_join;
use super::flaky::{Flaky, How, Op};
use super::*;

async fn two(mood: fn(Op) -> How) -> [World; 2] {
    let clock = Clock::starting_at(1_000_000);
    let store = Arc::new(MemoryStore::new(clock, memory::Limits::default()));
    let between = Flaky::over(Arc::clone(&store), mood);
    [
        node(|_| {}, Arc::clone(&store), Arc::clone(&between), clock).await,
        node(|_| {}, store, between, clock).await,
    ]
}

#[ignore = "waits for the hand-over between nodes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_acknowledged_the_other_shows() {
    let [a, b] = two(|_| How::Well).await;
    let id = a.session().await;
    let mut results = Vec::new();
    for n in 0..6 {
        let (here, there) = if n % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let answer = here.call(id, "echo", json!({"n": n})).await.unwrap();
        results.insert(0, answer.result_id.unwrap());
        // The other one held it before, and does not know that it has lost it.
        let view = there.sessions.get(&Principal::local(), id).await.unwrap();
        let known: Vec<_> = view.history.iter().map(|entry| entry.result_id).collect();
        assert_eq!(known, results, "after call {n}");
    }
}

#[ignore = "waits for the hand-over between nodes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_want_one_session_lose_nothing() {
    let worlds = two(|op| {
        if matches!(op, Op::Acquire | Op::Commit) {
            return How::After(Duration::from_millis(2));
        }
        How::Well
    })
    .await;
    let id = worlds[0].session().await;
    let work = worlds.iter().map(|world| async move {
        let mut results = Vec::new();
        for n in 0..10 {
            let answer = world
                .call(id, "echo", json!({"n": n, "sleep_ms": 3}))
                .await
                .unwrap();
            assert_eq!(echoed(&answer)["n"], json!(n));
            results.push(answer.result_id.unwrap());
        }
        results
    });
    let work = tokio::time::timeout(Duration::from_secs(60), futures_join(work));
    let mut results = work.await.unwrap().concat();
    let view = worlds[1]
        .sessions
        .get(&Principal::local(), id)
        .await
        .unwrap();
    let mut known: Vec<_> = view.history.iter().map(|entry| entry.result_id).collect();
    known.sort();
    results.sort();
    assert_eq!(known, results, "every acknowledged result, once");
}
