//! Crashes of every actor under a call. The caller must not notice.

use super::calls::futures_join;
use super::*;

/// Every crash point, on its first and second pass, while calls start, run and end. Every call gets the right answer,
/// and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_crash_point_is_survived() {
    for &point in CrashPoint::ALL {
        for nth in 0..3 {
            let world = world_with(|options| options.idle_after = Duration::from_secs(3600)).await;
            let id = world.session().await;
            world.faults.arm(point, nth);
            check_calls(&world, id, &format!("{point:?} #{nth}")).await;
        }
    }
}

/// The same, between any two messages of a session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_may_die_between_any_two_messages() {
    for nth in 0..40 {
        let world = world().await;
        let id = world.session().await;
        world.faults.arm(CrashPoint::SessionMessage, nth);
        check_calls(&world, id, &format!("message {nth}")).await;
    }
}

/// Two deaths in a row, at every pair of points of a session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_may_die_again_while_it_recovers() {
    use CrashPoint::*;
    let points = [
        SessionMessage,
        SessionStarted,
        SessionLoaded,
        SessionRecovered,
        SessionJobHandedOver,
        SessionCommitCast,
        SessionApplied,
    ];
    for first in points {
        for second in points {
            let world = world().await;
            let id = world.session().await;
            world.faults.arm(first, 1);
            world.faults.arm(second, 2);
            check_calls(&world, id, &format!("{first:?}, {second:?}")).await;
        }
    }
}

async fn check_calls(world: &World, id: SessionId, what: &str) {
    let calls =
        (0..4).map(|n| world.call(id, "echo", json!({"n": n, "path": "p", "sleep_ms": n * 2})));
    let answers = futures_join(calls).await;
    let mut results = Vec::new();
    for (n, answer) in answers.iter().enumerate() {
        let answer = answer
            .as_ref()
            .unwrap_or_else(|error| panic!("{what}: call {n}: {error}"));
        assert_eq!(echoed(answer)["n"], json!(n), "{what}");
        results.push(answer.result_id.unwrap());
    }
    let principal = Principal::local();
    let view = world
        .sessions
        .get(&principal, id)
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut known: Vec<_> = view.history.iter().map(|entry| entry.result_id).collect();
    known.sort();
    results.sort();
    assert_eq!(
        known, results,
        "{what}: one result for each call, and no other"
    );
    for result in results {
        let read = world.sessions.result(&principal, id, result).await;
        assert!(read.is_ok(), "{what}: {read:?}");
    }
    assert!(
        world
            .sessions
            .call(request(
                Target::Throwaway(roots().into()),
                "echo",
                json!({})
            ))
            .await
            .is_ok(),
        "{what}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throwaway_calls_survive_every_crash_point_too() {
    for &point in CrashPoint::ALL {
        let world = world().await;
        world.faults.arm(point, 0);
        let answer = world
            .sessions
            .call(request(
                Target::Throwaway(roots().into()),
                "echo",
                json!({"sleep_ms": 2}),
            ))
            .await;
        assert!(
            answer.is_ok_and(|answer| answer.outcome.is_ok()),
            "{point:?}"
        );
    }
}

/// The job of a call outlives its session: it is adopted, not run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_is_adopted() {
    let world = world().await;
    let id = world.session().await;
    for strike in [
        InjectedFault::Kill,
        InjectedFault::Fault(Fault::Panic),
        InjectedFault::Fault(Fault::Defect),
    ] {
        let before = world.runs();
        let calling = world.call(id, "once", json!({"sleep_ms": 60}));
        let striking = async {
            world.ran(before + 1).await;
            assert!(
                world
                    .sessions
                    .strike(&format!("session:{id}"), strike)
                    .await
            );
        };
        let (answer, ()) = tokio::join!(calling, striking);
        assert!(answer.unwrap().outcome.is_ok());
        assert_eq!(world.runs(), before + 1, "{strike:?}");
    }
}

/// All actors are killed repeatedly while calls run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_crashes_cost_only_latency() {
    let world = world().await;
    let ids = [
        world.session().await,
        world.session().await,
        world.session().await,
    ];
    let stop = CancellationToken::new();
    let strikes = async {
        let names = [
            "registry",
            "cache",
            "pool",
            "persistence:0",
            "persistence:1",
            "store",
            "sessions:0",
            "sessions:7",
        ];
        for round in 0..40_usize {
            let strike = if round % 2 == 0 {
                InjectedFault::Kill
            } else {
                InjectedFault::Fault(Fault::Panic)
            };
            world
                .sessions
                .strike(names[round % names.len()], strike)
                .await;
            world
                .sessions
                .strike(&format!("session:{}", ids[round % 3]), strike)
                .await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let work = ids.map(|id| {
        let (world, stop) = (&world, stop.clone());
        async move {
            let mut results = Vec::new();
            while !stop.is_cancelled() {
                let answer = world
                    .call(id, "echo", json!({"sleep_ms": 3, "n": results.len()}))
                    .await
                    .unwrap();
                assert_eq!(echoed(&answer)["n"], json!(results.len()));
                results.push(answer.result_id.unwrap());
            }
            (id, results)
        }
    });
    let (done, ()) = tokio::join!(futures_join(work), strikes);
    for (id, results) in done {
        assert!(!results.is_empty());
        let view = world.sessions.get(&Principal::local(), id).await.unwrap();
        let known: Vec<_> = view
            .history
            .iter()
            .rev()
            .map(|entry| entry.result_id)
            .collect();
        let kept = known.len();
        assert_eq!(
            known,
            results[results.len() - kept..],
            "every acknowledged result, in order, once"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_non_idempotent_tool_is_interrupted_if_its_job_is_lost() {
    let world = world().await;
    let id = world.session().await;
    // The job is handed over, and the session dies before its start is committed or the pool has it: run again is
    // allowed then; but never after it has started and vanished, so it runs once or is answered `interrupted`.
    for nth in 0..6 {
        let before = world.runs();
        world.faults.arm(CrashPoint::SessionMessage, nth);
        let answer = world.call(id, "once", json!({"n": nth})).await.unwrap();
        let ran = world.runs() - before;
        match answer.outcome {
            Ok(_) => assert_eq!(ran, 1, "{nth}"),
            Err(error) => assert_eq!(
                (error.reason.as_str(), ran <= 1),
                ("interrupted", true),
                "{nth}"
            ),
        }
    }
}
