//! Calls over a store that is slow, refuses, or loses answers: nothing is lost, and nothing is done twice.

use super::calls::futures_join;
use super::flaky::{Flaky, How, Op};
use super::*;

async fn over(mood: impl FnMut(Op) -> How + Send + 'static) -> World {
    world_over(|_| {}, |store| Flaky::over(store, mood)).await
}

/// Every call is answered, its result is stored once, and the history has no extra entries.
async fn check(world: &World, id: SessionId, calls: usize) {
    let asked = (0..calls).map(|n| world.call(id, "echo", json!({"n": n})));
    let mut results = Vec::new();
    for (n, answer) in futures_join(asked).await.into_iter().enumerate() {
        let answer = answer.unwrap();
        assert_eq!(echoed(&answer)["n"], json!(n));
        results.push(answer.result_id.unwrap());
    }
    let view = world.sessions.get(&Principal::local(), id).await.unwrap();
    let mut known: Vec<_> = view.history.iter().map(|entry| entry.result_id).collect();
    known.sort();
    results.sort();
    assert_eq!(known, results);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreliable_store_costs_only_latency() {
    let mut n = 0;
    let world = over(move |op| {
        n += 1;
        match (op, n % 3) {
            (Op::Acquire | Op::Commit, 1) => How::Fails,
            (Op::Acquire | Op::Commit, 2) => How::Unheard,
            _ => How::Well,
        }
    })
    .await;
    let id = world.session().await;
    check(&world, id, 8).await;
    assert_eq!(world.runs(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_only_delays_calls() {
    let until = Instant::now() + Duration::from_secs(8);
    let world = over(move |op| {
        if matches!(op, Op::Acquire | Op::Commit) && Instant::now() < until {
            return How::Fails;
        }
        How::Well
    })
    .await;
    let id = world.session().await;
    check(&world, id, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_store_never_answers_is_retried() {
    let mut hung = Vec::new();
    let world = over(move |op| {
        if matches!(op, Op::Acquire | Op::Commit) && !hung.contains(&op) {
            hung.push(op);
            return How::Hangs;
        }
        How::Well
    })
    .await;
    let id = world.session().await;
    check(&world, id, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_is_reported_and_retries_back_off() {
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    let world = over(move |op| {
        if op != Op::Commit {
            return How::Well;
        }
        count.fetch_add(1, Ordering::SeqCst);
        How::Fails
    })
    .await;
    let id = world.session().await;
    let ended = world.call(id, "echo", json!({})).await.unwrap_err();
    assert_eq!(ended, CallError::DeadlineExceeded(Duration::from_secs(60)));
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 200, "{asked} commits in a minute of no store");
}

/// More calls may end during one commit than the history keeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_ends_in_one_commit_than_the_history_keeps_are_all_answered() {
    let world = world_over(
        |options| options.limits.history = 4,
        |store| {
            Flaky::over(store, |op| {
                if op == Op::Commit {
                    return How::After(Duration::from_millis(50));
                }
                How::Well
            })
        },
    )
    .await;
    let id = world.session().await;
    let asked = (0..16).map(|n| world.call(id, "echo", json!({"n": n})));
    for (n, answer) in futures_join(asked).await.into_iter().enumerate() {
        assert_eq!(echoed(&answer.unwrap())["n"], json!(n));
    }
    assert_eq!(world.runs(), 16);
}

#[tokio::test]
async fn an_answer_says_that_the_store_had_no_room() {
    let clock = Clock::system();
    let limits = memory::Limits {
        whole_bytes: 100,
        ..memory::Limits::default()
    };
    let store = Arc::new(MemoryStore::new(clock, limits));
    let world = node(|_| {}, Arc::clone(&store), Backing::alone(store), clock).await;
    let id = world.session().await;
    let small = world.call(id, "echo", json!({})).await.unwrap();
    let large = world
        .call(id, "echo", json!({"whole_bytes": 1000}))
        .await
        .unwrap();
    assert_eq!((small.stored, large.stored), (true, false));
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_of_a_deleted_session_is_dropped() {
    let mut first = true;
    let world = world_over(
        |options| options.idle_after = Duration::from_secs(1),
        |store| {
            Flaky::over(store, move |op| {
                let fails = op == Op::Quarantine && std::mem::take(&mut first);
                if fails { How::Fails } else { How::Well }
            })
        },
    )
    .await;
    let id = world.session().await;
    let shown = || async {
        let status = world.sessions.status().await;
        let mut all = status
            .tree
            .children
            .iter()
            .flat_map(|child| &child.children);
        let name = format!("session:{id}");
        all.find(|actor| actor.name == name)
            .map(|actor| actor.status)
    };
    while shown().await != Some("quarantined") {
        let _ = world.sessions.get(&Principal::local(), id).await;
        world.strike(id, InjectedFault::Fault(Fault::Defect)).await;
        tokio::task::yield_now().await;
    }
    let closed = world.sessions.close(&Principal::local(), id).await;
    assert_eq!(closed, Ok(()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(shown().await, None);
}

/// A non-idempotent tool runs only after its start is stored; an idempotent one need not wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_idempotent_tools_run_before_their_commit() {
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let world = over(move |op| {
        if op == Op::Commit && is_away.load(Ordering::SeqCst) {
            return How::Fails;
        }
        How::Well
    })
    .await;
    let id = world.session().await;
    let watching = async {
        world.ran(1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ahead = world.runs();
        away.store(false, Ordering::SeqCst);
        ahead
    };
    let (once, twice, ahead) = tokio::join!(
        world.call(id, "once", json!({})),
        world.call(id, "echo", json!({})),
        watching
    );
    assert!(once.unwrap().outcome.is_ok() && twice.unwrap().outcome.is_ok());
    assert_eq!((ahead, world.runs()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn every_caller_gets_an_error_if_the_store_never_answers() {
    let stuck = Arc::<AtomicBool>::default();
    let hangs = Arc::clone(&stuck);
    let world = over(move |op| {
        let front_door = matches!(op, Op::Other | Op::Result);
        if front_door && hangs.load(Ordering::SeqCst) {
            How::Hangs
        } else {
            How::Well
        }
    })
    .await;
    let (principal, id) = (Principal::local(), world.session().await);
    let answer = world.call(id, "echo", json!({})).await.unwrap();
    stuck.store(true, Ordering::SeqCst);
    let asked = async {
        let away = |error| assert!(matches!(error, CallError::StoreUnavailable(_)), "{error}");
        away(world.sessions.create(creation()).await.unwrap_err());
        away(world.sessions.list(&principal, None, 10).await.unwrap_err());
        let result = answer.result_id.unwrap();
        away(
            world
                .sessions
                .result(&principal, id, result)
                .await
                .unwrap_err(),
        );
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), asked).await;
    assert!(in_time.is_ok(), "somebody still waits");
}

/// As after a node's death: all its sessions are requested at once.
#[tokio::test(start_paused = true)]
async fn a_limited_number_of_sessions_load_at_once() {
    const AT_ONCE: usize = 8;
    const SESSIONS: usize = 100;
    const TAKES: Duration = Duration::from_millis(100);
    let asked = Arc::<Mutex<Vec<Instant>>>::default();
    let noted = Arc::clone(&asked);
    let mood = move |op| {
        if op == Op::Acquire {
            noted.lock().unwrap().push(Instant::now());
            return How::After(TAKES);
        }
        How::Well
    };
    let world = world_over(
        |options| options.loads_at_once = AT_ONCE,
        |store| Flaky::over(store, mood),
    )
    .await;
    let mut ids = Vec::new();
    for _ in 0..SESSIONS {
        ids.push(world.session().await);
    }
    let calls = ids.iter().map(|id| world.call(*id, "echo", json!({})));
    for answer in futures_join(calls).await {
        answer.unwrap();
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), SESSIONS, "each once");
    // A session that is loaded among many takes no longer than the first ones did.
    for (first, next) in asked.iter().zip(asked.iter().skip(AT_ONCE)) {
        assert!(*next - *first >= TAKES, "more than {AT_ONCE} at once");
    }
}
