//! Sessions created or closed during an outage.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_created_during_an_outage_is_written_to_the_store() {
    let away = away().await;
    away.is(AWAY);
    away.fallback.is_away("it never was there");
    let view = away.world.sessions.create(creation()).await.unwrap();
    assert!(!view.durability.durable);
    let answer = away.call(view.id, 1).await;
    assert!(!answer.durability.durable);
    let keyed = CreateRequest {
        idempotency_key: Some("k".to_owned()),
        ..creation()
    };
    let refused = away.world.sessions.create(keyed).await.unwrap_err();
    assert!(
        matches!(refused, CallError::StoreUnavailable(_)),
        "{refused}"
    );
    let ended = away.world.session().await;
    away.call(ended, 1).await;
    away.world
        .sessions
        .close(&Principal::local(), ended)
        .await
        .unwrap();
    away.comes_back().await;
    let seen = away.seen_by_another(view.id).await;
    assert_eq!(results(&seen), [answer.result_id.unwrap()]);
    assert_eq!(away.world.store.look(ended).await, Err(StoreError::Missing));
}

#[tokio::test(start_paused = true)]
async fn a_session_closed_during_an_outage_is_deleted_from_the_store() {
    let away = away().await;
    let id = away.world.session().await;
    away.call(id, 0).await;
    away.is(AWAY);
    away.call(id, 1).await;
    away.world
        .sessions
        .close(&Principal::local(), id)
        .await
        .unwrap();
    let gone = away.world.call(id, "echo", json!({})).await.unwrap_err();
    assert_eq!(gone, CallError::UnknownSession(id));
    away.comes_back().await;
    assert_eq!(away.world.store.look(id).await, Err(StoreError::Deleted));
}

/// Two nodes create a session under one key while the first cannot reach the store. Both sessions are kept, and later
/// requests under the key all get the same one.
#[tokio::test(start_paused = true)]
async fn a_provisional_key_names_one_session_after_the_outage() {
    for made_elsewhere in [false, true] {
        let away = away().await;
        let request = || CreateRequest {
            idempotency_key: Some("default".to_owned()),
            provisional: true,
            ..creation()
        };
        away.is(AWAY);
        let ours = away.world.sessions.create(request()).await.unwrap();
        assert!(away.world.sessions.is_provisional(&ours));
        assert!(ours.notices[0].contains("not durable"), "{ours:?}");
        let again = away.world.sessions.create(request()).await.unwrap();
        assert_eq!(again.id, ours.id, "one on this node");
        let result = away.call(ours.id, 0).await.result_id.unwrap();
        let backing = Backing::alone(Arc::clone(&away.world.store) as _);
        let other = node(|_| {}, Arc::clone(&away.world.store), backing, away.clock).await;
        let theirs = if made_elsewhere {
            Some(other.sessions.create(request()).await.unwrap().id)
        } else {
            None
        };
        away.comes_back().await;
        let wanted = theirs.unwrap_or(ours.id);
        let heard = away.world.sessions.create(request()).await.unwrap();
        assert_eq!(heard.id, wanted);
        let kept = away.world.sessions.get(&Principal::local(), ours.id).await;
        assert_eq!(results(&kept.unwrap()), [result], "it is kept, by its id");
    }
}
