//! A server that restarts between the question to other nodes and the commit.

use super::*;

#[tokio::test]
async fn a_commit_is_applied_only_in_its_run() {
    let Some(mut server) = server::good() else {
        return;
    };
    let store = store(&server);
    let (id, fence) = held(&store).await;
    let before = store.run();
    let mut committed = store.commit_in(before, &[commit(id, fence, 1)]).await;
    assert_eq!(committed.remove(0).unwrap().version, 2);
    server.kill();
    server.restart();
    // The first attempts find broken connections. None may be applied by a connection that was opened since.
    let started = Instant::now();
    while store.run() == before || started.elapsed() < Duration::from_millis(500) {
        let refused = store.commit_in(before, &[commit(id, fence, 2)]).await;
        let refused = refused.into_iter().next().unwrap();
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the restart is not noticed"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let now = store.run();
    assert!(now > before);
    let next = commit(id, fence, 2);
    let committed = until(|| async {
        store
            .commit_in(now, std::slice::from_ref(&next))
            .await
            .remove(0)
    })
    .await;
    assert_eq!(committed.version, 3);
}
