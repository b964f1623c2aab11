//! Restarts, escalation, and isolation of actors.

use super::*;

#[tokio::test]
async fn a_failing_session_is_quarantined_with_its_reason_and_others_are_not_affected() {
    let world = world().await;
    let (bad, good) = (world.session().await, world.session().await);
    for _ in 0..4 {
        // Wakes the session, and makes it fail.
        while !world
            .sessions
            .strike(
                &format!("session:{bad}"),
                InjectedFault::Fault(Fault::Defect),
            )
            .await
        {
            let _ = world.sessions.get(&Principal::local(), bad).await;
        }
        assert!(world.call(good, "echo", json!({})).await.is_ok());
    }
    let quarantined = loop {
        match world.call(bad, "echo", json!({})).await {
            Err(CallError::Quarantined { reason, .. }) => break reason,
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(quarantined.contains("defect by request"), "{quarantined}");
    let view = world.sessions.get(&Principal::local(), bad).await.unwrap();
    assert_eq!(
        view.status,
        SessionStatus::Quarantined {
            reason: quarantined
        }
    );
    let stranger = CallRequest {
        principal: Principal::named("other"),
        ..request(Target::Session(bad), "echo", json!({}))
    };
    assert_eq!(
        world.sessions.call(stranger).await.unwrap_err(),
        CallError::UnknownSession(bad)
    );
    assert_eq!(world.sessions.status().await.sessions.quarantined, 1);
    assert!(world.call(good, "echo", json!({})).await.is_ok());
    world
        .sessions
        .close(&Principal::local(), bad)
        .await
        .unwrap();
    assert_eq!(
        world
            .sessions
            .get(&Principal::local(), bad)
            .await
            .unwrap_err(),
        CallError::UnknownSession(bad)
    );
}

#[tokio::test]
async fn kills_never_quarantine() {
    let world = world().await;
    let id = world.session().await;
    for _ in 0..20 {
        world.call(id, "echo", json!({})).await.unwrap();
        world
            .sessions
            .strike(&format!("session:{id}"), InjectedFault::Kill)
            .await;
    }
    assert!(world.call(id, "echo", json!({})).await.is_ok());
}

#[tokio::test]
async fn restarts_and_causes_are_shown() {
    let world = world().await;
    let before = world.sessions.status().await;
    assert!(
        before
            .tree
            .children
            .iter()
            .all(|child| child.restarts == 0 && child.status == "running")
    );
    assert!(
        world
            .sessions
            .strike("registry", InjectedFault::Fault(Fault::Defect))
            .await
    );
    let registry = loop {
        let status = world.sessions.status().await;
        let registry = status
            .tree
            .children
            .into_iter()
            .find(|child| child.name == "registry")
            .unwrap();
        if registry.restarts == 1 && registry.status == "running" {
            break registry;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!(registry.last_failure.as_deref(), Some("defect by request"));
    assert!(!world.sessions.strike("nobody", InjectedFault::Kill).await);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_keeps_failing_reports_its_end() {
    let world = world().await;
    let breaking = async {
        loop {
            world
                .sessions
                .strike("cache", InjectedFault::Fault(Fault::Defect))
                .await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reason = tokio::select! {
        reason = world.sessions.failed() => reason,
        () = breaking => unreachable!(),
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("never gave up"),
    };
    assert!(reason.contains("cache keeps failing"), "{reason}");
}

#[tokio::test]
async fn the_death_of_the_root_is_noticed() {
    let world = world().await;
    assert!(world.sessions.strike("root", InjectedFault::Kill).await);
    assert_eq!(world.sessions.failed().await, "the root supervisor ended");
}

#[tokio::test]
async fn the_store_is_untouched_by_the_death_of_its_supervisor() {
    let world = world().await;
    let id = world.session().await;
    let answer = world.call(id, "echo", json!({})).await.unwrap();
    assert!(world.sessions.strike("store", InjectedFault::Kill).await);
    let again = world.call(id, "echo", json!({})).await.unwrap();
    assert_eq!(again.related, [answer.result_id.unwrap()]);
    let row = Store::look(world.store.as_ref(), id).await.unwrap();
    assert_eq!(row.label.as_deref(), Some("test"));
}
