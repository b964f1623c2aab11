//! Answers to calls, without crashes.

use super::*;

#[tokio::test]
async fn a_call_is_answered_and_remembered() {
    let world = world().await;
    let id = world.session().await;
    let answer = world.call(id, "echo", json!({"path": "a"})).await.unwrap();
    assert_eq!(echoed(&answer), json!({"path": "a"}));
    assert_eq!(answer.session_id, Some(id));
    assert!(answer.stored && !answer.replayed);
    assert_eq!(answer.durability.level, DurabilityLevel::Memory);
    assert!(!answer.durability.durable);

    let again = world.call(id, "echo", json!({"path": "a"})).await.unwrap();
    assert_eq!(again.related, [answer.result_id.unwrap()]);
    assert!(again.durability.version > answer.durability.version);

    let view = world.sessions.get(&Principal::local(), id).await.unwrap();
    let history: Vec<_> = view.history.iter().map(|entry| entry.result_id).collect();
    assert_eq!(
        history,
        [again.result_id.unwrap(), answer.result_id.unwrap()]
    );
    assert!(
        view.calls
            .iter()
            .all(|call| call.state == "succeeded" && call.attempt == 1)
    );

    let stored = world
        .sessions
        .result(&Principal::local(), id, answer.result_id.unwrap())
        .await
        .unwrap();
    assert_eq!(
        (stored.tool.as_str(), stored.whole.as_ref()),
        ("echo", &json!("wwwwwwwwww"))
    );
    assert_eq!(stored.arguments, json!({"path": "a"}));
}

#[tokio::test]
async fn a_throwaway_session_keeps_nothing() {
    let world = world().await;
    let target = || Target::Throwaway(roots().into());
    let answer = world
        .sessions
        .call(request(target(), "echo", json!({"x": 1})))
        .await
        .unwrap();
    assert_eq!(echoed(&answer), json!({"x": 1}));
    assert_eq!(
        (answer.session_id, answer.result_id, answer.stored),
        (None, None, false)
    );
    let keyed = CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request(target(), "echo", json!({}))
    };
    assert_eq!(
        world.sessions.call(keyed).await.unwrap_err(),
        CallError::SessionRequired
    );
    assert_eq!(
        world
            .sessions
            .list(&Principal::local(), None, 10)
            .await
            .unwrap()
            .1,
        0
    );
}

#[tokio::test]
async fn a_tool_that_panics_fails_its_call_and_nothing_else() {
    let world = world().await;
    let id = world.session().await;
    let (bad, good) = tokio::join!(
        world.call(id, "panics", json!({})),
        world.call(id, "echo", json!({"x": 1}))
    );
    let error = bad.unwrap().outcome.unwrap_err();
    assert_eq!(error.reason, "tool_panicked");
    assert!(error.message.contains("no such luck"), "{error}");
    assert_eq!(echoed(&good.unwrap()), json!({"x": 1}));
    assert_eq!(world.sessions.status().await.pool.panics, 1);
}

#[tokio::test]
async fn the_same_key_runs_once_and_other_arguments_are_refused() {
    let world = world().await;
    let id = world.session().await;
    let keyed = |arguments: Value| CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "once", arguments)
    };
    let first = world.sessions.call(keyed(json!({"x": 1}))).await.unwrap();
    let second = world.sessions.call(keyed(json!({"x": 1}))).await.unwrap();
    assert_eq!(world.runs(), 1);
    assert!(!first.replayed && second.replayed);
    assert_eq!(first.result_id, second.result_id);
    assert_eq!(echoed(&first), echoed(&second));
    assert_eq!(
        world
            .sessions
            .call(keyed(json!({"x": 2})))
            .await
            .unwrap_err(),
        CallError::KeyReused
    );
}

#[tokio::test]
async fn a_key_survives_crash_and_sleep_and_is_dropped_for_newer_ones() {
    let world = world_with(|options| options.limits.keys = 3).await;
    let id = world.session().await;
    let call = async |key: &str| {
        let call = CallRequest {
            idempotency_key: Some(key.to_owned()),
            ..request(Target::Session(id), "once", json!({"key": key}))
        };
        world.sessions.call(call).await.unwrap()
    };
    let first = call("a").await;
    for strike in [InjectedFault::Kill, InjectedFault::Fault(Fault::Defect)] {
        assert!(world.strike(id, strike).await);
        let again = call("a").await;
        assert_eq!((again.result_id, again.replayed), (first.result_id, true));
    }
    assert_eq!(world.runs(), 1);
    for key in ["b", "c", "d"] {
        assert!(!call(key).await.replayed);
    }
    assert!(call("d").await.replayed && call("b").await.replayed);
    assert!(!call("a").await.replayed);
    assert_eq!(world.runs(), 5);
    let view = world.sessions.get(&Principal::local(), id).await.unwrap();
    assert_eq!(view.keys_remembered, 3);
}

#[tokio::test]
async fn a_second_call_waits_for_the_running_call_with_its_key() {
    let world = world().await;
    let id = world.session().await;
    let keyed = || CallRequest {
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "once", json!({"sleep_ms": 50}))
    };
    let (first, second) = tokio::join!(world.sessions.call(keyed()), world.sessions.call(keyed()));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(world.runs(), 1);
    assert!(first.replayed != second.replayed);
    assert_eq!(first.result_id, second.result_id);
}

#[tokio::test]
async fn cancelling_ends_a_call_and_frees_its_key() {
    let world = world().await;
    let id = world.session().await;
    let cancel = CancellationToken::new();
    let slow = CallRequest {
        cancel: cancel.clone(),
        idempotency_key: Some("k".to_owned()),
        ..request(Target::Session(id), "echo", json!({"sleep_ms": 60_000}))
    };
    let sessions = world.sessions.clone();
    let running = tokio::spawn(async move { sessions.call(slow).await });
    world.ran(1).await;
    cancel.cancel();
    assert_eq!(running.await.unwrap().unwrap_err(), CallError::Cancelled);
    let view = world.sessions.get(&Principal::local(), id).await.unwrap();
    // Whichever comes first: the caller's cancellation, or the tool's error, which has the same cause.
    assert_eq!(view.calls.len(), 1);
    assert!(matches!(
        view.calls[0].state.as_ref(),
        "cancelled" | "failed"
    ));
    assert_eq!(view.keys_remembered, 0);
}

#[tokio::test]
async fn a_deadline_ends_a_call() {
    let world = world().await;
    let id = world.session().await;
    let deadline = Duration::from_millis(30);
    let slow = CallRequest {
        deadline: Some(deadline),
        ..request(Target::Session(id), "echo", json!({"sleep_ms": 60_000}))
    };
    let ended = world.sessions.call(slow).await;
    let by_tool = ended.as_ref().is_ok_and(|answer| {
        answer
            .outcome
            .as_ref()
            .is_err_and(|error| error.reason == "deadline_exceeded")
    });
    assert!(
        by_tool
            || ended
                .as_ref()
                .is_err_and(|error| *error == CallError::DeadlineExceeded(deadline)),
        "{ended:?}"
    );
    assert!(world.call(id, "echo", json!({})).await.is_ok());
}

#[tokio::test]
async fn a_call_over_the_limit_gets_busy_and_the_others_finish() {
    let world = world_with(|options| options.limits.calls = 2).await;
    let id = world.session().await;
    let calls = (0..5).map(|_| world.call(id, "echo", json!({"sleep_ms": 50})));
    let answers = futures_join(calls).await;
    let busy = answers
        .iter()
        .filter(|answer| matches!(answer, Err(CallError::Busy { .. })))
        .count();
    assert_eq!(
        (busy, answers.iter().filter(|answer| answer.is_ok()).count()),
        (3, 2)
    );
}

#[tokio::test]
async fn calls_that_cannot_run_are_refused_with_a_reason() {
    let world = world().await;
    let id = world.session().await;
    let unknown = world.call(id, "nope", json!({})).await.unwrap_err();
    assert_eq!(unknown, CallError::UnknownTool("nope".to_owned()));
    let stranger = SessionId::random();
    assert_eq!(
        world.call(stranger, "echo", json!({})).await.unwrap_err(),
        CallError::UnknownSession(stranger)
    );
    let large = world
        .call(id, "echo", json!({"x": "y".repeat(70_000)}))
        .await
        .unwrap_err();
    assert!(matches!(
        large,
        CallError::ArgumentsTooLarge { limit: 65_536, .. }
    ));
}

#[tokio::test]
async fn another_principal_gets_unknown() {
    let world = world().await;
    let id = world.session().await;
    let other = Principal::named("other");
    let theirs = CallRequest {
        principal: other.clone(),
        ..request(Target::Session(id), "echo", json!({}))
    };
    let unknown = CallError::UnknownSession(id);
    assert_eq!(world.sessions.call(theirs).await.unwrap_err(), unknown);
    assert_eq!(world.sessions.get(&other, id).await.unwrap_err(), unknown);
    assert_eq!(world.sessions.close(&other, id).await.unwrap_err(), unknown);
    assert_eq!(
        world
            .sessions
            .result(&other, id, ResultId::random())
            .await
            .unwrap_err(),
        unknown
    );
    assert_eq!(world.sessions.list(&other, None, 10).await.unwrap().1, 0);
}

#[tokio::test]
async fn progress_arrives() {
    let world = world().await;
    let id = world.session().await;
    let seen = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&seen);
    let progress = ProgressSink::new(move |progress| {
        assert_eq!((progress.done, progress.total), (1, Some(2)));
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let call = CallRequest {
        progress,
        ..request(Target::Session(id), "echo", json!({"sleep_ms": 20}))
    };
    world.sessions.call(call).await.unwrap();
    assert!(seen.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn whole_results_are_bounded_and_the_newest_stay() {
    let world = world_with(|options| {
        options.limits.whole_bytes = 1000;
        options.limits.pinned = 0;
    })
    .await;
    let id = world.session().await;
    let mut results = Vec::new();
    for size in [400, 400, 400, 5000] {
        let answer = world
            .call(id, "echo", json!({"whole_bytes": size}))
            .await
            .unwrap();
        results.push((answer.result_id.unwrap(), answer.stored));
    }
    assert_eq!(
        results
            .iter()
            .map(|(_, stored)| *stored)
            .collect::<Vec<_>>(),
        [true, true, true, false]
    );
    let principal = Principal::local();
    let read = |id: SessionId, result| world.sessions.result(&principal, id, result);
    assert_eq!(
        read(id, results[0].0).await.unwrap_err(),
        CallError::ResultNotStored(results[0].0)
    );
    assert!(read(id, results[1].0).await.is_ok() && read(id, results[2].0).await.is_ok());
    assert_eq!(
        read(id, results[3].0).await.unwrap_err(),
        CallError::ResultNotStored(results[3].0)
    );
}

pub(super) async fn futures_join<F: Future>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = calls.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (call, done) in waiting.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = call.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
