//! Two trees over one store: a session moves from one to the other and back.

use super::calls::futures_join;
use super::flaky::{Flaky, How, Op};
use super::*;
use crate::cache::{CacheKey, Weighed};
use crate::relay::memory::MemoryRelay;
use crate::store::NodeRecord;
use std::sync::Mutex;

struct Nodes {
    worlds: Vec<World>,
    relay: Arc<MemoryRelay>,
}

/// Several trees over one store, with a lease that a test can wait for.
async fn nodes(count: usize, lease: Duration, mood: fn(Op) -> How) -> Nodes {
    let clock = Clock::starting_at(1_000_000);
    let limits = memory::Limits {
        lease,
        ..memory::Limits::default()
    };
    let store = Arc::new(MemoryStore::new(clock, limits));
    let between = Flaky::over(Arc::clone(&store), mood);
    let relay = Arc::<MemoryRelay>::default();
    let mut worlds = Vec::new();
    for _ in 0..count {
        let backing = Backing {
            store: Arc::clone(&between) as _,
            relay: Some(Arc::clone(&relay) as _),
            shared_cache: None,
            connections: None,
        };
        let change = |options: &mut Options| options.lease = lease;
        worlds.push(node(change, Arc::clone(&store), backing, clock).await);
    }
    Nodes { worlds, relay }
}

/// Far longer than a test: no session changes its owner because a lease ended.
const LONG: Duration = Duration::from_secs(3600);

async fn two(mood: fn(Op) -> How) -> [World; 2] {
    let nodes = nodes(2, LONG, mood).await;
    nodes.worlds.try_into().ok().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_acknowledged_by_one_node_is_shown_by_the_other() {
    let [a, b] = two(|_| How::Well).await;
    let id = a.session().await;
    let mut results = Vec::new();
    for n in 0..6 {
        let (here, there) = if n % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let answer = here.call(id, "echo", json!({"n": n})).await.unwrap();
        results.insert(0, answer.result_id.unwrap());
        // The other node owned it before, and does not know that it has lost it.
        let view = there.sessions.get(&Principal::local(), id).await.unwrap();
        let known: Vec<_> = view.history.iter().map(|entry| entry.result_id).collect();
        assert_eq!(known, results, "after call {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_use_one_session_lose_nothing() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_for_a_busy_session_is_forwarded_and_returns_its_progress() {
    let [a, b] = two(|_| How::Well).await;
    let id = a.session().await;
    let busy = a.call(id, "echo", json!({"sleep_ms": 1500}));
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let sink = Arc::clone(&seen);
    let carried = async {
        a.ran(1).await;
        let progress = ProgressSink::new(move |at| sink.lock().unwrap().push(at.message));
        let call = CallRequest {
            progress,
            ..request(Target::Session(id), "echo", json!({"sleep_ms": 50, "n": 2}))
        };
        b.sessions.call(call).await
    };
    let (busy, carried) = tokio::join!(busy, carried);
    assert!(busy.unwrap().result_id.is_some());
    let carried = carried.unwrap();
    assert_eq!(echoed(&carried)["n"], json!(2));
    assert_eq!(carried.session_id, Some(id));
    assert_eq!((a.runs(), b.runs()), (2, 0), "it ran where the session was");
    assert!(!seen.lock().unwrap().is_empty(), "no progress came back");
    let view = b.sessions.get(&Principal::local(), id).await.unwrap();
    assert_eq!(view.history.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_session_can_be_read_and_closed_from_another_node() {
    let [a, b] = two(|_| How::Well).await;
    let id = a.session().await;
    let busy = a.call(id, "echo", json!({"sleep_ms": 60_000}));
    let looking = async {
        a.ran(1).await;
        let view = b.sessions.get(&Principal::local(), id).await.unwrap();
        assert_eq!(view.calls[0].state, "executing");
        let stranger = Principal::named("stranger");
        let unknown = Err(CallError::UnknownSession(id));
        assert_eq!(b.sessions.get(&stranger, id).await.map(|_| ()), unknown);
        assert_eq!(b.sessions.close(&stranger, id).await, unknown);
        b.sessions.close(&Principal::local(), id).await.unwrap();
    };
    let (busy, ()) = tokio::join!(busy, looking);
    assert!(busy.is_err() || busy.unwrap().outcome.is_err());
    a.pool_rests().await;
    let gone = a.sessions.get(&Principal::local(), id).await;
    assert!(matches!(gone, Err(CallError::UnknownSession(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_a_forwarded_call_ends_it_on_the_owner() {
    let [a, b] = two(|_| How::Well).await;
    let id = a.session().await;
    let release = CancellationToken::new();
    let busy = a.sessions.call(CallRequest {
        cancel: release.clone(),
        ..request(Target::Session(id), "echo", json!({"sleep_ms": 60_000}))
    });
    let cancelled = async {
        a.ran(1).await;
        let call = request(Target::Session(id), "echo", json!({"sleep_ms": 60_000}));
        let cancel = call.cancel.clone();
        let (ended, ()) = tokio::join!(b.sessions.call(call), async {
            a.ran(2).await;
            cancel.cancel();
        });
        assert!(matches!(ended, Err(CallError::Cancelled)), "{ended:?}");
        let one_left = async {
            while a.sessions.status().await.pool.running > 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let one_left = tokio::time::timeout(Duration::from_secs(10), one_left).await;
        assert!(one_left.is_ok(), "it runs on over there");
        release.cancel();
    };
    let (busy, ()) = tokio::join!(busy, cancelled);
    assert!(matches!(busy, Err(CallError::Cancelled)), "{busy:?}");
}

/// The lease is extended while a tool runs, so that no other node takes the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_call_keeps_its_session() {
    let Nodes { worlds, relay } = nodes(2, Duration::from_millis(600), |_| How::Well).await;
    let (a, b) = (&worlds[0], &worlds[1]);
    let id = a.session().await;
    let long = a.call(id, "once", json!({"sleep_ms": 3000}));
    let wanting = async {
        a.ran(1).await;
        // Its owner cannot be asked: only the end of the lease would free the session.
        relay.deafen(a.sessions.node());
        b.call(id, "echo", json!({"n": 2})).await
    };
    let (long, wanted) = tokio::join!(long, wanting);
    assert!(long.unwrap().outcome.is_ok(), "it was taken away");
    assert_eq!(echoed(&wanted.unwrap())["n"], json!(2));
    assert_eq!(a.runs(), 1);
}

/// Its owner is unreachable for longer than two questions wait, and then reachable again: no caller waits for its
/// lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_silent_for_long_is_asked_again() {
    const DEAF_FOR: Duration = Duration::from_secs(4);
    let Nodes { worlds, relay } = nodes(2, LONG, |_| How::Well).await;
    let (a, b) = (&worlds[0], &worlds[1]);
    let id = a.session().await;
    let long = a.call(id, "once", json!({"sleep_ms": 12_000}));
    let wanting = async {
        a.ran(1).await;
        let owner = a.sessions.node();
        relay.deafen(owner);
        let wanted = b.call(id, "echo", json!({"n": 2}));
        let hears = async {
            tokio::time::sleep(DEAF_FOR).await;
            relay.hears_again(owner);
            std::time::Instant::now()
        };
        let answered = async { (wanted.await, std::time::Instant::now()) };
        let ((wanted, at), since) = tokio::join!(answered, hears);
        (wanted, at.duration_since(since))
    };
    let (long, (wanted, took)) = tokio::join!(long, wanting);
    assert_eq!(echoed(&wanted.unwrap())["n"], json!(2));
    // It was asked again each second, while the long call still ran.
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(long.unwrap().outcome.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_dead_node_is_taken_over_after_its_lease() {
    let Nodes { mut worlds, relay } = nodes(2, Duration::from_millis(1500), |_| How::Well).await;
    let (b, a) = (worlds.pop().unwrap(), worlds.pop().unwrap());
    let id = a.session().await;
    let kept = a.call(id, "echo", json!({"n": 1})).await.unwrap();
    let running = a.call(id, "echo", json!({"sleep_ms": 3000}));
    let died = async {
        a.ran(2).await;
        // Until the store knows of the call.
        while a.sessions.get(&Principal::local(), id).await.unwrap().calls[0].state != "executing" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = running => panic!("it runs for longer"),
        () = died => {}
    }
    relay.deafen(a.sessions.node());
    let root = a.sessions.places().root.current().unwrap();
    root.kill();
    drop(a);
    let view = b.sessions.get(&Principal::local(), id).await.unwrap();
    assert_eq!(Some(view.history[0].result_id), kept.result_id);
    // The call that ran there runs again here. Its caller is gone; one that asked again would have got the answer.
    b.ran(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_releases_all_sessions_at_shutdown() {
    let [a, b] = two(|_| How::Well).await;
    let mut ids = Vec::new();
    for n in 0..100 {
        let id = a.session().await;
        a.call(id, "echo", json!({"n": n})).await.unwrap();
        ids.push(id);
    }
    a.sessions.shutdown(Duration::from_secs(5)).await;
    for id in &ids {
        let row = b.store.look(*id).await.unwrap();
        assert_eq!(row.node, None, "{id} is still held");
    }
    for id in ids {
        let answered = tokio::time::timeout(Duration::from_secs(2), b.call(id, "echo", json!({})));
        answered.await.expect("without waiting").unwrap();
    }
}

/// Any message between nodes may be lost with the actor that took it up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_over_survives_the_death_of_the_actors_involved() {
    for point in [CrashPoint::InboxReceived, CrashPoint::SessionHandOverAsked] {
        let [a, b] = two(|_| How::Well).await;
        let id = a.session().await;
        a.call(id, "echo", json!({"n": 1})).await.unwrap();
        a.faults.arm(point, 1);
        let taken =
            tokio::time::timeout(Duration::from_secs(30), b.call(id, "echo", json!({"n": 2})));
        // Without an answer its node counts as down, and its lease is far longer than a caller waits.
        match taken.await.unwrap() {
            Ok(answer) => assert_eq!(echoed(&answer)["n"], json!(2)),
            Err(error) => assert!(matches!(error, CallError::Elsewhere { .. }), "{error}"),
        }
        let again = tokio::time::timeout(Duration::from_secs(30), b.call(id, "echo", json!({})));
        again.await.unwrap().unwrap();
    }
}

/// The cached values are outdated: no node keeps using them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_cleared_on_one_node_is_cleared_on_all() {
    let worlds = nodes(3, LONG, |_| How::Well).await.worlds;
    for world in &worlds {
        let record = NodeRecord {
            node: world.sessions.node(),
            version: String::new(),
            address: String::new(),
            started_ms: 0,
            seen_ms: 0,
            sessions: 0,
            calls_in_flight: 0,
            features: Vec::new(),
            draining: false,
            evicted_sessions: 0,
        };
        world.store.announce(&record).await.unwrap();
        let weighed = Weighed {
            value: Arc::new(()),
            weight: 1,
        };
        let entries = vec![(CacheKey([1; 32]), weighed)];
        assert!(
            world
                .sessions
                .0
                .places
                .cache
                .cast(CacheMsg::Fill { entries })
        );
        assert_eq!(world.sessions.status().await.cache.entries, 1);
    }
    worlds[0].sessions.forget_cache().await.unwrap();
    let forgotten = async {
        for world in &worlds {
            while world.sessions.status().await.cache.entries > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let forgotten = tokio::time::timeout(Duration::from_secs(30), forgotten).await;
    forgotten.expect("a node remembers what is out of date");
}

/// As after a kill: the call is in the state, and the next owner runs it again. Its caller has been told why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_calls_move_to_the_next_owner_at_shutdown() {
    let [a, b] = two(|_| How::Well).await;
    let id = a.session().await;
    let keyed = |sleep_ms: u64| CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "echo", json!({"sleep_ms": sleep_ms}))
    };
    let running = a.sessions.call(keyed(3000));
    let leaving = async {
        a.ran(1).await;
        while a.sessions.get(&Principal::local(), id).await.unwrap().calls[0].state != "executing" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        a.sessions.shutdown(Duration::ZERO).await;
    };
    let (answer, ()) = tokio::join!(running, leaving);
    assert_eq!(answer.unwrap_err(), CallError::ShuttingDown);
    assert_eq!(b.store.look(id).await.unwrap().node, None, "it is free");
    let again = b.sessions.call(keyed(3000)).await.unwrap();
    assert_eq!(echoed(&again), json!({"sleep_ms": 3000}));
    assert!(again.replayed, "it is the same call");
    assert_eq!(b.runs(), 1);
    let view = b.sessions.get(&Principal::local(), id).await.unwrap();
    assert_eq!(view.history.len(), 1);
}
